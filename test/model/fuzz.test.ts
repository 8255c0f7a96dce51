/**
 * Damaged model files give a ModelError or a correct load: no other error, no wrong shape, no hang, little memory. The
 * environment variable LIFT_FUZZ_CASES sets the number of cases, LIFT_FUZZ_SEED where they start.
 */
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { openChatTemplate } from '../../native-host/model/chat-template.ts';
import { expectedTensors } from '../../native-host/model/config.ts';
import { openGguf } from '../../native-host/model/gguf/gguf-model.ts';
import { float32Rows } from '../../native-host/model/gguf/gguf-tensor.ts';
import { ModelError } from '../../native-host/model/model-error.ts';
import { float32Tensors, openModelFolder } from '../../native-host/model/model-folder.ts';
import { uniformNumbers } from '../../native-host/model/random.ts';
import { readTensor, type StoredTensor } from '../../native-host/model/safetensors.ts';
import { openTokenizer } from '../../native-host/model/tokenizer.ts';
import { writeConverted } from '../fixtures/gguf-writer.ts';
import { makeTinyModel } from '../fixtures/tiny-model.ts';

const CASES = Number(process.env.LIFT_FUZZ_CASES ?? 1000);
const SEED = Number(process.env.LIFT_FUZZ_SEED ?? 1);
/** The base files take 0.3 MB; reading and converting them must not take hundreds. */
const MOST_MEMORY = 400e6;

let folder: string;
/** The same model in one file. */
let single: string;
const cleanWeights = new Map<string, Float32Array>();

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'lift-fuzz-'));
  await makeTinyModel(folder, { modelType: 'qwen3', dtype: 'BF16', shards: 2 });
  single = path.join(folder, 'single');
  await makeTinyModel(single, { modelType: 'llama' });
  for (const [name, tensor] of (await openModelFolder(folder)).tensors)
    cleanWeights.set(name, await readTensor(tensor));
});

type Mutation = (bytes: Buffer, uniform: () => number) => Buffer;

const NUMBERS = [
  '0',
  '-1',
  '1',
  '1.5',
  '1e308',
  '1e999',
  '-0.0',
  '4294967296',
  '9007199254740993',
  '1e15',
  'null',
  '""',
  '[]',
  '{}',
  'true',
];

function below(limit: number, uniform: () => number): number {
  return Math.floor(uniform() * limit);
}

const flipBytes: Mutation = (bytes, uniform) => {
  const result = Buffer.from(bytes);
  for (let i = below(4, uniform); i >= 0; i--) {
    const at = below(result.length, uniform);
    result[at] = result[at]! ^ (1 << below(8, uniform));
  }
  return result;
};

const truncate: Mutation = (bytes, uniform) => bytes.subarray(0, below(bytes.length, uniform));

const removeRange: Mutation = (bytes, uniform) => {
  const start = below(bytes.length, uniform);
  return Buffer.concat([bytes.subarray(0, start), bytes.subarray(start + 1 + below(40, uniform))]);
};

const repeatRange: Mutation = (bytes, uniform) => {
  const start = below(bytes.length, uniform);
  const end = start + 1 + below(60, uniform);
  return Buffer.concat([bytes.subarray(0, end), bytes.subarray(start)]);
};

/** Replaces one number of the file's text by an odd one; of a safetensors file, one of the header. */
const replaceNumber: Mutation = (bytes, uniform) => {
  const isBinary = bytes[0] !== 0x7b;
  const textStart = isBinary ? 8 : 0;
  const textEnd = isBinary ? 8 + Number(bytes.readBigUInt64LE(0)) : bytes.length;
  const text = bytes.toString('latin1', textStart, textEnd);
  const found = [...text.matchAll(/\d+(\.\d+)?/g)];
  const chosen = found[below(found.length, uniform)]!;
  const number = NUMBERS[below(NUMBERS.length, uniform)]!;
  const changed = Buffer.from(
    text.slice(0, chosen.index) + number + text.slice(chosen.index + chosen[0].length),
    'latin1',
  );
  const start = Buffer.from(bytes.subarray(0, textStart));
  // With the length adjusted the damage gets past the first check.
  if (isBinary) start.writeBigUInt64LE(BigInt(changed.length));
  return Buffer.concat([start, changed, bytes.subarray(textEnd)]);
};

/** Of a safetensors file: a header length that is absurd, or a little off. */
const changeLength: Mutation = (bytes, uniform) => {
  const result = Buffer.from(bytes);
  const lengths = [0n, 1n, 2n ** 63n, 2n ** 64n - 1n, 99_999_999n, BigInt(bytes.length), BigInt(bytes.length - 8)];
  const offset = BigInt(below(40, uniform) - 20);
  const chosen = below(lengths.length + 1, uniform);
  result.writeBigUInt64LE(lengths[chosen] ?? BigInt.asUintN(64, bytes.readBigUInt64LE(0) + offset), 0);
  return result;
};

const OF_ANY_FILE = [flipBytes, truncate, removeRange, repeatRange, replaceNumber];

/** Runs the cases of one file; `load` checks what it loaded. */
async function fuzz(name: string, share: number, mutations: Mutation[], load: () => Promise<void>): Promise<void> {
  const file = path.join(folder, name);
  const clean = await readFile(file);
  const outcomes = { loaded: 0, refused: 0 };
  try {
    for (let i = 0; i < Math.ceil(CASES * share); i++) {
      const seed = SEED * 1_000_003 + i;
      const uniform = uniformNumbers(seed);
      const mutate = mutations[below(mutations.length, uniform)]!;
      await writeFile(file, mutate(clean, uniform));
      try {
        await load();
        outcomes.loaded++;
      } catch (error) {
        if (!(error instanceof ModelError)) throw new Error(`${name}, seed ${seed}`, { cause: error });
        expect(error.mismatches.length).toBeGreaterThan(0);
        outcomes.refused++;
      }
    }
  } finally {
    await writeFile(file, clean);
  }
  expect(outcomes.refused).toBeGreaterThan(0);
  expect(process.memoryUsage().rss).toBeLessThan(MOST_MEMORY);
}

/** Opens the model; its tensors must have the config's shapes. Returns how many values differ from the clean ones. */
async function loadModel(): Promise<number> {
  const { config, tensors } = await openModelFolder(folder);
  expect([...tensors.keys()]).toEqual([...expectedTensors(config).keys()]);
  return differingValues(tensors, expectedTensors(config));
}

async function differingValues(
  tensors: ReadonlyMap<string, StoredTensor>,
  shapes: ReadonlyMap<string, number[]>,
): Promise<number> {
  let differing = 0;
  for (const [name, tensor] of tensors) {
    expect(tensor.shape).toEqual(shapes.get(name));
    const values = await readTensor(tensor);
    expect(values.length).toBe(tensor.shape.reduce((a, b) => a * b, 1));
    const clean = cleanWeights.get(name);
    if (clean?.length !== values.length) differing += values.length;
    else for (let i = 0; i < values.length; i++) if (!Object.is(values[i], clean[i])) differing++;
  }
  return differing;
}

describe(`${CASES} damaged files`, () => {
  test('weights', async () => {
    await fuzz('model-00001-of-00002.safetensors', 0.3, [...OF_ANY_FILE, replaceNumber, changeLength], async () => {
      // A flipped bit in a value cannot be told; but never is a tensor taken from another place. At most 4 bits flip.
      expect(await loadModel()).toBeLessThanOrEqual(4);
    });
  });

  test('converted weights are made again', async () => {
    const model = await openModelFolder(folder);
    const cache = path.join(folder, 'cache');
    await float32Tensors(model, cache);
    const file = path.join('cache', `${model.key}.f32.safetensors`);
    await fuzz(file, 0.02, [truncate, removeRange, repeatRange, replaceNumber, changeLength], async () => {
      const damaged = await readFile(path.join(folder, file));
      const tensors = await float32Tensors(model, cache);
      expect(await differingValues(tensors, expectedTensors(model.config))).toBe(0);
      const isMadeAgain = !(await readFile(path.join(folder, file))).equals(damaged);
      if (isMadeAgain) throw new ModelError(file, ['It was damaged.'], '');
    });
  });

  test('index', () =>
    fuzz('model.safetensors.index.json', 0.1, OF_ANY_FILE, async () => {
      expect(await loadModel()).toBe(0);
    }));

  test('config', () =>
    fuzz('config.json', 0.2, [...OF_ANY_FILE, replaceNumber], async () => {
      expect(await loadModel()).toBe(0);
    }));

  test('tokenizer', () =>
    fuzz('tokenizer.json', 0.25, OF_ANY_FILE, async () => {
      const tokenizer = await openTokenizer(folder);
      const text = 'export const a = "the <|im_end|>";\n\tif (x) { return [1, 2]; } // \u{1f600}\n';
      const ids = tokenizer.encode(text);
      expect(ids.every((id) => Number.isInteger(id) && id >= 0 && id < 300)).toBe(true);
      expect(tokenizer.decode(ids)).toBe(text);
      expect(tokenizer.encodeChat(text).every((id) => Number.isInteger(id) && id < 300)).toBe(true);
    }));

  test('GGUF', async () => {
    const name = 'model.gguf';
    await writeConverted(single, 'Q8_0', path.join(folder, name));
    const clean = await readFile(path.join(folder, name));
    // Where the numbers of the header are; in most of the file there are only values.
    const headerEnd = clean.length - 120_000;
    const inHeader =
      (mutate: Mutation): Mutation =>
      (bytes, uniform) =>
        Buffer.concat([mutate(bytes.subarray(0, headerEnd), uniform), bytes.subarray(headerEnd)]);
    const largeNumber: Mutation = (bytes, uniform) => {
      const result = Buffer.from(bytes);
      const at = below(result.length - 8, uniform);
      result.writeBigUInt64LE([2n ** 64n - 1n, 2n ** 63n, 2n ** 32n, 0n, 255n][below(5, uniform)]!, at);
      return result;
    };
    const mutations = [flipBytes, removeRange, repeatRange, largeNumber].map(inHeader);
    await fuzz(name, 0.25, [...mutations, truncate], async () => {
      const { config, tensors, tokenizer, chatTemplate } = await openGguf(path.join(folder, name));
      const shapes = expectedTensors(config);
      expect([...tensors.keys()]).toEqual([...shapes.keys()]);
      for (const [tensor, weight] of tensors) {
        let count = 0;
        for await (const slice of float32Rows(weight)) count += slice.length;
        expect(count).toBe(shapes.get(tensor)!.reduce((a, b) => a * b, 1));
      }
      const ids = tokenizer.encode(chatTemplate.render([{ role: 'user', content: 'const a = [1];' }], true));
      expect(ids.every((id) => Number.isInteger(id) && id >= 0 && id < config.vocabSize)).toBe(true);
    });
  });

  test('chat template', () =>
    fuzz('tokenizer_config.json', 0.1, OF_ANY_FILE, async () => {
      const template = await openChatTemplate(folder);
      expect(template.render([{ role: 'user', content: 'How?' }], true)).toContain('How?');
    }));
});
