/** Which device to compute on, and opening it. */
import type { ModelConfig } from '../model/config.ts';
import { openCudaDevice } from './cuda/cuda-device.ts';
import { type Card, Driver } from './cuda/driver.ts';
import { CudaUnavailableError } from './cuda/driver-error.ts';
import type { WeightStorage } from './cuda/jobs.ts';
import type { Device, DeviceName } from './device.ts';
import { openOnnxDevice } from './onnx/onnx-device.ts';

/** 'auto': an NVIDIA card where there is one that can take the model, else the processor. */
export type DeviceRequest = DeviceName | 'auto';

export interface DeviceFiles {
  /** The bundled onnx/worker.ts and cuda/worker.ts. */
  onnxWorker: URL;
  cudaWorker: URL;
  /** The kernels for all cards. */
  kernels: string;
  /** NVIDIA's driver library, where it is not the system's. */
  driverLibrary?: string;
}

export interface DeviceChoice {
  name: DeviceName;
  /** Which card, and how it keeps frozen matrices. */
  cuda: { ordinal: number; weights: WeightStorage } | null;
  /** For the log: why this one. */
  reason: string;
}

interface ModelSize {
  config: ModelConfig;
  /** Of all weights, a tied output embedding counted once. */
  parameters: number;
}

/** Kernels exist for cards from this compute capability on, times ten. */
const oldestCard = 80;
const gibibyte = 2 ** 30;
/** For the driver's context, programs, adapters and their optimizer. */
const spareBytes = gibibyte;
/** Positions that a training step works on at the least. */
const leastTokens = 1024;
const bytesOfWeight: Record<WeightStorage, number> = { bfloat16: 2, int8: 1 + 2 / 32, int4: 0.5 + 2 / 32 };

/**
 * Chooses for a model. An NVIDIA card whose driver or generation is too old gives webgpu. Errors: CudaUnavailableError where
 * cuda was asked for and there is no driver or no card, or none with enough memory.
 */
export function chooseDevice(request: DeviceRequest, model: ModelSize, files: DeviceFiles): DeviceChoice {
  if (request === 'cpu' || request === 'webgpu') return { name: request, cuda: null, reason: 'as asked for' };
  let cards: { card: Card; free: number }[];
  try {
    cards = cardsWithMemory(files.driverLibrary);
  } catch (error) {
    if (!(error instanceof CudaUnavailableError)) throw error;
    if (error.tooOld) return { name: 'webgpu', cuda: null, reason: error.message };
    if (request === 'cuda') throw error;
    return { name: 'cpu', cuda: null, reason: error.message };
  }
  const recent = cards.filter(({ card }) => card.capability >= oldestCard);
  if (recent.length === 0) {
    const { card } = cards[0]!;
    const generation = `${Math.floor(card.capability / 10)}.${card.capability % 10}`;
    const reason = `${card.name} has compute capability ${generation}, and the kernels want 8.0 or newer: using webgpu`;
    return { name: 'webgpu', cuda: null, reason };
  }
  const lack = whatKernelsLack(model.config);
  if (lack !== null) {
    if (request === 'cuda') throw new CudaUnavailableError(`${lack}. Use --device webgpu or cpu.`);
    return { name: 'webgpu', cuda: null, reason: `${lack}: using webgpu` };
  }
  const { card, free } = recent.reduce((best, other) => (other.free > best.free ? other : best));
  const storage = (Object.keys(bytesOfWeight) as WeightStorage[]).find((each) => neededBytes(model, each) <= free);
  const gigabytes = (bytes: number) => `${(bytes / gibibyte).toFixed(1)} GB`;
  if (storage !== undefined) {
    const reason = `${card.name} with ${gigabytes(free)} free; frozen weights as ${storage}`;
    return { name: 'cuda', cuda: { ordinal: card.ordinal, weights: storage }, reason };
  }
  const reason =
    `${card.name} has ${gigabytes(free)} free, and this model wants ${gigabytes(neededBytes(model, 'int4'))} ` +
    'with weights of 4 bits: close what else uses the card, or take a smaller model';
  if (request === 'cuda') throw new CudaUnavailableError(reason);
  return { name: 'cpu', cuda: null, reason };
}

/** Opens what was chosen. */
export async function openDevice(choice: DeviceChoice, files: DeviceFiles): Promise<Device> {
  if (choice.name !== 'cuda') return openOnnxDevice(choice.name, files.onnxWorker);
  const { ordinal, weights } = choice.cuda!;
  const { driverLibrary } = files;
  const device = openCudaDevice({
    workerFile: files.cudaWorker,
    kernelsFile: files.kernels,
    ordinal,
    weights,
    ...(driverLibrary === undefined ? {} : { driverLibrary }),
  });
  await device.opened;
  return device;
}

/** Why the kernels cannot compute a model; null where they can. A sliding window they need not have (withinWindow). */
function whatKernelsLack({ modelType, partialRotaryFactor, scoreCap, logitCap }: ModelConfig): string | null {
  if (scoreCap !== null || logitCap !== null) {
    return `this ${modelType} model caps its scores or logits, and the kernels do not`;
  }
  if (partialRotaryFactor === 1) return null;
  return `this ${modelType} model turns ${100 * partialRotaryFactor} % of each head's columns, and the kernels turn all`;
}

function cardsWithMemory(library: string | undefined): { card: Card; free: number }[] {
  const driver = new Driver(library);
  const cards = driver.cards();
  if (cards.length === 0) throw new CudaUnavailableError('no NVIDIA card was found. Use --device webgpu or cpu.');
  return cards.map((card) => ({ card, free: card.capability < oldestCard ? 0 : driver.freeMemoryOf(card.ordinal) }));
}

/** What training an adapter takes at the least: weights, the activations of a short batch, and the rest. */
export function neededBytes({ config, parameters }: ModelSize, storage: WeightStorage): number {
  const { hiddenSize, intermediateSize, numHiddenLayers, vocabSize, numAttentionHeads, numKeyValueHeads, headDim } =
    config;
  const embeddings = vocabSize * hiddenSize * (config.tieWordEmbeddings ? 1 : 2);
  const weights = 2 * embeddings + bytesOfWeight[storage] * (parameters - embeddings);
  const columns = 6 * hiddenSize + 4 * intermediateSize + 2 * (2 * numAttentionHeads + 2 * numKeyValueHeads) * headDim;
  const activations = 2 * leastTokens * (numHiddenLayers * columns + 2 * vocabSize);
  return weights + activations + spareBytes;
}
