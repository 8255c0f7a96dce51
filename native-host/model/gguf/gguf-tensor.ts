/** The values of a GGUF tensor, a few megabytes at a time. */
import { open } from 'node:fs/promises';
import { ModelError } from '../model-error.ts';
import { DOWNLOAD_AGAIN } from '../model-files.ts';
import type { ConvertibleTensor } from '../weight-cache.ts';
import type { GgufFormat } from './gguf-blocks.ts';

/** A tensor under its name in Hugging Face's model. */
export interface GgufWeight {
  name: string;
  shape: number[];
  /** The name of the format. */
  dtype: string;
  format: GgufFormat;
  file: string;
  byteOffset: number;
  byteLength: number;
  /** Set where the rows of each head, so many, are in the order that llama.cpp's rotary positions want. */
  interleavedRows: number | null;
}

const SLICE_BYTES = 1024 * 1024;

/** `quantizedAs`: what formats become that safetensors has not; F32: what all become. */
export function convertible(weight: GgufWeight, quantizedAs: 'F32' | 'BF16'): ConvertibleTensor {
  const { name, shape, file, dtype, byteOffset, interleavedRows } = weight;
  const isPlain = dtype === 'F32' || dtype === 'F16' || dtype === 'BF16';
  const kept = quantizedAs === 'F32' ? 'F32' : isPlain ? dtype : 'BF16';
  const origin = [dtype, kept, byteOffset, interleavedRows];
  return { name, shape, file, dtype: kept, origin, slices: () => float32Rows(weight) };
}

/**
 * The values, row by row as in Hugging Face's model; a slice is valid until the next one is asked for. Throws ModelError
 * when the file has become shorter since its header was read.
 */
export async function* float32Rows(weight: GgufWeight): AsyncGenerator<Float32Array> {
  const { shape, format, byteLength, interleavedRows } = weight;
  const rowBytes = byteLength / shape[0]!;
  const group = interleavedRows ?? 1;
  const rowsAtOnce = Math.max(group, Math.floor(SLICE_BYTES / rowBytes / group) * group);
  const bytes = new Uint8Array(Math.min(byteLength, rowsAtOnce * rowBytes));
  const values = new Float32Array((bytes.length / format.bytes) * format.values);
  const handle = await open(weight.file, 'r');
  try {
    for (let done = 0; done < byteLength; ) {
      const wanted = Math.min(bytes.length, byteLength - done);
      for (let got = 0; got < wanted; ) {
        const { bytesRead } = await handle.read(bytes, got, wanted - got, weight.byteOffset + done + got);
        if (bytesRead === 0) {
          throw new ModelError(weight.file, [`It ends inside the tensor ${weight.name}.`], DOWNLOAD_AGAIN);
        }
        got += bytesRead;
      }
      const read = bytes.subarray(0, wanted);
      const inOrder = interleavedRows === null ? read : separatedHalves(read, rowBytes, interleavedRows);
      const count = wanted / format.bytes;
      format.decode(inOrder, values, count);
      yield values.subarray(0, count * format.values);
      done += wanted;
    }
  } finally {
    await handle.close();
  }
}

/** Rows of each head from the order 0, D/2, 1, D/2 + 1, … to 0, 1, 2, … */
function separatedHalves(rows: Uint8Array, rowBytes: number, headDim: number): Uint8Array {
  const result = new Uint8Array(rows.length);
  for (let i = 0; i < rows.length / rowBytes; i++) {
    const head = Math.floor(i / headDim) * headDim;
    const [pair, half] = [(i - head) >> 1, (i - head) & 1];
    const target = head + half * (headDim / 2) + pair;
    result.set(rows.subarray(i * rowBytes, (i + 1) * rowBytes), target * rowBytes);
  }
  return result;
}
