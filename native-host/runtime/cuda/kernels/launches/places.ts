/** What launch builders take: device memory with the type of its elements. `Buffer` is whatever stands for an address. */
import { type ElementType, elementTypes } from '../../kernel-table.ts';

export interface Stored<Buffer> {
  at: Buffer;
  type: ElementType;
}

/** Rows of elements, `stride` elements from one row's first to the next one's. */
export interface Matrix<Buffer> extends Stored<Buffer> {
  stride: number;
}

type Fields<Name extends string, Buffer> = { [Key in Name]: Buffer | null } & { [Key in `${Name}Type`]: number };

/** The two parameters that a kernel has for a place: its address and its type; null is absent. */
export function place<Name extends string, Buffer>(name: Name, stored: Stored<Buffer> | null): Fields<Name, Buffer> {
  const type = elementTypes[stored?.type ?? 'float32'];
  return { [name]: stored?.at ?? null, [`${name}Type`]: type } as Fields<Name, Buffer>;
}

export const blocksFor = (count: number, each: number): number => Math.max(1, Math.ceil(count / each));
