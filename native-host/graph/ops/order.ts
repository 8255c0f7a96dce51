/** When a value is computed, where that matters: a backend runs a graph in any order that its values allow. */
import { applyOne, type Op, requireShapes, type Value } from '../value.ts';

const afterOp: Op = {
  name: 'after',
  shape: (inputs) => {
    const fits = inputs.length > 1 && inputs.every(({ dtype }) => dtype === 'float32');
    requireShapes(fits, 'after', inputs, 'a float32 value and others that come before it');
    return [{ shape: inputs[0]!.shape, dtype: 'float32' }];
  },
};

/** `value` unchanged, but not there before all of `others` are. It has no gradient. */
export function after(value: Value, others: readonly Value[]): Value {
  return applyOne(afterOp, [value, ...others]);
}
