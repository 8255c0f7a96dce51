/** Copy Diagnostics: what a report of a problem needs, without what the user would not want to publish. */
import { readdir, readFile } from 'node:fs/promises';
import { arch, cpus, homedir, platform, release, totalmem, userInfo } from 'node:os';
import { join } from 'node:path';
import { commands, env, l10n, type Uri, version, window, workspace } from 'vscode';
import type { FolderState } from '../protocol/view.ts';
import type { LiftContext } from './lift-context.ts';
import { type PrivatePlaces, redacted } from './redaction.ts';

const MOST_LOG_LINES = 200;

export function activateDiagnostics(context: LiftContext): void {
  context.extension.subscriptions.push(
    commands.registerCommand('lift.copyDiagnostics', async () => {
      const text = await diagnosticsText(context);
      await env.clipboard.writeText(text);
      const show = l10n.t('Show');
      const message = l10n.t(
        'Diagnostics copied. Paths, quoted text and secrets were taken out; look through it before you publish it.',
      );
      if ((await window.showInformationMessage(message, show)) === show) {
        await window.showTextDocument(await workspace.openTextDocument({ content: text, language: 'markdown' }));
      }
    }),
  );
}

/** Markdown, in English, so that whoever helps can read it. */
export async function diagnosticsText(context: LiftContext): Promise<string> {
  const places: PrivatePlaces = {
    home: homedir(),
    folders: context.folders.all.map(({ folder }) => folder.uri.fsPath),
    user: userInfo().username,
  };
  const { host, extension } = context;
  const sections: [string, string[]][] = [
    [
      'Versions',
      [
        `extension: ${extension.extension.packageJSON.version}`,
        `editor: ${env.appName} ${version} (${env.appHost}, ${env.remoteName ?? 'local'})`,
        `system: ${platform()} ${release()} ${arch()}, ${cpus().length} cores, ${megabytes(totalmem())}`,
        `node: ${process.versions.node}`,
      ],
    ],
    [
      'Host',
      [
        `state: ${host.state.phase}`,
        `message: ${redacted(host.state.message ?? 'none', places)}`,
        `model: ${redacted(host.state.model ?? 'unknown', places)}`,
        `device: ${host.state.device ?? 'unknown'}`,
        `memory: ${host.state.memoryBytes === null ? 'unknown' : megabytes(host.state.memoryBytes)}`,
        `workspace: ${workspace.isTrusted ? 'trusted' : 'not trusted'}, ${context.folders.all.length} folders`,
      ],
    ],
    ...context.folders.all.map(({ state }, index): [string, string[]] => [
      `Folder ${index + 1}`,
      folderLines(state, places),
    ]),
    ['Settings', settingLines(extension.extension.packageJSON, places)],
    ['Log', await logLines(extension.logUri, places)],
  ];
  return `${sections.map(([title, lines]) => `## ${title}\n\n\`\`\`\n${lines.join('\n')}\n\`\`\``).join('\n\n')}\n`;
}

function folderLines(state: FolderState, places: PrivatePlaces): string[] {
  const reasons = new Map<string, number>();
  for (const { reason } of state.skipped) {
    const kind = redacted(reason.split(':', 1)[0]!, places);
    reasons.set(kind, (reasons.get(kind) ?? 0) + 1);
  }
  const progress = state.progress;
  return [
    `state: ${state.phase}`,
    `message: ${redacted(state.message ?? 'none', places)}`,
    `documents: ${state.documents}, tokens: ${state.tokens}, absorbed: ${state.absorbed.toFixed(3)}, dirty: ${state.dirty}`,
    `adapter: version ${state.version ?? 'none'}, ${state.absorbedAt ?? 'never'}, ${megabytes(state.adapterBytes)}`,
    `progress: ${progress === null ? 'none' : `${progress.phase}, step ${progress.step}, loss ${progress.loss ?? 'none'}`}`,
    `skipped: ${[...reasons].map(([reason, count]) => `${count} × ${reason}`).join(', ') || 'none'}`,
  ];
}

/** Those that the user changed. Lists are counted only: patterns are names of files. */
function settingLines(packageJson: unknown, places: PrivatePlaces): string[] {
  const settings = workspace.getConfiguration();
  const lines = settingNames(packageJson).flatMap((name) => {
    const found = settings.inspect(name);
    const values = [found?.globalValue, found?.workspaceValue, found?.workspaceFolderValue];
    if (values.every((value) => value === undefined)) return [];
    const value: unknown = settings.get(name);
    const shown = Array.isArray(value) ? `${value.length} entries` : redacted(String(value), places);
    return [`${name}: ${shown}`];
  });
  return lines.length > 0 ? lines : ['all as they come'];
}

function settingNames(packageJson: unknown): string[] {
  const { configuration } = (packageJson as { contributes?: { configuration?: unknown } }).contributes ?? {};
  const sections = (Array.isArray(configuration) ? configuration : [configuration]) as { properties?: object }[];
  return sections.flatMap((section) => Object.keys(section?.properties ?? {}));
}

/** The end of what the log channel wrote in this window. */
async function logLines(folder: Uri, places: PrivatePlaces): Promise<string[]> {
  try {
    const names = (await readdir(folder.fsPath)).filter((name) => name.endsWith('.log'));
    const texts = await Promise.all(names.map((name) => readFile(join(folder.fsPath, name), 'utf8')));
    const lines = texts.flatMap((text) => text.trimEnd().split('\n')).slice(-MOST_LOG_LINES);
    // A fence in the log would end this section.
    return redacted(lines.join('\n'), places).replaceAll('```', "'''").split('\n');
  } catch {
    return ['no log'];
  }
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`;
}
