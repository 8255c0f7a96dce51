import { expect, test } from 'vitest';
import { grad } from '../../native-host/graph/grad.ts';
import { add, sigmoid } from '../../native-host/graph/ops/elementwise.ts';
import { linear } from '../../native-host/graph/ops/matmul.ts';
import { constant, input } from '../../native-host/graph/ops/source.ts';
import { type Node, nodesInOrder, type Value } from '../../native-host/graph/value.ts';

const size = 3;
const ones = constant(new Float32Array(size * size).fill(1), [size, size]);

/** Three layers x + sigmoid(x·Wᵀ), whose last output is taken as a loss; each layer's input is what may be kept. */
function layers() {
  const weights = Array.from({ length: 3 }, (_, i) => input(`weight${i}`, [size, size]));
  let x = input('x', [size, size]);
  const kept = [x];
  for (const weight of weights) {
    x = add(x, sigmoid(linear(x, weight)));
    kept.push(x);
  }
  return { weights, loss: x, kept };
}

const nodesOf = (values: readonly Value[], name: string): Node[] =>
  nodesInOrder(values).filter(({ op }) => op.name === name);

/** Every node that the node's inputs depend on. */
const before = (node: Node): Set<Node> => new Set(nodesInOrder(node.inputs));

test('without values to keep, gradients read the forward pass', () => {
  const { weights, loss } = layers();
  const gradients = grad(loss, weights, ones);
  expect(nodesOf(gradients, 'after')).toHaveLength(0);
  expect(nodesOf([loss, ...gradients], 'sigmoid')).toHaveLength(3);
});

test('each section is computed again once, from the value that is kept before it', () => {
  const { weights, loss, kept } = layers();
  const gradients = grad(loss, weights, ones, kept);
  const starts = nodesOf(gradients, 'after');
  expect(starts.map(({ inputs }) => kept.indexOf(inputs[0]!)).sort()).toEqual([0, 1, 2]);
  expect(nodesOf([loss, ...gradients], 'sigmoid')).toHaveLength(6);
});

test('a section is computed again only when the gradients of the one behind it are there', () => {
  const { weights, loss, kept } = layers();
  const gradients = grad(loss, weights, ones, kept);
  const starts = nodesOf(gradients, 'after');
  for (const section of [0, 1]) {
    const start = starts.find(({ inputs }) => inputs[0] === kept[section])!;
    expect(before(start)).toContain(gradients[section + 1]!.node);
  }
});

test('what comes behind the last kept value is not computed again', () => {
  const { weights, loss, kept } = layers();
  const gradients = grad(loss, weights, ones, kept.slice(0, 2));
  expect(nodesOf(gradients, 'after')).toHaveLength(1);
  expect(nodesOf([loss, ...gradients], 'sigmoid')).toHaveLength(4);
});
