import { applyOne, type Op, requireShapes, type Value } from '../value.ts';

const embeddingOp: Op = {
  name: 'embedding',
  shape: (inputs) => {
    const [table, ids] = inputs;
    const fits = table!.shape.length === 2 && ids!.shape.length === 1 && ids!.dtype === 'int32';
    requireShapes(fits, 'embedding', inputs, 'table [V, C] and int32 ids [N]');
    return [{ shape: [ids!.shape[0]!, table!.shape[1]!], dtype: 'float32' }];
  },
  vjp: ({ inputs: [table, ids] }, [cotangent]) => [
    applyOne(embeddingGradOp, [ids!, cotangent!], { shape: table!.shape }),
    null,
  ],
};

const embeddingGradOp: Op = { name: 'embeddingGrad', shape: (_, { shape }) => [{ shape, dtype: 'float32' }] };

/** Rows of a table: table [V, C], ids [N] → [N, C]. */
export function embedding(table: Value, ids: Value): Value {
  return applyOne(embeddingOp, [table, ids]);
}

const lastRowOp: Op = {
  name: 'lastRow',
  shape: ([x]) => [{ shape: [1, x!.shape[1]!], dtype: 'float32' }],
};

/** The last row of x [N, C] as [1, C]. For generating; it has no gradient. */
export function lastRow(x: Value): Value {
  return applyOne(lastRowOp, [x]);
}
