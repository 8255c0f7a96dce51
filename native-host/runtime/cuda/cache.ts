/** Keys and values of one conversation on the card: for each slot a bfloat16 matrix [capacity, width]. */
import type { Card } from './card.ts';
import { elementBytes } from './kernel-table.ts';

const smallestCapacity = 256;

export class CacheSlots {
  length = 0;
  capacity = 0;
  slots: number[] = [];
  /** One int32: the length, for kernels. */
  readonly past: number;

  constructor(
    private readonly card: Card,
    private readonly widths: readonly number[],
  ) {
    this.past = card.memory.take(4);
  }

  /** Makes room for more rows and tells the card how many there are. */
  prepare(rows: number, stream: number): void {
    if (this.length + rows > this.capacity) this.grow(this.length + rows, stream);
    this.card.driver.copyToDevice(this.past, Int32Array.of(this.length), stream);
  }

  truncate(length: number): void {
    this.length = Math.min(length, this.length);
  }

  dispose(): void {
    this.card.memory.giveBack(this.past);
    for (const slot of this.slots) this.card.memory.giveBack(slot);
    this.slots = [];
  }

  private grow(wanted: number, stream: number): void {
    let capacity = Math.max(this.capacity, smallestCapacity);
    while (capacity < wanted) capacity *= 2;
    const old = this.slots;
    const bytes = (rows: number, i: number) => rows * this.widths[i]! * elementBytes.bfloat16;
    const grown: number[] = [];
    try {
      for (let i = 0; i < this.widths.length; i++) grown.push(this.card.memory.take(bytes(capacity, i)));
    } catch (error) {
      for (const slot of grown) this.card.memory.giveBack(slot);
      throw error;
    }
    old.forEach((slot, i) => {
      this.card.driver.copyOnDevice(grown[i]!, slot, bytes(this.length, i), stream);
    });
    this.card.driver.synchronize(stream);
    for (const slot of old) this.card.memory.giveBack(slot);
    this.slots = grown;
    this.capacity = capacity;
  }
}
