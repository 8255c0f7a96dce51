/** Damages every file of a store in every way; LIFT_FUZZ_CASES says how often. Nothing may be silently wrong. */
import { cpSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { AdapterFolder } from '../../native-host/store/adapter-folder.ts';
import { openStore } from '../../native-host/store/adapter-store.ts';
import { StoreError } from '../../native-host/store/store-error.ts';
import { baseModelKey, folderNamed, smallLayout, temporaryFolder, vectorOf } from './store-fixture.ts';

const cases = Number(process.env.LIFT_FUZZ_CASES ?? 250);
// Only there to end a hang; a busy machine may take its time.
vi.setConfig({ testTimeout: 600_000 + cases * 1000 });

let temporary: ReturnType<typeof temporaryFolder>;
let pristine: string;
let adapter: AdapterFolder;
let files: string[];

beforeAll(async () => {
  temporary = temporaryFolder();
  pristine = join(temporary.path, 'pristine');
  const repository = folderNamed(temporary.path, 'repository');
  adapter = openStore(join(temporary.path, 'store'), { keepVersions: 3 }).adapter(repository, baseModelKey);
  for (let seed = 1; seed <= 4; seed++) {
    await adapter.saveVersion(smallLayout, vectorOf(smallLayout, seed), {
      seed,
      text: 'naïve “text”',
      nested: [{ a: 1.5 }],
    });
    const [vector, m, v] = [seed, seed + 1, seed + 2].map((s) => vectorOf(smallLayout, s)) as [
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    await adapter.saveCheckpoint({ layout: smallLayout, vector, m, v, step: seed, state: { seed } });
  }
  cpSync(adapter.path, pristine, { recursive: true });
  files = (readdirSync(pristine, { recursive: true }) as string[])
    .filter((name) => statSync(join(pristine, name)).isFile())
    .sort();
});
afterAll(() => temporary.remove());

/** mulberry32 */
function randomOf(seed: number): (limit: number) => number {
  let state = seed >>> 0;
  return (limit) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % limit;
  };
}

type Random = (limit: number) => number;

const mutations: Record<string, (bytes: Buffer, random: Random, others: Buffer[]) => Buffer> = {
  'flip a bit': (bytes, random) => {
    bytes[random(bytes.length)]! ^= 1 << random(8);
    return bytes;
  },
  'replace a byte': (bytes, random) => {
    bytes[random(bytes.length)] = random(256);
    return bytes;
  },
  truncate: (bytes, random) => bytes.subarray(0, random(bytes.length)),
  append: (bytes, random) => Buffer.concat([bytes, Buffer.alloc(1 + random(50), random(256))]),
  'zero a range': (bytes, random) => bytes.fill(0, random(bytes.length), random(bytes.length)),
  'remove a range': (bytes, random) => {
    const start = random(bytes.length);
    return Buffer.concat([bytes.subarray(0, start), bytes.subarray(start + 1 + random(20))]);
  },
  'insert white space': (bytes, random) => {
    const at = random(bytes.length + 1);
    return Buffer.concat([bytes.subarray(0, at), Buffer.from(' \n\t '.slice(random(3))), bytes.subarray(at)]);
  },
  'change a digit': (bytes, random) => {
    const digits = [...bytes.keys()].filter((i) => bytes[i]! >= 0x30 && bytes[i]! <= 0x39);
    if (digits.length > 0) bytes[digits[random(digits.length)]!] = 0x30 + random(10);
    return bytes;
  },
  'a huge length': (bytes, random) => {
    bytes.writeBigUInt64LE(
      BigInt(2 ** 40) + BigInt(random(1000)),
      Math.max(0, Math.min(random(3) * 8, bytes.length - 8)),
    );
    return bytes;
  },
  'take the contents of another file': (_bytes, random, others) => others[random(others.length)]!,
};

function restore(): void {
  rmSync(adapter.path, { recursive: true });
  cpSync(pristine, adapter.path, { recursive: true });
}

/** Loads like the product does; every result must be exactly what was saved once, with a warning if it is not the newest. */
async function expectNothingSilentlyWrong(description: string): Promise<void> {
  const isExpected = (error: unknown) => {
    expect(error, description).toBeInstanceOf(StoreError);
    return null;
  };
  const [problems, checkpoint, version] = await Promise.all([
    adapter.verify().catch(isExpected),
    adapter.loadCheckpoint().catch(isExpected),
    adapter.loadVersion().catch(isExpected),
  ]);
  expect(problems === null || problems.length > 0, `${description}: not noticed`).toBe(true);
  if (version !== null) {
    const seed = version.version.version;
    expect(version.vector, description).toEqual(vectorOf(smallLayout, seed));
    expect(version.layout, description).toEqual(smallLayout);
    expect(version.version.note, description).toEqual({ seed, text: 'naïve “text”', nested: [{ a: 1.5 }] });
    if (seed !== 4) expect(version.warnings.length, description).toBeGreaterThan(0);
  }
  if (checkpoint !== null) {
    expect(checkpoint.m, description).toEqual(vectorOf(smallLayout, checkpoint.step + 1));
    expect(checkpoint.state, description).toEqual({ seed: checkpoint.step });
    if (checkpoint.step !== 4) expect(checkpoint.warnings.length, description).toBeGreaterThan(0);
  }
}

test('the undamaged store has nothing to complain about', async () => {
  expect(files).toContain('manifest.json');
  expect(files).toContain('manifest.previous.json');
  expect(files.length).toBe(7);
  expect(await adapter.verify()).toEqual([]);
  expect((await adapter.loadVersion())!.version.version).toBe(4);
  expect((await adapter.loadCheckpoint())!.step).toBe(4);
});

test(`${cases} damaged files: each is rejected, or something older is used with a warning`, async () => {
  let done = 0;
  const kinds = Object.entries(mutations);
  for (let seed = 1; done < cases; seed++) {
    const random = randomOf(seed);
    const file = files[random(files.length)]!;
    const [kind, mutate] = kinds[random(kinds.length)]!;
    const original = readFileSync(join(pristine, file));
    const others = files.filter((name) => name !== file).map((name) => readFileSync(join(pristine, name)));
    const damaged = mutate(Buffer.from(original), random, others);
    if (damaged.equals(original)) continue;
    writeFileSync(join(adapter.path, file), damaged);
    await expectNothingSilentlyWrong(`seed ${seed}: ${kind} in ${file}`);
    writeFileSync(join(adapter.path, file), original);
    done++;
  }
  expect(await adapter.verify()).toEqual([]);
});

test('any two files exchanged, any file missing: noticed', async () => {
  for (const first of files) {
    for (const second of files) {
      if (first >= second) continue;
      writeFileSync(join(adapter.path, first), readFileSync(join(pristine, second)));
      writeFileSync(join(adapter.path, second), readFileSync(join(pristine, first)));
      await expectNothingSilentlyWrong(`${first} <-> ${second}`);
      restore();
    }
    rmSync(join(adapter.path, first));
    // Without the older manifest nothing is lost, and a kill can leave a store so.
    if (relative('.', first) === 'manifest.previous.json') expect(await adapter.verify()).toEqual([]);
    else await expectNothingSilentlyWrong(`${first} removed`);
    restore();
  }
});
