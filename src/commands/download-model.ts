/** A base model from a hub, downloaded by the native host once the user has agreed to its size and licence. */
import { l10n, window } from 'vscode';
import type { ModelFindParams, ModelFindResult } from '../../protocol/host.ts';
import type { LiftContext } from '../lift-context.ts';
import { bytesText } from '../number-text.ts';
import { cancellable } from './cancellable.ts';

/** The model's folder; undefined where the user does not want it. `id` as `organisation/model`. */
export async function downloadModel({ host }: LiftContext, id: string): Promise<string | undefined> {
  const ask = (model: ModelFindParams) =>
    cancellable(l10n.t('Asking for {0}…', id), (token) => host.request('models/find', model, token));
  let found = await ask({ id });
  let model: ModelFindParams = { id };
  if (found?.gguf !== undefined) {
    const file = await chosenFile(found.gguf);
    if (file === undefined) return undefined;
    model = { id, file };
    if (file !== found.gguf.file) found = await ask(model);
  }
  if (found === undefined || found.folder !== null) return found?.folder ?? undefined;
  const { license, bytes, endpoint } = found;
  const download = l10n.t('Download');
  const answer = await window.showInformationMessage(
    l10n.t('Download {0}?', model.file ?? id),
    {
      modal: true,
      detail: [
        l10n.t('{0} from {1}.', bytesText(bytes), endpoint),
        license === null ? l10n.t('Its page names no licence: read it first.') : l10n.t('Licence: {0}.', license),
        l10n.t(
          'It is kept in the cache that Hugging Face’s tools share. A download that is cancelled goes on next time.',
        ),
      ].join('\n'),
    },
    download,
  );
  if (answer !== download) return undefined;
  const got = await cancellable(l10n.t('Downloading {0}', model.file ?? id), async (token, report) => {
    let shown = 0;
    const progress = host.onNotification('models/progress', ({ id: of, bytesDone, bytes }) => {
      if (of !== id || bytes === 0) return;
      const percent = (100 * bytesDone) / bytes;
      report({ increment: percent - shown, message: l10n.t('{0} of {1}', bytesText(bytesDone), bytesText(bytes)) });
      shown = percent;
    });
    try {
      return await host.request('models/get', model, token);
    } finally {
      progress.dispose();
    }
  });
  return got?.folder;
}

/** One of a model's GGUF files, the host's choice first. Undefined where the user thought better of it. */
async function chosenFile({ file, files }: NonNullable<ModelFindResult['gguf']>): Promise<string | undefined> {
  if (files.length === 1) return file;
  const chosen = await window.showQuickPick(
    files
      .toSorted((a, b) => Number(b.name === file) - Number(a.name === file))
      .map(({ name, bytes }) => ({
        label: name,
        description: bytesText(bytes),
        ...(name === file ? { detail: l10n.t('Suits the memory of this machine.') } : {}),
      })),
    { title: l10n.t('Which File?'), placeHolder: l10n.t('More bits are more exact, and larger.') },
  );
  return chosen?.label;
}
