/** Tensors that stay on the card between runs, and their copies in the type that products read. */
import { narrowToBfloat16, widenBfloat16 } from '../../model/half-precision.ts';
import type { HostTensor } from '../device.ts';
import type { DeviceTensorDescription } from '../worker-device.ts';
import type { Card } from './card.ts';
import type { ElementType } from './kernel-table.ts';
import { convert as convertLaunch } from './kernels/launches/elementwise.ts';
import { bytesOf, type StoredType, sizeOf } from './plan.ts';

/** Memory that several tensors may share. */
interface Block {
  address: number;
  type: StoredType;
  elements: number;
  users: number;
  /** The same numbers in another type, made when first asked for. */
  twin: { address: number; type: ElementType } | null;
}

export interface CardTensor {
  block: Block;
  /** In elements from the block's start. */
  offset: number;
  shape: readonly number[];
  /** Jobs that have yet to use it, and its owner. */
  holders: number;
  /** A copy of its own, where its place in the block's twin is not one that products can read from. */
  copy: { address: number; type: ElementType } | null;
}

// Products read rows in pieces of so many bytes.
const pieceBytes = 16;

export class Tensors {
  private readonly byId = new Map<number, CardTensor>();
  private nextId = 1;

  constructor(
    private readonly card: Card,
    private readonly stream: number,
  ) {}

  upload({ dtype, shape, data }: HostTensor): DeviceTensorDescription {
    const address = this.card.memory.take(data.byteLength);
    this.card.driver.copyToDevice(address, data, this.stream);
    this.card.driver.synchronize(this.stream);
    return this.adopt(address, dtype, shape);
  }

  /** A tensor over memory that was taken for it. */
  adopt(address: number, type: StoredType, shape: readonly number[]): DeviceTensorDescription {
    const block: Block = { address, type, elements: sizeOf(shape), users: 0, twin: null };
    return this.add(block, 0, shape);
  }

  /** Shares the memory. Errors: RangeError where the part lies outside. */
  view(id: number, offset: number, shape: readonly number[]): DeviceTensorDescription {
    const tensor = this.of(id);
    if (offset < 0 || offset + sizeOf(shape) > sizeOf(tensor.shape))
      throw new RangeError('the view lies outside the tensor');
    return this.add(tensor.block, tensor.offset + offset, shape);
  }

  download(id: number): HostTensor {
    const { block, offset, shape } = this.of(id);
    return readTensor(this.card, this.stream, block.type, block.address + offset * bytesOf(block.type), shape);
  }

  /** The tensor, or an Error where it was released. */
  of(id: number): CardTensor {
    const tensor = this.byId.get(id);
    if (tensor === undefined) throw new Error('this device tensor was released');
    return tensor;
  }

  /** Keeps the tensor's memory until drop, whatever its owner does. */
  hold(id: number): CardTensor {
    const tensor = this.of(id);
    tensor.holders += 1;
    return tensor;
  }

  release(id: number): void {
    const tensor = this.byId.get(id);
    if (tensor === undefined) return;
    this.byId.delete(id);
    this.drop(tensor);
  }

  drop(tensor: CardTensor): void {
    tensor.holders -= 1;
    if (tensor.holders > 0) return;
    const { block, copy } = tensor;
    if (copy !== null) this.card.memory.giveBack(copy.address);
    block.users -= 1;
    if (block.users > 0) return;
    this.card.memory.giveBack(block.address);
    if (block.twin !== null) this.card.memory.giveBack(block.twin.address);
  }

  /** Where the tensor lies in the wanted type. */
  addressAs(tensor: CardTensor, type: StoredType): number {
    const { block, offset } = tensor;
    if (block.type === type) return block.address + offset * bytesOf(type);
    if (block.type === 'int32' || type === 'int32') throw new Error('whole numbers are wanted where there are none');
    if ((offset * bytesOf(type)) % pieceBytes !== 0) {
      tensor.copy ??= this.converted(block, offset, sizeOf(tensor.shape), type);
      return tensor.copy.address;
    }
    block.twin ??= this.converted(block, 0, block.elements, type);
    return block.twin.address + offset * bytesOf(type);
  }

  private converted({ address, type }: Block, offset: number, count: number, to: ElementType) {
    const made = this.card.memory.take(count * bytesOf(to));
    convert(this.card, address + offset * bytesOf(type), type as ElementType, made, to, count, this.stream);
    this.card.driver.synchronize(this.stream);
    return { address: made, type: to };
  }

  private add(block: Block, offset: number, shape: readonly number[]): DeviceTensorDescription {
    const id = this.nextId++;
    block.users += 1;
    this.byId.set(id, { block, offset, shape, holders: 1, copy: null });
    return { id, dtype: block.type === 'int32' ? 'int32' : 'float32', shape };
  }
}

/** Reads memory of the card as the host's numbers. */
export function readTensor(
  card: Card,
  stream: number,
  type: StoredType,
  address: number,
  shape: readonly number[],
): HostTensor {
  const size = sizeOf(shape);
  if (type === 'bfloat16') {
    const halves = new Uint16Array(size);
    card.driver.copyToHost(halves, address, stream);
    const data = new Float32Array(size);
    widenBfloat16(halves, data);
    return { dtype: 'float32', shape, data };
  }
  if (type === 'float16') throw new Error('no output is stored in this type');
  const data = type === 'int32' ? new Int32Array(size) : new Float32Array(size);
  card.driver.copyToHost(data, address, stream);
  return { dtype: type, shape, data };
}

/** The host's numbers as the card stores them. */
export function encodeAs(data: Float32Array | Int32Array, type: StoredType): ArrayBufferView {
  if (data instanceof Int32Array !== (type === 'int32')) {
    throw new TypeError(`an input is ${data instanceof Int32Array ? 'int32' : 'float32'}, and the other is wanted`);
  }
  return type === 'bfloat16' ? narrowToBfloat16(data as Float32Array) : data;
}

/** Elements in another type. */
export function convert(
  card: Card,
  source: number,
  sourceType: ElementType,
  target: number,
  targetType: ElementType,
  count: number,
  stream: number,
): void {
  const converting = convertLaunch({ at: source, type: sourceType }, { at: target, type: targetType }, count);
  card.launch(converting, (address) => address, stream);
}
