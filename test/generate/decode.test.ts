import { afterAll, describe, expect, test } from 'vitest';
import { Decoder, type GenerateOptions } from '../../native-host/generate/decode.ts';
import { sampler } from '../../native-host/generate/sampler.ts';
import { linear } from '../../native-host/graph/ops/matmul.ts';
import { input, unflatten } from '../../native-host/graph/ops/source.ts';
import { adaptedModel } from '../../native-host/model/adapter-graph.ts';
import { adapterLayout } from '../../native-host/model/adapter-init.ts';
import type { AdapterKind } from '../../native-host/model/adapter-layout.ts';
import { decoder as decoderGraph } from '../../native-host/model/decoder.ts';
import { normalNumbers } from '../../native-host/model/random.ts';
import { type Device, type DeviceName, float32, int32 } from '../../native-host/runtime/device.ts';
import {
  allowedDeviation,
  deviation,
  floats,
  openTestDevice,
  relativeError,
  testableDevices,
} from '../runtime/devices.ts';
import { countingDevice } from '../train/counting-device.ts';
import { openReference, type ReferenceDecoder, referenceNames } from './reference-decoder.ts';

type Adapter = Parameters<typeof Decoder.open>[2];

const greedy = sampler({ temperature: 0 });
const deviceNames: DeviceName[] = testableDevices().names;

/** Options that generate greedily and note the logits of every step. */
function noting(maxTokens: number, more: Partial<GenerateOptions> = {}) {
  const logits: Float32Array[] = [];
  const sample = (given: Float32Array) => {
    logits.push(given.slice());
    return greedy(given);
  };
  return { logits, options: { maxTokens, sample, stopTokens: new Set<number>(), ...more } };
}

function randomAdapter({ config }: ReferenceDecoder, kind: AdapterKind): NonNullable<Adapter> {
  const layout = adapterLayout(config, { kind, rank: 4, alpha: 8 });
  const normal = normalNumbers(5);
  return { layout, vector: Float32Array.from({ length: layout.length }, () => 0.1 * normal()) };
}

/** Logits at every position of one sequence, by the graph that training uses. */
async function trainingLogits(device: Device, model: ReferenceDecoder, adapter: Adapter, tokens: readonly number[]) {
  const count = tokens.length;
  const layout = adapter?.layout ?? null;
  const values = unflatten(
    input('parameters', [layout?.length ?? 1]),
    layout?.entries.map(({ shape }) => shape) ?? [[1]],
  );
  const byName = new Map(layout?.entries.map(({ name }, i) => [name, values[i]!]) ?? []);
  const sequenceIds = input('sequenceIds', [1, count], 'int32');
  const { hidden, outputEmbedding } = decoderGraph(
    model.config,
    adaptedModel(layout, byName),
    input('ids', [count], 'int32'),
    input('positions', [count], 'int32'),
    { kind: 'packed', sequenceIds },
    count,
  );
  const program = { name: 'logits', outputs: { logits: linear(hidden, outputEmbedding) } };
  const executable = await device.compile(program, { weights: model.weights });
  const { host } = await executable.run({
    ids: int32(Int32Array.from(tokens)),
    positions: int32(Int32Array.from(tokens, (_, i) => i)),
    sequenceIds: int32(new Int32Array(count), [1, count]),
    ...(adapter === null ? {} : { parameters: float32(adapter.vector) }),
  });
  await executable.release();
  const all = floats(host.logits!);
  return tokens.map((_, i) => all.subarray((i * all.length) / count, ((i + 1) * all.length) / count));
}

describe.each(deviceNames)('decoding on %s', (deviceName) => {
  const device = openTestDevice(deviceName);
  afterAll(() => device.close());

  // Software Vulkan is slow; that every op runs there is tested with the ops.
  const names = {
    cpu: referenceNames,
    cuda: ['llama-tied', 'qwen3', 'mistral-window', 'gemma2', 'gemma3', 'phi3-longrope'],
    webgpu: ['llama-tied', 'qwen3'],
  }[deviceName];
  const kinds: AdapterKind[] = deviceName === 'cpu' ? ['lora', 'full', 'gatedMemory'] : ['full', 'gatedMemory'];

  test.each(names)("%s continues as PyTorch's does, base and LoRA", async (name) => {
    const model = await openReference(name);
    for (const [adapter, wanted] of [
      [null, 'greedy_continuation'],
      [model.lora, 'lora_greedy_continuation'],
    ] as const) {
      const decoder = await Decoder.open(device, model, adapter);
      const { tokens, end } = await decoder.generate(model.integers('greedy_prompt'), noting(8).options);
      expect(tokens).toEqual(model.integers(wanted));
      expect(end).toBe('length');
      await decoder.close();
    }
  });

  test.each(kinds)('a %s adapter decodes as it is trained', async (kind) => {
    const model = await openReference('qwen3');
    const adapter = randomAdapter(model, kind);
    const decoder = await Decoder.open(device, model, adapter);
    const prompt = [5, 9, 33, 60, 2, 71];
    const { logits, options } = noting(6);
    const { tokens } = await decoder.generate(prompt, options);
    await decoder.close();
    const wanted = await trainingLogits(device, model, adapter, [...prompt, ...tokens]);
    logits.forEach((step, i) => {
      const error = deviation(deviceName, step, wanted[prompt.length - 1 + i]!);
      expect(error).toBeLessThan(allowedDeviation(deviceName, 'logits'));
    });
    const base = await trainingLogits(device, model, null, prompt);
    expect(relativeError(logits[0]!, base[prompt.length - 1]!)).toBeGreaterThan(0.01);
  });

  test('what prompts have in common is taken from the cache, and gives the same logits', async () => {
    const model = await openReference('llama-tied');
    const kept = await Decoder.open(device, model, model.lora);
    const long = Array.from({ length: 150 }, (_, i) => 3 + ((i * 37) % 90));
    const prompts = [
      long,
      // Longer, by a part that was not there; the same again; shorter; another beginning.
      [...long, 7, 8, 9],
      [...long, 7, 8, 9],
      long.slice(0, 20),
      [...long.slice(0, 60), 4, 4, 4],
      [90, ...long.slice(0, 9)],
    ];
    for (const prompt of prompts) {
      const reused = noting(4);
      const fresh = noting(4);
      const decoder = await Decoder.open(device, model, model.lora);
      const { tokens } = await kept.generate(prompt, reused.options);
      expect((await decoder.generate(prompt, fresh.options)).tokens).toEqual(tokens);
      reused.logits.forEach((logits, i) => {
        // A card multiplies one row and many with different kernels.
        const most = deviceName === 'cuda' ? allowedDeviation('cuda', 'logits') : 1e-5;
        expect(deviation(deviceName, logits, fresh.logits[i]!)).toBeLessThan(most);
      });
      await decoder.close();
    }
    await kept.close();
  });

  test.each(kinds)('a closed decoder of a %s adapter leaves nothing on the device', async (kind) => {
    const model = await openReference('llama-tied');
    const counted = countingDevice(device);
    const decoder = await Decoder.open(counted.device, model, randomAdapter(model, kind));
    expect(counted.live()).toMatchObject({ caches: 1 });
    await decoder.close();
    expect(counted.live()).toEqual({ tensors: 0, executables: 0, caches: 0 });
  });

  test('the window and the stop tokens end an answer; a prompt that is empty or too long is an error', async () => {
    const model = await openReference('llama-tied');
    const decoder = await Decoder.open(
      device,
      { ...model, config: { ...model.config, maxPositionEmbeddings: 32 } },
      null,
    );
    expect(decoder.window).toBe(32);
    const prompt = Array.from({ length: 28 }, (_, i) => 3 + i);
    const ended = await decoder.generate(prompt, noting(100).options);
    expect(ended.end).toBe('window');
    expect(ended.tokens.length).toBe(4);
    const stop = ended.tokens[2]!;
    const stopped = await decoder.generate(prompt, noting(100, { stopTokens: new Set([stop]) }).options);
    expect(stopped.end).toBe('stop');
    expect(stopped.tokens).toEqual(ended.tokens.slice(0, ended.tokens.indexOf(stop)));
    await expect(decoder.generate([], noting(1).options)).rejects.toThrow('at least one token');
    const tooLong = Array.from({ length: 32 }, () => 5);
    await expect(decoder.generate(tooLong, noting(1).options)).rejects.toThrow(
      "the prompt has 32 tokens, and the model's window is 32",
    );
    // An error leaves the decoder as it was.
    expect((await decoder.generate(prompt, noting(100).options)).tokens).toEqual(ended.tokens);
    await decoder.close();
  });

  test('an answer is cancelled in the prompt and between tokens', async () => {
    const model = await openReference('llama-tied');
    const decoder = await Decoder.open(device, model, null);
    const prompt = model.integers('greedy_prompt');
    const before = await decoder.generate(prompt, noting(5, { signal: AbortSignal.abort() }).options);
    expect(before).toMatchObject({ tokens: [], end: 'cancelled' });
    const abort = new AbortController();
    const seen: number[] = [];
    const onToken = (id: number) => {
      seen.push(id);
      if (seen.length === 3) abort.abort();
    };
    const { tokens, end } = await decoder.generate(prompt, noting(8, { signal: abort.signal, onToken }).options);
    expect(end).toBe('cancelled');
    expect(tokens).toEqual(model.integers('greedy_continuation').slice(0, 3));
    expect(seen).toEqual(tokens);
    expect((await decoder.generate(prompt, noting(8).options)).tokens).toEqual(model.integers('greedy_continuation'));
    await decoder.close();
  });
});
