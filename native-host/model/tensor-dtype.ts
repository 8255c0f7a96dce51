/** The number formats of weights that can be read and written here. */
export type TensorDtype = 'F32' | 'F16' | 'BF16';

export function isTensorDtype(dtype: string): dtype is TensorDtype {
  return dtype === 'F32' || dtype === 'F16' || dtype === 'BF16';
}

export function bytesPerElement(dtype: TensorDtype): number {
  return dtype === 'F32' ? 4 : 2;
}

export function unsupportedDtype(name: string, dtype: string): string {
  return `${name} has dtype ${dtype}; F32, F16 and BF16 are supported.`;
}
