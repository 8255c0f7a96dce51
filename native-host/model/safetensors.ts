/**
 * Reading and writing safetensors files: 8 bytes with the header's length, a JSON header, then the tensors without gaps.
 * Source: https://github.com/huggingface/safetensors (Format).
 */
import { open } from 'node:fs/promises';
import { narrowToBfloat16, narrowToFloat16, widenBfloat16, widenFloat16 } from './half-precision.ts';
import { ModelError, reasonOf } from './model-error.ts';
import { DOWNLOAD_AGAIN } from './model-files.ts';
import { parseHeader, type SafetensorsEntry } from './safetensors-header.ts';
import { createSafetensors, type TensorDescription } from './safetensors-writer.ts';
import { bytesPerElement, isTensorDtype, type TensorDtype, unsupportedDtype } from './tensor-dtype.ts';

export interface StoredTensor {
  name: string;
  dtype: TensorDtype;
  shape: number[];
  file: string;
  /** From the start of the file. */
  byteOffset: number;
  byteLength: number;
}

export interface SafetensorsFile {
  file: string;
  /** Of the whole file. */
  byteLength: number;
  metadata: Record<string, string>;
  entries: Map<string, SafetensorsEntry>;
}

/** The reference implementation's limit. */
const MAX_HEADER_BYTES = 100_000_000;
const SLICE_BYTES = 4 * 1024 * 1024;

/** Reads and checks the header. Throws one ModelError with everything that is wrong. */
export async function readSafetensors(file: string): Promise<SafetensorsFile> {
  const { contents, problems } = await inspectSafetensors(file);
  if (contents === null || problems.length > 0) throw new ModelError(file, problems, DOWNLOAD_AGAIN);
  return contents;
}

/** As readSafetensors, but returns what is wrong; `contents` is null where not even the header can be read. */
export async function inspectSafetensors(
  file: string,
): Promise<{ contents: SafetensorsFile | null; problems: string[] }> {
  const unreadable = (problem: string) => ({ contents: null, problems: [problem] });
  try {
    const handle = await open(file, 'r');
    try {
      const stat = await handle.stat();
      if (!stat.isFile()) return unreadable('It is not a file.');
      // 8 bytes of length, and one more to see cheaply whether a header begins there.
      const start = Buffer.alloc(9);
      const { bytesRead } = await handle.read(start, 0, 9, 0);
      if (bytesRead < 9) return unreadable(`It has ${stat.size} bytes, too few for a header; the file is cut short.`);
      const headerLength = start.readBigUInt64LE(0);
      if (headerLength > MAX_HEADER_BYTES) {
        return unreadable(`Its header would have ${headerLength} bytes, more than the ${MAX_HEADER_BYTES} allowed.`);
      }
      const dataStart = 8 + Number(headerLength);
      if (dataStart > stat.size) {
        return unreadable(
          `Its header ends at byte ${dataStart}, but the file has ${stat.size} bytes; it is cut short.`,
        );
      }
      if (start[8] !== 0x7b) return unreadable('Its header does not start with "{".');
      const header = Buffer.alloc(Number(headerLength));
      const read = await handle.read(header, 0, header.length, 8);
      if (read.bytesRead < header.length) return unreadable('It became shorter while it was read.');
      const { metadata, entries, problems } = parseHeader(header, dataStart, stat.size);
      return { contents: { file, byteLength: stat.size, metadata, entries }, problems };
    } finally {
      await handle.close();
    }
  } catch (error) {
    return unreadable(`It cannot be read: ${reasonOf(error)}.`);
  }
}

/** The tensor of that name. Throws ModelError where there is none, or none of a supported dtype. */
export function storedTensor(source: SafetensorsFile, name: string): StoredTensor {
  const entry = source.entries.get(name);
  if (entry === undefined) throw new ModelError(source.file, [`There is no tensor ${name}.`], DOWNLOAD_AGAIN);
  const { dtype, shape, byteOffset, byteLength } = entry;
  if (!isTensorDtype(dtype)) {
    throw new ModelError(source.file, [unsupportedDtype(name, dtype)], 'Convert the tensor to one of these.');
  }
  return { name, dtype, shape, file: source.file, byteOffset, byteLength };
}

/** The tensor's values, row by row. Throws ModelError when the file has become shorter since its header was read. */
export async function readTensor(tensor: StoredTensor): Promise<Float32Array> {
  const result = new Float32Array(tensor.byteLength / bytesPerElement(tensor.dtype));
  let filled = 0;
  for await (const slice of float32Slices(tensor)) {
    result.set(slice, filled);
    filled += slice.length;
  }
  return result;
}

/** The tensor's values in slices of at most 8 MB; a slice is valid until the next one is asked for. */
export async function* float32Slices(tensor: StoredTensor): AsyncGenerator<Float32Array> {
  const width = bytesPerElement(tensor.dtype);
  const bytes = new Uint8Array(Math.min(SLICE_BYTES, tensor.byteLength));
  const floats = new Float32Array(bytes.length / width);
  const handle = await open(tensor.file, 'r');
  try {
    for (let done = 0; done < tensor.byteLength; ) {
      const wanted = Math.min(bytes.length, tensor.byteLength - done);
      for (let got = 0; got < wanted; ) {
        const { bytesRead } = await handle.read(bytes, got, wanted - got, tensor.byteOffset + done + got);
        if (bytesRead === 0) {
          throw new ModelError(tensor.file, [`It ends inside the tensor ${tensor.name}.`], DOWNLOAD_AGAIN);
        }
        got += bytesRead;
      }
      const slice = floats.subarray(0, wanted / width);
      if (tensor.dtype === 'F32') new Uint8Array(slice.buffer, 0, wanted).set(bytes.subarray(0, wanted));
      else {
        const halves = new Uint16Array(bytes.buffer, 0, slice.length);
        if (tensor.dtype === 'BF16') widenBfloat16(halves, slice);
        else widenFloat16(halves, slice);
      }
      yield slice;
      done += wanted;
    }
  } finally {
    await handle.close();
  }
}

/** Writes a whole file atomically, rounding where a dtype is narrower than the values. */
export async function writeSafetensors(
  file: string,
  tensors: readonly (TensorDescription & { dtype: TensorDtype; data: Float32Array })[],
  metadata: Record<string, string> = {},
): Promise<void> {
  const writer = await createSafetensors(file, tensors, metadata);
  try {
    for (const { dtype, data } of tensors) {
      const stored = dtype === 'F32' ? data : dtype === 'BF16' ? narrowToBfloat16(data) : narrowToFloat16(data);
      await writer.write(new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength));
    }
    await writer.commit();
  } catch (error) {
    await writer.discard();
    throw error;
  }
}
