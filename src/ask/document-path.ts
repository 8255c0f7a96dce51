/** Paths as the host and the page know them: relative to a folder of the workspace and '/'-separated. */
import { Uri, type WorkspaceFolder, workspace } from 'vscode';

export interface DocumentPath {
  folder: WorkspaceFolder;
  path: string;
}

/** Where a file is in the workspace; undefined for one outside of it, and for what is no file of it, such as an old revision. */
export function documentPathOf(uri: Uri): DocumentPath | undefined {
  const folder = workspace.getWorkspaceFolder(uri);
  if (folder === undefined || uri.scheme !== folder.uri.scheme) return undefined;
  const path = workspace.asRelativePath(uri, false);
  return leavesFolder(path) ? undefined : { folder, path };
}

/** The file of a path that came from elsewhere, a model's answer perhaps; undefined where it would lie outside the folder. */
export function uriInFolder(folder: Uri, path: string): Uri | undefined {
  return leavesFolder(path) ? undefined : Uri.joinPath(folder, path);
}

function leavesFolder(path: string): boolean {
  return path === '' || /^([/\\]|[A-Za-z]:)/.test(path) || path.includes('\0') || path.split(/[/\\]/).includes('..');
}
