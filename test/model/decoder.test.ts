import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { constant, input } from '../../native-host/graph/ops/source.ts';
import { adaptedModel, baseModel } from '../../native-host/model/adapter-graph.ts';
import { adapterLayout, wholeModelLayout } from '../../native-host/model/adapter-init.ts';
import type { AdapterLayout } from '../../native-host/model/adapter-layout.ts';
import type { ModelConfig } from '../../native-host/model/config.ts';
import { decoder, logitsOf } from '../../native-host/model/decoder.ts';
import { openModelFolder } from '../../native-host/model/model-folder.ts';
import {
  readSafetensors,
  readTensor,
  type SafetensorsFile,
  type StoredTensor,
  storedTensor,
} from '../../native-host/model/safetensors.ts';
import { type DeviceName, float32, int32 } from '../../native-host/runtime/device.ts';
import { gradientProgram } from '../../native-host/train/program.ts';
import { referenceFolder, referenceNames } from '../generate/reference-decoder.ts';
import { allowedDeviation, deviation, floats, openTestDevice, testableDevices } from '../runtime/devices.ts';

const rows = 2;
const length = 12;
const count = rows * length;

interface Fixture {
  config: ModelConfig;
  weights: Map<string, StoredTensor>;
  reference: SafetensorsFile;
}

async function open(name: string): Promise<Fixture> {
  const folder = referenceFolder(name);
  const { config, tensors } = await openModelFolder(folder);
  return {
    config,
    weights: tensors,
    reference: await readSafetensors(`${folder}/reference.safetensors`),
  };
}

function integers({ file, entries }: SafetensorsFile, name: string): Int32Array {
  const { byteOffset, byteLength } = entries.get(name)!;
  const bytes = new Uint8Array(readFileSync(file).subarray(byteOffset, byteOffset + byteLength));
  return new Int32Array(bytes.buffer);
}

const wanted = (reference: SafetensorsFile, name: string) => readTensor(storedTensor(reference, name));

/** Tokens of both rows; each row is one sequence. */
function tokenInputs(reference: SafetensorsFile) {
  return {
    ids: int32(integers(reference, 'input_ids')),
    positions: int32(Int32Array.from({ length: count }, (_, i) => i % length)),
    sequenceIds: int32(
      Int32Array.from({ length: count }, (_, i) => Math.floor(i / length)),
      [rows, length],
    ),
  };
}

async function flatVector(layout: AdapterLayout, reference: SafetensorsFile, prefix = ''): Promise<Float32Array> {
  const vector = new Float32Array(layout.length);
  for (const { name, offset } of layout.entries) vector.set(await wanted(reference, prefix + name), offset);
  return vector;
}

const deviceNames: DeviceName[] = testableDevices().names;

describe.each(deviceNames)('decoders on %s', (deviceName) => {
  const device = openTestDevice(deviceName);
  afterAll(() => device.close());

  test.each(referenceNames)('%s: logits, base and with LoRA', async (name) => {
    const { config, weights, reference } = await open(name);
    const layout = adapterLayout(config, { kind: 'lora', rank: 4, alpha: 8 });
    const vector = await flatVector(layout, reference);
    const parameters = new Map(
      layout.entries.map(({ name: entry, shape, offset }) => {
        const size = shape[0]! * shape[1]!;
        return [entry, constant(vector.slice(offset, offset + size), shape)];
      }),
    );
    for (const [model, output] of [
      [baseModel(), 'logits'],
      [adaptedModel(layout, parameters), 'lora_logits'],
    ] as const) {
      const ids = input('ids', [count], 'int32');
      const positions = input('positions', [count], 'int32');
      const sequenceIds = input('sequenceIds', [rows, length], 'int32');
      const { hidden, outputEmbedding } = decoder(config, model, ids, positions, { kind: 'packed', sequenceIds }, 64);
      const program = { name, outputs: { logits: logitsOf(config, hidden, outputEmbedding) } };
      const executable = await device.compile(program, { weights });
      const { host } = await executable.run(tokenInputs(reference));
      expect(deviation(deviceName, floats(host.logits!), await wanted(reference, output))).toBeLessThan(
        allowedDeviation(deviceName, 'logits'),
      );
    }
  });

  test.each(referenceNames)('%s: loss and LoRA gradients', async (name) => {
    const { config, weights, reference } = await open(name);
    const layout = adapterLayout(config, { kind: 'lora', rank: 4, alpha: 8 });
    const { host } = await runGradient(config, weights, reference, layout, await flatVector(layout, reference));
    expect(deviation(deviceName, floats(host.loss!), await wanted(reference, 'loss'))).toBeLessThan(
      allowedDeviation(deviceName, 'logits'),
    );
    const gradient = floats(host.gradient!);
    for (const { name: entry, shape, offset } of layout.entries) {
      const part = gradient.subarray(offset, offset + shape[0]! * shape[1]!);
      expect(deviation(deviceName, part, await wanted(reference, `gradient.${entry}`), 1e-5), entry).toBeLessThan(
        allowedDeviation(deviceName, 'modelGradient'),
      );
    }
  });

  test('gradients of every base parameter, embedding and norms included', async () => {
    const { config, weights, reference } = await open('llama-tied');
    const layout = wholeModelLayout(config);
    const { host } = await runGradient(config, weights, reference, layout, new Float32Array(layout.length));
    expect(deviation(deviceName, floats(host.loss!), await wanted(reference, 'base_loss'))).toBeLessThan(
      allowedDeviation(deviceName, 'logits'),
    );
    const gradient = floats(host.gradient!);
    const baseNames = [...weights.keys()];
    expect(layout.entries.length).toBe(baseNames.length);
    for (const { name: entry, shape, offset } of layout.entries) {
      const size = shape.reduce((product, dimension) => product * dimension, 1);
      const inBase = baseNames.find((key) => layoutName(key) === entry)!;
      const reached = await wanted(reference, `base_gradient.${inBase}`);
      expect(deviation(deviceName, gradient.subarray(offset, offset + size), reached, 1e-5), entry).toBeLessThan(
        allowedDeviation(deviceName, 'modelGradient'),
      );
    }
  });

  async function runGradient(
    config: ModelConfig,
    weights: Fixture['weights'],
    reference: SafetensorsFile,
    layout: AdapterLayout,
    vector: Float32Array,
  ) {
    const executable = await device.compile(gradientProgram(config, layout, { rows, length }), { weights });
    return executable.run({
      ...tokenInputs(reference),
      labels: int32(integers(reference, 'labels')),
      weights: float32(await wanted(reference, 'weights')),
      parameters: float32(vector),
      accumulated: float32(new Float32Array(layout.length)),
    });
  }
});

function layoutName(weight: string): string {
  const short = weight.replace(/^model\./, '').replace(/\.(self_attn|mlp)\./, '.');
  return short.replace(/\.weight$/, '.delta');
}
