/** `lift adapters`: what the store holds, and how it gets smaller, out and in. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { openStore, type RemovedAdapter, type RepositoryEntry } from '../store/adapter-store.ts';
import { realFolder } from '../store/repository-key.ts';
import type { CliContext } from './context.ts';
import { byteSize, bytesFrom, counted } from './number-text.ts';
import { printResult } from './print.ts';
import { existingFolder, type SharedOptions, storeRoot, withServices, withSharedOptions } from './shared-options.ts';
import { textTable } from './text-table.ts';

interface PackageOptions extends SharedOptions {
  package?: string;
}

const defaultQuota = 5_000_000_000;

/** Listing and removing work on the store alone, so that they also work when no model can be opened. */
export function addAdaptersCommand(program: Command, context: CliContext): void {
  const adapters = program.command('adapters').description('List, remove, export, import and roll back adapters.');
  const store = (options: SharedOptions) => openStore(storeRoot(context, options));

  const list = adapters.command('list').description('Show every adapter with its versions and its size.');
  withSharedOptions(list).action(async (options: SharedOptions) => {
    const entries = await store(options).list();
    printResult(context, options.json, { adapters: entries.map(adapterEntry) }, () => listLines(entries));
  });

  const remove = adapters
    .command('delete')
    .description('Delete the adapters of a folder.')
    .argument('<folder or key>', 'a folder, or a repository key that `lift adapters list` shows')
    .argument('[base model key]', 'only the adapter of this base model');
  withSharedOptions(remove).action(async (named: string, baseModelKey: string | undefined, options: SharedOptions) => {
    const opened = store(options);
    const removed: RemovedAdapter[] = [];
    for (const key of keysOf(await opened.list(), named, context.workingFolder, baseModelKey)) {
      removed.push(...(await opened.delete(key, baseModelKey)));
    }
    printRemoved(context, options, removed);
  });

  const prune = adapters
    .command('prune')
    .description('Remove old versions, then whole adapters unused for longest, until all together fit a size.')
    .option('--quota <size>', `what may stay, such as 500MB (default: ${byteSize(defaultQuota)})`, bytesFrom);
  withSharedOptions(prune).action(async (options: SharedOptions & { quota?: number }) => {
    const opened = store(options);
    const quota = options.quota ?? defaultQuota;
    const removed = await opened.prune(quota);
    const left = (await opened.list()).reduce((sum, { bytes }) => sum + bytes, 0);
    printRemoved(context, options, removed, `The store holds ${byteSize(left)}; the quota is ${byteSize(quota)}.`);
  });

  const exporting = adapters
    .command('export')
    .description("Write a folder's adapter in PEFT's format.")
    .argument('<folder>', "the repository's folder")
    .argument('<target>', 'folder that receives adapter_config.json and adapter_model.safetensors')
    .option('--package <folder>', 'where each package has an adapter, this one (default: all, each in its own folder)');
  withSharedOptions(exporting).action(async (named: string, target: string, options: PackageOptions) => {
    const folder = existingFolder(context, named);
    const to = resolve(context.workingFolder, target);
    const files = await withServices(context, options, (services) =>
      services.exportAdapter(folder, to, options.package),
    );
    printResult(context, options.json, { files }, () => ['Written:', ...files.map((file) => `  ${resolve(to, file)}`)]);
  });

  const importing = adapters
    .command('import')
    .description("Make a LoRA adapter in PEFT's format a folder's current version.")
    .argument('<folder>', "the repository's folder")
    .argument('<source>', 'folder with adapter_config.json and adapter_model.safetensors')
    .option('--package <folder>', 'where each package has an adapter, whose it becomes');
  withSharedOptions(importing).action(async (named: string, source: string, options: PackageOptions) => {
    const folder = existingFolder(context, named);
    const from = existingFolder(context, source);
    const version = await withServices(context, options, (services) =>
      services.importAdapter(folder, from, options.package),
    );
    printResult(context, options.json, { version }, () => [`Imported as version ${version}; it is current now.`]);
  });

  const rollingBack = adapters
    .command('roll-back')
    .description("Make a folder's previous version the current one again.")
    .argument('<folder>', "the repository's folder")
    .option('--package <folder>', 'where each package has an adapter, whose it is');
  withSharedOptions(rollingBack).action(async (named: string, options: PackageOptions) => {
    const folder = existingFolder(context, named);
    const version = await withServices(context, options, (services) => services.rollBack(folder, options.package));
    printResult(context, options.json, { version }, () => [`Version ${version} is current again.`]);
  });
}

function adapterEntry(entry: RepositoryEntry) {
  const { repositoryKey, baseModelKey, folder, kind, current, versions, bytes, lastUsed, lockedBy, problems } = entry;
  return {
    repositoryKey,
    baseModelKey,
    folder: folder ?? '',
    ...(entry.package === null ? {} : { package: entry.package }),
    version: current,
    versions: versions.map(({ version }) => version),
    bytes,
    lastUsed: lastUsed ?? '',
    kind,
    trainedBy: lockedBy?.pid ?? null,
    problems,
  };
}

function listLines(entries: readonly RepositoryEntry[]): string[] {
  if (entries.length === 0) return ['There is no adapter yet; `lift absorb <folder>` makes one.'];
  const rows = entries.map(
    ({ folder, package: named, repositoryKey, baseModelKey, current, versions, bytes, lastUsed }) => [
      `${folder ?? '(unknown)'}${named === null ? '' : `: ${named === '.' ? 'in no package' : named}`}`,
      current === null ? 'none' : `${current} of ${versions.length}`,
      byteSize(bytes),
      lastUsed?.slice(0, 16).replace('T', ' ') ?? 'never',
      repositoryKey,
      baseModelKey,
    ],
  );
  const total = entries.reduce((sum, { bytes }) => sum + bytes, 0);
  const troubled = entries.filter(({ problems }) => problems.length > 0);
  return [
    ...textTable(['Folder', 'Version', 'Size', 'Last used (UTC)', 'Key', 'Base model'], rows, ['Version', 'Size']),
    `${counted(entries.length, 'adapter')}, ${byteSize(total)}`,
    ...troubled.flatMap(({ repositoryKey, problems }) => problems.map((problem) => `${repositoryKey}: ${problem}`)),
  ];
}

/** The key itself, or those of a folder and its packages, which need not exist any more; each once. */
function keysOf(
  entries: readonly RepositoryEntry[],
  named: string,
  workingFolder: string,
  baseModelKey: string | undefined,
): Set<string> {
  if (entries.some(({ repositoryKey }) => repositoryKey === named)) return new Set([named]);
  const folder = realFolder(resolve(workingFolder, named));
  const ofFolder = entries.filter((candidate) => candidate.folder === folder);
  const ofModel = ofFolder.filter((candidate) => baseModelKey === undefined || candidate.baseModelKey === baseModelKey);
  // Of a base model that no adapter is of, the store says so.
  const found = ofModel.length > 0 ? ofModel : ofFolder.slice(0, 1);
  if (found.length > 0) return new Set(found.map(({ repositoryKey }) => repositoryKey));
  throw new Error(`There is no adapter of ${named}. \`lift adapters list\` shows what there is.`);
}

function printRemoved(context: CliContext, { json }: SharedOptions, removed: RemovedAdapter[], end?: string): void {
  const freedBytes = removed.reduce((sum, { bytes }) => sum + bytes, 0);
  printResult(context, json, { removed, freedBytes }, () => [
    ...removed.map(
      ({ repositoryKey, version, checkpointsOnly, bytes }) =>
        `Removed ${checkpointsOnly ? 'the checkpoints of ' : version === null ? '' : `version ${version} of `}` +
        `${repositoryKey} (${byteSize(bytes)})`,
    ),
    ...(removed.length === 0 ? ['Nothing was removed.'] : [`Freed ${byteSize(freedBytes)}.`]),
    ...(end === undefined ? [] : [end]),
  ]);
}
