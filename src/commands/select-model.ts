/** Select Model…: which base model is adapted to the workspace. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigurationTarget, l10n, type QuickPickItem, QuickPickItemKind, window, workspace } from 'vscode';
import type { ModelEntry, SuggestedModelEntry } from '../../protocol/host.ts';
import type { LiftContext } from '../lift-context.ts';
import { bytesText, countText } from '../number-text.ts';
import { modelFolder } from '../settings.ts';
import { downloadModel } from './download-model.ts';

interface ModelChoice extends QuickPickItem {
  /** Gives the model's folder, '' for the embedded model; undefined: the user thought better of it. */
  take?(): Promise<string | undefined>;
}

const recentKey = 'lift.recentModels';
const mostRecent = 8;

export async function selectModel(context: LiftContext): Promise<void> {
  const { extension, host } = context;
  const current = modelFolder() ?? '';
  const recent = extension.globalState.get<string[]>(recentKey, []).filter((folder) => existsSync(folder));
  // A model that cannot be opened must not keep the user from choosing another.
  const { models, suggested } = await host.request('models/list', {}).catch(() => ({ models: [], suggested: [] }));
  const atHand = [...models.map(listedChoice), ...(models.length === 0 ? [embeddedChoice()] : [])];
  const listed = new Set(models.map(({ folder }) => folder));
  const others = [...new Set([...(current === '' ? [] : [current]), ...recent])].filter(
    (folder) => !listed.has(folder),
  );
  const choices = [...atHand, ...others.map((folder) => folderChoice(folder, nameOf(folder)))].map(
    ({ folder, ...choice }) => ({ ...choice, label: folder === current ? `$(check) ${choice.label}` : choice.label }),
  );
  const chosen = await window.showQuickPick<ModelChoice>(
    [
      ...choices,
      {
        label: l10n.t('$(folder-opened) Open a model’s folder…'),
        detail: l10n.t(
          'In Hugging Face’s layout, of the families llama, mistral, qwen2, qwen3, phi3 and gemma 2 and 3.',
        ),
        take: openModelFolder,
      },
      {
        label: l10n.t('$(file) Open a GGUF file…'),
        detail: l10n.t('As Ollama, LM Studio and llama.cpp have them, of the same families.'),
        take: openGgufFile,
      },
      { label: l10n.t('To download'), kind: QuickPickItemKind.Separator },
      ...suggested.map((model) => suggestedChoice(context, model)),
      {
        label: l10n.t('$(cloud-download) Download another model…'),
        detail: l10n.t('By its name on Hugging Face, or on the mirror that HF_ENDPOINT names.'),
        take: () => downloadNamedModel(context),
      },
    ],
    { title: l10n.t('Select Model'), matchOnDetail: true },
  );
  const folder = await chosen?.take?.();
  if (folder === undefined || folder === current) return;
  if (folder !== '') {
    const remembered = [folder, ...recent.filter((other) => other !== folder)].slice(0, mostRecent);
    await extension.globalState.update(recentKey, remembered);
  }
  // The host is started anew when the setting has changed.
  await workspace.getConfiguration('lift').update('model', folder, ConfigurationTarget.Global);
}

/** A choice that is there already. */
type FolderChoice = ModelChoice & { folder: string };

function embeddedChoice(): FolderChoice {
  return { label: l10n.t('The model that comes with LIFT'), folder: '', take: async () => '' };
}

function folderChoice(folder: string, label: string): FolderChoice {
  return { label, detail: folder, folder, take: async () => folder };
}

function listedChoice({ name, folder, architecture, parameters }: ModelEntry, index: number): FolderChoice {
  const description = l10n.t('{0}, {1} million parameters', architecture, countText(parameters / 1e6));
  if (index > 0) return { ...folderChoice(folder, name), description };
  const detail = l10n.t('Comes with LIFT: small and quick, for short facts.');
  return { ...embeddedChoice(), label: name, description, detail };
}

function suggestedChoice(context: LiftContext, { id, bytes, memoryBytes, fits }: SuggestedModelEntry): ModelChoice {
  const needed = l10n.t('Absorbing takes about {0} of memory', bytesText(memoryBytes));
  return {
    label: `$(cloud-download) ${id}`,
    description: bytesText(bytes),
    detail: fits ? needed : `$(warning) ${l10n.t('{0}, which is more than this machine can spare.', needed)}`,
    take: () => downloadModel(context, id),
  };
}

async function downloadNamedModel(context: LiftContext): Promise<string | undefined> {
  const id = await window.showInputBox({
    title: l10n.t('Download Model'),
    prompt: l10n.t('Its name, such as HuggingFaceTB/SmolLM2-135M-Instruct'),
    validateInput: (text) =>
      /^[\w.-]+\/[\w.-]+$/.test(text.trim()) ? null : l10n.t('It looks like organisation/model.'),
  });
  return id === undefined ? undefined : downloadModel(context, id.trim());
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

function nameOf(folder: string): string {
  return folder.split(/[\\/]/).at(-1) ?? folder;
}

async function openGgufFile(): Promise<string | undefined> {
  const [chosen] =
    (await window.showOpenDialog({
      filters: { GGUF: ['gguf'] },
      openLabel: l10n.t('Use This Model'),
      title: l10n.t('A model in one GGUF file'),
    })) ?? [];
  return chosen?.fsPath;
}
