/** What went wrong in NVIDIA's driver, in words that say what to do next. */

/** Why this machine cannot use its card, or has none. The caller may fall back to another device. */
export class CudaUnavailableError extends Error {
  override name = 'CudaUnavailableError';

  constructor(
    message: string,
    /** There is a driver, and a newer one would do. */
    readonly tooOld = false,
  ) {
    super(message);
  }
}

/** A call of the driver failed. */
export class CudaError extends Error {
  override name = 'CudaError';

  constructor(
    /** CUresult of cuda.h. */
    readonly code: number,
    message: string,
  ) {
    super(message);
  }
}

export const outOfMemoryCode = 2;
export const notReadyCode = 600;

/** CUresult codes after which the context is of no use any more. */
const lostCodes = new Set([4, 46, 201, 214, 219, 220, 226, 700, 702, 710, 714, 715, 716, 717, 718, 719, 721, 999]);
/** CUresult codes that say that the driver cannot run this build's kernels. */
const driverTooOldCodes = new Set([35, 36, 200, 209, 218, 221, 222, 223, 500, 803, 804]);

export const updateAdvice = 'Update the NVIDIA display driver to 580 or newer, or use --device webgpu or cpu.';

/** The card's context is of no use any more: everything on it is gone. */
export function isDeviceLost(error: unknown): boolean {
  return error instanceof CudaError && lostCodes.has(error.code);
}

/** `what` is the driver's own name and sentence for the code; `call` the function that returned it. */
export function callError(call: string, code: number, what: string): CudaError {
  if (driverTooOldCodes.has(code)) {
    return new CudaError(
      code,
      `the NVIDIA driver cannot run this build's kernels: ${call} said ${what}. ${updateAdvice}`,
    );
  }
  if (lostCodes.has(code)) {
    return new CudaError(
      code,
      `the card stopped working: ${call} said ${what}. What was saved last is safe: start again; ` +
        'if it happens again, update the NVIDIA driver, or use --device webgpu or cpu.',
    );
  }
  return new CudaError(code, `the card refused: ${call} said ${what}`);
}

export function outOfMemoryError(wanted: number, free: number, total: number): CudaError {
  const megabytes = (bytes: number) => `${Math.ceil(bytes / 2 ** 20).toLocaleString('en-US')} MB`;
  return new CudaError(
    outOfMemoryCode,
    `the card's memory is full: ${megabytes(wanted)} were asked for, and ${megabytes(free)} of ${megabytes(total)} are free. ` +
      'Close what else uses the card, take a smaller model, or use --device cpu.',
  );
}
