/** The small files of a Hugging Face folder, read with limits and with errors that say what to do. */
import { open } from 'node:fs/promises';
import path from 'node:path';
import { ModelError, reasonOf } from './model-error.ts';

export const DOWNLOAD_AGAIN = 'Download the model again, or choose another one.';

/** The largest tokenizer.json known has 35 MB; no other of these files comes near. */
const MAX_BYTES = 128 * 1024 * 1024;

/** The text of a UTF-8 file, or null where there is no such file. Throws ModelError for any other failure. */
export async function readModelText(folder: string, name: string): Promise<string | null> {
  let bytes: Buffer;
  try {
    const handle = await open(path.join(folder, name), 'r');
    try {
      const { size } = await handle.stat();
      if (size > MAX_BYTES) {
        throw new ModelError(
          folder,
          [`${name} has ${size} bytes, more than the ${MAX_BYTES} allowed.`],
          DOWNLOAD_AGAIN,
        );
      }
      bytes = await handle.readFile();
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof ModelError) throw error;
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw new ModelError(
      folder,
      [`${name} cannot be read: ${reasonOf(error)}.`],
      'Check the folder and its permissions.',
    );
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new ModelError(folder, [`${name} is not valid UTF-8.`], DOWNLOAD_AGAIN);
  }
}

/** The object in a JSON file, or null where there is no such file. Throws ModelError for anything but an object. */
export async function readModelJson(folder: string, name: string): Promise<Record<string, unknown> | null> {
  const text = await readModelText(folder, name);
  if (text === null) return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ModelError(folder, [`${name} is not valid JSON: ${reasonOf(error)}.`], DOWNLOAD_AGAIN);
  }
  if (!isRecord(value)) throw new ModelError(folder, [`${name} does not hold a JSON object.`], DOWNLOAD_AGAIN);
  return value;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
