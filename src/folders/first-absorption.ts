/** Before a large repository is absorbed for the first time: what it takes, and whether the user wants that. */
import { l10n, window } from 'vscode';
import type { AbsorbEstimateResult } from '../../protocol/host.ts';
import { bytesText, countText, durationText } from '../number-text.ts';

/** What takes less than all of these is begun without asking. */
const smallSeconds = 5 * 60;
const smallDocuments = 2000;
const smallBytes = 1_000_000_000;

export function isLarge({ seconds, documents, bytes }: AbsorbEstimateResult): boolean {
  return seconds > smallSeconds || documents > smallDocuments || bytes > smallBytes;
}

/** Whether the user wants a folder to be absorbed that takes so much. */
export async function confirmAbsorption(name: string, estimate: AbsorbEstimateResult): Promise<boolean> {
  const absorb = l10n.t('Absorb');
  const answer = await window.showInformationMessage(
    l10n.t('Absorb “{0}” into the model?', name),
    { modal: true, detail: estimateText(estimate) },
    absorb,
  );
  return answer === absorb;
}

export function estimateText({ documents, tokens, skipped, seconds, bytes }: AbsorbEstimateResult): string {
  return [
    l10n.t('{0} files with {1} tokens; {2} are left out.', countText(documents), countText(tokens), countText(skipped)),
    l10n.t('It takes about {0} and {1} of disk.', durationText(seconds), bytesText(bytes)),
    l10n.t('Everything stays on this machine. You can pause or stop at any time and keep what was learned.'),
  ].join('\n');
}
