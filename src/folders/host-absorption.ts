/** What an absorption asks of the host for one folder. */
import { CancellationTokenSource, type WorkspaceFolder } from 'vscode';
import type { AbsorbResult } from '../../protocol/host.ts';
import { openEditorsOf } from '../ask/open-files.ts';
import type { HostClient } from '../lift-context.ts';
import { absorbOptions } from '../settings.ts';
import { confirmAbsorption, isLarge } from './first-absorption.ts';

/**
 * Resolves when it ends; aborting ends it early and keeps what was learned. `editsOnly`: nothing but what was learned and
 * has changed since. Errors: those of the host client.
 */
export async function absorbFolder(
  host: HostClient,
  folder: WorkspaceFolder,
  editsOnly: boolean,
  signal: AbortSignal,
): Promise<AbsorbResult> {
  const source = new CancellationTokenSource();
  const cancel = () => source.cancel();
  signal.addEventListener('abort', cancel);
  try {
    const first = openEditorsOf(folder).map(({ path }) => path);
    const params = {
      folder: folder.uri.fsPath,
      ...(first.length === 0 ? {} : { first }),
      ...(editsOnly ? { editsOnly } : {}),
      ...absorbOptions(folder),
    };
    return await host.request('absorb/start', params, source.token);
  } finally {
    signal.removeEventListener('abort', cancel);
    source.dispose();
  }
}

/** Whether the user wants it: asked where it is the first time and takes long. */
export async function userAgrees(host: HostClient, folder: WorkspaceFolder, signal: AbortSignal): Promise<boolean> {
  const path = folder.uri.fsPath;
  const status = await host.request('status', { folder: path });
  if (status.version !== null || signal.aborted) return !signal.aborted;
  const { quotaBytes: _quota, ...options } = absorbOptions(folder);
  const estimate = await host.request('absorb/estimate', { folder: path, ...options });
  if (signal.aborted) return false;
  return !isLarge(estimate) || (await confirmAbsorption(folder.name, estimate));
}
