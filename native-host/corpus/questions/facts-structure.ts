// Facts about what is where and what belongs to what: definitions, members, calls, folders.
import { posix } from 'node:path';
import { type Fact, makeFact } from './fact.ts';
import type { Definition, NamedDefinition, Repository, SourceFile } from './repository.ts';
import type { CodeSymbol } from './symbols.ts';

const MAX_NAMES = 4;
const MAX_CALLERS = 3;
const memberOwners = new Set(['class', 'interface', 'struct', 'trait']);
const typeKinds = new Set(['class', 'interface', 'struct', 'trait', 'enum', 'type']);

export function structureFacts(repository: Repository): Fact[] {
  return [
    ...repository.definitions.flatMap((definition) => [
      ...locationFacts(definition),
      ...callFacts(definition, repository),
      ...inheritanceFacts(definition, repository),
    ]),
    ...memberFacts(repository),
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
  const callers = labels(repository.calls.callersOf(definition));
  if (callers && callers.length >= 1 && callers.length <= MAX_CALLERS) {
    facts.push(structureFact('called-by', path, symbol.line, label, { name: label }, callers.join(', ')));
  }
  const called = labels(repository.calls.calledBy(definition));
  if (called && called.length >= 1 && called.length <= MAX_NAMES) {
    facts.push(structureFact('calls', path, symbol.line, label, { name: label }, called.join(', ')));
  }
  return facts;
}

function labels(definitions: Definition[] | null): string[] | null {
  return definitions && [...new Set(definitions.map((definition) => definition.label))];
}

function inheritanceFacts({ label, path, symbol, subject, unique }: NamedDefinition, repository: Repository): Fact[] {
  const facts: Fact[] = [];
  const bases = symbol.bases.join(', ');
  if (symbol.bases.length >= 1 && symbol.bases.length <= MAX_NAMES && bases.length <= 80) {
    facts.push(structureFact('extends', path, symbol.line, subject, { name: subject }, bases));
  }
  if (unique && typeKinds.has(symbol.kind)) {
    const heirs = [...repository.byLabel.values()]
      .flat()
      .filter((other) => other.symbol.bases.some((base) => base.replace(/<.*$/s, '') === label));
    const names = labels(heirs) as string[];
    if (names.length >= 1 && names.length <= MAX_CALLERS) {
      facts.push(structureFact('extended-by', path, symbol.line, label, { name: label }, names.join(', ')));
    }
  }
  return facts;
}

function memberFacts(repository: Repository): Fact[] {
  const owners = new Map<string, Set<string>>();
  for (const definitions of repository.byLabel.values()) {
    for (const { symbol } of definitions) {
      // A function of the same name would make "which class has it" a trick question.
      const owner = symbol.kind === 'method' ? symbol.container! : symbol.container === null ? '' : null;
      if (owner !== null) owners.set(symbol.name, (owners.get(symbol.name) ?? new Set()).add(owner));
    }
  }
  const facts: Fact[] = [];
  for (const definition of repository.definitions) {
    const { path, symbol, unique, label } = definition;
    if (!unique) continue;
    if (symbol.kind === 'method' && owners.get(symbol.name)?.size === 1) {
      facts.push(structureFact('member-of', path, symbol.line, symbol.name, { name: symbol.name }, symbol.container!));
    }
    if (memberOwners.has(symbol.kind)) {
      const members = membersOf(label, path, repository);
      if (members.length >= 1 && members.length <= MAX_NAMES + 1) {
        facts.push(structureFact('members-of', path, symbol.line, label, { name: label }, members.join(', ')));
      }
    }
  }
  return facts;
}

// Members in the file of the class; where some are declared elsewhere (Go, C++) the list would not be whole.
function membersOf(owner: string, path: string, repository: Repository): string[] {
  const elsewhere = repository.files.some(
    (file) => file.path !== path && file.symbols.some((symbol) => symbol.container === owner),
  );
  const file = repository.files.find((one) => one.path === path);
  if (elsewhere || !file) return [];
  return [
    ...new Set(
      file.symbols
        .filter((symbol) => symbol.container === owner && symbol.kind === 'method')
        .map((symbol) => symbol.name),
    ),
  ];
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
    const folder = posix.dirname(path);
    const name = posix.basename(path);
    byFolder.set(folder, [...(byFolder.get(folder) ?? []), path]);
    byName.set(name, [...(byName.get(name) ?? []), path]);
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
