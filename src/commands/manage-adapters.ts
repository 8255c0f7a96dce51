/** Manage Adapters…: every adapter on this machine with its size; deletes them, frees disk, rolls back. */
import { basename } from 'node:path';
import { l10n, type QuickPickItem, QuickPickItemKind, window } from 'vscode';
import type { AdapterEntry } from '../../protocol/host.ts';
import type { LiftContext } from '../lift-context.ts';
import { bytesText } from '../number-text.ts';

interface AdapterChoice extends QuickPickItem {
  adapter: AdapterEntry | null;
}

export async function manageAdapters(context: LiftContext): Promise<void> {
  const { adapters } = await context.host.request('adapters/list', {});
  if (adapters.length === 0) {
    void window.showInformationMessage(l10n.t('There are no adapters on this machine yet.'));
    return;
  }
  const total = adapters.reduce((sum, { bytes }) => sum + bytes, 0);
  const choices: AdapterChoice[] = [...adapters]
    .sort((a, b) => b.bytes - a.bytes)
    .map((adapter) => ({
      label: nameOf(adapter),
      description: bytesText(adapter.bytes),
      detail: l10n.t(
        '{0} · version {1} of {2} · used {3}',
        adapter.folder || l10n.t('folder unknown'),
        adapter.version ?? '–',
        adapter.versions.length,
        adapter.lastUsed === '' ? '–' : new Date(adapter.lastUsed).toLocaleString(),
      ),
      adapter,
    }));
  const chosen = await window.showQuickPick<AdapterChoice>(
    [
      ...choices,
      { label: '', kind: QuickPickItemKind.Separator, adapter: null },
      {
        label: l10n.t('$(trash) Prune…'),
        detail: l10n.t('Removes old versions first, then adapters that were not used for longest.'),
        adapter: null,
      },
    ],
    { title: l10n.t('Adapters: {0} in all', bytesText(total)), matchOnDetail: true },
  );
  if (chosen === undefined) return;
  if (chosen.adapter === null) await prune(context, total);
  else await manageOne(context, chosen.adapter);
}

async function manageOne(context: LiftContext, adapter: AdapterEntry): Promise<void> {
  const folder = context.folders.all.find(({ state }) => state.folder === adapter.folder);
  const rollBack = { label: l10n.t('$(discard) Roll back to the version before'), action: 'rollBack' as const };
  const remove = { label: l10n.t('$(trash) Delete ({0})', bytesText(adapter.bytes)), action: 'delete' as const };
  const actions = adapter.versions.length > 1 && adapter.folder !== '' ? [rollBack, remove] : [remove];
  const chosen = await window.showQuickPick(actions, { title: titleOf(adapter) });
  if (chosen?.action === 'rollBack') {
    const ofPackage = adapter.package === undefined ? {} : { package: adapter.package };
    const { version } = await context.host.request('adapters/rollBack', { folder: adapter.folder, ...ofPackage });
    void window.showInformationMessage(l10n.t('Version {0} is in use again.', version));
  }
  if (chosen?.action === 'delete') {
    const confirmed = await confirm(
      l10n.t('Delete the adapter of {0}?', titleOf(adapter)),
      l10n.t('What the model learned of this folder is lost. Absorbing it again takes as long as the first time.'),
      l10n.t('Delete'),
    );
    if (!confirmed) return;
    const { repositoryKey, baseModelKey } = adapter;
    const { freedBytes } = await context.host.request('adapters/delete', { repositoryKey, baseModelKey });
    void window.showInformationMessage(l10n.t('{0} of disk are free again.', bytesText(freedBytes)));
  }
  if (chosen !== undefined) await folder?.update();
}

function titleOf(adapter: AdapterEntry): string {
  return adapter.package === undefined ? adapter.folder || adapter.repositoryKey : nameOf(adapter);
}

function nameOf({ folder, package: named, repositoryKey }: AdapterEntry): string {
  if (folder === '') return repositoryKey;
  if (named === undefined) return basename(folder);
  return `${basename(folder)}: ${named === '.' ? l10n.t('what is in no package') : named}`;
}

async function prune(context: LiftContext, total: number): Promise<void> {
  const given = await window.showInputBox({
    title: l10n.t('Prune Adapters'),
    prompt: l10n.t('How many megabytes may all adapters take together? They take {0} now.', bytesText(total)),
    value: String(Math.round(total / 2e6)),
    validateInput: (text) =>
      /^\d+(\.\d+)?$/.test(text.trim()) ? undefined : l10n.t('Give a number of megabytes, such as 500.'),
  });
  if (given === undefined) return;
  const { removed, freedBytes } = await context.host.request('adapters/prune', {
    quotaBytes: Math.round(Number(given) * 1e6),
  });
  await Promise.all(context.folders.all.map((folder) => folder.update()));
  void window.showInformationMessage(
    l10n.t(
      '{0} versions and adapters were removed; {1} of disk are free again.',
      removed.length,
      bytesText(freedBytes),
    ),
  );
}

async function confirm(message: string, detail: string, button: string): Promise<boolean> {
  return (await window.showWarningMessage(message, { modal: true, detail }, button)) === button;
}
