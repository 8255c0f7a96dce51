/** Absorb Workspace, Refresh Adapter, Pause, Resume, Stop: for every folder of the workspace that the command means something to. */
import { l10n, window } from 'vscode';
import type { AbsorbedFolder, LiftContext } from '../lift-context.ts';

/** Folders take turns; each asks on its own where it is large. */
export async function absorbAll(context: LiftContext): Promise<void> {
  const folders = foldersOrAdvice(context);
  // The view shows how far it is; the command itself is over when all have ended.
  await Promise.all(folders.map((folder) => folder.absorb()));
}

export async function refreshAll(context: LiftContext): Promise<void> {
  const folders = foldersOrAdvice(context);
  await Promise.all(folders.map((folder) => (folder.state.phase === 'unknown' ? folder.update() : undefined)));
  const absorbed = folders.filter(({ state }) => state.version !== null);
  if (absorbed.length === 0) {
    if (folders.length > 0) {
      const absorb = l10n.t('Absorb Workspace');
      const message = l10n.t('Nothing of this workspace is absorbed yet, so there is nothing to refresh.');
      if ((await window.showInformationMessage(message, absorb)) === absorb) await absorbAll(context);
    }
    return;
  }
  await Promise.all(absorbed.map((folder) => folder.absorb()));
}

export function pauseAll({ folders }: LiftContext): Promise<unknown> {
  return Promise.all(inPhase(folders.all, 'busy', 'waiting', 'elsewhere').map((folder) => folder.pause()));
}

export function resumeAll({ folders }: LiftContext): Promise<unknown> {
  return Promise.all(inPhase(folders.all, 'paused').map((folder) => folder.resume()));
}

export function stopAll({ folders }: LiftContext): Promise<unknown> {
  return Promise.all(inPhase(folders.all, 'busy', 'waiting', 'elsewhere', 'paused').map((folder) => folder.stop()));
}

function inPhase(folders: readonly AbsorbedFolder[], ...phases: AbsorbedFolder['state']['phase'][]): AbsorbedFolder[] {
  return folders.filter(({ state }) => phases.includes(state.phase));
}

function foldersOrAdvice({ folders, host }: LiftContext): readonly AbsorbedFolder[] {
  if (folders.all.length === 0 && host.state.message !== null) throw new Error(host.state.message);
  return folders.all;
}
