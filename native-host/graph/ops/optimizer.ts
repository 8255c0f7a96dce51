import { apply, type Op, requireShapes, sameShape, type Value } from '../value.ts';

export interface AdamwSettings {
  beta1: number;
  beta2: number;
  epsilon: number;
  weightDecay: number;
  /** The gradient's norm is brought down to this where it is larger. */
  clipNorm: number;
}

const adamwOp: Op = {
  name: 'adamw',
  shape: (inputs) => {
    const [parameters, first, second, gradient, learningRate, step] = inputs;
    const fits =
      [first, second, gradient].every((value) => sameShape(value!.shape, parameters!.shape)) &&
      learningRate!.shape.length === 0 &&
      step!.shape.length === 0;
    requireShapes(fits, 'adamw', inputs, 'four vectors [n] and two scalars');
    return [
      { shape: parameters!.shape, dtype: 'float32' },
      { shape: parameters!.shape, dtype: 'float32' },
      { shape: parameters!.shape, dtype: 'float32' },
      { shape: [], dtype: 'float32' },
    ];
  },
};

/**
 * One AdamW step with decoupled weight decay, bias correction and clipping by global norm; every tensor a flat vector
 * [n], learningRate and step (1 for the first) scalars. Source: Loshchilov and Hutter, "Decoupled Weight Decay
 * Regularization", 2019.
 */
export function adamw(
  parameters: Value,
  moments: { first: Value; second: Value },
  gradient: Value,
  learningRate: Value,
  step: Value,
  settings: AdamwSettings,
): { parameters: Value; first: Value; second: Value; gradientNorm: Value } {
  const [next, first, second, gradientNorm] = apply(
    adamwOp,
    [parameters, moments.first, moments.second, gradient, learningRate, step],
    { ...settings },
  );
  return { parameters: next!, first: first!, second: second!, gradientNorm: gradientNorm! };
}
