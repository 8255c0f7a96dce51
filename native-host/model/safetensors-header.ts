/** The JSON header of a safetensors file, checked as the reference implementation does, and against the file's size. */
import { reasonOf } from './model-error.ts';
import { isRecord } from './model-files.ts';

export interface SafetensorsEntry {
  /** As the file says it; it may be one that cannot be read here. */
  dtype: string;
  shape: number[];
  /** From the start of the file. */
  byteOffset: number;
  byteLength: number;
}

interface ParsedHeader {
  metadata: Record<string, string>;
  entries: Map<string, SafetensorsEntry>;
  problems: string[];
}

const BYTES_PER_ELEMENT = new Map<string, number>([
  ['BOOL', 1],
  ['U8', 1],
  ['I8', 1],
  ['F8_E4M3', 1],
  ['F8_E5M2', 1],
  ['F8_E8M0', 1],
  ['U16', 2],
  ['I16', 2],
  ['F16', 2],
  ['BF16', 2],
  ['U32', 4],
  ['I32', 4],
  ['F32', 4],
  ['U64', 8],
  ['I64', 8],
  ['F64', 8],
  ['C64', 8],
]);

/** `dataStart` is the first byte after the header, `fileLength` the size of the file, both in bytes. */
export function parseHeader(header: Uint8Array, dataStart: number, fileLength: number): ParsedHeader {
  const result: ParsedHeader = { metadata: {}, entries: new Map(), problems: [] };
  let text: string;
  let parsed: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(header);
    parsed = JSON.parse(text);
  } catch (error) {
    result.problems.push(`Its header is not valid JSON: ${reasonOf(error)}.`);
    return result;
  }
  if (!isRecord(parsed)) {
    result.problems.push('Its header is not a JSON object.');
    return result;
  }
  for (const name of repeatedKeys(text)) result.problems.push(`Its header names ${name} twice.`);
  for (const [name, value] of Object.entries(parsed)) {
    if (name === '__metadata__') readMetadata(value, result);
    else result.problems.push(...readEntry(name, value, dataStart, fileLength, result.entries));
  }
  // Offsets can be compared as a whole only when each of them is there.
  if (result.problems.length === 0) checkCoverage(result, dataStart, fileLength);
  return result;
}

function readMetadata(value: unknown, result: ParsedHeader): void {
  if (!isRecord(value) || Object.values(value).some((text) => typeof text !== 'string')) {
    result.problems.push('Its __metadata__ does not map names to strings.');
  } else {
    result.metadata = value as Record<string, string>;
  }
}

/** Adds the entry where it has all its parts, and returns what is wrong with it. */
function readEntry(
  name: string,
  value: unknown,
  dataStart: number,
  fileLength: number,
  entries: Map<string, SafetensorsEntry>,
): string[] {
  if (!isRecord(value)) return [`${name} is not described by an object.`];
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== 'string') return [`${name} has no dtype.`];
  if (!isSizes(shape)) return [`${name} has no shape of whole numbers.`];
  if (!isSizes(offsets) || offsets.length !== 2) return [`${name} has no pair of data_offsets.`];
  const [begin, end] = offsets as [number, number];
  if (end < begin) return [`${name} ends (${end}) before it begins (${begin}).`];
  entries.set(name, { dtype, shape, byteOffset: dataStart + begin, byteLength: end - begin });

  const problems: string[] = [];
  const fileEnd = dataStart + end;
  if (fileEnd > fileLength) {
    problems.push(`${name} ends at byte ${fileEnd}, but the file has ${fileLength} bytes; it is cut short or damaged.`);
  }
  const width = BYTES_PER_ELEMENT.get(dtype);
  const wanted = shape.reduce((product, size) => product * size, width ?? 0);
  if (width !== undefined && wanted !== end - begin) {
    problems.push(
      `${name} of shape [${shape}] and dtype ${dtype} takes ${wanted} bytes, not the ${end - begin} it has.`,
    );
  }
  return problems;
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}

/** The format allows neither gaps nor overlaps nor bytes that belong to no tensor. */
function checkCoverage(result: ParsedHeader, dataStart: number, fileLength: number): void {
  const inOrder = [...result.entries].sort(
    ([, a], [, b]) => a.byteOffset - b.byteOffset || a.byteLength - b.byteLength,
  );
  let end = dataStart;
  for (const [name, { byteOffset, byteLength }] of inOrder) {
    if (byteOffset !== end) {
      const relation = byteOffset < end ? 'overlaps the tensor before it' : 'leaves a gap before it';
      result.problems.push(`${name} ${relation}: it begins at byte ${byteOffset}, not ${end}.`);
    }
    end = Math.max(end, byteOffset + byteLength);
  }
  if (end < fileLength) result.problems.push(`Its last ${fileLength - end} bytes belong to no tensor.`);
}

/** Keys that the outermost object of a valid JSON text has more than once; JSON.parse keeps the last one silently. */
function repeatedKeys(json: string): string[] {
  const seen = new Set<string>();
  const repeated: string[] = [];
  let depth = 0;
  let lastString = '';
  for (let i = 0; i < json.length; i++) {
    const character = json[i];
    if (character === '{' || character === '[') depth++;
    else if (character === '}' || character === ']') depth--;
    else if (character === '"') {
      const start = i++;
      while (json[i] !== '"') i += json[i] === '\\' ? 2 : 1;
      if (depth === 1) lastString = json.slice(start, i + 1);
    } else if (character === ':' && depth === 1) {
      // What stands before a colon is the key.
      const key = JSON.parse(lastString) as string;
      if (seen.has(key)) repeated.push(key);
      seen.add(key);
    }
  }
  return repeated;
}
