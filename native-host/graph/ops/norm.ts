import { applyOne, type Op, requireShapes, type Value } from '../value.ts';

const rmsNormOp: Op = {
  name: 'rmsNorm',
  shape: (inputs) => {
    const [x, weight] = inputs;
    const width = x!.shape[1];
    const group = weight!.shape[0];
    const fits = typeof width === 'number' && typeof group === 'number' && width % group === 0;
    requireShapes(fits, 'rmsNorm', inputs, 'x [N, k·D] and weight [D]');
    return [{ shape: x!.shape, dtype: 'float32' }];
  },
  vjp: (node, [cotangent], wanted) => {
    const [x, weight] = node.inputs;
    return [
      wanted[0] ? applyOne(rmsNormInputGradOp, [x!, weight!, cotangent!], node.attributes) : null,
      wanted[1] ? applyOne(rmsNormWeightGradOp, [x!, cotangent!, weight!], node.attributes) : null,
    ];
  },
};

const rmsNormInputGradOp: Op = {
  name: 'rmsNormInputGrad',
  shape: ([x]) => [{ shape: x!.shape, dtype: 'float32' }],
};

const rmsNormWeightGradOp: Op = {
  name: 'rmsNormWeightGrad',
  shape: ([, , weight]) => [{ shape: weight!.shape, dtype: 'float32' }],
};

/**
 * x / √(mean(x²) + ε) · weight, over groups of D columns: x [N, k·D], weight [D]. With k = 1 it is Llama's norm, with
 * k = the number of heads Qwen 3's query and key norm. Source: Zhang and Sennrich, "Root Mean Square Layer
 * Normalization", 2019.
 */
export function rmsNorm(x: Value, weight: Value, epsilon: number): Value {
  return applyOne(rmsNormOp, [x, weight], { epsilon });
}
