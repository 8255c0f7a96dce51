/** How a file's share of absorption is shown beside its name: two characters, and a sentence in the tooltip. */
import { FileDecoration, l10n, ThemeColor } from 'vscode';
import type { CoverageEntry } from '../../protocol/host.ts';

/** At most two characters: a dot for a dirty file, otherwise the per cent, which are 100 only when nothing is missing. */
export function badgeOf({ absorbed, dirty }: CoverageEntry): string {
  if (dirty) return '●';
  return absorbed >= 1 ? '✓' : String(Math.min(99, Math.floor(absorbed * 100)));
}

export function fileDecoration(entry: CoverageEntry): FileDecoration {
  const percent = Math.floor(entry.absorbed * 100);
  if (entry.dirty) {
    const tooltip = l10n.t('LIFT: new, or changed since it was absorbed');
    return new FileDecoration(badgeOf(entry), tooltip, new ThemeColor('gitDecoration.modifiedResourceForeground'));
  }
  const tooltip = l10n.t('LIFT: {0} % absorbed', percent);
  const color = entry.absorbed < 0.5 ? new ThemeColor('disabledForeground') : undefined;
  return new FileDecoration(badgeOf(entry), tooltip, color);
}
