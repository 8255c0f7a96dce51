import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { input } from '../../native-host/graph/ops/source.ts';
import { baseModel } from '../../native-host/model/adapter-graph.ts';
import { decoder, logitsOf } from '../../native-host/model/decoder.ts';
import { openModelFolder } from '../../native-host/model/model-folder.ts';
import { int32 } from '../../native-host/runtime/device.ts';
import { floats, openTestDevice, relativeError } from '../runtime/devices.ts';

const folder = fileURLToPath(new URL('../fixtures/reference/pretrained-base', import.meta.url));
const values: { ids: number[][]; logits: number[]; losses: number[] } = JSON.parse(
  readFileSync(`${folder}/values.json`, 'utf8'),
);
const device = openTestDevice();
afterAll(() => device.close());

test('the product finds the logits and losses of the PyTorch code that trains lift-base', async () => {
  const { config, tensors } = await openModelFolder(folder);
  const [rows, length] = [values.ids.length, values.ids[0]!.length];
  const count = rows * length;
  const ids = input('ids', [count], 'int32');
  const positions = input('positions', [count], 'int32');
  const sequenceIds = input('sequenceIds', [rows, length], 'int32');
  const { hidden, outputEmbedding } = decoder(config, baseModel(), ids, positions, { kind: 'packed', sequenceIds }, 64);
  const program = { name: 'pretrained-base', outputs: { logits: logitsOf(config, hidden, outputEmbedding) } };
  const executable = await device.compile(program, { weights: tensors });
  const { host } = await executable.run({
    ids: int32(Int32Array.from(values.ids.flat())),
    positions: int32(Int32Array.from({ length: count }, (_, i) => i % length)),
    sequenceIds: int32(
      Int32Array.from({ length: count }, (_, i) => Math.floor(i / length)),
      [rows, length],
    ),
  });
  const logits = floats(host.logits!);
  expect(relativeError(logits, values.logits)).toBeLessThan(1e-4);

  const size = config.vocabSize;
  const losses = values.ids.flatMap((row, r) =>
    row.slice(1).map((target, i) => {
      const own = logits.subarray((r * length + i) * size, (r * length + i + 1) * size);
      return Math.log(own.reduce((sum, logit) => sum + Math.exp(logit), 0)) - own[target]!;
    }),
  );
  expect(relativeError(losses, values.losses)).toBeLessThan(1e-4);
});
