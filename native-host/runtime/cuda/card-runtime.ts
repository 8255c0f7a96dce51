/** What the card's worker does, job by job: programs, tensors and conversations that live on the card. */
import { readFileSync } from 'node:fs';
import type { DeviceTensor } from '../device.ts';
import { CacheSlots } from './cache.ts';
import { Card } from './card.ts';
import { Driver } from './driver.ts';
import { CardExecutable } from './executable.ts';
import type { GivenInput } from './instance.ts';
import type { Job, JobResult, WorkerSettings } from './jobs.ts';
import { Lane } from './lane.ts';
import { lowerProgram } from './lower.ts';
import type { CardLowering } from './lowering-context.ts';
import { bytesOf, sizeOf } from './plan.ts';
import { concreteProgram } from './portable-graph.ts';
import { Tensors } from './tensors.ts';
import { WeightStore } from './weight-store.ts';

interface Conversation {
  slots: CacheSlots;
  /** Jobs that have yet to use it, and its owner. */
  holders: number;
}

// While answers are being given, training waits this long after each of their runs, in milliseconds, for the next one.
const answerPause = 25;
// A wait for the card blocks the worker for at most so long, in milliseconds; what trains blocks it less than what answers.
const patience = { answer: 20, training: 2 };

// Sizes are known beforehand only as far as they are the plans' own.
const spareBytes = 256 * 1024 * 1024;

type Result = Omit<JobResult, 'seconds'> & { seconds?: number };

export class CardRuntime {
  private readonly driver: Driver;
  readonly context: number;
  private readonly module: number;
  private readonly card: Card;
  private readonly lanes: { answer: Lane; training: Lane };
  /** For what is not a run. */
  private readonly stream: number;
  private readonly tensors: Tensors;
  private readonly weights: WeightStore;
  private readonly lowering: CardLowering;
  private readonly executables = new Map<number, CardExecutable>();
  private readonly conversations = new Map<number, Conversation>();
  private nextId = 1;
  private compiling = 0;
  private closed = false;

  /** Errors: CudaUnavailableError, CudaError. */
  constructor(settings: WorkerSettings) {
    this.driver = new Driver(settings.driverLibrary ?? undefined);
    const card = this.driver.cards()[settings.ordinal];
    if (card === undefined) throw new Error(`there is no card ${settings.ordinal}`);
    this.context = this.driver.createContext(settings.ordinal);
    try {
      this.module = this.driver.loadModule(readFileSync(settings.kernels));
      this.card = new Card(this.driver, this.module);
      this.stream = this.driver.createStream(false);
      this.lanes = { answer: new Lane(this.card, true), training: new Lane(this.card, false) };
      this.tensors = new Tensors(this.card, this.stream);
      this.weights = new WeightStore(this.card, this.stream, settings.weights);
      this.lowering = {
        ...{
          multiprocessors: card.multiprocessors,
          capability: card.capability,
          logitsOfSlice: settings.logitsOfSlice,
        },
        codeBits: (name, shape) => this.weights.codeBits(name, shape),
      };
    } catch (error) {
      this.driver.destroyContext(this.context);
      throw error;
    }
  }

  async perform(job: Job): Promise<Result> {
    if (this.closed) throw new Error('the cuda device was closed');
    switch (job.kind) {
      case 'compile':
        return this.compile(job);
      case 'run':
        return this.run(job);
      case 'upload':
        return { device: { tensor: this.tensors.upload(job.tensor) } };
      case 'view':
        return { device: { tensor: this.tensors.view(job.tensor, job.offset, job.shape) } };
      case 'download':
        return { host: { tensor: this.tensors.download(job.tensor) } };
      case 'releaseTensors':
        for (const id of job.tensors) this.tensors.release(id);
        return {};
      case 'releaseExecutable':
        // After the runs that were asked for before.
        for (const lane of Object.values(this.lanes)) await lane.queue(async () => {});
        this.executables.get(job.executable)?.release();
        this.executables.delete(job.executable);
        return {};
      case 'createCache': {
        const widths = this.executableOf(job.executable).cacheWidths;
        if (widths.length === 0) throw new Error('this program has no caches');
        const id = this.nextId++;
        this.conversations.set(id, { slots: new CacheSlots(this.card, widths), holders: 1 });
        return { cache: id };
      }
      case 'truncateCache': {
        const { slots } = this.conversationOf(job.cache);
        await this.lanes.answer.queue(async () => slots.truncate(job.length));
        return { cache: slots.length };
      }
      case 'releaseCache': {
        const conversation = this.conversationOf(job.cache);
        this.conversations.delete(job.cache);
        this.drop(conversation);
        return {};
      }
      case 'memory': {
        const { free, total } = this.driver.memory();
        return {
          memory: {
            free: free + this.card.memory.kept,
            total,
            used: this.card.memory.used,
            weights: this.weights.bytes,
          },
        };
      }
      case 'fits':
        return { fits: this.hasMemoryFor(job.programs) };
      case 'close':
        return this.close();
    }
  }

  private async compile(job: Extract<Job, { kind: 'compile' }>): Promise<Result> {
    const executable = new CardExecutable(this.card, job, this.weights, this.tensors, this.stream, this.lowering);
    this.compiling += 1;
    try {
      await executable.load(job.weights);
    } catch (error) {
      executable.release();
      throw error;
    } finally {
      this.compiling -= 1;
      if (this.compiling === 0) this.weights.releaseStaging();
    }
    const id = this.nextId++;
    this.executables.set(id, executable);
    return { executable: id };
  }

  private async run(job: Extract<Job, { kind: 'run' }>): Promise<Result> {
    const executable = this.executableOf(job.executable);
    const inputs = new Map<string, GivenInput>();
    const held = Object.values(job.inputs).flatMap((given) => ('tensor' in given ? [given.tensor] : []));
    const conversation = job.cache === null ? null : this.conversationOf(job.cache);
    for (const id of held) this.tensors.of(id);
    for (const [name, given] of Object.entries(job.inputs)) {
      inputs.set(name, 'tensor' in given ? this.tensors.hold(given.tensor) : given);
    }
    if (conversation !== null) conversation.holders += 1;
    const lane = this.lanes[job.priority];
    try {
      return await lane.queue(async () => {
        if (job.priority === 'training') await this.letAnswersGo();
        if (this.closed) throw new Error('the cuda device was closed');
        const sizes = executable.sizesOf(inputs);
        const added = executable.addedRows(sizes);
        if (added > 0 && conversation === null) throw new Error('a run of this program wants a cache');
        lane.begin();
        conversation?.slots.prepare(added, lane.stream);
        const finish = executable.start(lane, inputs, sizes, conversation?.slots ?? null);
        const seconds = await lane.done(patience[job.priority]);
        const { host, device } = finish();
        const kept = Object.entries(device).map(([name, { address, type, shape }]): [string, DeviceTensor] => [
          name,
          this.tensors.adopt(address, type, shape),
        ]);
        if (conversation === null) return { host, device: Object.fromEntries(kept), seconds };
        conversation.slots.length += added;
        return { host, device: Object.fromEntries(kept), cache: conversation.slots.length, seconds };
      });
    } finally {
      for (const given of inputs.values()) if ('block' in given) this.tensors.drop(given);
      if (conversation !== null) this.drop(conversation);
    }
  }

  /** Lets jobs through that came in meanwhile, and while an answer is being given, waits for its end. */
  private async letAnswersGo(): Promise<void> {
    const { answer } = this.lanes;
    await new Promise((resolve) => setImmediate(resolve));
    while (!this.closed && (answer.waiting > 0 || performance.now() - answer.endedAt < answerPause)) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  private hasMemoryFor(programs: Extract<Job, { kind: 'fits' }>['programs']): boolean {
    let scratch = 0;
    let results = 0;
    const weights = new Map<string, number>();
    for (const { program, deviceOutputs } of programs) {
      const options = { ...this.lowering, deviceOutputs: new Set(deviceOutputs), caches: [], cacheCapacity: 0 };
      const plan = lowerProgram(concreteProgram(program, new Map()), options);
      scratch = Math.max(scratch, plan.scratchBytes);
      for (const { shape, type } of plan.results.values()) results += sizeOf(shape) * bytesOf(type);
      for (const { name, part, bytes } of plan.weights)
        if (!this.weights.holds(name)) weights.set(`${name} ${part}`, bytes);
    }
    const wanted = Math.max(0, scratch - this.lanes.training.scratchBytes) + results + sum(weights.values());
    return wanted + spareBytes <= this.driver.memory().free + this.card.memory.kept;
  }

  private async close(): Promise<Result> {
    this.closed = true;
    for (const lane of Object.values(this.lanes)) await lane.queue(async () => {});
    for (const executable of this.executables.values()) executable.release();
    for (const lane of Object.values(this.lanes)) lane.close();
    this.weights.releaseStaging();
    this.driver.destroyStream(this.stream);
    this.driver.unloadModule(this.module);
    this.driver.destroyContext(this.context);
    return {};
  }

  private drop(conversation: Conversation): void {
    conversation.holders -= 1;
    if (conversation.holders === 0) conversation.slots.dispose();
  }

  private executableOf(id: number): CardExecutable {
    const executable = this.executables.get(id);
    if (executable === undefined) throw new Error('this program was released');
    return executable;
  }

  private conversationOf(id: number): Conversation {
    const conversation = this.conversations.get(id);
    if (conversation === undefined) throw new Error('this cache was released');
    return conversation;
  }
}

function sum(numbers: Iterable<number>): number {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}
