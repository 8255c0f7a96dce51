/** The number formats of weights that can be read and written here. */
export type TensorDtype = 'F32' | 'F16' | 'BF16';

/** Of files that are written here for devices: codes of quantised matrices, too. */
export type CachedDtype = TensorDtype | 'U8';

export function isTensorDtype(dtype: string): dtype is TensorDtype {
  return dtype === 'F32' || dtype === 'F16' || dtype === 'BF16';
}

export function bytesPerElement(dtype: CachedDtype): number {
  return dtype === 'F32' ? 4 : dtype === 'U8' ? 1 : 2;
}

export function unsupportedDtype(name: string, dtype: string): string {
  return `${name} has dtype ${dtype}; F32, F16 and BF16 are supported.`;
}
