/** What the settings leave out of a folder, in the syntax of .gitignore: `lift.exclude`, and what `files.exclude` hides. */
import { type ConfigurationScope, workspace } from 'vscode';

export function excludePatterns(scope: ConfigurationScope): string[] {
  const own: unknown = workspace.getConfiguration('lift', scope).get('exclude');
  const hidden: unknown = workspace.getConfiguration('files', scope).get('exclude');
  return [
    ...(Array.isArray(own) ? own.filter((pattern) => typeof pattern === 'string' && pattern.trim() !== '') : []),
    ...(typeof hidden === 'object' && hidden !== null ? hiddenPatterns(hidden) : []),
  ];
}

/**
 * Of `files.exclude`, globs that count from the folder: without a slash they mean a name in the folder itself, where .gitignore
 * means it at any depth; braces are alternatives. An entry with a condition on siblings hides only some, so it is left aside.
 */
export function hiddenPatterns(globs: object): string[] {
  return Object.entries(globs)
    .filter(([glob, condition]) => condition === true && glob.trim() !== '')
    .flatMap(([glob]) => alternatives(glob))
    .map((glob) => (glob.startsWith('**/') || glob.startsWith('/') ? glob : `/${glob}`));
}

/** a.{js,ts} as a.js and a.ts */
function alternatives(glob: string): string[] {
  const match = /^(.*?)\{([^{}]*)\}(.*)$/s.exec(glob);
  if (match === null) return [glob];
  const [, before, inside, after] = match;
  return inside!.split(',').flatMap((choice) => alternatives(`${before}${choice}${after}`));
}
