// Facts about how files depend on each other: imports in both directions, where a name comes from, who uses it.
import { appendTo } from './append-to.ts';
import { type Fact, makeFact } from './fact.ts';
import type { Repository, SourceFile } from './repository.ts';

const MAX_MODULES = 4;
const MAX_FILES = 3;

export function crossFileFacts(repository: Repository): Fact[] {
  return [...repository.files.flatMap(importFacts), ...importerFacts(repository), ...userFacts(repository)];
}

function importFacts(file: SourceFile): Fact[] {
  const facts: Fact[] = [];
  const modules = [...new Set(file.imports.map((one) => one.module))];
  if (modules.length >= 1 && modules.length <= MAX_MODULES) {
    facts.push(
      crossFileFact('imports', file.path, file.imports[0]!.line, file.path, { path: file.path }, modules.join(', ')),
    );
  }
  for (const one of file.imports) {
    for (const name of one.names) {
      if (!/^[\w$]{2,}$/.test(name) || name === 'default' || name === 'self') continue;
      facts.push(
        crossFileFact(
          'import-source',
          file.path,
          one.line,
          `${name} in ${file.path}`,
          { name, path: file.path },
          one.module,
        ),
      );
    }
  }
  return facts;
}

function importerFacts({ files }: Repository): Fact[] {
  const importers = new Map<string, { path: string; line: number }[]>();
  for (const file of files) {
    const seen = new Set<string>();
    for (const { module, line } of file.imports) {
      const target = file.resolved.get(module);
      // What a relative import that leads nowhere means cannot be said.
      if (!target && /^\.|^(crate|super|self|[A-Z]\w*$)\b/.test(module)) continue;
      const name = target ?? module;
      if (seen.has(name)) continue;
      seen.add(name);
      appendTo(importers, name, { path: file.path, line });
    }
  }
  const facts: Fact[] = [];
  for (const [module, places] of importers) {
    if (places.length > MAX_FILES) continue;
    const { path, line } = places[0]!;
    facts.push(
      crossFileFact('importers', path, line, module, { module }, places.map((place) => place.path).join(', ')),
    );
  }
  return facts;
}

/** Which other files import a symbol by its name. */
function userFacts({ definitions, files }: Repository): Fact[] {
  const users = new Map<string, string[]>();
  for (const file of files) {
    const seen = new Set<string>();
    for (const { module, names } of file.imports) {
      const target = file.resolved.get(module);
      if (target === undefined || target === file.path) continue;
      for (const name of names) seen.add(`${target} ${name}`);
    }
    for (const use of seen) appendTo(users, use, file.path);
  }
  return definitions.flatMap(({ label, path, symbol, unique }) => {
    const paths = users.get(`${path} ${label}`) ?? [];
    if (!unique || symbol.kind === 'variable' || paths.length === 0 || paths.length > MAX_FILES) return [];
    return [crossFileFact('used-in', path, symbol.line, label, { name: label }, paths.join(', '))];
  });
}

function crossFileFact(
  kind: string,
  path: string,
  line: number,
  subject: string,
  slots: Record<string, string>,
  answer: string,
): Fact {
  return makeFact({ kind, stratum: 'cross-file', path, line, subject, slots, answer });
}
