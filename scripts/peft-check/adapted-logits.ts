/** What a model says of each position of a text, with an adapter or without. */
import { input, unflatten } from '../../native-host/graph/ops/source.ts';
import { adaptedModel } from '../../native-host/model/adapter-graph.ts';
import type { AdapterLayout } from '../../native-host/model/adapter-layout.ts';
import { decoder, logitsOf } from '../../native-host/model/decoder.ts';
import { type Device, float32, int32 } from '../../native-host/runtime/device.ts';
import type { TrainableModel } from '../../native-host/train/trainer.ts';

export interface Adapter {
  layout: AdapterLayout;
  vector: Float32Array;
}

/** Logits [T·V] of `ids` as one sequence of T tokens. */
export async function adaptedLogits(
  device: Device,
  { config, weights }: TrainableModel,
  adapter: Adapter | null,
  ids: readonly number[],
): Promise<Float32Array> {
  const count = ids.length;
  const entries = adapter?.layout.entries ?? [];
  const parameters = new Map(
    adapter === null
      ? []
      : unflatten(
          input('parameters', [adapter.layout.length]),
          entries.map(({ shape }) => shape),
        ).map((value, i) => [entries[i]!.name, value]),
  );
  const sequenceIds = input('sequenceIds', [1, count], 'int32');
  const { hidden, outputEmbedding } = decoder(
    config,
    adaptedModel(adapter?.layout ?? null, parameters),
    input('ids', [count], 'int32'),
    input('positions', [count], 'int32'),
    { kind: 'packed', sequenceIds },
    count,
  );
  const program = { name: 'logits', outputs: { logits: logitsOf(config, hidden, outputEmbedding) } };
  const executable = await device.compile(program, { weights });
  const { host } = await executable.run({
    ids: int32(Int32Array.from(ids)),
    positions: int32(Int32Array.from(ids, (_, i) => i)),
    sequenceIds: int32(new Int32Array(count), [1, count]),
    ...(adapter === null ? {} : { parameters: float32(adapter.vector) }),
  });
  await executable.release();
  return host.logits!.data as Float32Array;
}

/** The largest absolute difference; infinite where the lengths differ or a value is not a number. */
export function largestDifference(left: Float32Array, right: Float32Array): number {
  if (left.length !== right.length) return Number.POSITIVE_INFINITY;
  let largest = 0;
  for (let i = 0; i < left.length; i++) {
    const difference = Math.abs(left[i]! - right[i]!);
    if (!(difference <= largest)) largest = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
  }
  return largest;
}
