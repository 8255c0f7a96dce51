/** A compiled program on the card: a plan for each set of sizes that it is run with. */
import type { StoredTensor } from '../../model/safetensors.ts';
import type { CacheSlots } from './cache.ts';
import type { Card } from './card.ts';
import { type GivenInput, Instance, type RunOutcome, type Surroundings } from './instance.ts';
import type { Job } from './jobs.ts';
import type { Lane } from './lane.ts';
import { lowerProgram } from './lower.ts';
import type { CardLowering, LoweringOptions } from './lowering-context.ts';
import { concreteProgram, type PortableProgram } from './portable-graph.ts';
import type { Tensors } from './tensors.ts';
import type { WeightStore } from './weight-store.ts';

// A decode program meets pieces of a prompt of any length; the last few are kept.
const mostInstances = 6;

export class CardExecutable {
  private readonly program: PortableProgram;
  private readonly caches: readonly { past: string; rows: string }[];
  private readonly instances = new Map<string, Instance>();
  private readonly constants = new Map<number, number>();
  private readonly numbers = new Map<number, number>();
  private readonly inputShapes: ReadonlyMap<string, readonly (number | string)[]>;
  private readonly around: Surroundings;

  constructor(
    private readonly card: Card,
    job: Extract<Job, { kind: 'compile' }>,
    private readonly weights: WeightStore,
    tensors: Tensors,
    /** For what is not a run. */
    private readonly stream: number,
    private readonly lowering: CardLowering,
  ) {
    this.program = job.program;
    this.caches = job.caches;
    const pasts = new Set(job.caches.map(({ past }) => past));
    const inputs = this.program.nodes.filter(({ op, attributes }) => op === 'input' && !pasts.has(attributes.name));
    this.inputShapes = new Map(inputs.map(({ attributes }) => [attributes.name, attributes.shape]));
    const stored = (name: string): StoredTensor => job.weights.get(name)!;
    this.around = {
      card,
      tensors,
      constantAddress: (node) => this.constants.get(node)!,
      numberAddress: (value) => this.numberAddress(value),
      weightAddress: ({ name, part }) =>
        part === 'codes' || part === 'scales'
          ? weights.quantizedAddress(stored(name))[part]
          : weights.address(stored(name), part),
      deviceOutputs: new Set(job.deviceOutputs),
    };
  }

  /**
   * Puts weights and constants on the card. Errors: Error naming an op that this backend lacks, or a weight that is not
   * in the model; CudaError where the card has too little memory.
   */
  async load(stored: ReadonlyMap<string, StoredTensor>): Promise<void> {
    // Whatever this backend lacks shows now, and not at the first run.
    const open = new Set([...this.inputShapes.values()].flat().filter((size) => typeof size === 'string'));
    const plan = lowerProgram(
      concreteProgram(this.program, new Map([...open].map((size) => [size, 1]))),
      this.options(1),
    );
    for (const { name, part } of plan.weights) {
      const tensor = stored.get(name);
      if (tensor === undefined) throw new Error(`weight '${name}' is not in the model`);
      await this.weights.load(tensor, part === 'codes' || part === 'scales' ? 'quantized' : part);
    }
    this.program.nodes.forEach(({ op, attributes }, node) => {
      if (op !== 'constant') return;
      const data: Float32Array | Int32Array = attributes.data;
      const address = this.card.memory.take(data.byteLength);
      this.constants.set(node, address);
      this.card.driver.copyToDevice(address, data, this.stream);
    });
    this.card.driver.synchronize(this.stream);
  }

  /** Columns of each of a conversation's matrices. */
  get cacheWidths(): number[] {
    return this.caches.map(({ rows }) => this.outputShape(rows)[1] as number);
  }

  /** The sizes that these inputs give. Errors: Error where an input is missing or has another shape. */
  sizesOf(inputs: ReadonlyMap<string, { shape: readonly number[] }>): Map<string, number> {
    const sizes = new Map<string, number>();
    for (const [name, shape] of this.inputShapes) {
      const given = inputs.get(name)?.shape;
      if (given === undefined) throw new Error(`the program '${this.program.name}' wants an input '${name}'`);
      const fits = shape.every((size, axis) => {
        if (typeof size === 'number') return size === given[axis];
        if (!sizes.has(size)) sizes.set(size, given[axis]!);
        return sizes.get(size) === given[axis];
      });
      if (!fits || given.length !== shape.length) {
        throw new Error(`input '${name}' of '${this.program.name}' is [${given}], and [${shape}] is wanted`);
      }
    }
    return sizes;
  }

  /** Rows that a run of these sizes adds to its conversation. */
  addedRows(sizes: ReadonlyMap<string, number>): number {
    const [first] = this.caches;
    if (first === undefined) return 0;
    const rows = this.outputShape(first.rows)[0]!;
    return typeof rows === 'number' ? rows : sizes.get(rows)!;
  }

  /** Asks the lane's stream for one run; the result reads its outputs when the stream has come past it. */
  start(
    lane: Lane,
    inputs: ReadonlyMap<string, GivenInput>,
    sizes: ReadonlyMap<string, number>,
    cache: CacheSlots | null,
  ): () => RunOutcome {
    const capacity = cache?.capacity ?? 0;
    const key = `${[...sizes].join(' ')} ${capacity}`;
    let instance = this.instances.get(key);
    if (instance === undefined) {
      if (this.instances.size >= mostInstances) {
        const [oldest, dropped] = [...this.instances][0]!;
        dropped.release();
        this.instances.delete(oldest);
      }
      instance = new Instance(lowerProgram(concreteProgram(this.program, sizes), this.options(capacity)), this.around);
    } else this.instances.delete(key);
    // The one that was used last is the last to be dropped.
    this.instances.set(key, instance);
    return instance.start(lane, inputs, cache);
  }

  release(): void {
    for (const instance of this.instances.values()) instance.release();
    for (const address of [...this.constants.values(), ...this.numbers.values()]) this.card.memory.giveBack(address);
    this.instances.clear();
    this.constants.clear();
    this.numbers.clear();
  }

  private options(cacheCapacity: number): LoweringOptions {
    return {
      deviceOutputs: this.around.deviceOutputs,
      caches: this.caches,
      cacheCapacity,
      ...this.lowering,
    };
  }

  private numberAddress(value: number): number {
    let address = this.numbers.get(value);
    if (address === undefined) {
      address = this.card.memory.take(4);
      this.card.driver.copyToDevice(address, Int32Array.of(value), this.stream);
      this.card.driver.synchronize(this.stream);
      this.numbers.set(value, address);
    }
    return address;
  }

  private outputShape(output: string): readonly (number | string)[] {
    const { node, index } = this.program.outputs[output]!;
    return this.program.nodes[node]!.outputs[index]!.shape;
  }
}
