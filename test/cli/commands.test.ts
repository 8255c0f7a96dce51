import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStore } from '../../native-host/store/adapter-store.ts';
import {
  answer,
  devicePlans,
  type FakeLiftOptions,
  lastObject,
  outcome,
  probeResult,
  runLift,
  status,
} from './fake-lift.ts';

let root: string;

beforeAll(() => {
  root = realpathSync.native(mkdtempSync(join(tmpdir(), 'lift-cli-')));
  mkdirSync(join(root, 'repo/lib'), { recursive: true });
  mkdirSync(join(root, 'other'));
  writeFileSync(join(root, 'repo/lib/parse.ts'), 'one\ntwo\nthree\nfour\n');
  writeFileSync(join(root, 'repo/odd:3'), 'odd\n');
  writeFileSync(join(root, 'repo/binary'), 'a\0b');
  writeFileSync(join(root, 'outside.ts'), 'x\n');
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

function lift(parameters: string[], options: Partial<FakeLiftOptions> = {}) {
  return runLift(parameters, { workingFolder: root, ...options });
}

describe('every command', () => {
  const commands = [
    ['absorb'],
    ['ask'],
    ['status'],
    ['probe'],
    ['eval'],
    ['adapters', 'list'],
    ['adapters', 'delete'],
    ['adapters', 'prune'],
    ['adapters', 'export'],
    ['adapters', 'import'],
    ['adapters', 'roll-back'],
    ['models', 'list'],
    ['models', 'check'],
    ['bench'],
  ];
  it.each(commands)('has the shared options and help: %s %s', async (...words) => {
    const { status: code, stdout } = await lift([...words.filter(Boolean), '--help']);
    expect(code).toBe(0);
    for (const option of ['--json', '--store <dir>', '--model <path>', '--device <name>', '--help']) {
      expect(stdout).toContain(option);
    }
  });

  it('ends with status 2 when it is used wrongly, and says how to use it', async () => {
    for (const parameters of [
      [],
      ['frobnicate'],
      ['absorb'],
      ['absorb', 'repo', '--epochs', '0'],
      ['absorb', 'repo', '--minutes', 'soon'],
      ['absorb', 'repo', '--device', 'abacus'],
      ['absorb', 'repo', '--adapter-kind', 'none'],
      ['absorb', 'repo', '--packages', 'some'],
      ['absorb', 'repo', '--unknown'],
      ['eval', 'repo', '--arms', 'base,magic'],
      ['eval', 'repo', '--arms', 'wrong'],
      ['eval', 'repo', '--adapter-kind', 'none'],
      ['eval', 'repo', '--needles', '101'],
      ['ask', 'repo', ' '],
      ['ask', 'repo', 'What?', '--temperature', '-1'],
      ['adapters', 'prune', '--quota', 'much'],
      ['bench', 'everything'],
    ]) {
      const { status: code, stdout, stderr, calls } = await lift(parameters);
      expect([parameters, code]).toEqual([parameters, 2]);
      expect(stdout).toBe('');
      expect(stderr).toMatch(/^lift: |^Usage: lift/);
      expect(calls).toEqual([]);
    }
  });

  it('says that a folder is not there', async () => {
    const { status: code, stderr, opened } = await lift(['status', 'nowhere']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^lift: There is no folder .*nowhere/);
    expect(opened).toEqual([]);
    expect((await lift(['status', 'outside.ts'])).stderr).toMatch(/is a file/);
  });

  it('prints an error on standard error, with status 1, and closes the services', async () => {
    const failing = { absorb: () => Promise.reject(new Error('The disk is full. Free some space.')) };
    const { status: code, stdout, stderr, closed } = await lift(['absorb', 'repo', '--json'], { services: failing });
    expect([code, stdout, closed]).toEqual([1, '', 1]);
    expect(stderr).toBe('lift: The disk is full. Free some space.\n');
  });

  it('opens the store, the model and the device that were named', async () => {
    const named = await lift(['status', 'repo', '--store', 'st', '--model', 'mo', '--device', 'webgpu']);
    expect(named.opened).toEqual([{ storeRoot: join(root, 'st'), modelFolder: join(root, 'mo'), device: 'webgpu' }]);
    const byDefault = await lift(['status', 'repo'], { environment: { LIFT_STORE: join(root, 'st2') } });
    expect(byDefault.opened).toEqual([{ storeRoot: join(root, 'st2') }]);
  });
});

describe('lift absorb', () => {
  it('hands over its options and prints the fields that scripts read', async () => {
    const run = await lift([
      'absorb',
      'repo',
      ...['--epochs', '2', '--minutes', '0.5', '--seed', '7', '--adapter-kind', 'full', '--json'],
      ...['--rank', '8', '--first', './src/core/', 'docs/../a.ts', join(root, 'repo', 'b.ts')],
    ]);
    expect(run.status).toBe(0);
    expect(run.calls[0]!.parameters.slice(0, 2)).toEqual([
      join(root, 'repo'),
      { epochs: 2, minutes: 0.5, seed: 7, adapterKind: 'full', rank: 8, first: ['src/core', 'a.ts', 'b.ts'] },
    ]);
    expect(lastObject(run.stdout)).toEqual(outcome);
  });

  it('tells people what came of it', async () => {
    const { stdout } = await lift(['absorb', 'repo']);
    expect(stdout).toContain('Version 2 is saved: 12 steps, 9,000 tokens trained, 1 min 15 s.');
    expect(stdout).toContain('Absorbed 81.2 % of 4,200 tokens in 3 documents.');
    expect(stdout).toContain('`lift status repo` says why');
    const explained = { absorb: async () => ({ ...outcome, recipe: 'LoRA of rank 64: because.' }) };
    expect((await lift(['absorb', 'repo'], { services: explained })).stdout).toContain('\nLoRA of rank 64: because.\n');
    const unchanged = { absorb: async () => ({ ...outcome, end: 'unchanged' as const, steps: 0 }) };
    expect((await lift(['absorb', 'repo'], { services: unchanged })).stdout).toMatch(/no step was needed/);
    const empty = { absorb: async () => ({ ...outcome, documents: 0, version: null }) };
    expect((await lift(['absorb', 'repo'], { services: empty })).stdout).toMatch(/nothing to absorb/);
  });

  it('tells of each package what came of it, and which arrangement was asked for', async () => {
    const packages = [{ folder: 'packages/a', documents: 3, tokens: 4200, absorbed: 0.8, dirty: 0, version: 2 }];
    const arrangement = 'An adapter for each: because.';
    const by = (more: Partial<typeof outcome>) => ({
      absorb: async () => ({ ...outcome, packages, arrangement, ...more }),
    });
    const { stdout, calls } = await lift(['absorb', 'repo', '--packages', 'each'], { services: by({}) });
    expect(calls[0]!.parameters[1]).toEqual({ packages: 'each' });
    expect(stdout).toContain('What each package learned is saved: 12 steps');
    expect(stdout).toContain('\nAn adapter for each: because.\n');
    expect(stdout).toMatch(/packages\/a +80\.0 % +4,200 +0 +2\n/);
    const restored = await lift(['absorb', 'repo'], { services: by({ end: 'restored' }) });
    expect(restored.stdout).toMatch(/^Versions that know this very tree/);
  });

  it('keeps what was absorbed when interrupted: the outcome is printed and the status is that of the signal', async () => {
    const interrupt = new AbortController();
    const absorb: FakeLiftOptions['services'] = {
      absorb: async (_folder, _options, observer) => {
        interrupt.abort();
        expect(observer.signal.aborted).toBe(true);
        return { ...outcome, end: 'cancelled' };
      },
    };
    const run = await lift(['absorb', 'repo', '--json'], { interrupt, services: absorb });
    expect(run.status).toBe(130);
    expect(lastObject(run.stdout)).toMatchObject({ end: 'cancelled', version: 2 });
    expect(run.stderr).toMatch(/What was absorbed is kept/);
  });

  it('is silent about an abort that comes before there is anything to keep', async () => {
    const interrupt = new AbortController();
    const absorb: FakeLiftOptions['services'] = {
      absorb: async (_folder, _options, { signal }) => {
        interrupt.abort();
        signal.throwIfAborted();
        return outcome;
      },
    };
    const run = await lift(['absorb', 'repo'], { interrupt, services: absorb });
    expect([run.status, run.stdout]).toEqual([130, '']);
    expect(run.stderr).not.toMatch(/^lift:/m);
  });
});

describe('lift ask', () => {
  it('streams the answer, then names its sources', async () => {
    const { stdout, status: code } = await lift(['ask', 'repo', 'Where is parse?']);
    expect(code).toBe(0);
    expect(stdout).toBe(
      'It is in lib/parse.ts.\n\n  lib/parse.ts:3-9\n  lib/a.ts:12\n  not in this folder: lib/none.ts\n',
    );
  });

  it('prints one object for scripts', async () => {
    const { stdout } = await lift(['ask', 'repo', 'Where is parse?', '--json']);
    expect(stdout.split('\n')).toHaveLength(2);
    expect(lastObject(stdout)).toEqual(answer);
  });

  it('hands over its options, and files with their lines', async () => {
    const { calls } = await lift([
      ...['ask', 'repo', 'What?', '--no-adapter', '--evidence', '0', '--temperature', '0.5', '--max-tokens', '9'],
      ...['--open', 'repo/lib/parse.ts:2-3', '--open', 'lib/parse.ts:4', '--open', 'odd:3'],
    ]);
    const text = 'one\ntwo\nthree\nfour\n';
    expect(calls[0]!.parameters[0]).toEqual({
      folder: join(root, 'repo'),
      question: 'What?',
      openFiles: [
        { path: 'lib/parse.ts', text, from: 2, to: 3 },
        { path: 'lib/parse.ts', text, from: 4, to: 4 },
        { path: 'odd:3', text: 'odd\n' },
      ],
      useAdapter: false,
      evidence: 0,
      temperature: 0.5,
      topP: 0.95,
      maxTokens: 9,
      conversation: [],
    });
    const ofPackage = (await lift(['ask', 'repo', 'What?', '--package', 'packages/a'])).calls[0]!.parameters[0];
    expect(ofPackage).toMatchObject({ package: 'packages/a' });
    const byDefault = (await lift(['ask', 'repo', 'What?'])).calls[0]!.parameters[0];
    expect(byDefault).not.toHaveProperty('package');
    expect(byDefault).not.toHaveProperty('evidence');
    expect(byDefault).toMatchObject({ useAdapter: true, temperature: 0, openFiles: [] });
  });

  it('refuses files that cannot be shown', async () => {
    for (const [file, code, message] of [
      ['none.ts', 1, /There is no file none\.ts/],
      ['outside.ts', 1, /is not in/],
      ['binary', 1, /not a text file/],
      ['lib/parse.ts:5-6', 2, /has 4 lines/],
      ['lib/parse.ts:3-2', 2, /the last one comes last/],
      ['lib/parse.ts:0', 2, /lines count from 1/],
    ] as const) {
      const run = await lift(['ask', 'repo', 'What?', '--open', file]);
      expect([file, run.status]).toEqual([file, code]);
      expect(run.stderr).toMatch(message);
    }
  });

  it('says which package answered, on a terminal', async () => {
    const by = async (name: string | undefined) => {
      const ask = async () => ({ ...answer, ...(name === undefined ? {} : { package: name }) });
      return (await lift(['ask', 'repo', 'What?'], { services: { ask }, terminal: true })).stderr;
    };
    expect(await by('packages/a')).toMatch(/^\(packages\/a, version 2, first token/);
    expect(await by('.')).toMatch(/^\(what is in no package, version 2, /);
    expect(await by(undefined)).toMatch(/^\(version 2, /);
  });

  it('says so when only the base model could answer', async () => {
    const services = { ask: async () => ({ ...answer, version: null }) };
    expect((await lift(['ask', 'repo', 'What?'], { services })).stderr).toMatch(/run `lift absorb repo` first/);
    expect((await lift(['ask', 'repo', 'What?', '--no-adapter'], { services })).stderr).toBe('');
  });

  it('prints no control characters of an answer', async () => {
    const services: FakeLiftOptions['services'] = {
      ask: async (_params, onText) => {
        onText('red \u001B[31m\ttab');
        return { ...answer, answer: 'red', citations: [{ path: 'a\u001Bb', startLine: 1, endLine: 1 }] };
      },
    };
    const { stdout } = await lift(['ask', 'repo', 'What?'], { services });
    expect(stdout).not.toContain('\u001B');
    expect(stdout).toContain('\ttab');
  });
});

describe('lift status', () => {
  it('groups what was skipped, and always names secrets', async () => {
    const skipped = [
      ...Array.from({ length: 5 }, (_, i) => ({
        path: `data-${i}.json`,
        reason: `line ${i} has more than 4000 characters`,
      })),
      ...Array.from({ length: 5 }, (_, i) => ({ path: `keys-${i}.ts`, reason: `secret: AWS access key, line ${i}` })),
      { path: 'build/', reason: '7 files: .gitignore: *.js' },
    ];
    const services = { status: async () => ({ ...status, skipped, recipe: 'LoRA of rank 64: because.' }) };
    const { stdout } = await lift(['status', 'repo'], { services });
    expect(stdout).toContain('Absorbed  50.0 % of 4,200 tokens in 3 documents');
    expect(stdout).toContain('Training  LoRA of rank 64: because.');
    expect(stdout).toContain('Dirty     2 files; `lift absorb repo` learns them');
    expect(stdout).toMatch(/Version {3}2, .* old/);
    expect(stdout).toContain('Size      12.3 MB');
    expect(stdout).toContain(`Commit    ${status.absorbedCommit}`);
    expect(stdout).toContain('Model     lift-base on cpu');
    expect(stdout).toMatch(/ {2}a line has more than 4000 characters: 5\n {4}data-0\.json.*\n.*\n.*\n {4}and 2 more/);
    expect(stdout).toContain('keys-4.ts');
    expect(stdout).toContain('build/ (7 files: .gitignore: *.js)');
    const all = await lift(['status', 'repo', '--skipped'], { services });
    expect(all.stdout).toContain('data-4.json');
    expect(lastObject((await lift(['status', 'repo', '--json'], { services })).stdout)).toEqual({
      ...status,
      skipped,
      recipe: 'LoRA of rank 64: because.',
    });
  });

  it('has a line for each package', async () => {
    const packages = [
      { folder: '.', documents: 1, tokens: 200, absorbed: 0.9, dirty: 0, version: 1, byWhole: true },
      { folder: 'packages/a', documents: 2, tokens: 4000, absorbed: 0.512, dirty: 2, version: 3 },
      { folder: 'packages/b', documents: 2, tokens: 0, absorbed: 0, dirty: 2, version: null },
    ];
    const services = { status: async () => ({ ...status, packages, arrangement: 'An adapter for each: because.' }) };
    const { stdout } = await lift(['status', 'repo'], { services });
    expect(stdout).toContain('Packages  An adapter for each: because.');
    expect(stdout).toMatch(/\. \(what is in no package\) +90\.0 % +200 +0 +1 of all\n/);
    expect(stdout).toMatch(/packages\/a +51\.2 % +4,000 +2 +3\n/);
    expect(stdout).toMatch(/packages\/b +nothing yet +0 +2 +none\n/);
    expect(stdout).toContain('the adapter of all answers for it');
    expect(stdout).toMatch(/Newest {4}version 2, .* old/);
  });

  it('tells that everything may be absorbed anew', async () => {
    const due = { status: async () => ({ ...status, isConsolidationDue: true as const }) };
    expect((await lift(['status', 'repo'], { services: due })).stdout).toContain(
      'Anew      much was refreshed; `lift absorb repo` absorbs everything anew',
    );
    expect((await lift(['status', 'repo'])).stdout).not.toContain('Anew');
  });

  it('is no error before anything was absorbed', async () => {
    const nothing = { ...status, version: null, absorbed: 0, absorbedAt: null, adapterBytes: 0 };
    const run = await lift(['status', 'repo'], { services: { status: async () => nothing } });
    expect(run.status).toBe(0);
    expect(run.stdout).toContain('Absorbed  nothing yet');
  });
});

describe('lift probe', () => {
  it('prints both models side by side, and the strata', async () => {
    const { stdout } = await lift(['probe', 'repo']);
    expect(stdout).toMatch(/Next token of the text +81\.0 % +34\.0 %/);
    expect(stdout).toMatch(/identifiers +60 +95\.0 % +70\.0 % +1\.0 %/);
    expect(lastObject((await lift(['probe', 'repo', '--json'])).stdout)).toEqual(probeResult);
  });

  it("measures another folder's adapter", async () => {
    const { calls, stdout } = await lift(['probe', 'repo', '--adapter-of', 'other', '--probes', '40']);
    expect(calls[0]!.parameters.slice(0, 2)).toEqual([
      join(root, 'repo'),
      { adapterOf: join(root, 'other'), probes: 40 },
    ]);
    expect(stdout).toMatch(/^With the adapter of/);
  });
});

describe('lift adapters', () => {
  const layout = {
    kind: 'full' as const,
    rank: 1,
    alpha: 1,
    length: 4,
    entries: [{ name: 'layers.0.q_proj.delta', shape: [2, 2], offset: 0 }],
  };

  async function stored(): Promise<string> {
    const store = mkdtempSync(join(root, 'store-'));
    for (const name of ['repo', 'other']) {
      const adapter = openStore(store).adapter(join(root, name), 'base1');
      await adapter.saveVersion(layout, new Float32Array(4), {});
      await adapter.saveVersion(layout, new Float32Array([1, 2, 3, 4]), {});
    }
    return store;
  }

  it('lists, without opening a model', async () => {
    const store = await stored();
    const { stdout, opened } = await lift(['adapters', 'list', '--store', store]);
    expect(opened).toEqual([]);
    const lines = stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(4);
    expect(lines[1]).toMatch(/other +2 of 2 /);
    expect(lines[0]!.indexOf('Key')).toBe(lines[1]!.indexOf('other-'));
    const { adapters } = lastObject((await lift(['adapters', 'list', '--store', store, '--json'])).stdout);
    expect(adapters).toMatchObject([{ folder: join(root, 'other'), version: 2, versions: [1, 2], problems: [] }, {}]);
    expect((await lift(['adapters', 'list', '--store', join(root, 'none')])).stdout).toMatch(/no adapter yet/);
  });

  it('deletes by folder or by key', async () => {
    const store = await stored();
    const { stdout } = await lift(['adapters', 'delete', 'repo', '--store', store, '--json']);
    const { removed, freedBytes } = lastObject(stdout) as { removed: { repositoryKey: string }[]; freedBytes: number };
    expect(removed).toHaveLength(1);
    expect(freedBytes).toBeGreaterThan(0);
    const again = await lift(['adapters', 'delete', 'repo', '--store', store]);
    expect(again.status).toBe(1);
    expect(again.stderr).toMatch(/There is no adapter of repo/);
    const key = (await openStore(store).list())[0]!.repositoryKey;
    expect((await lift(['adapters', 'delete', key, 'base1', '--store', store])).stdout).toMatch(/Removed other-/);
    expect(await openStore(store).list()).toEqual([]);
  });

  it('prunes to a quota', async () => {
    const store = await stored();
    expect((await lift(['adapters', 'prune', '--store', store])).stdout).toMatch(
      /Nothing was removed\.\n.*quota is 5\.0 GB/,
    );
    const run = await lift(['adapters', 'prune', '--store', store, '--quota', '0', '--json']);
    expect((lastObject(run.stdout).removed as unknown[]).length).toBe(4);
    expect(await openStore(store).list()).toEqual([]);
  });

  it('exports, imports and rolls back', async () => {
    const exported = await lift(['adapters', 'export', 'repo', 'out', '--json']);
    expect(exported.calls[0]).toEqual({
      name: 'exportAdapter',
      parameters: [join(root, 'repo'), join(root, 'out'), undefined],
    });
    expect(lastObject(exported.stdout)).toEqual({ files: ['adapter_config.json', 'adapter_model.safetensors'] });
    const imported = await lift(['adapters', 'import', 'repo', 'other']);
    expect(imported.calls[0]).toEqual({
      name: 'importAdapter',
      parameters: [join(root, 'repo'), join(root, 'other'), undefined],
    });
    expect(imported.stdout).toMatch(/version 3/);
    expect((await lift(['adapters', 'roll-back', 'repo', '--json'])).stdout).toBe('{"version":1}\n');
    for (const [command, more] of [
      ['export', ['out']],
      ['import', ['other']],
      ['roll-back', []],
    ] as const) {
      const run = await lift(['adapters', command, 'repo', ...more, '--package', 'packages/a']);
      expect(run.calls[0]!.parameters.at(-1)).toBe('packages/a');
    }
  });

  it('lists and deletes the adapters of packages, with their folder or one by one', async () => {
    const store = mkdtempSync(join(root, 'store-'));
    const of = (name: string) => openStore(store).packageAdapter(join(root, 'repo'), name, 'base1');
    for (const name of ['.', 'packages/a', 'packages/b']) await of(name).saveVersion(layout, new Float32Array(4), {});
    const { stdout } = await lift(['adapters', 'list', '--store', store]);
    expect(stdout).toMatch(/repo: in no package +1 of 1 /);
    expect(stdout).toMatch(/repo: packages\/a +1 of 1 /);
    const { adapters } = lastObject((await lift(['adapters', 'list', '--store', store, '--json'])).stdout) as {
      adapters: { repositoryKey: string; package: string }[];
    };
    expect(adapters.map((adapter) => adapter.package).sort()).toEqual(['.', 'packages/a', 'packages/b']);
    const { repositoryKey } = adapters.find((adapter) => adapter.package === 'packages/a')!;
    await lift(['adapters', 'delete', repositoryKey, '--store', store]);
    expect(await openStore(store).list()).toHaveLength(2);
    const rest = await lift(['adapters', 'delete', 'repo', 'base1', '--store', store, '--json']);
    expect((lastObject(rest.stdout).removed as unknown[]).length).toBe(2);
    expect(await openStore(store).list()).toEqual([]);
  });
});

describe('lift models', () => {
  it('lists and checks', async () => {
    expect((await lift(['models', 'list'])).stdout).toMatch(/lift-base +llama +4,000,000 +\/models\/lift-base/);
    const check = await lift(['models', 'check', 'other', '--text', 'outside.ts', '--json']);
    expect(check.opened[0]!.modelFolder).toBe(join(root, 'other'));
    expect(check.calls[0]!.parameters).toEqual([join(root, 'other'), 'x\n']);
    writeFileSync(join(root, 'one.gguf'), '');
    const file = await lift(['models', 'check', 'one.gguf', '--text', 'outside.ts', '--json']);
    expect(file.opened[0]!.modelFolder).toBe(join(root, 'one.gguf'));
    const blob = `sha256-${'0a'.repeat(32)}`;
    writeFileSync(join(root, blob), '');
    expect((await lift(['models', 'check', blob, '--json'])).opened[0]!.modelFolder).toBe(join(root, blob));
    expect((await lift(['models', 'check', 'two.gguf'])).stderr).toMatch(/There is no folder .*two.gguf/);
    expect((await lift(['models', 'check', 'outside.ts'])).stderr).toMatch(/outside.ts is a file/);
    expect(lastObject(check.stdout)).toEqual({
      architecture: 'llama',
      parameters: 4_000_000,
      nll: 2.5,
      greedyIds: [1, 2, 3],
      plans: devicePlans,
    });
    const { stdout } = await lift(['models', 'check', 'other']);
    expect(stdout).toContain(
      '\n  cpu         0.6 GB of 8.0 GB.\n  cuda        does not fit: no NVIDIA card was found.',
    );
    expect((await lift(['models', 'check', 'other', '--text', 'none.txt'])).status).toBe(1);
  });
});

describe('lift bench', () => {
  it('measures what was asked and prints its rows', async () => {
    const asked: unknown[] = [];
    const rows = [{ name: 'tokens', value: 1234.56, unit: 'tokens/s' }];
    const bench: FakeLiftOptions['bench'] = async (name, { shape, device, folder }) => {
      asked.push([name, shape, device, folder]);
      return rows;
    };
    const run = await lift(['bench', 'train', '--shape', 'nano', '--json'], { bench });
    expect(lastObject(run.stdout)).toEqual({ rows });
    expect((await lift(['bench', 'scan', '--folder', 'repo'], { bench })).stdout).toMatch(/tokens +1,235 +tokens\/s/);
    expect(asked).toEqual([
      ['train', 'nano', 'cpu', undefined],
      ['scan', '135m', 'cpu', join(root, 'repo')],
    ]);
  });
});
