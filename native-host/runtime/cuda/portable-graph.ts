/**
 * A program as plain data, so that it can be sent to another thread, and back as nodes with every size known. Ops are
 * known there by their names alone.
 */
import {
  type Attributes,
  type DType,
  type Node,
  nodesInOrder,
  type Op,
  type Shape,
  type Value,
} from '../../graph/value.ts';
import type { Program } from '../device.ts';

interface PortableValue {
  node: number;
  index: number;
}

interface PortableNode {
  op: string;
  inputs: PortableValue[];
  /** Without `forward`. */
  attributes: Attributes;
  /** The node that this one is the gradient of. */
  forward: number | null;
  outputs: { shape: Shape; dtype: DType }[];
}

export interface PortableProgram {
  name: string;
  /** In the order in which the graph was built, which is one that a device can compute in. */
  nodes: PortableNode[];
  outputs: Record<string, PortableValue>;
}

export interface ConcreteProgram {
  name: string;
  nodes: Node[];
  outputs: Record<string, Value>;
}

/**
 * Nodes go in the order in which they were made: a gradient's products then stand beside the step of the backward pass
 * that they belong to, and what they read is not kept until the end.
 */
export function portableProgram({ name, outputs }: Program): PortableProgram {
  const nodes = nodesInOrder(Object.values(outputs)).sort((left, right) => left.id - right.id);
  const position = new Map(nodes.map((node, i) => [node, i]));
  const portable = (value: Value): PortableValue => ({ node: position.get(value.node)!, index: value.index });
  return {
    name,
    nodes: nodes.map((node) => {
      const { forward, ...attributes } = node.attributes;
      return {
        op: node.op.name,
        inputs: node.inputs.map(portable),
        attributes,
        forward: forward === undefined ? null : position.get(forward)!,
        outputs: node.outputs.map(({ shape, dtype }) => ({ shape, dtype })),
      };
    }),
    outputs: Object.fromEntries(Object.entries(outputs).map(([key, value]) => [key, portable(value)])),
  };
}

/** The names of sizes that are known only when the program runs. */
export function openDimensions({ nodes }: PortableProgram): string[] {
  const names = new Set<string>();
  for (const { op, outputs } of nodes) {
    if (op !== 'input') continue;
    for (const { shape } of outputs) for (const size of shape) if (typeof size === 'string') names.add(size);
  }
  return [...names];
}

/** The program with these sizes. Sizes that are not given stay names. */
export function concreteProgram(program: PortableProgram, sizes: ReadonlyMap<string, number>): ConcreteProgram {
  const known = (shape: Shape): Shape =>
    shape.map((size) => (typeof size === 'string' ? (sizes.get(size) ?? size) : size));
  const nodes: Node[] = [];
  const found = ({ node, index }: PortableValue): Value => nodes[node]!.outputs[index]!;
  program.nodes.forEach(({ op, inputs, attributes, forward, outputs }, id) => {
    const values: Value[] = [];
    const node: Node = {
      id,
      op: opNamed(op),
      inputs: inputs.map(found),
      attributes: forward === null ? attributes : { ...attributes, forward: nodes[forward] },
      outputs: values,
    };
    outputs.forEach(({ shape, dtype }, index) => {
      values.push({ node, index, shape: known(shape), dtype });
    });
    nodes.push(node);
  });
  return {
    name: program.name,
    nodes,
    outputs: Object.fromEntries(Object.entries(program.outputs).map(([key, value]) => [key, found(value)])),
  };
}

function opNamed(name: string): Op {
  return {
    name,
    shape: () => {
      throw new Error(`op '${name}' has been applied already`);
    },
  };
}
