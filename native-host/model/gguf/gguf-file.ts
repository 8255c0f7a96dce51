/**
 * The header of a GGUF file, versions 2 and 3: metadata, then what each tensor is and where it lies. Everything that a file
 * says is compared with its size before anything is allocated for it.
 * Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
 */
import { type FileHandle, open } from 'node:fs/promises';
import { ModelError, reasonOf } from '../model-error.ts';
import { DOWNLOAD_AGAIN } from '../model-files.ts';
import { type GgufFormat, ggufFormats, otherFormats } from './gguf-blocks.ts';
import { GgufReader, PastTheEnd } from './gguf-reader.ts';

/** A number, a truth value, a text, or a list of these, which is taken apart when it is asked for. */
export type GgufValue = number | boolean | string | GgufList;

export interface GgufList {
  count: number;
  read(): (number | boolean | string)[];
}

export interface GgufTensor {
  name: string;
  /** As in other formats, the last size is that of what lies together. */
  shape: number[];
  format: GgufFormat;
  /** From the start of the file. */
  byteOffset: number;
  byteLength: number;
}

export interface GgufFile {
  file: string;
  metadata: ReadonlyMap<string, GgufValue>;
  tensors: ReadonlyMap<string, GgufTensor>;
}

const FIRST_READ = 1024 * 1024;
/** The largest header known, of a vocabulary of 262 thousand tokens, has 20 MB. */
const MOST_HEADER_BYTES = 256 * 1024 * 1024;
const MOST_TENSORS = 100_000;
const MOST_ENTRIES = 10_000;
const MOST_DIMENSIONS = 4;
const MAGIC = 0x46554747;

/** Reads and checks the header. Throws one ModelError with everything that is wrong. */
export async function readGguf(file: string): Promise<GgufFile> {
  const problems: string[] = [];
  let result: GgufFile | null = null;
  try {
    const handle = await open(file, 'r');
    try {
      result = await readHeader(file, handle, problems);
    } finally {
      await handle.close();
    }
  } catch (error) {
    problems.push(`It cannot be read: ${reasonOf(error)}.`);
  }
  if (result === null || problems.length > 0) throw new ModelError(file, problems, DOWNLOAD_AGAIN);
  return result;
}

/**
 * The header out of a file's first bytes; null where they end before it does. `file` is its name in errors. Errors: ModelError
 * with everything that is wrong.
 */
export function ggufHeaderIn(file: string, bytes: Buffer, fileSize: number): GgufFile | null {
  const problems: string[] = [];
  let header: GgufFile | null;
  try {
    header = parseHeader(file, bytes, fileSize, problems);
  } catch (error) {
    if (!(error instanceof PastTheEnd)) throw error;
    if (bytes.length < Math.min(fileSize, MOST_HEADER_BYTES)) return null;
    header = null;
    problems.push('It ends before its header does.');
  }
  if (header === null || problems.length > 0) throw new ModelError(file, problems, DOWNLOAD_AGAIN);
  return header;
}

/** Reads more and more of the file until the header is whole, since nothing in it says how long it is. */
async function readHeader(file: string, handle: FileHandle, problems: string[]): Promise<GgufFile | null> {
  const stat = await handle.stat();
  if (!stat.isFile()) {
    problems.push('It is not a file.');
    return null;
  }
  for (let length = Math.min(FIRST_READ, stat.size); ; length = Math.min(4 * length, stat.size, MOST_HEADER_BYTES)) {
    const bytes = Buffer.alloc(length);
    const { bytesRead } = await handle.read(bytes, 0, length, 0);
    try {
      const found: string[] = [];
      const header = parseHeader(file, bytes.subarray(0, bytesRead), stat.size, found);
      problems.push(...found);
      return header;
    } catch (error) {
      if (!(error instanceof PastTheEnd)) throw error;
      const isWhole = length === stat.size || bytesRead < length;
      if (isWhole) problems.push(`Its header goes beyond the end of the file, at byte ${stat.size}; it is cut short.`);
      else if (length === MOST_HEADER_BYTES) problems.push(`Its header has more than ${MOST_HEADER_BYTES} bytes.`);
      else continue;
      return null;
    }
  }
}

/** Throws PastTheEnd where `bytes`, the file's first ones, end before the header does. */
function parseHeader(file: string, bytes: Buffer, fileSize: number, problems: string[]): GgufFile | null {
  const reader = new GgufReader(bytes);
  if (reader.uint32() !== MAGIC) {
    problems.push('It does not begin with "GGUF".');
    return null;
  }
  const version = reader.uint32();
  if (version !== 2 && version !== 3) {
    const isSwapped = version % 0x1000000 === 0 && version !== 0;
    problems.push(isSwapped ? 'Its numbers are big-endian.' : `It is of version ${version}; 2 and 3 are supported.`);
    return null;
  }
  const tensorCount = reader.count();
  const entryCount = reader.count();
  if (tensorCount > MOST_TENSORS || entryCount > MOST_ENTRIES) {
    problems.push(`It would have ${tensorCount} tensors and ${entryCount} entries of metadata.`);
    return null;
  }
  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < entryCount; i++) {
    const key = reader.text();
    const value = reader.value(problems, key);
    if (value === null) return null;
    if (metadata.has(key)) problems.push(`Its metadata has ${key} twice.`);
    metadata.set(key, value);
  }
  const alignment = metadata.get('general.alignment') ?? 32;
  const isAlignment = typeof alignment === 'number' && alignment >= 8 && alignment <= 2 ** 20 && alignment % 8 === 0;
  if (!isAlignment) {
    problems.push(`general.alignment is ${String(alignment)}.`);
    return null;
  }
  const described = Array.from({ length: tensorCount }, () => readDescription(reader));
  const dataStart = Math.ceil(reader.position / alignment) * alignment;
  const tensors = new Map<string, GgufTensor>();
  for (const description of described) {
    const tensor = placeTensor(description, { dataStart, alignment, fileSize }, problems);
    if (tensors.has(description.name)) problems.push(`It has ${description.name} twice.`);
    if (tensor !== null) tensors.set(tensor.name, tensor);
  }
  checkOverlaps([...tensors.values()], problems);
  return { file, metadata, tensors };
}

interface Description {
  name: string;
  dimensions: number[];
  dimensionCount: number;
  type: number;
  offset: number;
}

function readDescription(reader: GgufReader): Description {
  const name = reader.text();
  const dimensionCount = reader.uint32();
  const read = Math.min(dimensionCount, MOST_DIMENSIONS);
  const dimensions = Array.from({ length: read }, () => reader.count());
  return { name, dimensions, dimensionCount, type: reader.uint32(), offset: reader.count() };
}

function placeTensor(
  { name, dimensions, dimensionCount, type, offset }: Description,
  { dataStart, alignment, fileSize }: { dataStart: number; alignment: number; fileSize: number },
  problems: string[],
): GgufTensor | null {
  const problem = (sentence: string) => {
    problems.push(`${name} ${sentence}.`);
    return null;
  };
  if (dimensionCount === 0 || dimensionCount > MOST_DIMENSIONS) return problem(`has ${dimensionCount} dimensions`);
  const format = ggufFormats.get(type);
  if (format === undefined) {
    const names = [...ggufFormats.values()].map((known) => known.name).join(', ');
    return problem(`has the type ${otherFormats.get(type) ?? type}; ${names} are supported`);
  }
  const count = dimensions.reduce((product, size) => product * size, 1);
  if (!Number.isSafeInteger(count) || count === 0 || dimensions[0]! % format.values > 0) {
    return problem(`has the sizes ${dimensions.join(' × ')}, which ${format.name} cannot have`);
  }
  const byteLength = (count / format.values) * format.bytes;
  const byteOffset = dataStart + offset;
  if (offset % alignment > 0) return problem(`begins at ${offset}, which is no multiple of ${alignment}`);
  if (!(byteOffset + byteLength <= fileSize)) {
    return problem(`ends at byte ${byteOffset + byteLength}, but the file has ${fileSize} bytes; it is cut short`);
  }
  return { name, shape: dimensions.toReversed(), format, byteOffset, byteLength };
}

function checkOverlaps(tensors: readonly GgufTensor[], problems: string[]): void {
  const inOrder = tensors.toSorted((a, b) => a.byteOffset - b.byteOffset);
  for (const [i, { name, byteOffset }] of inOrder.entries()) {
    const before = inOrder[i - 1];
    if (before !== undefined && before.byteOffset + before.byteLength > byteOffset) {
      problems.push(`${name} overlaps ${before.name}.`);
    }
  }
}
