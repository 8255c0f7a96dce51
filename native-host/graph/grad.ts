import { add } from './ops/elementwise.ts';
import { Recomputation } from './recomputation.ts';
import { type Node, nodesInOrder, type Value } from './value.ts';

/**
 * Gradients of a scalar with respect to values, by walking the graph backwards. Knows no op: each op's vjp says what
 * its inputs receive. `seed` is the cotangent of `loss`, a scalar value. With `kept`, values between these are not kept
 * from the forward pass but computed again (recomputation.ts).
 * Errors: Error naming the op, where a gradient would have to pass through one that has none, or where `loss` does
 * not depend on a wanted value.
 */
export function grad(loss: Value, wanted: readonly Value[], seed: Value, kept: readonly Value[] = []): Value[] {
  const order = nodesInOrder([loss]);
  const recomputation = new Recomputation(order, kept);
  const wantedNodes = new Set(wanted.map((value) => value.node));
  const leadsToWanted = new Set<Node>();
  for (const node of order) {
    if (wantedNodes.has(node) || node.inputs.some((input) => leadsToWanted.has(input.node))) leadsToWanted.add(node);
  }

  const cotangents = new Map<Node, (Value | null)[]>();
  const accumulate = (value: Value, cotangent: Value) => {
    const ofNode = cotangents.get(value.node) ?? value.node.outputs.map(() => null);
    const known = ofNode[value.index] ?? null;
    ofNode[value.index] = known === null ? cotangent : add(known, cotangent);
    cotangents.set(value.node, ofNode);
    recomputation.reached(value, cotangent);
  };
  accumulate(loss, seed);

  for (const node of order.toReversed()) {
    const ofOutputs = cotangents.get(node);
    if (ofOutputs === undefined || !leadsToWanted.has(node)) continue;
    const needs = node.inputs.map((input) => leadsToWanted.has(input.node));
    if (!needs.includes(true)) continue;
    if (node.op.vjp === undefined) throw new Error(`op '${node.op.name}' has no gradient`);
    const ofInputs = node.op.vjp(recomputation.read(node), ofOutputs, needs);
    node.inputs.forEach((input, i) => {
      const cotangent = ofInputs[i];
      if (needs[i] && cotangent) accumulate(input, cotangent);
    });
  }

  return wanted.map((value) => {
    const cotangent = cotangents.get(value.node)?.[value.index];
    if (!cotangent) throw new Error(`the loss does not depend on output ${value.index} of '${value.node.op.name}'`);
    return cotangent;
  });
}
