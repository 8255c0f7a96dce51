/**
 * Adapters of models whose files hold several projections as one matrix, which PEFT adapts as one. Here each projection
 * has a LoRA of its own.
 *
 * Out, the LoRAs of rank r become one of rank n·r that is exactly them: A₁…Aₙ below one another, and B₁…Bₙ as the blocks of
 * a diagonal; alpha becomes n times as much, so that the scale stays. In, such blocks become what they were, and any other
 * LoRA becomes n that have the same A, and of B the rows that belong to them.
 */
import { type AdapterLayout, layOut } from '../model/adapter-layout.ts';
import { fusedModules } from '../model/fused-modules.ts';
import { moduleOfEntry } from './peft-names.ts';

export type FusedForm = 'blocks' | 'shared';

/** The number of modules that a module of PEFT's stands for. */
export function moduleCount(module: string): number {
  return fusedModules.get(module)?.length ?? 1;
}

/** The layout with projections put together as in the files. */
export function fusedLayout(layout: AdapterLayout, form: FusedForm): AdapterLayout {
  const shapes = new Map<string, number[]>();
  for (const { name, shape, group } of groupedEntries(layout)) {
    const [rows, columns] = shape as [number, number];
    const before = group === null ? undefined : shapes.get(group.name);
    if (group === null) shapes.set(name, shape);
    else if (group.part === 'lora_A') shapes.set(group.name, [form === 'blocks' ? group.count * rows : rows, columns]);
    else {
      const width = group.part === 'lora_B' && form === 'blocks' ? group.count * columns : columns;
      shapes.set(group.name, [(before?.[0] ?? 0) + rows, width]);
    }
  }
  return layOut(
    layout.kind,
    layout.rank,
    layout.alpha,
    [...shapes].map(([name, shape]) => ({ name, shape })),
  );
}

/** The vector for fusedLayout(layout, 'blocks'). */
export function fuseVector(layout: AdapterLayout, vector: Float32Array): Float32Array {
  const fused = fusedLayout(layout, 'blocks');
  const result = new Float32Array(fused.length);
  for (const { source, target, rows, columns, stride } of copies(layout, fused, 'blocks')) {
    for (let row = 0; row < rows; row++) {
      const from = source + row * columns;
      result.set(vector.subarray(from, from + columns), target + row * stride);
    }
  }
  return result;
}

/**
 * The vector for `layout` from one for fusedLayout(layout, form). Null where that has other values than zero beside the
 * blocks.
 */
export function separateVector(layout: AdapterLayout, fusedVector: Float32Array, form: FusedForm): Float32Array | null {
  const fused = fusedLayout(layout, form);
  const result = new Float32Array(layout.length);
  const rest = form === 'blocks' ? fusedVector.slice() : null;
  for (const { source, target, rows, columns, stride } of copies(layout, fused, form)) {
    for (let row = 0; row < rows; row++) {
      const from = target + row * stride;
      result.set(fusedVector.subarray(from, from + columns), source + row * columns);
      rest?.fill(0, from, from + columns);
    }
  }
  return rest?.some((value) => value !== 0) ? null : result;
}

interface Copy {
  /** Offset in the layout's vector, where rows are `columns` apart. */
  source: number;
  /** Offset in the fused layout's vector, where rows are `stride` apart. */
  target: number;
  rows: number;
  columns: number;
  stride: number;
}

/** Where each entry of the layout lies in the fused one. */
function copies(layout: AdapterLayout, fused: AdapterLayout, form: FusedForm): Copy[] {
  const byName = new Map(fused.entries.map((entry) => [entry.name, entry]));
  const rowsBefore = new Map<string, number>();
  return groupedEntries(layout).map(({ name, shape, offset, group }) => {
    const [rows, columns] = shape as [number, number];
    const whole = byName.get(group?.name ?? name)!;
    const stride = whole.shape[1]!;
    if (group === null) return { source: offset, target: whole.offset, rows, columns, stride };
    const before = rowsBefore.get(whole.name) ?? 0;
    rowsBefore.set(whole.name, before + rows);
    const isShared = form === 'shared' && group.part === 'lora_A';
    const column = form === 'blocks' && group.part === 'lora_B' ? group.index * columns : 0;
    return { source: offset, target: whole.offset + (isShared ? 0 : before * stride) + column, rows, columns, stride };
  });
}

/** The layout's entries; `group` for those that are a part of one in the fused layout, which it names. */
function groupedEntries(layout: AdapterLayout) {
  return layout.entries.map((entry) => {
    const found = moduleOfEntry(entry.name);
    for (const [fused, parts] of fusedModules) {
      const index = found === null ? -1 : parts.indexOf(found.module);
      if (found === null || index === -1) continue;
      const name = entry.name.replace(`.${found.module}.`, `.${fused}.`);
      return { ...entry, group: { name, part: found.part, index, count: parts.length } };
    }
    return { ...entry, group: null };
  });
}
