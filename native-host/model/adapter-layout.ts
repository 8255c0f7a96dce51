/** How an adapter's trainable parameters lie in one flat vector. */

export type AdapterKind = 'lora' | 'full' | 'gatedMemory';

export interface AdapterEntry {
  name: string;
  shape: number[];
  /** In floats from the start of the vector. */
  offset: number;
}

export interface AdapterLayout {
  kind: AdapterKind;
  rank: number;
  alpha: number;
  /** Number of floats in the flat vector. */
  length: number;
  entries: AdapterEntry[];
}

/** Places entries one after another, in the order given. */
export function layOut(
  kind: AdapterKind,
  rank: number,
  alpha: number,
  shapes: readonly { name: string; shape: number[] }[],
): AdapterLayout {
  let offset = 0;
  const entries = shapes.map(({ name, shape }) => {
    const entry = { name, shape, offset };
    offset += shape.reduce((product, dimension) => product * dimension, 1);
    return entry;
  });
  return { kind, rank, alpha, length: offset, entries };
}
