/** Exclude from Absorption, in the explorer: names files and folders in the .liftignore of their workspace folder. */
import { FileSystemError, FileType, l10n, Uri, window, workspace } from 'vscode';
import { pathInFolder } from '../folders/unsaved-documents.ts';

const fileName = '.liftignore';

/** `clicked` and `selected` are what the explorer gives; from the palette the file of the active editor is meant. */
export async function excludeFromAbsorption(clicked?: Uri, selected?: readonly Uri[]): Promise<void> {
  const chosen = selected?.length ? selected : [clicked ?? window.activeTextEditor?.document.uri];
  const uris = chosen.filter((uri) => uri !== undefined);
  if (uris.length === 0) throw new Error(l10n.t('Open a file, or choose one in the explorer, and try again.'));
  const linesByFolder = new Map<string, { folder: Uri; lines: string[] }>();
  for (const uri of uris) {
    const folder = workspace.getWorkspaceFolder(uri)?.uri;
    if (folder === undefined) throw new Error(l10n.t('{0} is in no folder of this workspace.', uri.fsPath));
    const path = pathInFolder(folder, uri);
    if (path === '')
      throw new Error(l10n.t('A whole folder of the workspace cannot be excluded; remove it from the workspace.'));
    const isFolder = ((await workspace.fs.stat(uri)).type & FileType.Directory) !== 0;
    const entry = linesByFolder.get(folder.toString()) ?? { folder, lines: [] };
    entry.lines.push(ignoreLine(path, isFolder));
    linesByFolder.set(folder.toString(), entry);
  }
  for (const { folder, lines } of linesByFolder.values()) await appendLines(Uri.joinPath(folder, fileName), lines);
}

/** The line that leaves out exactly this path, in the syntax of .gitignore. */
export function ignoreLine(path: string, isFolder: boolean): string {
  const escaped = path.replace(/[\\*?[\]]/g, '\\$&').replace(/ +$/, (spaces) => spaces.replaceAll(' ', '\\ '));
  return `/${escaped}${isFolder ? '/' : ''}`;
}

/** The file's text with those lines at its end that it does not have; null where it has them all. */
export function withLines(text: string, lines: readonly string[]): string | null {
  const newline = text.includes('\r\n') ? '\r\n' : '\n';
  const present = new Set(text.split(/\r?\n/));
  const missing = [...new Set(lines)].filter((line) => !present.has(line));
  if (missing.length === 0) return null;
  const start = text === '' || text.endsWith('\n') ? text : text + newline;
  return start + missing.map((line) => line + newline).join('');
}

async function appendLines(file: Uri, lines: readonly string[]): Promise<void> {
  let text = '';
  try {
    text = new TextDecoder().decode(await workspace.fs.readFile(file));
  } catch (error) {
    // The first line makes the file.
    if (!(error instanceof FileSystemError && error.code === 'FileNotFound')) throw error;
  }
  const changed = withLines(text, lines);
  if (changed !== null) await workspace.fs.writeFile(file, new TextEncoder().encode(changed));
  const open = l10n.t('Open {0}', fileName);
  const message =
    changed === null
      ? l10n.t('{0} leaves that out already.', fileName)
      : l10n.t('Left out from the next absorption on: {0}', lines.join(', '));
  void window.showInformationMessage(message, open).then(async (answer) => {
    if (answer === open) await window.showTextDocument(file);
  });
}
