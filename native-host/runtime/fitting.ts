/** Whether a model fits the memory of this machine; asked before its weights are read. */
import { totalmem } from 'node:os';

/** A model that this machine has not the memory for. */
export class MemoryError extends Error {
  override name = 'MemoryError';
}

/** What something takes: with the number of parameters, and beside that. Bytes. */
interface Need {
  perParameter: number;
  base: number;
}

// Lines through the peaks at 135 and 494 million parameters in bench/RESULTS.md. The weights are there once, in single
// precision; training with recomputation is the least that absorbing takes, training without it what is quickest.
const needs = {
  answering: { perParameter: 4.2, base: 0.3e9 },
  absorbing: { perParameter: 4.6, base: 0.7e9 },
  absorbingFast: { perParameter: 5.7, base: 1.0e9 },
} satisfies Record<string, Need>;

export type Use = keyof typeof needs;

/** What a model takes of the machine's memory on the processor, roughly, in bytes. */
export function neededMemory(parameters: number, use: Use): number {
  const { perParameter, base } = needs[use];
  return perParameter * parameters + base;
}

/** Of the machine, or of the container that this process is kept in. Bytes. */
export function machineMemory(): number {
  const limit = process.constrainedMemory();
  return limit > 0 && limit < totalmem() ? limit : totalmem();
}

/**
 * Refuses what could only thrash: a model that takes more than all of the machine's memory. What else uses the memory
 * is not counted, because it may end. Errors: MemoryError, which says what would fit.
 */
export function assertFits(name: string, parameters: number, use: Use, memory = machineMemory()): void {
  const needed = neededMemory(parameters, use);
  if (needed <= memory) return;
  const { perParameter, base } = needs.absorbing;
  const most = Math.max(0, (memory - base) / perParameter);
  throw new MemoryError(
    `${name} has ${millions(parameters)} parameters; ${use === 'answering' ? 'answering' : 'absorbing'} with it takes about ` +
      `${gigabytes(needed)} of memory on the processor, and this machine has ${gigabytes(memory)}. Choose a model of at most ` +
      `${millions(most)} parameters, or --device cuda where there is an NVIDIA card.`,
  );
}

function millions(parameters: number): string {
  return `${Math.floor(parameters / 1e6).toLocaleString('en-US')} million`;
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}
