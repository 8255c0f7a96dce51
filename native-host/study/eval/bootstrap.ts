/** How sure a mean is: percentile bootstrap (Efron 1979). */
import { uniformNumbers } from '../../model/random.ts';

/** A mean, and where 95 % of the means of resampled values lie. */
export interface Interval {
  mean: number;
  low: number;
  high: number;
}

const resamples = 1000;
const outside = 0.05;

/** The same values and seed give the same interval. Errors: RangeError where there are no values. */
export function bootstrapMean(values: readonly number[], seed: number): Interval {
  const count = values.length;
  if (count === 0) throw new RangeError('there is nothing to take the mean of');
  const uniform = uniformNumbers(seed);
  const means = Float64Array.from({ length: resamples }, () => {
    let sum = 0;
    for (let i = 0; i < count; i++) sum += values[Math.floor(uniform() * count)]!;
    return sum / count;
  }).sort();
  const at = (share: number) => means[Math.round(share * (resamples - 1))]!;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  return { mean, low: at(outside / 2), high: at(1 - outside / 2) };
}

/** Of left − right, each pair of values from the same question. Errors: RangeError where they are not pairs. */
export function bootstrapDifference(left: readonly number[], right: readonly number[], seed: number): Interval {
  if (left.length !== right.length) throw new RangeError(`${left.length} values cannot be paired with ${right.length}`);
  return bootstrapMean(
    left.map((value, i) => value - right[i]!),
    seed,
  );
}
