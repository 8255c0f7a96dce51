/** Roll Back Adapter, Export Adapter…, Import Adapter…: for one folder's adapter. */
import { join } from 'node:path';
import { commands, l10n, type Uri, window } from 'vscode';
import type { LiftContext } from '../lift-context.ts';
import { chooseFolder, choosePackage } from './choose-folder.ts';

export async function rollBackAdapter(context: LiftContext): Promise<void> {
  const folder = await chooseFolder(context, l10n.t('Roll Back Adapter'));
  if (folder === undefined) return;
  const chosen = await choosePackage(folder, l10n.t('Roll Back Adapter'));
  if (chosen === undefined) return;
  const { version } = await context.host.request('adapters/rollBack', { folder: folder.state.folder, ...chosen });
  await folder.update();
  void window.showInformationMessage(l10n.t('“{0}” is answered with version {1} again.', folder.folder.name, version));
}

export async function exportAdapter(context: LiftContext): Promise<void> {
  const folder = await chooseFolder(context, l10n.t('Export Adapter'));
  if (folder === undefined) return;
  const parent = await chooseDiskFolder(l10n.t('Export Here'), l10n.t('Where to put the adapter’s folder'));
  if (parent === undefined) return;
  const target = join(parent.fsPath, `${folder.folder.name}-lift-adapter`);
  const { files } = await context.host.request('adapters/export', { folder: folder.state.folder, target });
  const reveal = l10n.t('Show in Folder');
  const message = l10n.t('The adapter of “{0}” is in {1}, in PEFT’s format.', folder.folder.name, target);
  if ((await window.showInformationMessage(message, reveal)) === reveal && files[0] !== undefined) {
    await commands.executeCommand(
      'revealFileInOS',
      parent.with({ path: `${parent.path}/${folder.folder.name}-lift-adapter` }),
    );
  }
}

export async function importAdapter(context: LiftContext): Promise<void> {
  const folder = await chooseFolder(context, l10n.t('Import Adapter'));
  if (folder === undefined) return;
  const chosen = await choosePackage(folder, l10n.t('Import Adapter'));
  if (chosen === undefined) return;
  const source = await chooseDiskFolder(
    l10n.t('Import'),
    l10n.t('A folder with adapter_config.json and adapter_model.safetensors'),
  );
  if (source === undefined) return;
  const params = { folder: folder.state.folder, source: source.fsPath, ...chosen };
  const { version } = await context.host.request('adapters/import', params);
  await folder.update();
  void window.showInformationMessage(
    l10n.t('The adapter was imported: “{0}” is answered with it, as version {1}.', folder.folder.name, version),
  );
}

async function chooseDiskFolder(openLabel: string, title: string): Promise<Uri | undefined> {
  const chosen = await window.showOpenDialog({ canSelectFolders: true, canSelectFiles: false, openLabel, title });
  return chosen?.[0];
}
