import { applyOne, type Op, requireShapes, type Value } from '../value.ts';

const matmulOp: Op = {
  name: 'matmul',
  shape: (inputs, { transposeLeft, transposeRight }) => {
    const [left, right] = inputs;
    requireShapes(left!.shape.length === 2 && right!.shape.length === 2, 'matmul', inputs, 'two matrices');
    const [rows, inner] = transposeLeft ? [left!.shape[1]!, left!.shape[0]!] : [left!.shape[0]!, left!.shape[1]!];
    const [innerRight, columns] = transposeRight
      ? [right!.shape[1]!, right!.shape[0]!]
      : [right!.shape[0]!, right!.shape[1]!];
    requireShapes(inner === innerRight, 'matmul', inputs, 'equal inner sizes');
    return [{ shape: [rows, columns], dtype: 'float32' }];
  },
  vjp: ({ inputs: [left, right], attributes }, [cotangent], wanted) => {
    const { transposeLeft, transposeRight } = attributes;
    const ofLeft = () =>
      transposeLeft
        ? matmul(right!, cotangent!, transposeRight, true)
        : matmul(cotangent!, right!, false, !transposeRight);
    const ofRight = () =>
      transposeRight
        ? matmul(cotangent!, left!, true, transposeLeft)
        : matmul(left!, cotangent!, !transposeLeft, false);
    return [wanted[0] ? ofLeft() : null, wanted[1] ? ofRight() : null];
  },
};

/** left · right for matrices, either transposed first. */
export function matmul(left: Value, right: Value, transposeLeft = false, transposeRight = false): Value {
  return applyOne(matmulOp, [left, right], { transposeLeft, transposeRight });
}

/** x · weightᵀ: x [N, in], weight [out, in] → [N, out]. */
export function linear(x: Value, weight: Value): Value {
  return matmul(x, weight, false, true);
}

const addBiasOp: Op = {
  name: 'addBias',
  shape: (inputs) => {
    const [x, bias] = inputs;
    const fits = bias!.shape.length === 1 && bias!.shape[0] === x!.shape[1];
    requireShapes(fits, 'addBias', inputs, 'x [N, C] and bias [C]');
    return [{ shape: x!.shape, dtype: 'float32' }];
  },
  vjp: (_, [cotangent], wanted) => [cotangent!, wanted[1] ? applyOne(columnSumOp, [cotangent!]) : null],
};

const columnSumOp: Op = {
  name: 'columnSum',
  shape: (inputs) => [{ shape: [inputs[0]!.shape[1]!], dtype: 'float32' }],
};

/** x + bias in every row: x [N, C], bias [C]. */
export function addBias(x: Value, bias: Value): Value {
  return applyOne(addBiasOp, [x, bias]);
}

const perHeadLinearOp: Op = {
  name: 'perHeadLinear',
  shape: (inputs) => {
    const [x, weight] = inputs;
    const [heads, out, inner] = weight!.shape as number[];
    requireShapes(x!.shape[1] === heads! * inner!, 'perHeadLinear', inputs, 'x [N, H·in] and weight [H, out, in]');
    return [{ shape: [x!.shape[0]!, heads! * out!], dtype: 'float32' }];
  },
  vjp: ({ inputs: [x, weight] }, [cotangent], wanted) => [
    wanted[0] ? applyOne(perHeadInputGradOp, [cotangent!, weight!]) : null,
    wanted[1] ? applyOne(perHeadWeightGradOp, [cotangent!, x!], { weightShape: weight!.shape }) : null,
  ],
};

const perHeadInputGradOp: Op = {
  name: 'perHeadInputGrad',
  shape: ([cotangent, weight]) => [
    { shape: [cotangent!.shape[0]!, (weight!.shape[0] as number) * (weight!.shape[2] as number)], dtype: 'float32' },
  ],
};

const perHeadWeightGradOp: Op = {
  name: 'perHeadWeightGrad',
  shape: (_, { weightShape }) => [{ shape: weightShape, dtype: 'float32' }],
};

/** Each head's columns times that head's matrix: x [N, H·in], weight [H, out, in] → [N, H·out]. */
export function perHeadLinear(x: Value, weight: Value): Value {
  return applyOne(perHeadLinearOp, [x, weight]);
}
