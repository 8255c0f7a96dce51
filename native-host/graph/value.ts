/**
 * A computation as data: values are made by nodes, a node applies an op to values. Nothing here computes; a backend
 * (native-host/runtime) walks the nodes and runs them.
 *
 * Shape letters used throughout: B batch rows, T positions in a row, N = B·T, C hidden size, H query heads,
 * G key/value heads, D head size, V vocabulary.
 */

export type DType = 'float32' | 'int32';

/** A size, or the name of a size that is known only when the program runs. */
export type Dimension = number | string;
export type Shape = readonly Dimension[];

export interface Value {
  readonly node: Node;
  /** Which of its node's outputs this is. */
  readonly index: number;
  readonly shape: Shape;
  readonly dtype: DType;
}

export interface Node {
  readonly id: number;
  readonly op: Op;
  readonly inputs: readonly Value[];
  readonly attributes: Attributes;
  readonly outputs: readonly Value[];
}

// biome-ignore lint/suspicious/noExplicitAny: each op reads its own attributes; its builder function is what types them.
export type Attributes = Readonly<Record<string, any>>;

export interface OutputType {
  shape: Shape;
  dtype: DType;
}

export interface Op {
  readonly name: string;
  /** Checks the inputs and says what the outputs are. Throws a ShapeError. */
  readonly shape: (inputs: readonly Value[], attributes: Attributes) => OutputType[];
  /**
   * Vector–Jacobian product: from the cotangents of the node's outputs (null: nothing depends on it) to those of its
   * inputs. `wanted[i]` says whether input i needs one. Absent: no gradient passes through this op.
   */
  readonly vjp?: (node: Node, cotangents: readonly (Value | null)[], wanted: readonly boolean[]) => (Value | null)[];
}

export class ShapeError extends Error {
  override name = 'ShapeError';
}

let nextNodeId = 0;

/** Applies an op; returns one value an output. Errors: ShapeError, naming the op. */
export function apply(op: Op, inputs: readonly Value[], attributes: Attributes = {}): Value[] {
  const types = op.shape(inputs, attributes);
  const outputs: Value[] = [];
  const node: Node = { id: nextNodeId++, op, inputs, attributes, outputs };
  types.forEach((type, index) => {
    outputs.push({ node, index, shape: type.shape, dtype: type.dtype });
  });
  return outputs;
}

/** Applies an op that has one output. */
export function applyOne(op: Op, inputs: readonly Value[], attributes: Attributes = {}): Value {
  return apply(op, inputs, attributes)[0]!;
}

export function sameShape(left: Shape, right: Shape): boolean {
  return left.length === right.length && left.every((dimension, axis) => dimension === right[axis]);
}

export function shapeText(shape: Shape): string {
  return `[${shape.join(', ')}]`;
}

/** Throws unless the condition holds; the message names the op and every input's shape. */
export function requireShapes(condition: boolean, op: string, inputs: readonly Value[], wanted: string): void {
  if (condition) return;
  const got = inputs.map((input) => `${input.dtype}${shapeText(input.shape)}`).join(', ');
  throw new ShapeError(`${op} wants ${wanted}, and got ${got}`);
}

/** Number of elements. Errors: ShapeError where a size is not known before the program runs. */
export function elementCount(shape: Shape): number {
  return shape.reduce<number>((product, dimension) => {
    if (typeof dimension === 'string') throw new ShapeError(`size '${dimension}' is known only at run time`);
    return product * dimension;
  }, 1);
}

/** Every node that the values depend on, each after its inputs. */
export function nodesInOrder(values: readonly Value[]): Node[] {
  const order: Node[] = [];
  const state = new Map<Node, 'open' | 'done'>();
  const stack: Node[] = values.map((value) => value.node).reverse();
  while (stack.length > 0) {
    const node = stack[stack.length - 1]!;
    if (state.get(node) === undefined) {
      state.set(node, 'open');
      for (let i = node.inputs.length - 1; i >= 0; i--) {
        const source = node.inputs[i]!.node;
        if (state.get(source) === undefined) stack.push(source);
      }
    } else {
      stack.pop();
      if (state.get(node) === 'open') {
        state.set(node, 'done');
        order.push(node);
      }
    }
  }
  return order;
}
