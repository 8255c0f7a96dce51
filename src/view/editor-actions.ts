/** What the page can make the editor do: open a citation, take code over, open a web link. All of it comes from a model's answer. */
import { realpath } from 'node:fs/promises';
import { relative, sep } from 'node:path';
import { env, l10n, languages, Range, TextEditorRevealType, Uri, window, workspace } from 'vscode';
import type { CitationLink } from '../../protocol/view.ts';
import { uriInFolder } from '../ask/document-path.ts';

/** Opens the file with the cited lines selected. `folder` must be one of the workspace, and the file inside of it. */
export async function openCitation(folder: string, { path, startLine, endLine }: CitationLink): Promise<void> {
  const root = workspace.workspaceFolders?.find(({ uri }) => uri.fsPath === folder)?.uri;
  const file = root && uriInFolder(root, path);
  if (root === undefined || file === undefined || !(await isInside(root, file))) {
    void window.showWarningMessage(l10n.t('{0} is not a file of this workspace.', path));
    return;
  }
  const document = await workspace.openTextDocument(file);
  const first = Math.min(startLine, document.lineCount) - 1;
  const last = Math.min(Math.max(startLine, endLine), document.lineCount) - 1;
  const range = new Range(first, 0, last, document.lineAt(last).text.length);
  const editor = await window.showTextDocument(document, { selection: range });
  editor.revealRange(range, TextEditorRevealType.InCenterIfOutsideViewport);
}

export async function copyText(text: string): Promise<void> {
  await env.clipboard.writeText(text);
  window.setStatusBarMessage(l10n.t('Copied'), 2000);
}

/** Replaces the selections of the active editor. */
export async function insertAtCursor(text: string): Promise<void> {
  const editor = window.activeTextEditor;
  if (editor === undefined) {
    void window.showWarningMessage(
      l10n.t('Open the file that the code belongs in and put the cursor there, then insert again.'),
    );
    return;
  }
  const isInserted = await editor.edit((edit) => {
    for (const selection of editor.selections) edit.replace(selection, text);
  });
  if (!isInserted) {
    void window.showWarningMessage(l10n.t('The file could not be changed. It may be read-only.'));
    return;
  }
  await window.showTextDocument(editor.document, editor.viewColumn);
}

/** An unsaved file with the text, in the language that the answer gave its code. */
export async function openNewFile(text: string, language: string): Promise<void> {
  const known = await languages.getLanguages();
  const wanted = language.trim().toLowerCase();
  const named = LANGUAGE_NAMES[wanted] ?? wanted;
  const document = await workspace.openTextDocument({
    content: text,
    language: known.includes(named) ? named : 'plaintext',
  });
  await window.showTextDocument(document);
}

/** Web links and nothing else; the editor asks the user first, unless the user has called the domain trusted before. */
export async function openLink(url: string): Promise<void> {
  if (!/^https?:\/\/[^/]/i.test(url) || !URL.canParse(url)) {
    void window.showWarningMessage(l10n.t('LIFT opens web links only: {0}', url.slice(0, 200)));
    return;
  }
  await env.openExternal(Uri.parse(url, true));
}

/** What Markdown calls languages, and what the editor calls them. */
const LANGUAGE_NAMES: Readonly<Record<string, string>> = {
  js: 'javascript',
  mjs: 'javascript',
  cjs: 'javascript',
  jsx: 'javascriptreact',
  ts: 'typescript',
  mts: 'typescript',
  tsx: 'typescriptreact',
  py: 'python',
  rb: 'ruby',
  rs: 'rust',
  golang: 'go',
  'c++': 'cpp',
  'c#': 'csharp',
  cs: 'csharp',
  kt: 'kotlin',
  sh: 'shellscript',
  bash: 'shellscript',
  shell: 'shellscript',
  zsh: 'shellscript',
  ps1: 'powershell',
  yml: 'yaml',
  md: 'markdown',
  docker: 'dockerfile',
};

/** Links of the file system are followed: what they lead to must be inside as well. */
async function isInside(root: Uri, file: Uri): Promise<boolean> {
  try {
    const path = relative(await realpath(root.fsPath), await realpath(file.fsPath));
    return path !== '' && path !== '..' && !path.startsWith(`..${sep}`) && !/^([/\\]|[A-Za-z]:)/.test(path);
  } catch {
    return false;
  }
}
