/** Files that the user names with `@` in a question: which there are, and how they go along. */
import { RelativePattern, type WorkspaceFolder, workspace } from 'vscode';
import type { FileMention } from '../../protocol/view.ts';
import { uriInFolder } from '../ask/document-path.ts';
import type { OpenEditor } from '../ask/open-files.ts';
import type { AbsorbedFolder, Folders } from '../lift-context.ts';

const MOST_MATCHES = 20;
const MOST_FILES = 20_000;
const MILLISECONDS_OF_CACHE = 10_000;
/** Named so that it covers any file to its end. */
const LAST_LINE = 2 ** 31 - 1;

/** The editors and the mentioned files; these are shown from their first line, since the user asked for them. */
export function withMentions(
  editors: readonly OpenEditor[],
  mentions: readonly FileMention[],
  asked: WorkspaceFolder,
): OpenEditor[] {
  const files = new Map(editors.map((editor) => [editor.path, editor]));
  for (const mention of mentions) {
    const folder = workspace.workspaceFolders?.find(({ uri }) => uri.fsPath === mention.folder);
    const uri = folder && uriInFolder(folder.uri, mention.path);
    if (folder === undefined || uri === undefined) continue;
    const path = folder.uri.toString() === asked.uri.toString() ? mention.path : `${folder.name}/${mention.path}`;
    const visible = { from: 1, to: LAST_LINE };
    const open = files.get(path);
    files.set(path, { isActive: false, isUnsaved: false, selection: undefined, ...open, uri, path, visible });
  }
  return [...files.values()];
}

/** Files of the workspace by what the user typed of their names. */
export class FileFinder {
  private readonly listed = new Map<string, { paths: string[]; until: number }>();

  constructor(private readonly folders: Folders) {}

  /** Best first: those whose name starts with the query, then those that hold it, then those that hold its letters in order. */
  async find(query: string): Promise<FileMention[]> {
    const wanted = query.trim().toLowerCase().replaceAll('\\', '/');
    const matches: (FileMention & { score: number })[] = [];
    for (const folder of this.folders.all) {
      for (const path of await this.pathsOf(folder)) {
        const score = matchScore(path.toLowerCase(), wanted);
        if (score !== null) matches.push({ folder: folder.folder.uri.fsPath, path, score });
      }
    }
    matches.sort((a, b) => a.score - b.score || a.path.length - b.path.length || (a.path < b.path ? -1 : 1));
    return matches.slice(0, MOST_MATCHES).map(({ folder, path }) => ({ folder, path }));
  }

  /** The documents, where the host has told them; otherwise the files, which may hold some that are ignored. */
  private async pathsOf({ folder, coverage }: AbsorbedFolder): Promise<Iterable<string>> {
    if (coverage.size > 0) return coverage.keys();
    const key = folder.uri.toString();
    const known = this.listed.get(key);
    if (known !== undefined && known.until > Date.now()) return known.paths;
    const everything = new RelativePattern(folder, '**/*');
    const uris = await workspace.findFiles(everything, '**/{node_modules,.git}/**', MOST_FILES);
    const paths = uris.map((uri) => workspace.asRelativePath(uri, false));
    this.listed.set(key, { paths, until: Date.now() + MILLISECONDS_OF_CACHE });
    return paths;
  }
}

/** Lower is better; null: no match. Both in lower case. */
export function matchScore(path: string, query: string): number | null {
  if (query === '') return 0;
  const name = path.slice(path.lastIndexOf('/') + 1);
  if (name.startsWith(query)) return 1;
  if (name.includes(query)) return 2;
  if (path.includes(query)) return 3;
  let at = -1;
  for (const letter of query) {
    at = path.indexOf(letter, at + 1);
    if (at < 0) return null;
  }
  return 4;
}
