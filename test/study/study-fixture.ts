/** A small model, a store and a small repository in a temporary folder, and absorptions of it. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type BaseModel, openBaseModel } from '../../native-host/model/open-model.ts';
import type { Device } from '../../native-host/runtime/device.ts';
import { openStore, type Store } from '../../native-host/store/adapter-store.ts';
import {
  type AbsorbControl,
  type Absorbed,
  type AbsorbReport,
  type AbsorbRequest,
  absorb,
} from '../../native-host/study/absorb.ts';
import { type AbsorbedFolder, type AbsorbFolderRequest, absorbFolder } from '../../native-host/study/absorb-folder.ts';
import type { FolderAdapters } from '../../native-host/study/folder-adapters.ts';
import { makeTinyModel } from '../fixtures/tiny-model.ts';
import { openTestDevice } from '../runtime/devices.ts';

export class StudyFixture {
  private constructor(
    readonly path: string,
    readonly device: Device,
    readonly model: BaseModel,
    readonly store: Store,
  ) {}

  static async open(): Promise<StudyFixture> {
    const path = await mkdtemp(join(tmpdir(), 'lift-study-'));
    await makeTinyModel(join(path, 'model'));
    const model = await openBaseModel(join(path, 'model'), { folder: join(path, 'cache'), form: 'F32' });
    return new StudyFixture(path, openTestDevice(), model, openStore(join(path, 'store')));
  }

  /** Writes a repository and returns its folder. */
  async repository(name: string, files: Record<string, string | Uint8Array>): Promise<string> {
    const folder = join(this.path, name);
    await mkdir(folder, { recursive: true });
    for (const [path, text] of Object.entries(files)) await writeTo(join(folder, path), text);
    return folder;
  }

  adapter(folder: string) {
    return this.store.adapter(folder, this.model.key);
  }

  adapters(folder: string): FolderAdapters {
    const { key } = this.model;
    return { whole: this.adapter(folder), ofPackage: (name) => this.store.packageAdapter(folder, name, key) };
  }

  /** Into an adapter for each package, unless told. */
  absorbFolder(
    folder: string,
    request: AbsorbFolderRequest = { epochs: 2, packages: 'each' },
    {
      signal = new AbortController().signal,
      onProgress = (_: AbsorbReport) => {},
      ...rest
    }: Partial<AbsorbControl> = {},
  ): Promise<AbsorbedFolder> {
    const control = { signal, onProgress, whileRunning: async () => {}, ...rest };
    return absorbFolder(this.device, this.model, folder, this.adapters(folder), request, control);
  }

  absorb(
    folder: string,
    request: AbsorbRequest = { epochs: 2 },
    {
      signal = new AbortController().signal,
      onProgress = (_: AbsorbReport) => {},
      ...rest
    }: Partial<AbsorbControl> = {},
  ): Promise<Absorbed> {
    const control = { signal, onProgress, whileRunning: async () => {}, ...rest };
    return absorb(this.device, this.model, folder, this.adapter(folder), request, control);
  }

  /** Stops after so many optimizer steps of this absorption. */
  async absorbAndStop(
    folder: string,
    steps: number,
    request: AbsorbRequest = { epochs: 2 },
    control: Partial<AbsorbControl> = {},
  ): Promise<Absorbed> {
    const stop = new AbortController();
    let reported = 0;
    const onProgress = ({ phase }: AbsorbReport) => {
      if (phase === 'train') reported += 1;
      if (reported === steps) stop.abort();
    };
    return this.absorb(folder, request, { ...control, signal: stop.signal, onProgress });
  }

  async close(): Promise<void> {
    await this.device.close();
    await rm(this.path, { recursive: true, force: true });
  }
}

export async function writeTo(path: string, text: string | Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}

const names = ['alpha', 'bravo', 'carol', 'delta', 'echo', 'frank', 'gamma', 'hotel'];

/** Eight modules and a page, about two thousand tokens of the small model. */
export function smallRepository(): Record<string, string> {
  const modules = names.map((name, i) => [`src/${name}.ts`, moduleText(name, 100 + 7 * i)]);
  const list = names.map((name) => `- ${name} counts.`).join('\n');
  return { ...Object.fromEntries(modules), 'README.md': `# Counters\n\n## Modules\n\n${list}\n` };
}

/** Three packages of two modules each, and what lies beside them. */
export function smallMonorepo(): Record<string, string> {
  const packages = ['one', 'two', 'three'].flatMap((name, i) => [
    [`packages/${name}/package.json`, JSON.stringify({ name: `@small/${name}`, main: `${names[2 * i]}.ts` })],
    ...[0, 1].map((j) => [`packages/${name}/${names[2 * i + j]}.ts`, moduleText(names[2 * i + j]!, 100 + 7 * i + j)]),
  ]);
  return {
    ...Object.fromEntries(packages),
    'package.json': JSON.stringify({ name: 'small', private: true, workspaces: ['packages/*'] }),
    'README.md': '# Counters\n\nThe counters are released together, from the main branch.\n',
  };
}

/** A constant and two functions. */
export function moduleText(name: string, limit: number): string {
  const title = name[0]!.toUpperCase() + name.slice(1);
  return [
    `/** How far ${name} counts. */`,
    `export const ${name}Limit = ${limit};`,
    '',
    `/** The next number of ${name}. */`,
    `export function next${title}(count: number): number {`,
    `  return Math.min(count + 1, ${name}Limit);`,
    '}',
    '',
    `export function is${title}Done(count: number): boolean {`,
    `  return next${title}(count) === count;`,
    '}',
    '',
  ].join('\n');
}
