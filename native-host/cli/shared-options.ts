/** The options that every command has, and what follows from them. */
import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { modelFolderOf } from '../hub/download-model.ts';
import { modelNameOf } from '../hub/hub-cache.ts';
import { hubSettings } from '../hub/hub-settings.ts';
import { defaultStoreRoot } from '../locations.ts';
import type { ServiceOptions, Services } from '../services.ts';
import type { CliContext } from './context.ts';

export interface SharedOptions {
  json?: boolean;
  store?: string;
  model?: string;
  device?: NonNullable<ServiceOptions['device']>;
  weights?: NonNullable<ServiceOptions['weights']>;
}

export function withSharedOptions(command: Command): Command {
  return command
    .option('--json', 'print one JSON object as the last line')
    .option('--store <dir>', 'folder that holds adapters (default: $LIFT_STORE, or lift in your data folder)')
    .option(
      '--model <path>',
      "base model: a folder in Hugging Face's layout, a GGUF file, or the name of one that `lift models get` loaded (default: the embedded one)",
    )
    .addOption(
      new Option('--device <name>', 'where to compute (default: auto)').choices(['auto', 'cpu', 'webgpu', 'cuda']),
    )
    .addOption(
      new Option(
        '--weights <form>',
        'how the base model lies in memory: exact, or its matrices in 8 or 4 bits (default: auto, exact where it fits)',
      ).choices(['auto', 'float32', 'int8', 'int4']),
    );
}

export function storeRoot({ workingFolder, environment }: CliContext, { store }: SharedOptions): string {
  return resolve(workingFolder, store ?? defaultStoreRoot(environment));
}

/** Opens the native host's services for one command and closes them after it, however it ends. */
export async function withServices<T>(
  context: CliContext,
  options: SharedOptions,
  action: (services: Services) => Promise<T>,
): Promise<T> {
  const serviceOptions: ServiceOptions = { storeRoot: storeRoot(context, options) };
  if (options.model !== undefined) serviceOptions.modelFolder = await namedModel(context, options.model);
  if (options.device !== undefined) serviceOptions.device = options.device;
  if (options.weights !== undefined) serviceOptions.weights = options.weights;
  const services = await context.openServices(serviceOptions);
  try {
    return await action(services);
  } finally {
    await services.close();
  }
}

/** A folder, or the name of a model that was downloaded from a hub. */
async function namedModel({ workingFolder, environment }: CliContext, named: string): Promise<string> {
  const path = resolve(workingFolder, named);
  if (existsSync(path) || modelNameOf(named) === null) return path;
  return modelFolderOf(hubSettings(environment), named);
}

/** The absolute path of a folder or GGUF file that the user named. Errors: Error if it is none. */
export function existingModel(context: Pick<CliContext, 'workingFolder'>, named: string): string {
  const path = resolve(context.workingFolder, named);
  // Ollama keeps such files under their hashes.
  const isNamedSo = /\.gguf$|\bsha256-[0-9a-f]{64}$/i.test(path);
  return isNamedSo && existsSync(path) ? path : existingFolder(context, named);
}

/** The absolute path of a folder that the user named. Errors: Error if it is none. */
export function existingFolder({ workingFolder }: Pick<CliContext, 'workingFolder'>, folder: string): string {
  const path = resolve(workingFolder, folder);
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) throw new Error(`There is no folder ${path}. Check its name.`);
  if (!stats.isDirectory()) throw new Error(`${path} is a file. Name the folder that holds the repository.`);
  return path;
}
