/** The absorption report as Markdown: what is known, what is not, what was left out and why. */
import { l10n } from 'vscode';
import type { CoverageEntry } from '../../protocol/host.ts';
import type { FolderShare, FolderState, HostState, SkippedFile } from '../../protocol/view.ts';
import { bytesText, countText, percentText } from '../number-text.ts';

/** Longer lists are cut, and say so. */
const mostRows = 2000;
const leastKnownRows = 50;

export function reportText(host: HostState, folder: FolderState, coverage: ReadonlyMap<string, CoverageEntry>): string {
  return [
    `# ${l10n.t('Absorption report: {0}', cell(folder.name))}`,
    summary(host, folder),
    section(l10n.t('Adapters by package'), packages(folder)),
    section(l10n.t('By folder'), shares(folder)),
    section(l10n.t('Files changed since they were absorbed'), dirtyFiles(coverage)),
    section(l10n.t('Files known least'), leastKnown(coverage)),
    section(l10n.t('Loss'), losses(folder)),
    section(l10n.t('Left out, and why'), skipped(folder.skipped)),
  ]
    .filter((part) => part !== '')
    .join('\n\n')
    .concat('\n');
}

function summary(host: HostState, folder: FolderState): string {
  const rows: [string, string][] = [
    [l10n.t('Folder'), code(folder.folder)],
    [l10n.t('Absorbed'), folder.version === null ? l10n.t('nothing yet') : percentText(folder.absorbed)],
    [l10n.t('Files'), countText(folder.documents)],
    [l10n.t('Tokens'), countText(folder.tokens)],
    [l10n.t('Changed since'), countText(folder.dirty)],
    [l10n.t('Version'), folder.version === null ? '–' : `${folder.version}`],
    [l10n.t('Made'), folder.absorbedAt === null ? '–' : new Date(folder.absorbedAt).toLocaleString()],
    [l10n.t('Commit'), folder.absorbedCommit === null ? '–' : code(folder.absorbedCommit)],
    ...(folder.recipe === undefined ? [] : [[l10n.t('How it is trained'), cell(folder.recipe)] as [string, string]]),
    ...(folder.arrangement === undefined ? [] : [[l10n.t('Packages'), cell(folder.arrangement)] as [string, string]]),
    [l10n.t('Size of the adapter'), bytesText(folder.adapterBytes)],
    [l10n.t('Model'), cell(host.model ?? '–')],
    [l10n.t('Device'), cell(host.device ?? '–')],
  ];
  const message = folder.message === null ? '' : `\n\n> ${cell(folder.message)}`;
  return table(['', ''], rows) + message;
}

function packages({ byPackage = [] }: FolderState): string {
  if (byPackage.length === 0) return '';
  return shareTable(l10n.t('Package'), byPackage, (path) => (path === '.' ? l10n.t('(in no package)') : code(path)));
}

function shares({ byFolder }: FolderState): string {
  if (byFolder.length === 0) return '';
  return shareTable(l10n.t('Folder'), byFolder, (path) => (path === '' ? l10n.t('(top files)') : code(path)));
}

function shareTable(title: string, shares: readonly FolderShare[], nameOf: (path: string) => string): string {
  return table(
    [title, l10n.t('Absorbed'), l10n.t('Tokens'), l10n.t('Changed since')],
    shares.map(({ path, absorbed, tokens, dirty }) => [
      nameOf(path),
      `${bar(absorbed)} ${percentText(absorbed)}`,
      countText(tokens),
      countText(dirty),
    ]),
  );
}

function dirtyFiles(coverage: ReadonlyMap<string, CoverageEntry>): string {
  const paths = [...coverage.values()].filter(({ dirty }) => dirty).map(({ path }) => `- ${code(path)}`);
  return listed(paths);
}

function leastKnown(coverage: ReadonlyMap<string, CoverageEntry>): string {
  const least = [...coverage.values()]
    .filter(({ dirty }) => !dirty)
    .sort((a, b) => a.absorbed - b.absorbed)
    .slice(0, leastKnownRows);
  if (least.length === 0) return '';
  return table(
    [l10n.t('File'), l10n.t('Absorbed'), l10n.t('Tokens')],
    least.map(({ path, absorbed, tokens }) => [code(path), percentText(absorbed), countText(tokens)]),
  );
}

function losses({ losses }: FolderState): string {
  const first = losses[0];
  const last = losses.at(-1);
  if (first === undefined || last === undefined) return '';
  const least = losses.reduce((lowest, point) => (point.loss < lowest.loss ? point : lowest), first);
  return table(
    [l10n.t('Step'), l10n.t('Loss')],
    [...new Set([first, least, last])].map(({ step, loss }) => [countText(step), loss.toFixed(3)]),
  );
}

function skipped(entries: readonly SkippedFile[]): string {
  if (entries.length === 0) return l10n.t('Nothing.');
  const rows = entries.slice(0, mostRows).map(({ path, reason }): [string, string] => [code(path), cell(reason)]);
  const more = entries.length - rows.length;
  const text = table([l10n.t('File or folder'), l10n.t('Why')], rows);
  return more > 0 ? `${text}\n\n${l10n.t('… and {0} more.', countText(more))}` : text;
}

function listed(lines: readonly string[]): string {
  const more = lines.length - mostRows;
  return more > 0
    ? `${lines.slice(0, mostRows).join('\n')}\n\n${l10n.t('… and {0} more.', countText(more))}`
    : lines.join('\n');
}

function section(title: string, text: string): string {
  return text === '' ? '' : `## ${title}\n\n${text}`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function bar(share: number): string {
  const full = Math.round(share * 10);
  return '█'.repeat(full) + '░'.repeat(10 - full);
}

/** A name as code, whatever characters it holds. */
function code(text: string): string {
  const flat = text.replace(/\s+/g, ' ').replaceAll('|', '\\|');
  const fence = '`'.repeat(1 + Math.max(0, ...[...flat.matchAll(/`+/g)].map(([run]) => run.length)));
  return fence.length === 1 ? `\`${flat}\`` : `${fence} ${flat} ${fence}`;
}

/** Text as text. */
function cell(text: string): string {
  return text.replace(/\s+/g, ' ').replace(/[\\`*_[\]<>|#]/g, '\\$&');
}
