/** Select Model…: which base model is adapted to the workspace. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigurationTarget, l10n, type QuickPickItem, QuickPickItemKind, window, workspace } from 'vscode';
import type { LiftContext } from '../lift-context.ts';
import { countText } from '../number-text.ts';
import { modelFolder } from '../settings.ts';

interface ModelChoice extends QuickPickItem {
  /** '': the embedded model; null: to be chosen from the disk. */
  folder: string | null;
}

const recentKey = 'lift.recentModels';
const mostRecent = 8;

export async function selectModel({ extension, host }: LiftContext): Promise<void> {
  const current = modelFolder();
  const recent = extension.globalState.get<string[]>(recentKey, []).filter((folder) => existsSync(folder));
  // A model that cannot be opened must not keep the user from choosing another.
  const { models } = await host.request('models/list', {}).catch(() => ({ models: [] }));
  const listed: ModelChoice[] = models.map(({ name, folder, architecture, parameters }, index) => ({
    label: name,
    description: l10n.t('{0}, {1} million parameters', architecture, countText(parameters / 1e6)),
    detail: index === 0 ? l10n.t('Comes with LIFT: small and quick, for short facts.') : folder,
    folder: index === 0 ? '' : folder,
  }));
  if (listed.length === 0) listed.push({ label: l10n.t('The model that comes with LIFT'), folder: '' });
  const others = [...new Set([...(current === undefined ? [] : [current]), ...recent])]
    .filter((folder) => !listed.some((choice) => choice.folder === folder))
    .map((folder) => ({ label: folder.split(/[\\/]/).at(-1) ?? folder, detail: folder, folder }));
  const choices: ModelChoice[] = [...listed, ...others].map((choice) =>
    choice.folder === (current ?? '') ? { ...choice, label: `$(check) ${choice.label}` } : choice,
  );
  const chosen = await window.showQuickPick<ModelChoice>(
    [
      ...choices,
      { label: '', kind: QuickPickItemKind.Separator, folder: null },
      {
        label: l10n.t('$(folder-opened) Open a model’s folder…'),
        detail: l10n.t('In Hugging Face’s layout, of the families llama, mistral, qwen2 and qwen3.'),
        folder: null,
      },
    ],
    { title: l10n.t('Select Model'), matchOnDetail: true },
  );
  if (chosen === undefined) return;
  const folder = chosen.folder ?? (await openModelFolder());
  if (folder === undefined || folder === (current ?? '')) return;
  if (folder !== '') {
    const remembered = [folder, ...recent.filter((other) => other !== folder)].slice(0, mostRecent);
    await extension.globalState.update(recentKey, remembered);
  }
  // The host is started anew when the setting has changed.
  await workspace.getConfiguration('lift').update('model', folder, ConfigurationTarget.Global);
}

async function openModelFolder(): Promise<string | undefined> {
  const [chosen] =
    (await window.showOpenDialog({
      canSelectFolders: true,
      canSelectFiles: false,
      openLabel: l10n.t('Use This Model'),
      title: l10n.t('The folder of a model: config.json, tokenizer.json and *.safetensors'),
    })) ?? [];
  if (chosen === undefined) return undefined;
  for (const file of ['config.json', 'tokenizer.json']) {
    if (existsSync(join(chosen.fsPath, file))) continue;
    throw new Error(
      l10n.t('{0} holds no {1}. Choose the folder of a model in Hugging Face’s layout.', chosen.fsPath, file),
    );
  }
  return chosen.fsPath;
}
