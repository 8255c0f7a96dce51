// Facts about names and values: parameters, return types, constants, kinds, the fields of manifests.
import type { Document } from '../documents.ts';
import { appendTo } from './append-to.ts';
import { type Fact, makeFact } from './fact.ts';
import type { NamedDefinition, Repository } from './repository.ts';

const MAX_VALUE_CHARACTERS = 40;
const MAX_PARAMETERS = 8;
const MAX_TYPE_CHARACTERS = 60;

export function identifierFacts(repository: Repository): Fact[] {
  const facts: Fact[] = [];
  for (const definition of repository.definitions) facts.push(...factsOfDefinition(definition));
  facts.push(...reversed(repository));
  for (const document of repository.documents) {
    if (/(^|\/)package\.json$/.test(document.path)) facts.push(...settingFacts(document));
  }
  return facts;
}

function factsOfDefinition({ path, symbol, subject }: NamedDefinition): Fact[] {
  const base = { stratum: 'identifiers' as const, path, line: symbol.line, subject, slots: { name: subject } };
  const facts: Fact[] = [];
  const parameters = parameterList(symbol.parameters);
  if (parameters !== null) facts.push(makeFact({ ...base, kind: 'signature', answer: parameters || 'none' }));
  if (symbol.returns && symbol.returns.length <= MAX_TYPE_CHARACTERS)
    facts.push(makeFact({ ...base, kind: 'returns', answer: symbol.returns }));
  if (isShortValue(symbol.value)) facts.push(makeFact({ ...base, kind: 'constant-value', answer: symbol.value }));
  // A name bound to the result of an expression is a constant only by its keyword, and the name of a method says what it is.
  const plain = symbol.kind === 'variable' || (symbol.kind === 'constant' && symbol.value === null);
  if (!plain && symbol.kind !== 'method') facts.push(makeFact({ ...base, kind: 'kind-of', answer: symbol.kind }));
  return facts;
}

/** From parameters to the function, from a value to the constant: only where one alone has them. */
function reversed(repository: Repository): Fact[] {
  const byParameters = new Map<string, NamedDefinition[]>();
  const byValue = new Map<string, NamedDefinition[]>();
  for (const definition of repository.definitions) {
    const { symbol } = definition;
    const parameters = parameterList(symbol.parameters);
    if (parameters && symbol.parameters!.length >= 2) appendTo(byParameters, parameters, definition);
    if (isShortValue(symbol.value) && symbol.value.length >= 3) appendTo(byValue, symbol.value, definition);
  }
  const facts: Fact[] = [];
  for (const [parameters, [definition, ...others]] of byParameters) {
    if (!definition?.unique || others.length > 0) continue;
    facts.push(
      makeFact({
        kind: 'parameter-holder',
        stratum: 'identifiers',
        path: definition.path,
        line: definition.symbol.line,
        subject: parameters,
        slots: { parameters },
        answer: definition.label,
      }),
    );
  }
  for (const [value, [definition, ...others]] of byValue) {
    if (!definition?.unique || others.length > 0) continue;
    facts.push(
      makeFact({
        kind: 'constant-named',
        stratum: 'identifiers',
        path: definition.path,
        line: definition.symbol.line,
        subject: value,
        slots: { value },
        answer: definition.label,
      }),
    );
  }
  return facts;
}

function parameterList(parameters: string[] | null): string | null {
  if (parameters === null || parameters.length > MAX_PARAMETERS) return null;
  const list = parameters.join(', ');
  return list.length <= 100 ? list : null;
}

function isShortValue(value: string | null): value is string {
  return value !== null && value.length <= MAX_VALUE_CHARACTERS && !value.includes('\n') && !/^(''|""|``)$/.test(value);
}

function settingFacts(document: Document): Fact[] {
  let manifest: unknown;
  try {
    manifest = JSON.parse(document.text);
  } catch {
    return [];
  }
  if (typeof manifest !== 'object' || manifest === null) return [];
  const settings: [string, unknown][] = [];
  for (const [key, value] of Object.entries(manifest)) {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      if (['scripts', 'dependencies', 'peerDependencies', 'engines', 'bin', 'repository'].includes(key)) {
        settings.push(...Object.entries(value).map(([name, inner]): [string, unknown] => [`${key}.${name}`, inner]));
      }
    } else settings.push([key, value]);
  }
  return settings.flatMap(([key, value]) => {
    const isScalar = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
    const answer = String(value).trim();
    if (!isScalar || key.startsWith('_') || answer === '' || answer.length > 80 || answer.split(/\s+/).length > 12)
      return [];
    const line = lineOfKey(document.text, key);
    return [
      makeFact({
        kind: 'setting',
        stratum: 'identifiers',
        path: document.path,
        line,
        subject: `${key} in ${document.path}`,
        slots: { key, path: document.path },
        answer,
      }),
    ];
  });
}

function lineOfKey(text: string, key: string): number {
  const name = key.includes('.') ? key.slice(key.indexOf('.') + 1) : key;
  const at = text.indexOf(`${JSON.stringify(name)}:`);
  return at < 0 ? 1 : text.slice(0, at).split('\n').length;
}
