/** `lift status`: what an adapter knows of a folder, and what was left out of it. */
import type { Command } from 'commander';
import type { SkippedEntry, StatusResult } from '../../protocol/host.ts';
import type { CliContext } from './context.ts';
import { byteSize, counted, duration, percent } from './number-text.ts';
import { packageLines } from './package-lines.ts';
import { printResult } from './print.ts';
import { existingFolder, type SharedOptions, withServices, withSharedOptions } from './shared-options.ts';

interface StatusCommandOptions extends SharedOptions {
  skipped?: boolean;
}

/** How many skipped paths are named for each reason, unless all are asked for. */
const namedPaths = 3;

export function addStatusCommand(program: Command, context: CliContext): void {
  const command = program
    .command('status')
    .description('Show what is absorbed, what has changed since, and what is skipped and why.')
    .argument('<folder>', "the repository's folder")
    .option('--skipped', 'name everything that is skipped');
  withSharedOptions(command).action(async (named: string, options: StatusCommandOptions) => {
    const folder = existingFolder(context, named);
    const status = await withServices(context, options, (services) => services.status(folder));
    printResult(context, options.json, status, () => statusLines(status, named, options.skipped === true, Date.now()));
  });
}

/** For people. `now` in milliseconds since 1970. */
export function statusLines(status: StatusResult, named: string, all: boolean, now: number): string[] {
  const { documents, tokens, absorbed, dirty, skipped, version, absorbedAt, adapterBytes, device, model } = status;
  const { absorbedCommit: commit, isConsolidationDue = false, recipe, arrangement, packages = [] } = status;
  const corpus = `${counted(tokens, 'token')} in ${counted(documents, 'document')}`;
  const again = dirty === 0 ? 'none' : `${counted(dirty, 'file')}; \`lift absorb ${named}\` learns them`;
  return [
    version === null
      ? `Absorbed  nothing yet of ${corpus}; \`lift absorb ${named}\` starts`
      : `Absorbed  ${percent(absorbed)} of ${corpus}`,
    ...(version === null
      ? []
      : [
          `Dirty     ${again}`,
          ...(isConsolidationDue
            ? [`Anew      much was refreshed; \`lift absorb ${named}\` absorbs everything anew`]
            : []),
          `${packages.length > 0 ? 'Newest    version' : 'Version  '} ${version}${absorbedAt === null ? '' : `, ${age(absorbedAt, now)}`}`,
          ...(commit === null ? [] : [`Commit    ${commit}`]),
          `Size      ${byteSize(adapterBytes)}`,
        ]),
    `Model     ${model} on ${device}`,
    ...(recipe === undefined ? [] : [`Training  ${recipe}`]),
    ...(arrangement === undefined ? [] : [`Packages  ${arrangement}`]),
    ...packageLines(packages).map((line) => `          ${line}`),
    ...(skipped.length === 0 ? ['Skipped   nothing'] : ['Skipped', ...skippedLines(skipped, named, all)]),
  ];
}

function age(date: string, now: number): string {
  const seconds = (now - Date.parse(date)) / 1000;
  return Number.isFinite(seconds) ? `${duration(Math.max(0, seconds))} old (${date})` : date;
}

function skippedLines(skipped: readonly SkippedEntry[], named: string, all: boolean): string[] {
  const byReason = new Map<string, string[]>();
  for (const { path, reason } of skipped) {
    const group = groupOf(reason);
    byReason.set(group, [...(byReason.get(group) ?? []), group === reason ? path : `${path} (${reason})`]);
  }
  let hidden = 0;
  const lines = [...byReason]
    .sort(([, a], [, b]) => b.length - a.length)
    .flatMap(([reason, paths]) => {
      // What is kept out as a secret is always named, so that the user can see that it was.
      const shown = all || /secret/i.test(reason) ? paths : paths.slice(0, namedPaths);
      hidden += paths.length - shown.length;
      const more = paths.length - shown.length;
      return [
        `  ${reason}: ${paths.length}`,
        ...shown.map((path) => `    ${path}`),
        ...(more > 0 ? [`    and ${more} more`] : []),
      ];
    });
  return hidden === 0 ? lines : [...lines, `  \`lift status ${named} --skipped\` names all.`];
}

/** The reason without what differs from file to file: numbers, and the pattern of an ignore file. */
function groupOf(reason: string): string {
  return reason
    .replace(/^\d+ files?: /, '')
    .replace(/^line \d+ has/, 'a line has')
    .replace(/, line \d+$/, '')
    .replace(/^\d+ bytes, /, '');
}
