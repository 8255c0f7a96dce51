// Facts about what is where: definitions, calls, files, folders.
import { posix } from 'node:path';
import { isGenerated } from '../importance.ts';
import { appendTo } from './append-to.ts';
import { type Fact, makeFact } from './fact.ts';
import type { Definition, NamedDefinition, Repository, SourceFile } from './repository.ts';
import type { CodeSymbol } from './symbols.ts';

const MAX_NAMES = 4;
const MAX_CALLERS = 3;
const typeKinds = new Set(['class', 'interface', 'struct', 'trait', 'enum', 'type']);

export function structureFacts(repository: Repository): Fact[] {
  return [
    ...repository.definitions.flatMap((definition) => [
      ...locationFacts(definition),
      ...callFacts(definition, repository),
    ]),
    ...repository.files.flatMap(contentFacts),
    ...folderFacts(repository),
  ];
}

function locationFacts({ label, path, symbol, unique }: NamedDefinition): Fact[] {
  if (!unique || symbol.kind === 'variable') return [];
  return [structureFact('defined-in', path, symbol.line, label, { name: label }, path)];
}

function callFacts(definition: NamedDefinition, repository: Repository): Fact[] {
  const { path, symbol, label, unique } = definition;
  if (!unique || (symbol.kind !== 'function' && symbol.kind !== 'method')) return [];
  const facts: Fact[] = [];
  const callers = labels(repository.calls.callersOf(symbol));
  if (callers && callers.length >= 1 && callers.length <= MAX_CALLERS) {
    facts.push(structureFact('called-by', path, symbol.line, label, { name: label }, callers.join(', ')));
  }
  const called = labels(repository.calls.calledBy(symbol));
  if (called && called.length >= 1 && called.length <= MAX_NAMES) {
    facts.push(structureFact('calls', path, symbol.line, label, { name: label }, called.join(', ')));
  }
  return facts;
}

function labels(definitions: Definition[] | null): string[] | null {
  return definitions && [...new Set(definitions.map((definition) => definition.label))];
}

function contentFacts(file: SourceFile): Fact[] {
  const topLevel = file.symbols.filter((symbol) => symbol.container === null && symbol.kind !== 'variable');
  const names = namesOf(topLevel);
  const facts: Fact[] = [];
  const slots = { path: file.path };
  if (names.length >= 1 && names.length <= MAX_NAMES) {
    facts.push(structureFact('symbols-in', file.path, 1, file.path, slots, names.join(', ')));
  } else {
    const types = namesOf(topLevel.filter((symbol) => typeKinds.has(symbol.kind)));
    if (types.length >= 1 && types.length <= MAX_NAMES)
      facts.push(structureFact('types-in', file.path, 1, file.path, slots, types.join(', ')));
  }
  return facts;
}

function namesOf(symbols: readonly CodeSymbol[]): string[] {
  return [...new Set(symbols.map((symbol) => symbol.name))];
}

function folderFacts({ documents }: Repository): Fact[] {
  const facts: Fact[] = [];
  const byFolder = new Map<string, string[]>();
  const byName = new Map<string, string[]>();
  for (const { path } of documents) {
    if (isGenerated(path)) continue;
    const folder = posix.dirname(path);
    const name = posix.basename(path);
    appendTo(byFolder, folder, path);
    appendTo(byName, name, path);
  }
  for (const [folder, paths] of byFolder) {
    if (folder === '.' || paths.length > MAX_NAMES) continue;
    const names = paths.map((path) => posix.basename(path));
    facts.push(structureFact('files-in', paths[0] as string, 1, folder, { folder }, names.join(', ')));
  }
  for (const [name, paths] of byName) {
    const path = paths[0] as string;
    if (paths.length === 1 && path !== name) facts.push(structureFact('path-of', path, 1, name, { file: name }, path));
  }
  return facts;
}

function structureFact(
  kind: string,
  path: string,
  line: number,
  subject: string,
  slots: Record<string, string>,
  answer: string,
): Fact {
  return makeFact({ kind, stratum: 'structure', path, line, subject, slots, answer });
}
