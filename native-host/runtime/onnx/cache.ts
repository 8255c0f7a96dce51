import * as ort from 'onnxruntime-node';
import type { GpuReader } from './gpu-reader.ts';

/** Keys and values of one conversation: for each slot a matrix [length, width]. */
export interface KeyValueCache {
  readonly length: number;
  tensors(): ort.Tensor[];
  /** Takes what a run gave for each slot: see the two kinds below. */
  append(outputs: readonly ort.Tensor[]): void;
  truncate(length: number): Promise<void>;
  dispose(): void;
}

/** On the CPU a run gives the new rows, which are copied behind the old ones; feeding the cache copies nothing. */
export class CpuCache implements KeyValueCache {
  length = 0;
  private capacity = 0;
  private slots: Float32Array[];

  constructor(private readonly widths: readonly number[]) {
    this.slots = widths.map(() => new Float32Array(0));
  }

  tensors(): ort.Tensor[] {
    return this.slots.map((data, i) => {
      const width = this.widths[i]!;
      return new ort.Tensor('float32', data.subarray(0, this.length * width), [this.length, width]);
    });
  }

  append(outputs: readonly ort.Tensor[]): void {
    const total = this.length + outputs[0]!.dims[0]!;
    if (total > this.capacity) this.grow(Math.max(total, 2 * this.capacity, 64));
    outputs.forEach((rows, i) => {
      this.slots[i]!.set(rows.data as Float32Array, this.length * this.widths[i]!);
    });
    this.length = total;
  }

  async truncate(length: number): Promise<void> {
    this.length = Math.min(length, this.length);
  }

  dispose(): void {
    this.slots = [];
  }

  private grow(capacity: number): void {
    this.slots = this.slots.map((old, i) => {
      const grown = new Float32Array(capacity * this.widths[i]!);
      grown.set(old.subarray(0, this.length * this.widths[i]!));
      return grown;
    });
    this.capacity = capacity;
  }
}

/** On a GPU a run gives the whole cache, which stays in the GPU's memory and is fed to the next run. */
export class TensorCache implements KeyValueCache {
  length = 0;
  private slots: ort.Tensor[];

  constructor(
    private readonly widths: readonly number[],
    private readonly reader: GpuReader,
  ) {
    this.slots = this.empty();
  }

  tensors(): ort.Tensor[] {
    return this.slots;
  }

  append(outputs: readonly ort.Tensor[]): void {
    this.dispose();
    this.slots = [...outputs];
    this.length = outputs[0]!.dims[0]!;
  }

  async truncate(length: number): Promise<void> {
    if (length >= this.length) return;
    const kept: ort.Tensor[] = [];
    for (const [i, slot] of this.slots.entries()) {
      const width = this.widths[i]!;
      const data = (await this.reader.read(slot)) as Float32Array;
      kept.push(new ort.Tensor('float32', data.slice(0, length * width), [length, width]));
    }
    this.dispose();
    this.slots = kept;
    this.length = length;
  }

  dispose(): void {
    for (const slot of this.slots) slot.dispose();
  }

  private empty(): ort.Tensor[] {
    return this.widths.map((width) => new ort.Tensor('float32', new Float32Array(0), [0, width]));
  }
}
