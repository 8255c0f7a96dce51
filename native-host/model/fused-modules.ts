/**
 * Projections that the files of some architectures hold as one matrix, one below another. Here each is a tensor by
 * itself, in the same bytes of the same file, so that decoder and adapters know nothing of it.
 */
import type { ModelConfig } from './config.ts';
import type { StoredTensor } from './safetensors.ts';

/** Rows lie one after another, each in so many bytes. */
type PlacedTensor = Pick<StoredTensor, 'name' | 'shape' | 'byteOffset' | 'byteLength'>;

/** By the name of the one matrix, the modules that it consists of, from the top. */
export const fusedModules: ReadonlyMap<string, readonly string[]> = new Map([
  ['qkv_proj', ['q_proj', 'k_proj', 'v_proj']],
  ['gate_up_proj', ['gate_proj', 'up_proj']],
]);

/** Names and shapes as the files have them, of the tensors `expected` by themselves (expectedTensors). */
export function tensorsInFiles(config: ModelConfig, expected: ReadonlyMap<string, number[]>): Map<string, number[]> {
  if (!config.fusedProjections) return new Map(expected);
  const result = new Map<string, number[]>();
  for (const [name, shape] of expected) {
    const fused = fusedName(name);
    const [rows, ...columns] = shape;
    if (fused === null) result.set(name, shape);
    else result.set(fused, [(result.get(fused)?.[0] ?? 0) + rows!, ...columns]);
  }
  return result;
}

/** The tensors `expected`, out of those of the files, which have the names and shapes of tensorsInFiles. */
export function separateTensors<T extends PlacedTensor>(
  config: ModelConfig,
  expected: ReadonlyMap<string, number[]>,
  stored: ReadonlyMap<string, T>,
): Map<string, T> {
  const taken = new Map<string, number>();
  const result = new Map<string, T>();
  for (const [name, shape] of expected) {
    const fused = config.fusedProjections ? fusedName(name) : null;
    const whole = stored.get(fused ?? name)!;
    if (fused === null) result.set(name, whole);
    else {
      const before = taken.get(fused) ?? 0;
      const byteLength = (whole.byteLength / whole.shape[0]!) * shape[0]!;
      result.set(name, { ...whole, name, shape, byteOffset: whole.byteOffset + before, byteLength });
      taken.set(fused, before + byteLength);
    }
  }
  return result;
}

function fusedName(name: string): string | null {
  for (const [fused, parts] of fusedModules) {
    const part = parts.find((module) => name.endsWith(`.${module}.weight`));
    if (part !== undefined) return name.replace(`.${part}.`, `.${fused}.`);
  }
  return null;
}
