/**
 * Frozen weights on the card, once each however many programs use them. They go there from the safetensors file in
 * pieces, through two pinned buffers: while one is copied to the card, the other is read from the file.
 */
import { type FileHandle, open } from 'node:fs/promises';
import type { StoredTensor } from '../../model/safetensors.ts';
import type { Card } from './card.ts';
import { CudaError, outOfMemoryCode } from './driver-error.ts';
import type { WeightStorage } from './jobs.ts';
import { type ElementType, elementBytes } from './kernel-table.ts';
import { codeBytes, quantize, scaleCount } from './kernels/launches/weights.ts';
import { convert } from './tensors.ts';

const pieceBytes = 16 * 1024 * 1024;
const elementTypeOf = { F32: 'float32', BF16: 'bfloat16', F16: 'float16' } as const;

/** A matrix whose weights are codes with scales. */
export interface QuantizedAddress {
  codes: number;
  scales: number;
}

/** Rows of codes are multiples of this long. */
const codeGroup = 32;

interface Piece {
  bytes: Uint8Array;
  pinned: boolean;
  /** Recorded when the card has taken the piece. */
  taken: number;
}

export class WeightStore {
  private readonly known = new Map<string, Promise<number | QuantizedAddress>>();
  private readonly placed = new Map<string, number | QuantizedAddress>();
  private readonly names = new Set<string>();
  private readonly sizes = new Map<string, number>();
  private last: Promise<unknown> = Promise.resolve();
  private pieces: [Piece, Piece] | null = null;
  private next: 0 | 1 = 0;

  constructor(
    private readonly card: Card,
    private readonly stream: number,
    private readonly storage: WeightStorage,
  ) {}

  get bytes(): number {
    return [...this.sizes.values()].reduce((sum, size) => sum + size, 0);
  }

  /** Whether a weight of this name is there. */
  holds(name: string): boolean {
    return this.names.has(name);
  }

  /** Bits of the codes that such a matrix is kept as: the linear layers', but not the embeddings'; null for none. */
  codeBits(name: string, shape: readonly number[]): 4 | 8 | null {
    const fits = shape.length === 2 && name.includes('.layers.') && shape[1]! % codeGroup === 0;
    if (!fits || this.storage === 'bfloat16') return null;
    return this.storage === 'int8' ? 8 : 4;
  }

  /** Puts a weight on the card where it is not there yet. Errors: CudaError where the card has too little memory. */
  async load(tensor: StoredTensor, type: ElementType | 'quantized'): Promise<void> {
    const key = keyOf(tensor, type);
    let loading = this.known.get(key);
    if (loading === undefined) {
      loading = this.last.then(
        (): Promise<number | QuantizedAddress> =>
          type === 'quantized' ? this.quantize(tensor) : this.place(tensor, type, key),
      );
      this.known.set(key, loading);
      this.last = loading.catch(() => this.known.delete(key));
    }
    this.placed.set(key, await loading);
    this.names.add(tensor.name);
  }

  address(tensor: StoredTensor, type: ElementType): number {
    return this.placed.get(keyOf(tensor, type)) as number;
  }

  quantizedAddress(tensor: StoredTensor): QuantizedAddress {
    return this.placed.get(keyOf(tensor, 'quantized')) as QuantizedAddress;
  }

  /** To be called when no more weights are read for now: host memory is given back. */
  releaseStaging(): void {
    for (const { bytes, pinned, taken } of this.pieces ?? []) {
      this.card.driver.waitFor(taken);
      this.card.driver.destroyEvent(taken);
      if (pinned) this.card.driver.unpin(bytes);
    }
    this.pieces = null;
  }

  private async place(tensor: StoredTensor, type: ElementType, key: string): Promise<number> {
    const sourceType = elementTypeOf[tensor.dtype];
    const count = tensor.byteLength / elementBytes[sourceType];
    const address = this.takeFor(tensor, count * elementBytes[type]);
    try {
      await this.copyFromFile(tensor, address, sourceType, type);
    } catch (error) {
      this.card.memory.giveBack(address);
      throw error;
    }
    this.sizes.set(key, count * elementBytes[type]);
    return address;
  }

  private async quantize(tensor: StoredTensor): Promise<QuantizedAddress> {
    const [rows, columns] = tensor.shape as [number, number];
    const plain = this.takeFor(tensor, rows * columns * elementBytes.bfloat16);
    try {
      await this.copyFromFile(tensor, plain, elementTypeOf[tensor.dtype], 'bfloat16');
      const bits = this.storage === 'int8' ? 8 : 4;
      const codes = this.takeFor(tensor, codeBytes(bits, rows, columns));
      const scales = this.takeFor(tensor, scaleCount(rows, columns) * elementBytes.bfloat16);
      const quantizing = quantize({ at: plain, type: 'bfloat16' }, { bits, codes, scales }, rows, columns);
      this.card.launch(quantizing, (place) => place, this.stream);
      this.card.driver.synchronize(this.stream);
      const bytes = codeBytes(bits, rows, columns) + scaleCount(rows, columns) * elementBytes.bfloat16;
      this.sizes.set(keyOf(tensor, 'quantized'), bytes);
      return { codes, scales };
    } finally {
      this.card.memory.giveBack(plain);
    }
  }

  private takeFor(tensor: StoredTensor, bytes: number): number {
    try {
      return this.card.memory.take(bytes);
    } catch (error) {
      if (!(error instanceof CudaError) || error.code !== outOfMemoryCode) throw error;
      const have = Math.round(this.bytes / 2 ** 20).toLocaleString('en-US');
      throw new CudaError(
        error.code,
        `the model does not fit: after ${have} MB of weights, at ${tensor.name}, ${error.message}`,
      );
    }
  }

  private async copyFromFile(tensor: StoredTensor, target: number, from: ElementType, to: ElementType): Promise<void> {
    const { driver, memory } = this.card;
    const handle = await open(tensor.file, 'r');
    const converted = from === to ? null : memory.take(Math.min(pieceBytes, tensor.byteLength));
    try {
      for (let done = 0; done < tensor.byteLength; ) {
        const piece = this.nextPiece();
        const wanted = Math.min(pieceBytes, tensor.byteLength - done);
        driver.waitFor(piece.taken);
        await readWhole(handle, piece.bytes, wanted, tensor, done);
        const place = target + (done / elementBytes[from]) * elementBytes[to];
        driver.copyToDevice(converted ?? place, piece.bytes.subarray(0, wanted), this.stream);
        if (converted !== null)
          convert(this.card, converted, from, place, to, wanted / elementBytes[from], this.stream);
        driver.record(piece.taken, this.stream);
        done += wanted;
      }
      driver.synchronize(this.stream);
    } finally {
      await handle.close();
      if (converted !== null) memory.giveBack(converted);
    }
  }

  private nextPiece(): Piece {
    if (this.pieces === null) {
      const make = (): Piece => {
        const bytes = new Uint8Array(pieceBytes);
        const taken = this.card.driver.createEvent();
        return { bytes, pinned: this.card.driver.pin(bytes), taken };
      };
      this.pieces = [make(), make()];
    }
    this.next = this.next === 0 ? 1 : 0;
    return this.pieces[this.next];
  }
}

function keyOf({ file, byteOffset }: StoredTensor, type: ElementType | 'quantized'): string {
  return `${type} ${byteOffset} ${file}`;
}

async function readWhole(
  handle: FileHandle,
  target: Uint8Array,
  wanted: number,
  tensor: StoredTensor,
  start: number,
): Promise<void> {
  for (let got = 0; got < wanted; ) {
    const { bytesRead } = await handle.read(target, got, wanted - got, tensor.byteOffset + start + got);
    if (bytesRead === 0)
      throw new Error(`${tensor.file} ends inside the tensor ${tensor.name}: download the model again`);
    got += bytesRead;
  }
}
