// What the host accepts as parameters of each request: one table, checked before a handler sees anything. The compiler
// holds the table to the interfaces of protocol/host.ts, field by field.
import type { FileChange, HostRequests, OpenFile } from '../protocol/host.ts';
import { isGgufName } from './hub/gguf-offers.ts';
import { isModelId } from './hub/hub-cache.ts';

/** Says what is wrong with a value, or null. `name` is the field as the client wrote it, such as `changes[3].path`. */
type Check = (value: unknown, name: string) => string | null;
type FieldChecks<T> = string extends keyof T ? Record<string, never> : { [K in keyof T]-?: Check };
type ParamChecks = { [M in keyof HostRequests]: FieldChecks<HostRequests[M]['params']> };

/** What is wrong with the parameters of a request of a known method, naming the field; null when nothing is. */
export function paramsProblem(method: keyof HostRequests, params: unknown): string | null {
  return fieldsProblem(paramChecks[method], params ?? {}, '');
}

export function isHostMethod(method: string): method is keyof HostRequests {
  return Object.hasOwn(paramChecks, method);
}

const MAXIMUM_ITEMS = 100_000;

const text: Check = (value, name) => (typeof value === 'string' ? null : `${name} must be a string${got(value)}`);

const nonEmptyText: Check = (value, name) =>
  text(value, name) ?? ((value as string).trim() === '' ? `${name} must not be empty` : null);

/** A path or name of one line: it becomes part of file names and of the prompt's headings. */
const oneLine: Check = (value, name) => {
  const problem = nonEmptyText(value, name);
  if (problem) return problem;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for.
  if (/[\u0000-\u001f\u007f]/.test(value as string)) return `${name} must not hold control characters`;
  return (value as string).length > 4096 ? `${name} must not be longer than 4096 characters` : null;
};

const absolutePath: Check = (value, name) =>
  oneLine(value, name) ??
  (/^(\/|[A-Za-z]:[\\/]|\\\\)/.test(value as string) ? null : `${name} must be an absolute path${got(value)}`);

const pathInFolder: Check = (value, name) => {
  const problem = oneLine(value, name);
  if (problem) return problem;
  const path = value as string;
  const leaves = /^(\/|[A-Za-z]:)/.test(path) || path.split(/[\\/]/).includes('..');
  return leaves ? `${name} must be relative to the folder and stay inside it${got(value)}` : null;
};

const flag: Check = (value, name) => (typeof value === 'boolean' ? null : `${name} must be true or false${got(value)}`);

function numberBetween(least: number, most: number): Check {
  return (value, name) =>
    typeof value === 'number' && value >= least && value <= most
      ? null
      : `${name} must be a number from ${least} to ${most}${got(value)}`;
}

function integerBetween(least: number, most: number): Check {
  return (value, name) =>
    Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most
      ? null
      : `${name} must be an integer from ${least} to ${most}${got(value)}`;
}

const lineNumber = integerBetween(1, 2 ** 31 - 1);

function oneOf(...allowed: string[]): Check {
  return (value, name) =>
    typeof value === 'string' && allowed.includes(value)
      ? null
      : `${name} must be one of ${allowed.map((word) => `'${word}'`).join(', ')}${got(value)}`;
}

function optional(check: Check): Check {
  return (value, name) => (value === undefined ? null : check(value, name));
}

function listOf(check: Check): Check {
  return (value, name) => {
    if (!Array.isArray(value)) return `${name} must be a list${got(value)}`;
    if (value.length > MAXIMUM_ITEMS) return `${name} must not have more than ${MAXIMUM_ITEMS} items`;
    for (const [index, item] of value.entries()) {
      const problem = check(item, `${name}[${index}]`);
      if (problem) return problem;
    }
    return null;
  };
}

function object(checks: Record<string, Check>): Check {
  return (value, name) => fieldsProblem(checks, value, name);
}

/** from ≤ to, where both are given. */
function ordered(check: Check): Check {
  return (value, name) => {
    const problem = check(value, name);
    if (problem || value === undefined) return problem;
    const { from, to } = value as { from?: number; to?: number };
    return from !== undefined && to !== undefined && from > to
      ? `${name}.to must not be before ${name}.from (${from} to ${to})`
      : null;
  };
}

/** What becomes a part of an address and of a path. */
const modelId: Check = (value, name) =>
  oneLine(value, name) ??
  (isModelId(value as string) ? null : `${name} must look like 'organisation/model'${got(value)}`);

const ggufFile: Check = (value, name) =>
  oneLine(value, name) ??
  (isGgufName(value as string) ? null : `${name} must be the name of a file ending in .gguf${got(value)}`);

const hubModel = { id: modelId, file: optional(ggufFile) };

const folder = { folder: absolutePath };
const ofPackage = { ...folder, package: optional(pathInFolder) };

const absorption = {
  packages: optional(oneOf('auto', 'whole', 'each')),
  minutes: optional(numberBetween(0.01, 100_000)),
  adapterKind: optional(oneOf('lora', 'full', 'gatedMemory')),
  rank: optional(integerBetween(1, 1024)),
};

const openFile: FieldChecks<OpenFile> = {
  path: oneLine,
  text,
  from: optional(lineNumber),
  to: optional(lineNumber),
  selection: optional(ordered(object({ from: lineNumber, to: lineNumber }))),
};

const fileChange: FieldChecks<FileChange> = {
  path: pathInFolder,
  kind: oneOf('changed', 'removed'),
  text: optional(text),
};

const paramChecks: ParamChecks = {
  initialize: {
    protocolVersion: integerBetween(1, 1_000_000),
    client: oneLine,
    storeRoot: absolutePath,
    modelFolder: optional(absolutePath),
    device: optional(oneOf('auto', 'cpu', 'webgpu', 'cuda')),
    weights: optional(oneOf('auto', 'float32', 'int8', 'int4')),
  },
  'folder/configure': { ...folder, exclude: listOf(oneLine) },
  'absorb/estimate': { ...folder, ...absorption },
  'absorb/start': {
    ...folder,
    ...absorption,
    epochs: optional(integerBetween(1, 1000)),
    seed: optional(integerBetween(0, 2 ** 32 - 1)),
    first: optional(listOf(pathInFolder)),
    editsOnly: optional(flag),
    quotaBytes: optional(integerBetween(0, Number.MAX_SAFE_INTEGER)),
  },
  'absorb/pause': folder,
  'absorb/resume': folder,
  'absorb/cancel': folder,
  'files/changed': { ...folder, changes: listOf(object(fileChange)) },
  ask: {
    ...folder,
    askId: oneLine,
    question: nonEmptyText,
    openFiles: listOf(ordered(object(openFile))),
    useAdapter: flag,
    package: optional(pathInFolder),
    evidence: optional(integerBetween(0, 100)),
    temperature: numberBetween(0, 10),
    topP: numberBetween(0, 1),
    maxTokens: integerBetween(1, 65_536),
    conversation: listOf(object({ question: text, answer: text })),
  },
  status: folder,
  coverage: folder,
  'eval/run': {
    ...folder,
    minutes: optional(numberBetween(0.01, 100_000)),
    probes: optional(integerBetween(1, 100_000)),
  },
  'eval/last': folder,
  'adapters/list': {},
  'adapters/delete': { repositoryKey: oneLine, baseModelKey: optional(oneLine) },
  'adapters/prune': { quotaBytes: integerBetween(0, Number.MAX_SAFE_INTEGER) },
  'adapters/export': { ...ofPackage, target: absolutePath },
  'adapters/import': { ...ofPackage, source: absolutePath },
  'adapters/rollBack': ofPackage,
  'models/list': {},
  'models/find': hubModel,
  'models/get': hubModel,
  shutdown: {},
};

function fieldsProblem(checks: Record<string, Check>, value: unknown, name: string): string | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return `${name === '' ? 'params' : name} must be an object with named fields${got(value)}`;
  }
  const prefix = name === '' ? '' : `${name}.`;
  for (const [field, check] of Object.entries(checks)) {
    const problem = check(Object.hasOwn(value, field) ? Reflect.get(value, field) : undefined, prefix + field);
    if (problem) return problem;
  }
  for (const field of Object.keys(value)) {
    if (!Object.hasOwn(checks, field)) return `${prefix}${field.slice(0, 100)} is not a known field`;
  }
  return null;
}

/** Never more than a glimpse of the value, which may be large or private. */
function got(value: unknown): string {
  if (value === undefined) return ', and it is missing';
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return `, got ${value}`;
  if (typeof value === 'string') return `, got ${JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)}`;
  return Array.isArray(value) ? ', got a list' : ', got an object';
}
