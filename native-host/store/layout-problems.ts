/** Whether a flat vector and its layout fit together, before anything is written. */
import type { AdapterLayout } from '../model/adapter-layout.ts';

/** Every mismatch, in words; empty if the layout is sound. */
export function layoutProblems(layout: AdapterLayout): string[] {
  const problems: string[] = [];
  const names = new Set<string>();
  let end = 0;
  for (const { name, shape, offset } of [...layout.entries].sort((a, b) => a.offset - b.offset)) {
    if (names.has(name)) problems.push(`${name} is in the layout twice`);
    names.add(name);
    if (!shape.every((dimension) => Number.isSafeInteger(dimension) && dimension > 0)) {
      problems.push(`${name} has the shape [${shape.join(', ')}]`);
      continue;
    }
    if (offset !== end) problems.push(`${name} starts at ${offset} instead of ${end}`);
    end = offset + shape.reduce((product, dimension) => product * dimension, 1);
  }
  if (end !== layout.length) problems.push(`the layout ends at ${end}, its length is ${layout.length}`);
  return problems;
}

/** The same for a vector that belongs to the layout; values must be finite. */
export function vectorProblems(layout: AdapterLayout, name: string, vector: Float32Array): string[] {
  if (vector.length !== layout.length) {
    return [`${name} has ${vector.length} values, its layout describes ${layout.length}`];
  }
  const bad = firstNotFinite(vector);
  if (bad === -1) return [];
  const entry = layout.entries.findLast(({ offset }) => offset <= bad);
  return [`${name} holds ${vector[bad]} in ${entry?.name ?? 'it'}: training diverged`];
}

/** A plain loop: ten times as fast as findIndex for the millions of values that there are. */
function firstNotFinite(vector: Float32Array): number {
  for (let i = 0; i < vector.length; i++) {
    if (!Number.isFinite(vector[i])) return i;
  }
  return -1;
}
