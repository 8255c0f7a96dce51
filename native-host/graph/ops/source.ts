/** Where values come from: what is fed at each run, frozen weights, constants, and views of a flat vector. */
import { apply, applyOne, type DType, elementCount, type Op, requireShapes, type Shape, type Value } from '../value.ts';

const inputOp: Op = { name: 'input', shape: (_, { shape, dtype }) => [{ shape, dtype }] };

/** A tensor that is fed at every run. */
export function input(name: string, shape: Shape, dtype: DType = 'float32'): Value {
  return applyOne(inputOp, [], { name, shape, dtype });
}

const weightOp: Op = { name: 'weight', shape: (_, { shape }) => [{ shape, dtype: 'float32' }] };

/** A frozen weight of the base model, by its name in the safetensors files. */
export function weight(name: string, shape: readonly number[]): Value {
  return applyOne(weightOp, [], { name, shape });
}

const constantOp: Op = { name: 'constant', shape: (_, { shape, dtype }) => [{ shape, dtype }] };

/** Data that is part of the program. */
export function constant(data: Float32Array | Int32Array, shape: readonly number[]): Value {
  const dtype: DType = data instanceof Float32Array ? 'float32' : 'int32';
  return applyOne(constantOp, [], { data, shape, dtype });
}

export function scalar(value: number): Value {
  return constant(Float32Array.of(value), []);
}

const unflattenOp: Op = {
  name: 'unflatten',
  shape: (inputs, { shapes }) => {
    const total = (shapes as number[][]).reduce((sum, shape) => sum + elementCount(shape), 0);
    requireShapes(inputs[0]!.shape.length === 1 && inputs[0]!.shape[0] === total, 'unflatten', inputs, `[${total}]`);
    return (shapes as number[][]).map((shape) => ({ shape, dtype: 'float32' }));
  },
  vjp: (node, cotangents) => [
    flatten(
      cotangents.map(
        (cotangent, i) =>
          cotangent ??
          constant(new Float32Array(elementCount(node.outputs[i]!.shape)), node.outputs[i]!.shape as number[]),
      ),
    ),
  ],
};

/** Cuts a flat vector [n] into tensors that lie in it one after another. */
export function unflatten(flat: Value, shapes: readonly (readonly number[])[]): Value[] {
  return apply(unflattenOp, [flat], { shapes });
}

const flattenOp: Op = {
  name: 'flatten',
  shape: (inputs) => [{ shape: [inputs.reduce((sum, value) => sum + elementCount(value.shape), 0)], dtype: 'float32' }],
};

/** Lays tensors one after another in a flat vector [n]: the inverse of unflatten. */
export function flatten(values: readonly Value[]): Value {
  return applyOne(flattenOp, values);
}
