import { applyOne, type Op, requireShapes, sameShape, type Value } from '../value.ts';

function sameShapes(name: string): Op['shape'] {
  return (inputs) => {
    const [left, right] = inputs;
    requireShapes(right === undefined || sameShape(left!.shape, right.shape), name, inputs, 'equal shapes');
    return [{ shape: left!.shape, dtype: 'float32' }];
  };
}

const addOp: Op = { name: 'add', shape: sameShapes('add'), vjp: (_, [cotangent]) => [cotangent!, cotangent!] };

/** left + right, of equal shape. */
export function add(left: Value, right: Value): Value {
  return applyOne(addOp, [left, right]);
}

const multiplyOp: Op = {
  name: 'multiply',
  shape: sameShapes('multiply'),
  vjp: ({ inputs }, [cotangent], wanted) => [
    wanted[0] ? multiply(cotangent!, inputs[1]!) : null,
    wanted[1] ? multiply(cotangent!, inputs[0]!) : null,
  ],
};

/** left · right element by element, of equal shape. */
export function multiply(left: Value, right: Value): Value {
  return applyOne(multiplyOp, [left, right]);
}

const affineOp: Op = {
  name: 'affine',
  shape: sameShapes('affine'),
  vjp: ({ attributes }, [cotangent]) => [scale(cotangent!, attributes.factor)],
};

/** factor · x */
export function scale(x: Value, factor: number): Value {
  return factor === 1 ? x : affine(x, factor, 0);
}

/** factor · x + offset */
export function affine(x: Value, factor: number, offset: number): Value {
  return applyOne(affineOp, [x], { factor, offset });
}

const scaleByOp: Op = {
  name: 'scaleBy',
  shape: (inputs) => {
    requireShapes(inputs[1]!.shape.length === 0, 'scaleBy', inputs, 'x and a scalar');
    return [{ shape: inputs[0]!.shape, dtype: 'float32' }];
  },
};

/** x · factor, where the factor is a scalar value. */
export function scaleBy(x: Value, factor: Value): Value {
  return applyOne(scaleByOp, [x, factor]);
}

const sigmoidOp: Op = {
  name: 'sigmoid',
  shape: sameShapes('sigmoid'),
  vjp: ({ outputs }, [cotangent]) => [multiply(cotangent!, multiply(outputs[0]!, affine(outputs[0]!, -1, 1)))],
};

/** 1 / (1 + exp(−x)) */
export function sigmoid(x: Value): Value {
  return applyOne(sigmoidOp, [x]);
}

/** x · sigmoid(x) */
export function silu(x: Value): Value {
  return multiply(x, sigmoid(x));
}

/** cap · tanh(x / cap): about x where that is small beside the cap, and never beyond it. */
export function softCapped(x: Value, cap: number): Value {
  return affine(sigmoid(scale(x, 2 / cap)), 2 * cap, -cap);
}

/**
 * gelu(gate) · up, of equal shape, with the approximation gelu(x) = x / 2 · (1 + tanh(√(2/π) · (x + 0.044715 · x³))).
 * Source: Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016.
 */
export function geglu(gate: Value, up: Value): Value {
  const cubic = scale(multiply(multiply(gate, gate), gate), 0.044715);
  // (1 + tanh(y)) / 2 = sigmoid(2 · y)
  const share = sigmoid(scale(add(gate, cubic), 2 * Math.sqrt(2 / Math.PI)));
  return multiply(multiply(gate, share), up);
}

const swigluOp: Op = {
  name: 'swiglu',
  shape: sameShapes('swiglu'),
  vjp: ({ inputs: [gate, up] }, [cotangent], wanted) => [
    wanted[0] ? applyOne(swigluGateGradOp, [gate!, up!, cotangent!]) : null,
    wanted[1] ? multiply(cotangent!, silu(gate!)) : null,
  ],
};

const swigluGateGradOp: Op = { name: 'swigluGateGrad', shape: sameShapes('swigluGateGrad') };

/** silu(gate) · up, of equal shape. Source: Shazeer, "GLU Variants Improve Transformer", 2020. */
export function swiglu(gate: Value, up: Value): Value {
  return applyOne(swigluOp, [gate, up]);
}
