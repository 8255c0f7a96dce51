/** Whether a model fits the memory of this machine; asked before its weights are read. */
import { totalmem } from 'node:os';
import { blockLength, type FrozenWeights } from '../model/coded-weights.ts';
import type { ModelConfig } from '../model/config.ts';
import type { Program } from './device.ts';
import { neededBytes } from './onnx/program-memory.ts';

/** A model that this machine has not the memory for. */
export class MemoryError extends Error {
  override name = 'MemoryError';
}

/** How frozen matrices lie in memory: exact, or in codes of 8 or 4 bits (model/coded-weights.ts). */
export type WeightForm = 'float32' | 'int8' | 'int4';
export const weightForms = ['float32', 'int8', 'int4'] as const satisfies readonly WeightForm[];

export interface ModelSize {
  config: ModelConfig;
  /** Of all weights, a tied output embedding counted once. */
  parameters: number;
}

/** What something takes beside the frozen weights: with the number of parameters, and in any case. Bytes. */
interface Need {
  perParameter: number;
  base: number;
}

// Lines through the peaks at 135 and 494 million parameters in bench/RESULTS.md, without 4 bytes a parameter for weights.
// Training with recomputation is the least that absorbing takes, training without it what is quickest.
const needs = {
  answering: { perParameter: 0.2, base: 0.3e9 },
  absorbing: { perParameter: 0.6, base: 0.7e9 },
  absorbingFast: { perParameter: 1.7, base: 1.0e9 },
} satisfies Record<string, Need>;

export type Use = keyof typeof needs;

/** What a model takes of the machine's memory on the processor, roughly, with so many bytes of frozen weights. */
export function neededMemory(parameters: number, use: Use, frozen = 4 * parameters): number {
  const { perParameter, base } = needs[use];
  return frozen + perParameter * parameters + base;
}

const scaleBytes = 4 / blockLength;
const codeBytes: Record<Exclude<WeightForm, 'float32'>, number> = { int8: 1 + scaleBytes, int4: 0.5 + scaleBytes };

/** The weights as they are mapped into memory, and what generating packs of codes, the vocabulary's among them. */
export function frozenBytes({ config, parameters }: ModelSize, form: WeightForm): number {
  if (form === 'float32') return 4 * parameters;
  const vocabulary = config.vocabSize * config.hiddenSize;
  const embeddings = vocabulary * (config.tieWordEmbeddings ? 1 : 2);
  return 4 * embeddings + 2 * codeBytes[form] * (parameters - embeddings) + 2 * codeBytes.int8 * vocabulary;
}

/** What a program takes on the processor, with the weights that it reads. Bytes. */
export function programMemory(program: Program, frozen?: FrozenWeights): number {
  return neededBytes(program, frozen);
}

/** Of the machine, or of the container that this process is kept in. Bytes. */
export function machineMemory(): number {
  const limit = process.constrainedMemory();
  return limit > 0 && limit < totalmem() ? limit : totalmem();
}

/**
 * The form in which absorbing with a model fits the memory of this machine: exact where it can be. What could only thrash is
 * refused: a model that takes more than all of the memory. What else uses the memory is not counted, because it may end.
 * Errors: MemoryError, which says what would fit.
 */
export function fittingForm(
  name: string,
  model: ModelSize,
  request: WeightForm | 'auto',
  memory = machineMemory(),
): WeightForm {
  const forms = request === 'auto' ? weightForms : [request];
  const neededAs = (form: WeightForm) => neededMemory(model.parameters, 'absorbing', frozenBytes(model, form));
  const form = forms.find((each) => neededAs(each) <= memory);
  if (form !== undefined) return form;
  const least = forms.at(-1)!;
  const needed = neededAs(least);
  // Of such a model, in the same proportions.
  const { base } = needs.absorbing;
  const most = Math.max(0, (model.parameters * (memory - base)) / (needed - base));
  throw new MemoryError(
    `${name} has ${millions(model.parameters)} parameters; absorbing with it takes about ${gigabytes(needed)} of memory on ` +
      `the processor with weights as ${least}, and this machine has ${gigabytes(memory)}. Choose a model of at most ` +
      `${millions(most)} parameters${least === 'int4' ? '' : ', --weights int4'}, or --device cuda where there is an NVIDIA card.`,
  );
}

function millions(parameters: number): string {
  return `${Math.floor(parameters / 1e6).toLocaleString('en-US')} million`;
}

export function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}
