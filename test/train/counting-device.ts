import type { Device, DeviceTensor, Executable } from '../../native-host/runtime/device.ts';

/** A device that works like the given one and knows what it holds for those who use it. */
export function countingDevice(device: Device) {
  const tensors = new Set<number>();
  const executables = new Set<Executable>();
  const caches = new Set<number>();
  const kept = (tensor: DeviceTensor): DeviceTensor => {
    tensors.add(tensor.id);
    return tensor;
  };
  const counted: Device = {
    name: device.name,
    async compile(program, options) {
      const executable = await device.compile(program, options);
      executables.add(executable);
      return {
        async run(inputs, runOptions) {
          const result = await executable.run(inputs, runOptions);
          for (const tensor of Object.values(result.device)) kept(tensor);
          return result;
        },
        async createCache() {
          const cache = await executable.createCache();
          caches.add(cache.id);
          return cache;
        },
        async release() {
          executables.delete(executable);
          await executable.release();
        },
      };
    },
    upload: async (tensor) => kept(await device.upload(tensor)),
    view: async (tensor, offset, shape) => kept(await device.view(tensor, offset, shape)),
    download: (tensor) => device.download(tensor),
    async release(released) {
      for (const { id } of released) tensors.delete(id);
      await device.release(released);
    },
    truncate: (cache, length) => device.truncate(cache, length),
    async releaseCache(cache) {
      caches.delete(cache.id);
      await device.releaseCache(cache);
    },
    close: () => device.close(),
  };
  return {
    device: counted,
    live: () => ({ tensors: tensors.size, executables: executables.size, caches: caches.size }),
  };
}
