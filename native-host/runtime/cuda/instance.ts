/** A plan with the memory that is its own: for inputs that come from the host, and outputs that go there. */
import type { HostTensor } from '../device.ts';
import type { CacheSlots } from './cache.ts';
import type { Card } from './card.ts';
import type { Lane } from './lane.ts';
import { type Area, type BufferPlace, bytesOf, type Plan, type StoredType, sizeOf } from './plan.ts';
import { type CardTensor, encodeAs, readTensor, type Tensors } from './tensors.ts';

export type GivenInput = HostTensor | CardTensor;

/** Memory taken for an output that stays on the card. */
export interface DeviceOutput {
  address: number;
  type: StoredType;
  shape: readonly number[];
}

export interface RunOutcome {
  host: Record<string, HostTensor>;
  device: Record<string, DeviceOutput>;
}

/** What a plan has in common with others. */
export interface Surroundings {
  card: Card;
  tensors: Tensors;
  constantAddress(node: number): number;
  /** An int32 of this value. */
  numberAddress(value: number): number;
  weightAddress(place: Extract<BufferPlace, { kind: 'weight' }>): number;
  deviceOutputs: ReadonlySet<string>;
}

// Trained state moves between a handful of places from step to step.
const mostGraphs = 12;

export class Instance {
  private readonly feeds = new Map<string, { address: number; bytes: number }>();
  private readonly hostResults = new Map<string, number>();
  /** By all addresses that may differ at another run; null: met once, and captured when it is met again. */
  private readonly graphs = new Map<string, number | null>();

  constructor(
    readonly plan: Plan,
    private readonly around: Surroundings,
  ) {
    for (const [name, { type, shape }] of plan.results) {
      if (!around.deviceOutputs.has(name)) this.hostResults.set(name, around.card.memory.take(bytesFor(type, shape)));
    }
  }

  /** Asks the lane's stream for one run; the result reads its outputs when the stream has come past it. */
  start(lane: Lane, inputs: ReadonlyMap<string, GivenInput>, cache: CacheSlots | null): () => RunOutcome {
    const { memory } = this.around.card;
    const scratch = lane.scratch(this.plan.scratchBytes);
    const device: Record<string, DeviceOutput> = {};
    try {
      for (const [name, { type, shape }] of this.plan.results) {
        if (this.hostResults.has(name)) continue;
        device[name] = { address: memory.take(bytesFor(type, shape)), type, shape };
      }
      const placed = this.plan.inputs.map(({ name, type }) =>
        this.placeInput(inputs.get(name)!, name, type, lane.stream),
      );
      const inputAddress = new Map(this.plan.inputs.map(({ name, type }, i) => [`${name} ${type}`, placed[i]!]));
      const baseOf = (place: BufferPlace): number => {
        if (place.kind === 'input') return inputAddress.get(`${place.name} ${place.type}`)!;
        if (place.kind === 'result') return device[place.name]?.address ?? this.hostResults.get(place.name)!;
        if (place.kind === 'weight') return this.around.weightAddress(place);
        if (place.kind === 'constant') return this.around.constantAddress(place.node);
        if (place.kind === 'number') return this.around.numberAddress(place.value);
        if (place.kind === 'past') return cache!.past;
        return place.kind === 'cache' ? cache!.slots[place.slot]! : scratch;
      };
      const addressOf = ({ buffer, byteOffset }: Area) =>
        baseOf(buffer.place) + (this.plan.offsets.get(buffer) ?? 0) + byteOffset;
      const moving = [scratch, ...placed, ...Object.values(device).map(({ address }) => address)];
      this.perform(addressOf, [...moving, ...(cache?.slots ?? [])].join(' '), lane.stream);
    } catch (error) {
      for (const { address } of Object.values(device)) memory.giveBack(address);
      throw error;
    }
    return () => ({ host: this.readHostResults(lane.stream), device });
  }

  release(): void {
    const { memory, driver } = this.around.card;
    for (const { address } of this.feeds.values()) memory.giveBack(address);
    for (const address of this.hostResults.values()) memory.giveBack(address);
    for (const graph of this.graphs.values()) if (graph !== null) driver.destroyGraph(graph);
  }

  private perform(addressOf: (area: Area) => number, key: string, stream: number): void {
    const { card } = this.around;
    const graph = this.graphs.get(key);
    if (graph === undefined) {
      if (this.graphs.size >= mostGraphs) this.forgetOldestGraph();
      this.graphs.set(key, null);
      card.perform(this.plan.steps, addressOf, stream);
      return;
    }
    const captured = graph ?? card.driver.capture(stream, () => card.perform(this.plan.steps, addressOf, stream));
    // The one that was used last is the last to be forgotten.
    this.graphs.delete(key);
    this.graphs.set(key, captured);
    card.driver.launchGraph(captured, stream);
  }

  private forgetOldestGraph(): void {
    const [key, graph] = [...this.graphs][0]!;
    if (graph !== null) this.around.card.driver.destroyGraph(graph);
    this.graphs.delete(key);
  }

  private placeInput(given: GivenInput, name: string, type: StoredType, stream: number): number {
    const { card, tensors } = this.around;
    if ('block' in given) return tensors.addressAs(given, type);
    const encoded = encodeAs(given.data, type);
    const key = `${name} ${type}`;
    let feed = this.feeds.get(key);
    if (feed === undefined) {
      feed = { address: card.memory.take(encoded.byteLength), bytes: encoded.byteLength };
      this.feeds.set(key, feed);
    }
    card.driver.copyToDevice(feed.address, encoded, stream);
    return feed.address;
  }

  private readHostResults(stream: number): Record<string, HostTensor> {
    const host: Record<string, HostTensor> = {};
    for (const [name, address] of this.hostResults) {
      const { type, shape } = this.plan.results.get(name)!;
      host[name] = readTensor(this.around.card, stream, type, address, shape);
    }
    return host;
  }
}

function bytesFor(type: StoredType, shape: readonly number[]): number {
  return sizeOf(shape) * bytesOf(type);
}
