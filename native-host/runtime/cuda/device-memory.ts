/**
 * Device memory in blocks. What is given back is kept for the next that asks for as much, because taking memory from the
 * driver waits for the card, and the same sizes come again with each step.
 */
import type { Driver } from './driver.ts';
import { CudaError, outOfMemoryCode } from './driver-error.ts';

const smallBlock = 512;
const largeBlock = 2 * 1024 * 1024;

export class DeviceMemory {
  private readonly idle = new Map<number, number[]>();
  private readonly sizes = new Map<number, number>();
  /** Bytes in use, and those kept for the next that asks. */
  used = 0;
  kept = 0;

  constructor(private readonly driver: Driver) {}

  /** Device memory of at least `bytes`. Errors: CudaError where the card has too little. */
  take(bytes: number): number {
    const size = roundUp(Math.max(1, bytes), bytes >= largeBlock ? largeBlock : smallBlock);
    const address = this.idle.get(size)?.pop();
    if (address !== undefined) {
      this.kept -= size;
      this.used += size;
      return address;
    }
    const fresh = this.allocate(size);
    this.sizes.set(fresh, size);
    this.used += size;
    return fresh;
  }

  /** To be called when nothing on the card works with it any more. */
  giveBack(address: number): void {
    const size = this.sizes.get(address);
    if (size === undefined) throw new Error('memory was given back that was not taken');
    this.used -= size;
    this.kept += size;
    const ofSize = this.idle.get(size);
    if (ofSize === undefined) this.idle.set(size, [address]);
    else ofSize.push(address);
  }

  /** Returns to the driver what nobody uses. */
  trim(): void {
    for (const addresses of this.idle.values()) {
      for (const address of addresses) {
        this.driver.free(address);
        this.sizes.delete(address);
      }
    }
    this.idle.clear();
    this.kept = 0;
  }

  private allocate(size: number): number {
    try {
      return this.driver.allocate(size);
    } catch (error) {
      if (!(error instanceof CudaError) || error.code !== outOfMemoryCode || this.kept === 0) throw error;
      this.trim();
      return this.driver.allocate(size);
    }
  }
}

function roundUp(value: number, step: number): number {
  return Math.ceil(value / step) * step;
}
