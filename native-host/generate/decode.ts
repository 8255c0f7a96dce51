/** Generating tokens with one immutable version of an adapter and a key/value cache. */

import type { AdapterLayout } from '../model/adapter-layout.ts';
import { type FrozenWeights, frozenWeights } from '../model/coded-weights.ts';
import type { ModelConfig } from '../model/config.ts';
import {
  type Device,
  type DeviceCache,
  type DeviceTensor,
  type Executable,
  float32,
  type HostTensor,
  int32,
} from '../runtime/device.ts';
import { type DecodeProgram, decodeProgram, mergedName, mergeProgram } from './program.ts';

export interface GenerateOptions {
  maxTokens: number;
  /** Picks the next token from logits [V]. */
  sample: (logits: Float32Array) => number;
  /** Generation ends before one of these. */
  stopTokens: ReadonlySet<number>;
  signal?: AbortSignal;
  onToken?: ((id: number) => void) | undefined;
}

export interface Generated {
  tokens: number[];
  /** Milliseconds until the first token was known. */
  firstTokenMs: number;
  /** After the first one. */
  tokensPerSecond: number;
  /** Why it ended. */
  end: 'stop' | 'length' | 'window' | 'cancelled';
}

// A prompt goes through in pieces of this many tokens, so that no run holds the device for long.
const prefillTokens = 128;

export class Decoder {
  private cached: number[] = [];

  private constructor(
    private readonly device: Device,
    /** The one that decodes first; others made the adapter's tensors. */
    private readonly executables: readonly [Executable, ...Executable[]],
    private readonly adapter: Record<string, DeviceTensor>,
    private readonly cache: DeviceCache,
    /** Most tokens of prompt and answer together. */
    readonly window: number,
    readonly hasAdapter: boolean,
  ) {}

  /** `adapter` null: the base alone. Frozen weights are the same mapped file that training reads. */
  static async open(
    device: Device,
    model: { config: ModelConfig } & FrozenWeights,
    adapter: { layout: AdapterLayout; vector: Float32Array } | null,
  ): Promise<Decoder> {
    const window = model.config.maxPositionEmbeddings;
    const program: DecodeProgram = decodeProgram(model.config, adapter?.layout ?? null, window);
    const executable = await device.compile(program, { ...frozenWeights(model), caches: program.caches });
    const placed =
      adapter === null ? { tensors: {}, made: [] } : await placeAdapter(device, model, adapter.layout, adapter.vector);
    const cache = await executable.createCache();
    return new Decoder(device, [executable, ...placed.made], placed.tensors, cache, window, adapter !== null);
  }

  /** Continues a prompt. What the prompt has in common with the last conversation is not computed again. */
  async generate(prompt: readonly number[], options: GenerateOptions): Promise<Generated> {
    if (prompt.length === 0) throw new RangeError('a prompt needs at least one token');
    if (prompt.length >= this.window) {
      throw new RangeError(`the prompt has ${prompt.length} tokens, and the model's window is ${this.window}`);
    }
    const started = performance.now();
    const tokens: number[] = [];
    const ended = (end: Generated['end'], firstTokenMs = performance.now() - started): Generated => {
      const seconds = (performance.now() - started - firstTokenMs) / 1000;
      return { tokens, firstTokenMs, tokensPerSecond: tokens.length > 1 ? (tokens.length - 1) / seconds : 0, end };
    };
    const logits = await this.prefill(prompt, options.signal);
    if (logits === null) return ended('cancelled');
    let next = options.sample(logits);
    const firstTokenMs = performance.now() - started;
    for (;;) {
      if (options.stopTokens.has(next)) return ended('stop', firstTokenMs);
      tokens.push(next);
      options.onToken?.(next);
      if (tokens.length >= options.maxTokens) return ended('length', firstTokenMs);
      if (prompt.length + tokens.length >= this.window) return ended('window', firstTokenMs);
      if (options.signal?.aborted) return ended('cancelled', firstTokenMs);
      next = options.sample(await this.feed([next]));
    }
  }

  async close(): Promise<void> {
    await this.device.releaseCache(this.cache);
    await this.device.release(Object.values(this.adapter));
    for (const executable of this.executables) await executable.release();
  }

  /** Logits after the prompt, or null where it was cancelled. */
  private async prefill(prompt: readonly number[], signal: AbortSignal | undefined): Promise<Float32Array | null> {
    let common = 0;
    while (common < prompt.length - 1 && this.cached[common] === prompt[common]) common += 1;
    if (common < this.cached.length) {
      await this.device.truncate(this.cache, common);
      this.cached.length = common;
    }
    let logits: Float32Array | null = null;
    for (let start = common; start < prompt.length; start += prefillTokens) {
      if (signal?.aborted) return null;
      logits = await this.feed(prompt.slice(start, start + prefillTokens));
    }
    return logits;
  }

  private async feed(ids: readonly number[]): Promise<Float32Array> {
    const positions = Int32Array.from(ids, (_, i) => this.cached.length + i);
    const inputs: Record<string, HostTensor | DeviceTensor> = {
      ids: int32(Int32Array.from(ids)),
      positions: int32(positions),
      ...this.adapter,
    };
    const { host } = await this.executables[0].run(inputs, { priority: 'answer', cache: this.cache });
    this.cached.push(...ids);
    return host.logits!.data as Float32Array;
  }
}

/** The adapter as the inputs that the decode program takes, and the programs that have to outlive them. */
async function placeAdapter(
  device: Device,
  model: { config: ModelConfig } & FrozenWeights,
  layout: AdapterLayout,
  vector: Float32Array,
): Promise<{ tensors: Record<string, DeviceTensor>; made: Executable[] }> {
  const flat = await device.upload(float32(vector));
  const tensors: Record<string, DeviceTensor> = {};
  const made: Executable[] = [];
  if (layout.kind === 'full') {
    const program = mergeProgram(model.config, layout);
    const outputs = Object.keys(program.outputs);
    const merge = await device.compile(program, { ...frozenWeights(model), deviceOutputs: outputs });
    const result = await merge.run({ parameters: flat }, { priority: 'answer' });
    for (const [name, tensor] of Object.entries(result.device)) tensors[name.slice(mergedName('').length)] = tensor;
    made.push(merge);
  } else {
    for (const { name, shape, offset } of layout.entries) tensors[name] = await device.view(flat, offset, shape);
  }
  await device.release([flat]);
  return { tensors, made };
}
