/** Which device to compute on, and opening it. */
import type { ModelConfig } from '../model/config.ts';
import { openCudaDevice } from './cuda/cuda-device.ts';
import { type Card, Driver } from './cuda/driver.ts';
import { CudaUnavailableError } from './cuda/driver-error.ts';
import type { WeightStorage } from './cuda/jobs.ts';
import { attentionHeadSizes } from './cuda/kernel-table.ts';
import type { Device, DeviceName } from './device.ts';
import { fittingForm, type ModelSize, machineMemory, type WeightForm, weightForms } from './fitting.ts';
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
  /** How frozen matrices lie in memory. */
  weights: WeightForm;
  /** Which card, and how it keeps frozen matrices. */
  cuda: { ordinal: number; weights: WeightStorage } | null;
  /** For the log: why this one. */
  reason: string;
}

/** Kernels exist for cards from this compute capability on, times ten. */
const oldestCard = 80;
const gibibyte = 2 ** 30;
/** For the driver's context, programs, adapters and their optimizer. */
const spareBytes = gibibyte;
/** Positions that a training step works on at the least. */
const leastTokens = 1024;
const bytesOfWeight: Record<WeightStorage, number> = { bfloat16: 2, int8: 1 + 2 / 32, int4: 0.5 + 2 / 32 };
/** What a card has for each form: its tensor cores multiply bfloat16. */
const storageOf: Record<WeightForm, WeightStorage> = { float32: 'bfloat16', int8: 'int8', int4: 'int4' };

/** What was asked for; 'auto' is the default of both. */
export interface DeviceWishes {
  device?: DeviceRequest;
  weights?: WeightForm | 'auto';
}

/**
 * Chooses for a model called `name`. An NVIDIA card whose driver or generation is too old gives webgpu. Errors:
 * CudaUnavailableError where cuda was asked for and there is no driver or no card, or none with enough memory; MemoryError
 * where the processor's memory is too small for the model in any form that was asked for.
 */
export function chooseDevice(
  name: string,
  { device = 'auto', weights = 'auto' }: DeviceWishes,
  model: ModelSize,
  files: DeviceFiles,
  memory = machineMemory(),
): DeviceChoice {
  const choice = chooseKind(device, weights, model, files);
  if (choice.name === 'cuda') return choice;
  // A GPU does not tell how much memory it has.
  if (choice.name === 'webgpu') return { ...choice, weights: weights === 'auto' ? 'float32' : weights };
  return { ...choice, weights: fittingForm(name, model, weights, memory) };
}

function chooseKind(
  request: DeviceRequest,
  weights: WeightForm | 'auto',
  model: ModelSize,
  files: DeviceFiles,
): DeviceChoice {
  const exact = { weights: 'float32' as const, cuda: null };
  if (request === 'cpu' || request === 'webgpu') return { ...exact, name: request, reason: 'as asked for' };
  let cards: { card: Card; free: number }[];
  try {
    cards = cardsWithMemory(files.driverLibrary);
  } catch (error) {
    if (!(error instanceof CudaUnavailableError)) throw error;
    if (error.tooOld) return { ...exact, name: 'webgpu', reason: error.message };
    if (request === 'cuda') throw error;
    return { ...exact, name: 'cpu', reason: error.message };
  }
  const recent = cards.filter(({ card }) => card.capability >= oldestCard);
  if (recent.length === 0) {
    const { card } = cards[0]!;
    const generation = `${Math.floor(card.capability / 10)}.${card.capability % 10}`;
    const reason = `${card.name} has compute capability ${generation}, and the kernels want 8.0 or newer: using webgpu`;
    return { ...exact, name: 'webgpu', reason };
  }
  const lack = whatKernelsLack(model.config);
  if (lack !== null) {
    if (request === 'cuda') throw new CudaUnavailableError(`${lack}. Use --device webgpu or cpu.`);
    return { ...exact, name: 'webgpu', reason: `${lack}: using webgpu` };
  }
  const { card, free } = recent.reduce((best, other) => (other.free > best.free ? other : best));
  const forms = weights === 'auto' ? weightForms : [weights];
  const form = forms.find((each) => neededBytes(model, storageOf[each]) <= free);
  const gigabytes = (bytes: number) => `${(bytes / gibibyte).toFixed(1)} GB`;
  if (form !== undefined) {
    const storage = storageOf[form];
    const reason = `${card.name} with ${gigabytes(free)} free; frozen weights as ${storage}`;
    return { name: 'cuda', weights: form, cuda: { ordinal: card.ordinal, weights: storage }, reason };
  }
  const reason =
    `${card.name} has ${gigabytes(free)} free, and this model wants ` +
    `${gigabytes(neededBytes(model, storageOf[forms.at(-1)!]))} with weights as ${storageOf[forms.at(-1)!]}: close what ` +
    'else uses the card, or take a smaller model';
  if (request === 'cuda') throw new CudaUnavailableError(reason);
  return { ...exact, name: 'cpu', reason };
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

/** Why the kernels cannot compute a model; null where they can. */
function whatKernelsLack({ modelType, headDim }: ModelConfig): string | null {
  const widest = attentionHeadSizes.at(-1)!;
  if (headDim <= widest) return null;
  return `this ${modelType} model has heads of ${headDim} columns, and the kernels take up to ${widest}`;
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
