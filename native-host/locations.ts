/** Where the product keeps and finds things, whoever starts it. */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** This file is bundled into dist/: beside it lie the workers and the card's kernels, above it the models. */
export const workerFile = new URL('./worker.js', import.meta.url);

export const deviceFiles = {
  onnxWorker: workerFile,
  cudaWorker: new URL('./cuda-worker.js', import.meta.url),
  kernels: fileURLToPath(new URL('./cuda-kernels.fatbin', import.meta.url)),
};

/** The base model that ships with the product. */
export function embeddedModelFolder(): string {
  const folder = fileURLToPath(new URL('../models/lift-base', import.meta.url));
  if (!existsSync(folder))
    throw new Error(`the embedded model is missing at ${folder}: install again, or name a model with --model`);
  return folder;
}

/** $LIFT_STORE, or where the system keeps programs' data. */
export function defaultStoreRoot(environment: NodeJS.ProcessEnv = process.env): string {
  if (environment.LIFT_STORE) return environment.LIFT_STORE;
  if (process.platform === 'win32')
    return join(environment.LOCALAPPDATA ?? join(homedir(), 'AppData', 'Local'), 'lift');
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Application Support', 'lift');
  return join(environment.XDG_DATA_HOME ?? join(homedir(), '.local', 'share'), 'lift');
}
