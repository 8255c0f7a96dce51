import { existsSync } from 'node:fs';
import type { Device, DeviceName, HostTensor } from '../../native-host/runtime/device.ts';
import { openOnnxDevice } from '../../native-host/runtime/onnx/onnx-device.ts';
import { openFakeCard } from './cuda/fake-driver.ts';

const workerFile = new URL('../../dist/worker.js', import.meta.url);

/** Opens a device for a test, with the worker that `npm run build` bundled. */
export function openTestDevice(name: DeviceName = 'cpu'): Device {
  if (name === 'cuda') return openFakeCard();
  if (!existsSync(workerFile)) throw new Error('dist/worker.js is missing: run `npm run build` first');
  return openOnnxDevice(name, workerFile, 2);
}

/** The software Vulkan driver that comes with Debian's chromium package: it proves the GPU path where there is no GPU. */
const softwareVulkan = '/usr/lib/chromium/vk_swiftshader_icd.json';

/** Devices that this machine can test; cuda is an emulated card. Where webgpu is not among them, `webgpuMissing` says how to get it. */
export function testableDevices(): { names: DeviceName[]; webgpuMissing: string | null } {
  if (process.env.VK_ICD_FILENAMES === undefined && existsSync(softwareVulkan)) {
    process.env.VK_ICD_FILENAMES = softwareVulkan;
  }
  if (process.env.VK_ICD_FILENAMES !== undefined) return { names: ['cpu', 'cuda', 'webgpu'], webgpuMissing: null };
  return {
    names: ['cpu', 'cuda'],
    webgpuMissing: 'webgpu not tested: run `node scripts/install-test-tools.mjs` for a software Vulkan driver',
  };
}

/** Largest difference relative to the largest wanted magnitude (at least `floor`). */
export function relativeError(got: ArrayLike<number>, wanted: ArrayLike<number>, floor = 1e-3): number {
  if (got.length !== wanted.length) return Number.POSITIVE_INFINITY;
  let difference = 0;
  let magnitude = floor;
  for (let i = 0; i < wanted.length; i++) {
    const distance = Math.abs(got[i]! - wanted[i]!);
    if (Number.isNaN(distance)) return Number.NaN;
    difference = Math.max(difference, distance);
    magnitude = Math.max(magnitude, Math.abs(wanted[i]!));
  }
  return difference / magnitude;
}

export function floats(tensor: HostTensor): Float32Array {
  return tensor.data as Float32Array;
}

/**
 * How far a device is off: the largest difference, or for a card, whose roundings are independent, ‖got − wanted‖ ÷ ‖wanted‖
 * with a norm of at least √n · floor.
 */
export function deviation(device: DeviceName, got: ArrayLike<number>, wanted: ArrayLike<number>, floor = 1e-3): number {
  if (device !== 'cuda') return relativeError(got, wanted, floor);
  if (got.length !== wanted.length) return Number.POSITIVE_INFINITY;
  let difference = 0;
  let size = 0;
  for (let i = 0; i < wanted.length; i++) {
    difference += (got[i]! - wanted[i]!) ** 2;
    size += wanted[i]! ** 2;
  }
  return Math.sqrt(difference) / Math.max(Math.sqrt(size), floor * Math.sqrt(wanted.length));
}

/**
 * What a device may be off by. A card keeps matrices as bfloat16, which rounds by up to 2^-9 of a number (0.2 %). An op
 * rounds its operands and its result: 1 %. Where scores are large, so is what rounding changes of them, and attention makes
 * much of it. The reference decoders attend sharply, too: PyTorch in bfloat16 is off by up to 3.7 % in their logits and 18 % in their gradients, 7 % on average.
 */
export function allowedDeviation(
  device: DeviceName,
  of: 'op' | 'opGradient' | 'sharpAttention' | 'logits' | 'modelGradient',
): number {
  const float32 = { op: 1e-4, opGradient: 1e-3, sharpAttention: 1e-3, logits: 1e-4, modelGradient: 1e-3 };
  const bfloat16 = { op: 0.01, opGradient: 0.015, sharpAttention: 0.18, logits: 0.035, modelGradient: 0.15 };
  return (device === 'cuda' ? bfloat16 : float32)[of];
}
