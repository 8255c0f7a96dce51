/** What a program becomes: launches over buffers, of which the scratch ones share one block of device memory. */
import { type ElementType, elementBytes, type KernelLaunch } from './kernel-table.ts';

/** How a buffer's elements are stored. */
export type StoredType = ElementType | 'int32';

/** A frozen weight in a number type, or a matrix's codes and their scales. */
export type WeightPart = ElementType | 'codes' | 'scales';

export type BufferPlace =
  /** Lives from its first step to its last. */
  | { kind: 'scratch' }
  /** What is fed at each run, in the type that the steps want. */
  | { kind: 'input'; name: string; type: StoredType }
  /** An output of the program. */
  | { kind: 'result'; name: string }
  | { kind: 'weight'; name: string; part: WeightPart }
  /** Data that is part of the program, by the node that holds it. */
  | { kind: 'constant'; node: number }
  /** One int32. */
  | { kind: 'number'; value: number }
  /** Keys or values of a conversation: the memory of one slot of the cache. */
  | { kind: 'cache'; slot: number }
  /** One int32: how many positions the cache holds. */
  | { kind: 'past' };

/** A piece of device memory that a plan names; where it lies is known when the plan runs. */
export interface PlanBuffer {
  place: BufferPlace;
  bytes: number;
}

export interface Area {
  buffer: PlanBuffer;
  byteOffset: number;
}

/** A matrix or vector in device memory, row by row. */
export interface Stored {
  area: Area;
  type: StoredType;
  shape: readonly number[];
}

export type Step =
  | { kind: 'launch'; launch: KernelLaunch<Area> }
  | { kind: 'copy'; target: Area; source: Area; bytes: number }
  | { kind: 'zero'; target: Area; bytes: number };

export interface Plan {
  steps: readonly Step[];
  /** The inputs that are read, in each type that they are read in. */
  inputs: readonly { name: string; type: StoredType }[];
  weights: readonly { name: string; part: WeightPart; bytes: number }[];
  /** Where each scratch buffer lies in the block that they share, in bytes. */
  offsets: ReadonlyMap<PlanBuffer, number>;
  scratchBytes: number;
  /** How each output is stored. */
  results: ReadonlyMap<string, Stored>;
}

export const bytesOf = (type: StoredType): number => (type === 'int32' ? 4 : elementBytes[type]);

export const sizeOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

/** The same memory under another shape, from an element on. */
export function part(stored: Stored, element: number, shape: readonly number[]): Stored {
  const { buffer, byteOffset } = stored.area;
  return { ...stored, area: { buffer, byteOffset: byteOffset + element * bytesOf(stored.type) }, shape };
}

/** The areas that a step reads or writes. */
export function areasOf(step: Step): Area[] {
  if (step.kind === 'copy') return [step.target, step.source];
  if (step.kind === 'zero') return [step.target];
  return step.launch.arguments.filter(
    (argument): argument is Area => argument !== null && typeof argument === 'object',
  );
}

/** Collects the steps of a plan. */
export class PlanBuilder {
  private readonly steps: Step[] = [];
  private readonly made = new Map<string, Stored>();
  private readonly known = new Map<string, PlanBuffer>();
  private readonly numbers = new Map<PlanBuffer, number>();

  scratch(type: StoredType, shape: readonly number[]): Stored {
    const bytes = Math.max(1, sizeOf(shape)) * bytesOf(type);
    return { area: { buffer: { place: { kind: 'scratch' }, bytes }, byteOffset: 0 }, type, shape };
  }

  /** The one buffer of a place that is not scratch. */
  shared(place: BufferPlace, bytes: number): PlanBuffer {
    const key = JSON.stringify(place);
    let buffer = this.known.get(key);
    if (buffer === undefined) {
      buffer = { place, bytes };
      this.known.set(key, buffer);
    }
    return buffer;
  }

  launch(...launches: readonly KernelLaunch<Area>[]): void {
    for (const launch of launches) this.steps.push({ kind: 'launch', launch });
  }

  /** Equal types and sizes. */
  copy(target: Stored, source: Stored): void {
    const bytes = sizeOf(source.shape) * bytesOf(source.type);
    this.steps.push({ kind: 'copy', target: target.area, source: source.area, bytes });
  }

  zero(target: Stored): void {
    this.steps.push({ kind: 'zero', target: target.area, bytes: sizeOf(target.shape) * bytesOf(target.type) });
  }

  /** What `make` gave before for this memory and key, so that conversions are made once. */
  once({ area: { buffer, byteOffset }, shape }: Stored, key: string, make: () => Stored): Stored {
    if (!this.numbers.has(buffer)) this.numbers.set(buffer, this.numbers.size);
    const name = `${this.numbers.get(buffer)} ${byteOffset} ${shape} ${key}`;
    let result = this.made.get(name);
    if (result === undefined) {
      result = make();
      this.made.set(name, result);
    }
    return result;
  }

  finish(results: ReadonlyMap<string, Stored>): Plan {
    const buffers = [...new Set(this.steps.flatMap((step) => areasOf(step).map(({ buffer }) => buffer)))];
    return {
      steps: this.steps,
      inputs: buffers.flatMap(({ place }) => (place.kind === 'input' ? [{ name: place.name, type: place.type }] : [])),
      weights: buffers.flatMap(({ place, bytes }) =>
        place.kind === 'weight' ? [{ name: place.name, part: place.part, bytes }] : [],
      ),
      results,
      ...placeScratch(this.steps),
    };
  }
}

// Rows of matrices are read in pieces of 16 bytes, and whole lines of the cache are 128.
const alignment = 256;
const aligned = (bytes: number) => Math.ceil(bytes / alignment) * alignment;

/**
 * Places scratch buffers in one block so that buffers whose lives overlap do not overlap in memory: in the order of
 * their first step each goes into the smallest gap that is large enough.
 */
function placeScratch(steps: readonly Step[]): { offsets: Map<PlanBuffer, number>; scratchBytes: number } {
  const lastStep = new Map<PlanBuffer, number>();
  steps.forEach((step, i) => {
    for (const { buffer } of areasOf(step)) if (buffer.place.kind === 'scratch') lastStep.set(buffer, i);
  });
  const offsets = new Map<PlanBuffer, number>();
  let scratchBytes = 0;
  // In order of their offsets.
  let living: { buffer: PlanBuffer; start: number; end: number }[] = [];
  steps.forEach((step, i) => {
    for (const { buffer } of areasOf(step)) {
      if (buffer.place.kind !== 'scratch' || offsets.has(buffer)) continue;
      const bytes = aligned(buffer.bytes);
      let best = { index: living.length, start: living.at(-1)?.end ?? 0, gap: Number.POSITIVE_INFINITY };
      let end = 0;
      living.forEach(({ start, end: next }, index) => {
        const gap = start - end;
        if (gap >= bytes && gap < best.gap) best = { index, start: end, gap };
        end = next;
      });
      living.splice(best.index, 0, { buffer, start: best.start, end: best.start + bytes });
      offsets.set(buffer, best.start);
      scratchBytes = Math.max(scratchBytes, best.start + bytes);
    }
    living = living.filter(({ buffer }) => lastStep.get(buffer)! > i);
  });
  return { offsets, scratchBytes };
}
