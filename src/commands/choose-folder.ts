/** Which folder a command is about, in a workspace of several, and which package of it. */
import { l10n, window } from 'vscode';
import type { AbsorbedFolder, LiftContext } from '../lift-context.ts';

/** Undefined where the user chooses none. Errors: Error where there is none to choose from, saying why. */
export async function chooseFolder({ folders, host }: LiftContext, title: string): Promise<AbsorbedFolder | undefined> {
  const { all } = folders;
  if (all.length === 0) throw new Error(host.state.message ?? l10n.t('Open a folder first.'));
  if (all.length === 1) return all[0];
  const choices = all.map((folder) => ({ label: folder.folder.name, description: folder.state.folder, folder }));
  return (await window.showQuickPick(choices, { title, placeHolder: l10n.t('Which folder?') }))?.folder;
}

/** Of a folder where each package has an adapter, the package; no field of it elsewhere. Undefined where the user chooses none. */
export async function choosePackage(
  { state }: AbsorbedFolder,
  title: string,
): Promise<{ package?: string } | undefined> {
  if (state.byPackage === undefined) return {};
  const choices = state.byPackage.map(({ path }) => ({
    label: path === '.' ? l10n.t('What is in no package') : path,
    path,
  }));
  const chosen = await window.showQuickPick(choices, { title, placeHolder: l10n.t('Which package?') });
  return chosen === undefined ? undefined : { package: chosen.path };
}
