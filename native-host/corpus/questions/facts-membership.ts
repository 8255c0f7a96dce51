// Facts about what belongs to what: methods to classes, classes to what they extend.
import { appendTo } from './append-to.ts';
import { type Fact, makeFact } from './fact.ts';
import type { NamedDefinition, Repository } from './repository.ts';

const MAX_BASES = 4;
const MAX_HEIRS = 3;
const MAX_MEMBERS = 5;
const owners = new Set(['class', 'interface', 'struct', 'trait']);

export function membershipFacts(repository: Repository): Fact[] {
  const heirs = heirsByBase(repository);
  const ownersOfName = ownersByMember(repository);
  const members = membersByOwner(repository);
  return repository.definitions.flatMap((definition) => {
    const { symbol, subject, label, unique } = definition;
    const facts: Fact[] = [];
    const bases = symbol.bases.join(', ');
    if (symbol.bases.length >= 1 && symbol.bases.length <= MAX_BASES && bases.length <= 80) {
      facts.push(membershipFact('extends', definition, subject, bases));
    }
    if (!unique) return facts;
    if (symbol.kind === 'method' && ownersOfName.get(symbol.name)?.size === 1) {
      facts.push(membershipFact('member-of', definition, symbol.name, symbol.container ?? ''));
    }
    if (!owners.has(symbol.kind)) return facts;
    const names = [...new Set(members.get(label)?.map((member) => member.name))];
    // Where members are declared in other files too (Go, C++) the order of files would be the order of the answer.
    const inOneFile = members.get(label)?.every((member) => member.path === definition.path);
    if (inOneFile && names.length >= 1 && names.length <= MAX_MEMBERS) {
      facts.push(membershipFact('members-of', definition, label, names.join(', ')));
    }
    const derived = [...new Set(heirs.get(label))];
    if (derived.length >= 1 && derived.length <= MAX_HEIRS) {
      facts.push(membershipFact('extended-by', definition, label, derived.join(', ')));
    }
    return facts;
  });
}

function heirsByBase({ byLabel }: Repository): Map<string, string[]> {
  const heirs = new Map<string, string[]>();
  for (const [label, definitions] of byLabel) {
    for (const base of definitions.flatMap(({ symbol }) => symbol.bases))
      appendTo(heirs, base.replace(/<.*$/s, ''), label);
  }
  return heirs;
}

/** The containers that have a method of a name; '' stands for a top-level symbol of that name, which makes "whose method" a trick question. */
function ownersByMember({ byLabel }: Repository): Map<string, Set<string>> {
  const containers = new Map<string, Set<string>>();
  for (const { symbol } of [...byLabel.values()].flat()) {
    const container = symbol.container ?? '';
    if (symbol.kind === 'method' || container === '') {
      containers.set(symbol.name, (containers.get(symbol.name) ?? new Set()).add(container));
    }
  }
  return containers;
}

function membersByOwner({ files }: Repository): Map<string, { name: string; path: string }[]> {
  const members = new Map<string, { name: string; path: string }[]>();
  for (const { path, symbols } of files) {
    for (const { name, kind, container } of symbols) {
      if (container !== null && kind === 'method') appendTo(members, container, { name, path });
    }
  }
  return members;
}

function membershipFact(kind: string, { path, symbol }: NamedDefinition, subject: string, answer: string): Fact {
  return makeFact({ kind, stratum: 'structure', path, line: symbol.line, subject, slots: { name: subject }, answer });
}
