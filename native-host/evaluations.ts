/** Evaluations as the editor asks for them: the last page of each folder is kept beside the adapters. */
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { EvalRunParams, Evaluation } from '../protocol/host.ts';
import { reportPage } from './report/page.ts';
import type { Services } from './services.ts';
import { repositoryKeyOf } from './store/repository-key.ts';
import type { ArmName } from './study/eval/arms.ts';
import type { EvalControl } from './study/eval/eval-request.ts';

/** What a user wants to know, with one training: the base, texts in the prompt, the adapter, and both. */
const shortArms: readonly ArmName[] = ['base', 'icl', 'rag', 'lift', 'lift+icl', 'lift+rag'];

/** Trains and measures; takes the minutes asked for, and about as long again. Errors: as Services.evaluate. */
export async function runEvaluation(
  services: Services,
  storeRoot: string,
  { folder, ...request }: EvalRunParams,
  control: EvalControl,
): Promise<Evaluation> {
  const result = await services.evaluate(folder, { arms: shortArms, ...request }, control);
  const html = reportPage(result);
  const file = pageOf(storeRoot, folder);
  await mkdir(join(storeRoot, 'evaluations'), { recursive: true });
  await writeFile(`${file}.part`, html);
  await rename(`${file}.part`, file);
  return { html, made: new Date().toISOString() };
}

/** Null where the folder was never evaluated. */
export async function lastEvaluation(storeRoot: string, folder: string): Promise<Evaluation | null> {
  const file = pageOf(storeRoot, folder);
  const html = await readFile(file, 'utf8').catch(() => null);
  return html === null ? null : { html, made: (await stat(file)).mtime.toISOString() };
}

function pageOf(storeRoot: string, folder: string): string {
  return join(storeRoot, 'evaluations', `${repositoryKeyOf(folder)}.html`);
}
