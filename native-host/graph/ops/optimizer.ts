import { apply, type Op, requireShapes, sameShape, type Value } from '../value.ts';
import { add, scale, scaleBy } from './elementwise.ts';
import { matmul } from './matmul.ts';
import { flatten, unflatten } from './source.ts';

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

export interface MuonSettings {
  /** Of the running mean of gradients. */
  momentum: number;
  /** Decoupled: a step takes this times the rate off every parameter. */
  weightDecay: number;
}

const euclideanNormOp: Op = {
  name: 'euclideanNorm',
  shape: () => [
    { shape: [], dtype: 'float32' },
    { shape: [], dtype: 'float32' },
  ],
};

/** √Σ x² over all elements of x, and 1 / (√Σ x² + 1e-12), both scalars. */
export function euclideanNorm(x: Value): { norm: Value; inverse: Value } {
  const [norm, inverse] = apply(euclideanNormOp, [x]);
  return { norm: norm!, inverse: inverse! };
}

/** Factors of X, XXᵀX and (XXᵀ)²X in each iteration, as the source gives its first three. */
const polarExpress = [
  [8.28721201814563, -23.595886519098837, 17.300387312530933],
  [4.107059111542203, -2.9478499167379106, 0.5448431082926601],
  [3.9486908534822946, -2.908902115962949, 0.5518191394370137],
] as const;
/** Beyond a norm of 1 the iterations diverge; this is the room that rounding needs. */
const normRoom = 1.01;

/**
 * x [m, n] with its singular vectors, and with its singular values brought together, as near to 1 as three iterations come:
 * those of 0.003 of the norm and more lie between 0.18 and 1.87 then, and smaller ones become 133 times what they were.
 * Source: Amsel et al., "The Polar Express", 2025.
 */
export function orthogonalized(x: Value): Value {
  const [rows, columns] = x.shape as number[];
  const isWide = rows! <= columns!;
  let result = scaleBy(x, euclideanNorm(x).inverse);
  for (const [iteration, [a, b, c]] of polarExpress.entries()) {
    // The first brings the norm down to what it has to be.
    const room = iteration === 0 ? normRoom : 1;
    const gram = isWide ? matmul(result, result, false, true) : matmul(result, result, true, false);
    const polynomial = add(scale(gram, b / room ** 3), scale(matmul(gram, gram), c / room ** 5));
    const turned = isWide ? matmul(polynomial, result) : matmul(result, polynomial);
    result = add(scale(result, a / room), turned);
  }
  return result;
}

/**
 * One Muon step with Nesterov momentum and decoupled weight decay: parameters, first and gradient flat vectors [n] that
 * hold matrices of these shapes one after another, learningRate a scalar. A matrix moves by 0.2 · √(its larger side) times the orthogonalized
 * momentum, which is about as long as AdamW's step at the same rate. Sources: Jordan et al., "Muon: An optimizer for hidden
 * layers in neural networks", 2024; the factor: Liu et al., "Muon is Scalable for LLM Training", 2025.
 * Errors: for shapes that are no matrices.
 */
export function muon(
  parameters: Value,
  first: Value,
  gradient: Value,
  learningRate: Value,
  shapes: readonly (readonly number[])[],
  { momentum, weightDecay }: MuonSettings,
): { parameters: Value; first: Value; gradientNorm: Value } {
  const other = shapes.find(({ length }) => length !== 2);
  if (other !== undefined) throw new Error(`Muon trains matrices, and [${other}] is none: train it with AdamW`);
  const given = scale(gradient, 1 - momentum);
  const next = add(scale(first, momentum), given);
  const ahead = unflatten(add(scale(next, momentum), given), shapes);
  const steps = ahead.map((matrix) => {
    const [rows, columns] = matrix.shape as number[];
    return scale(orthogonalized(matrix), -0.2 * Math.sqrt(Math.max(rows!, columns!)));
  });
  const moved = add(flatten(steps), scale(parameters, -weightDecay));
  return {
    parameters: add(parameters, scaleBy(moved, learningRate)),
    first: next,
    gradientNorm: euclideanNorm(gradient).norm,
  };
}

/** Which optimizer, and how. */
export type OptimizerSettings = ({ name: 'adamw' } & AdamwSettings) | ({ name: 'muon' } & MuonSettings);

/** How many vectors of running means it keeps beside the parameters. */
export function momentsOf({ name }: OptimizerSettings): number {
  return name === 'adamw' ? 2 : 1;
}
