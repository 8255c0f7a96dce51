/** The functions of NVIDIA's driver library that are used, as cuda.h declares them. The library comes with the display driver. */
import koffi from 'koffi';
import { CudaUnavailableError } from './driver-error.ts';

// Handles (contexts, streams, …) and device addresses are 64-bit integers here; addresses lie below 2^53.
const signatures = [
  'int cuInit(unsigned int flags)',
  'int cuDriverGetVersion(_Out_ int *version)',
  'int cuDeviceGetCount(_Out_ int *count)',
  'int cuDeviceGet(_Out_ int *device, int ordinal)',
  'int cuDeviceGetName(uint8_t *name, int length, int device)',
  'int cuDeviceGetAttribute(_Out_ int *value, int attribute, int device)',
  'int cuDeviceTotalMem_v2(_Out_ uint64_t *bytes, int device)',
  'int cuCtxCreate_v2(_Out_ uint64_t *context, unsigned int flags, int device)',
  'int cuCtxSetCurrent(uint64_t context)',
  'int cuCtxDestroy_v2(uint64_t context)',
  'int cuCtxSynchronize()',
  'int cuModuleLoadData(_Out_ uint64_t *module, const void *image)',
  'int cuModuleUnload(uint64_t module)',
  'int cuModuleGetFunction(_Out_ uint64_t *function, uint64_t module, const char *name)',
  'int cuFuncSetAttribute(uint64_t function, int attribute, int value)',
  'int cuMemGetInfo_v2(_Out_ uint64_t *free, _Out_ uint64_t *total)',
  'int cuMemAlloc_v2(_Out_ uint64_t *address, uint64_t bytes)',
  'int cuMemFree_v2(uint64_t address)',
  'int cuMemHostRegister_v2(void *memory, uint64_t bytes, unsigned int flags)',
  'int cuMemHostUnregister(void *memory)',
  'int cuMemcpyHtoDAsync_v2(uint64_t target, const void *source, uint64_t bytes, uint64_t stream)',
  'int cuMemcpyDtoHAsync_v2(void *target, uint64_t source, uint64_t bytes, uint64_t stream)',
  'int cuMemcpyDtoDAsync_v2(uint64_t target, uint64_t source, uint64_t bytes, uint64_t stream)',
  'int cuMemsetD8Async(uint64_t target, uint8_t value, uint64_t bytes, uint64_t stream)',
  'int cuStreamCreateWithPriority(_Out_ uint64_t *stream, unsigned int flags, int priority)',
  'int cuCtxGetStreamPriorityRange(_Out_ int *least, _Out_ int *greatest)',
  'int cuStreamDestroy_v2(uint64_t stream)',
  'int cuStreamSynchronize(uint64_t stream)',
  'int cuStreamBeginCapture_v2(uint64_t stream, int mode)',
  'int cuStreamEndCapture(uint64_t stream, _Out_ uint64_t *graph)',
  'int cuGraphInstantiateWithFlags(_Out_ uint64_t *executable, uint64_t graph, uint64_t flags)',
  'int cuGraphDestroy(uint64_t graph)',
  'int cuGraphExecDestroy(uint64_t executable)',
  'int cuGraphLaunch(uint64_t executable, uint64_t stream)',
  'int cuEventCreate(_Out_ uint64_t *event, unsigned int flags)',
  'int cuEventDestroy_v2(uint64_t event)',
  'int cuEventRecord(uint64_t event, uint64_t stream)',
  'int cuEventQuery(uint64_t event)',
  'int cuEventSynchronize(uint64_t event)',
  'int cuEventElapsedTime(_Out_ float *milliseconds, uint64_t start, uint64_t end)',
  'int cuLaunchKernel(uint64_t kernel, uint x, uint y, uint z, uint threads, uint, uint, uint shared, uint64_t stream, void *given, void *)',
  'int cuGetErrorName(int code, _Out_ const char **name)',
  'int cuGetErrorString(int code, _Out_ const char **text)',
] as const;

type FunctionName<Signature> = Signature extends `int ${infer Name}(${string}` ? Name : never;
export type DriverCall = FunctionName<(typeof signatures)[number]>;
// biome-ignore lint/suspicious/noExplicitAny: koffi converts by the signatures above, and so do the callers in driver.ts.
export type DriverCalls = Record<DriverCall, (...args: any[]) => number>;

export const standardLibrary = process.platform === 'win32' ? 'nvcuda.dll' : 'libcuda.so.1';

/** Loads the driver's library. Errors: CudaUnavailableError where there is none, or one without a function that is needed. */
export function loadDriverLibrary(file = standardLibrary): DriverCalls {
  let library: ReturnType<typeof koffi.load>;
  try {
    library = koffi.load(file);
  } catch {
    throw new CudaUnavailableError(
      `there is no NVIDIA driver (${file} cannot be loaded). Install the NVIDIA display driver 580 or newer, or use --device webgpu or cpu.`,
    );
  }
  const calls: Partial<DriverCalls> = {};
  for (const signature of signatures) {
    const name = /^int (\w+)\(/.exec(signature)![1] as DriverCall;
    try {
      calls[name] = library.func(signature) as DriverCalls[DriverCall];
    } catch {
      throw new CudaUnavailableError(
        `the NVIDIA driver is too old: it has no ${name}. Update the display driver to 580 or newer, or use --device webgpu or cpu.`,
        true,
      );
    }
  }
  return calls as DriverCalls;
}
