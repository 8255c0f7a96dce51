/** A base model from a hub, downloaded by the native host once the user has agreed to its size and licence. */
import { l10n, window } from 'vscode';
import type { LiftContext } from '../lift-context.ts';
import { bytesText } from '../number-text.ts';
import { cancellable } from './cancellable.ts';

/** The model's folder; undefined where the user does not want it. `id` as `organisation/model`. */
export async function downloadModel({ host }: LiftContext, id: string): Promise<string | undefined> {
  const found = await cancellable(l10n.t('Asking for {0}…', id), (token) => host.request('models/find', { id }, token));
  if (found === undefined || found.folder !== null) return found?.folder ?? undefined;
  const { license, bytes, endpoint } = found;
  const download = l10n.t('Download');
  const answer = await window.showInformationMessage(
    l10n.t('Download {0}?', id),
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
  const got = await cancellable(l10n.t('Downloading {0}', id), async (token, report) => {
    let shown = 0;
    const progress = host.onNotification('models/progress', ({ id: of, bytesDone, bytes }) => {
      if (of !== id || bytes === 0) return;
      const percent = (100 * bytesDone) / bytes;
      report({ increment: percent - shown, message: l10n.t('{0} of {1}', bytesText(bytesDone), bytesText(bytes)) });
      shown = percent;
    });
    try {
      return await host.request('models/get', { id }, token);
    } finally {
      progress.dispose();
    }
  });
  return got?.folder;
}
