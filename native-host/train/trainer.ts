/** Training state on a device: parameters, optimizer moments, and the programs that advance them. */
import type { OptimizerSettings } from '../graph/ops/optimizer.ts';
import type { AdapterLayout } from '../model/adapter-layout.ts';
import { type FrozenWeights, frozenWeights } from '../model/coded-weights.ts';
import type { ModelConfig } from '../model/config.ts';

import { type Device, type DeviceTensor, type Executable, float32, type Program } from '../runtime/device.ts';
import { batchInputs, type PackedBatch } from './packing.ts';
import { type BatchShape, gradientProgram, lossProgram, updateProgram } from './program.ts';

/** What training and measuring need of a base model. */
export interface TrainableModel extends FrozenWeights {
  config: ModelConfig;
}

export interface TrainerState {
  vector: Float32Array;
  /** The optimizer's running mean of gradients. */
  first: Float32Array;
  /** AdamW's running mean of their squares; null: Muon's, which has none. */
  second: Float32Array | null;
  /** Optimizer steps taken. */
  step: number;
}

export interface BatchLoss {
  /** Mean loss, weighted as the items ask. */
  loss: number;
  /** [B·T], for every position. */
  perToken: Float32Array;
  correct: Float32Array;
}

/** AdamW as the paper's code has it, without weight decay. */
export const adamwOfPaper = {
  name: 'adamw',
  beta1: 0.9,
  beta2: 0.98,
  epsilon: 1e-8,
  weightDecay: 0,
  clipNorm: 1,
} as const satisfies OptimizerSettings;

export interface TrainerSettings {
  /** AdamW as the paper has it where missing. */
  optimizer?: OptimizerSettings;
  /** Computes each layer a second time for the gradient rather than keep it. Otherwise where memory is too short. */
  recompute?: boolean;
}

export class Trainer {
  private readonly programs = new Map<string, Promise<Executable>>();
  private update: Executable | null = null;
  private gradient: DeviceTensor | null = null;

  private constructor(
    private readonly device: Device,
    private readonly model: TrainableModel,
    readonly layout: AdapterLayout,
    private readonly settings: TrainerSettings,
    private readonly zeros: DeviceTensor,
    private parameters: DeviceTensor,
    private first: DeviceTensor,
    private second: DeviceTensor | null,
    private steps: number,
  ) {}

  /** Puts the state on the device; nothing is compiled yet. Errors: a state without what the optimizer goes on from. */
  static async open(
    device: Device,
    model: TrainableModel,
    layout: AdapterLayout,
    state: TrainerState,
    settings: TrainerSettings = {},
  ): Promise<Trainer> {
    const zeros = await device.upload(float32(new Float32Array(layout.length)));
    const { parameters, first, second } = await uploaded(device, state, settings.optimizer ?? adamwOfPaper);
    return new Trainer(device, model, layout, settings, zeros, parameters, first, second, state.step);
  }

  get optimizer(): OptimizerSettings {
    return this.settings.optimizer ?? adamwOfPaper;
  }

  get step(): number {
    return this.steps;
  }

  /**
   * Adds a batch's gradient to what has been accumulated. `totalWeight` is the sum of the weights of all batches that
   * go into the step, so that the step's loss is their weighted mean.
   */
  async accumulate(batch: PackedBatch, totalWeight: number): Promise<BatchLoss> {
    const program = await this.program('gradient', batch);
    const inputs = { parameters: this.parameters, accumulated: this.gradient ?? this.zeros };
    const { host, device } = await program.run({ ...batchInputs(batch, 1 / totalWeight), ...inputs });
    if (this.gradient !== null) await this.device.release([this.gradient]);
    this.gradient = device.gradient!;
    return {
      loss: (host.loss!.data[0]! * totalWeight) / batch.totalWeight,
      perToken: host.perToken!.data as Float32Array,
      correct: host.correct!.data as Float32Array,
    };
  }

  /** Takes an optimizer step with the accumulated gradient. Returns the gradient's norm before clipping. */
  async takeStep(learningRate: number): Promise<number> {
    if (this.gradient === null) throw new Error('no gradient has been accumulated');
    const { second } = this;
    this.update ??= await this.device.compile(updateProgram(this.layout, this.optimizer), {
      weights: new Map(),
      deviceOutputs: ['nextParameters', 'nextFirst', ...(second === null ? [] : ['nextSecond'])],
    });
    const ofAdamw = second === null ? {} : { second, step: float32(Float32Array.of(this.steps + 1), []) };
    const { host, device } = await this.update.run({
      parameters: this.parameters,
      first: this.first,
      gradient: this.gradient,
      learningRate: float32(Float32Array.of(learningRate), []),
      ...ofAdamw,
    });
    const gradientNorm = host.gradientNorm!.data[0]!;
    if (!Number.isFinite(gradientNorm)) {
      await this.device.release(Object.values(device));
      throw new Error(
        `the gradient is not finite at step ${this.steps + 1}: lower the learning rate, or check the model's weights`,
      );
    }
    await this.device.release(this.tensors());
    this.gradient = null;
    this.parameters = device.nextParameters!;
    this.first = device.nextFirst!;
    this.second = device.nextSecond ?? null;
    this.steps += 1;
    return gradientNorm;
  }

  /** The loss of a batch under the current parameters. */
  async measure(batch: PackedBatch): Promise<BatchLoss> {
    const program = await this.program('loss', batch);
    const { host } = await program.run({ ...batchInputs(batch, 1), parameters: this.parameters });
    return {
      loss: host.loss!.data[0]! / Math.max(batch.totalWeight, 1e-9),
      perToken: host.perToken!.data as Float32Array,
      correct: host.correct!.data as Float32Array,
    };
  }

  async state(): Promise<TrainerState> {
    const download = async (tensor: DeviceTensor) => (await this.device.download(tensor)).data as Float32Array;
    const [vector, first, second] = await Promise.all([
      download(this.parameters),
      download(this.first),
      this.second === null ? null : download(this.second),
    ]);
    return { vector, first, second, step: this.steps };
  }

  /** Goes on from another state; a gradient that was accumulated is dropped. Errors: as those of open. */
  async restore(state: TrainerState): Promise<void> {
    const left = this.tensors();
    const { parameters, first, second } = await uploaded(this.device, state, this.optimizer);
    this.parameters = parameters;
    this.first = first;
    this.second = second;
    this.gradient = null;
    this.steps = state.step;
    await this.device.release(left);
  }

  async close(): Promise<void> {
    await this.device.release([this.zeros, ...this.tensors()]);
    // One that could not be compiled has nothing to release; whoever asked for it has the error.
    for (const program of this.programs.values()) await (await program.catch(() => null))?.release();
    await this.update?.release();
  }

  private tensors(): DeviceTensor[] {
    return [this.parameters, this.first, this.second, this.gradient].filter((tensor) => tensor !== null);
  }

  /** The one for what is in the batch: only batches with taught positions pay for them. */
  private program(kind: 'gradient' | 'loss', { shape, taught }: PackedBatch): Promise<Executable> {
    const isTaught = taught !== null;
    const key = `${kind} ${shape.rows} ${shape.length} ${isTaught}`;
    let program = this.programs.get(key);
    if (program === undefined) {
      const { config } = this.model;
      program =
        kind === 'gradient'
          ? this.compileGradient(shape, isTaught)
          : this.device.compile(lossProgram(config, this.layout, shape, isTaught), frozenWeights(this.model));
      this.programs.set(key, program);
    }
    return program;
  }

  private async compileGradient(shape: BatchShape, isTaught: boolean): Promise<Executable> {
    const { config } = this.model;
    let program = gradientProgram(config, this.layout, shape, false, isTaught);
    if (this.settings.recompute ?? (await this.isMemoryShort(program))) {
      program = gradientProgram(config, this.layout, shape, true, isTaught);
    }
    return this.device.compile(program, { ...frozenWeights(this.model), deviceOutputs: ['gradient'] });
  }

  private async isMemoryShort(gradient: Program): Promise<boolean> {
    const fits = await this.device.hasMemoryFor?.(
      [gradient, updateProgram(this.layout, this.optimizer)],
      frozenWeights(this.model),
    );
    return fits === false;
  }
}

async function uploaded(
  device: Device,
  { vector, first, second }: TrainerState,
  optimizer: OptimizerSettings,
): Promise<{ parameters: DeviceTensor; first: DeviceTensor; second: DeviceTensor | null }> {
  if (optimizer.name === 'adamw' && second === null)
    throw new Error(
      'this training was begun with another optimizer than AdamW and cannot go on with it: begin it anew',
    );
  return {
    parameters: await device.upload(float32(vector)),
    first: await device.upload(float32(first)),
    second: optimizer.name === 'adamw' ? await device.upload(float32(second!)) : null,
  };
}

/** Where a training of `vector` begins with this optimizer. */
export function startState(vector: Float32Array, optimizer: OptimizerSettings = adamwOfPaper): TrainerState {
  const moment = () => new Float32Array(vector.length);
  return { vector, first: moment(), second: optimizer.name === 'adamw' ? moment() : null, step: 0 };
}
