/** What lowerings share: where values are stored and in which type, and what is put off until it is read. */
import type { Node, Value } from '../../graph/value.ts';
import { affine, convert } from './kernels/launches/elementwise.ts';
import type { Matrix, Stored as Numbers } from './kernels/launches/places.ts';
import { type Codes, codeBytes, dequantize, scaleCount } from './kernels/launches/weights.ts';
import {
  type Area,
  type BufferPlace,
  bytesOf,
  type Plan,
  PlanBuilder,
  part,
  type Stored,
  type StoredType,
  sizeOf,
} from './plan.ts';
import type { ConcreteProgram } from './portable-graph.ts';

/** What a card's plans have in common. */
export interface CardLowering {
  /** Processors of the card, and its compute capability times ten. */
  multiprocessors: number;
  capability: number;
  /** How many logits a loss computes at once. */
  logitsOfSlice: number;
  /** Bits of the codes that a frozen matrix is kept as; null: it is kept as bfloat16. */
  codeBits: (name: string, shape: readonly number[]) => 4 | 8 | null;
}

export interface LoweringOptions extends CardLowering {
  deviceOutputs: ReadonlySet<string>;
  caches: readonly { past: string; rows: string }[];
  /** Rows that a conversation's matrices have room for. */
  cacheCapacity: number;
}

export type Lowering = (context: LoweringContext, node: Node) => void;

// Products read matrices in pieces of so many bytes.
const pieceBytes = 16;
/** Ops that only name memory: nothing of theirs can be written into a place of the reader's choice. */
const named = new Set(['input', 'weight', 'constant', 'unflatten']);
/** Ops that make each element from the same element of their inputs: what they read is as exact as what they give. */
const elementwise = new Set(['add', 'multiply', 'affine', 'scaleBy', 'sigmoid']);

export class LoweringContext {
  readonly builder = new PlanBuilder();
  private readonly stored = new Map<Value, Stored>();
  private readonly scaled = new Map<Value, Stored>();
  private readonly postponed = new Map<Value, () => Stored>();
  private readonly targets = new Map<Value, Stored>();
  private readonly readers = new Map<Value, Node[]>();
  private readonly outputNames = new Map<Value, string[]>();
  private readonly exact = new Map<Value, boolean>();
  private readonly done = new Set<Node>();
  /** What a node's lowering kept for that of its gradient, by the forward node. */
  readonly saved = new Map<Node, Record<string, Stored>>();
  /** Gradient nodes by the forward node that they belong to. */
  readonly gradientOf = new Map<Node, Node>();

  constructor(
    program: ConcreteProgram,
    readonly options: LoweringOptions,
  ) {
    const cacheRows = new Set(options.caches.map(({ rows }) => rows));
    for (const node of program.nodes) {
      if (node.attributes.forward) this.gradientOf.set(node.attributes.forward, node);
      // The nodes are in order already; what only has to come before is not read.
      const read = node.op.name === 'after' ? node.inputs.slice(0, 1) : node.inputs;
      for (const value of read) this.readers.set(value, [...(this.readers.get(value) ?? []), node]);
    }
    for (const [name, value] of Object.entries(program.outputs)) {
      if (!cacheRows.has(name)) this.outputNames.set(value, [...(this.outputNames.get(value) ?? []), name]);
    }
    for (const [value, [name]] of this.outputNames) {
      if (!named.has(value.node.op.name)) this.targets.set(value, this.result(value, name!));
    }
    for (const node of program.nodes) if (node.op.name === 'flatten') this.placeParts(node);
  }

  isDone(node: Node): boolean {
    return this.done.has(node);
  }

  /** Another node's lowering has made what this one would. */
  markDone(...nodes: readonly Node[]): void {
    for (const node of nodes) this.done.add(node);
  }

  readersOf(value: Value): readonly Node[] {
    return this.readers.get(value) ?? [];
  }

  /** The node that alone reads the value; null where others do, or where the value has a place of its own. */
  onlyReader(value: Value): Node | null {
    const readers = this.readersOf(value);
    return readers.length === 1 && !this.targets.has(value) ? readers[0]! : null;
  }

  /** The value's memory, in the wanted type or, without one, as it is stored. */
  read(value: Value, type?: StoredType): Stored {
    const { op, attributes, inputs } = value.node;
    const shape = shapeOf(value);
    switch (op.name) {
      case 'input':
        return this.shared(
          { kind: 'input', name: attributes.name, type: type ?? value.dtype },
          type ?? value.dtype,
          shape,
        );
      case 'constant':
        return this.inType(this.shared({ kind: 'constant', node: value.node.id }, value.dtype, shape), type);
      case 'weight':
        return this.inType(this.readWeight(value), type);
      case 'unflatten': {
        const before = value.node.outputs
          .slice(0, value.index)
          .reduce((sum, output) => sum + sizeOf(shapeOf(output)), 0);
        // Rounded with the whole vector, unless a product could not read it where it would lie.
        const fits = type !== 'bfloat16' || (before * bytesOf(type)) % pieceBytes === 0;
        return this.inType(part(this.read(inputs[0]!, fits ? type : undefined), before, shape), type);
      }
    }
    let known = this.stored.get(value);
    if (known === undefined) {
      const make = this.postponed.get(value);
      if (make === undefined) throw new Error(`'${op.name}' is read before it is computed`);
      known = make();
      this.stored.set(value, known);
    }
    return this.inType(known, type);
  }

  /** As read, but of a value that is stored with a factor, what is stored. */
  readScaled(value: Value, type: StoredType): Stored {
    const scaled = this.scaled.get(value);
    return scaled === undefined ? this.read(value, type) : this.inType(scaled, type);
  }

  /** The value, times `scale`, is what is stored there. */
  setScaled(value: Value, stored: Stored, scale: number): void {
    this.scaled.set(value, stored);
    this.postpone(value, () => {
      const plain = this.builder.scratch(stored.type, stored.shape);
      this.builder.launch(affine(numbers(stored), numbers(plain), 1 / scale, 0, sizeOf(stored.shape)));
      return plain;
    });
  }

  /** Whether the value is written into an output or a flat vector. */
  hasPlace(value: Value): boolean {
    return this.targets.has(value);
  }

  /** Memory for a value that is computed now; `type` where only that one can be written. */
  write(value: Value, type?: StoredType): Stored {
    const target = this.targets.get(value);
    const fits = target !== undefined && (type === undefined || target.type === type);
    const stored = fits ? target : this.builder.scratch(type ?? this.typeOf(value), shapeOf(value));
    this.stored.set(value, stored);
    return stored;
  }

  /** The value is what is stored there. */
  set(value: Value, stored: Stored): void {
    this.stored.set(value, stored);
  }

  /** The value is computed when it is first read: not at all where every reader takes in what it is made of. */
  postpone(value: Value, make: () => Stored): void {
    if (this.targets.has(value)) this.stored.set(value, make());
    else this.postponed.set(value, make);
  }

  /** How the value is stored if it is written: matrices as bfloat16, unless they are summed up or given out. */
  typeOf(value: Value): StoredType {
    return (
      this.targets.get(value)?.type ??
      (value.dtype === 'int32' ? 'int32' : this.isExact(value) ? 'float32' : 'bfloat16')
    );
  }

  /** Puts what is stored somewhere else, in the type that is wanted there. */
  move(target: Stored, source: Stored): void {
    if (target.area.buffer === source.area.buffer && target.area.byteOffset === source.area.byteOffset) return;
    if (target.type === source.type) this.builder.copy(target, source);
    else this.convert(target, source);
  }

  finish(): Plan {
    const results = new Map<string, Stored>();
    for (const [value, names] of this.outputNames) {
      for (const name of names) {
        const result = this.result(value, name);
        this.move(result, this.read(value));
        results.set(name, result);
      }
    }
    return this.builder.finish(results);
  }

  /** The codes and scales of a frozen matrix, or null where it is kept as numbers. */
  codesOf({ node }: Value): Codes<Area> | null {
    if (node.op.name !== 'weight') return null;
    const { name, shape } = node.attributes;
    const bits = this.options.codeBits(name, shape);
    if (bits === null) return null;
    const [rows, columns] = shape as [number, number];
    const areaOf = (part: 'codes' | 'scales', bytes: number): Area => ({
      buffer: this.builder.shared({ kind: 'weight', name, part }, bytes),
      byteOffset: 0,
    });
    const scales = scaleCount(rows, columns) * bytesOf('bfloat16');
    return { bits, codes: areaOf('codes', codeBytes(bits, rows, columns)), scales: areaOf('scales', scales) };
  }

  /** A place that is not scratch, as a matrix. */
  shared(place: BufferPlace, type: StoredType, shape: readonly number[]): Stored {
    const buffer = this.builder.shared(place, sizeOf(shape) * bytesOf(type));
    return { area: { buffer, byteOffset: 0 }, type, shape };
  }

  private readWeight(value: Value): Stored {
    const shape = shapeOf(value);
    const codes = this.codesOf(value);
    if (codes === null) {
      const kept = shape.length === 1 ? 'float32' : 'bfloat16';
      return this.shared({ kind: 'weight', name: value.node.attributes.name, part: kept }, kept, shape);
    }
    const stored: Stored = { area: codes.codes, type: 'bfloat16', shape };
    return this.builder.once(stored, 'as numbers', () => {
      const plain = this.builder.scratch('bfloat16', shape);
      this.builder.launch(dequantize(codes, numbers(plain), shape[0]!, shape[1]!));
      return plain;
    });
  }

  /** What is stored, in another type. */
  inType(stored: Stored, type: StoredType | undefined): Stored {
    if (type === undefined || stored.type === type) return stored;
    return this.builder.once(stored, type, () => {
      const converted = this.builder.scratch(type, stored.shape);
      this.convert(converted, stored);
      return converted;
    });
  }

  private convert(target: Stored, source: Stored): void {
    this.builder.launch(convert(numbers(source), numbers(target), sizeOf(source.shape)));
  }

  private result(value: Value, name: string): Stored {
    const shape = shapeOf(value);
    const rounded = this.options.deviceOutputs.has(name) && shape.length > 1;
    const type = value.dtype === 'int32' ? 'int32' : rounded ? 'bfloat16' : 'float32';
    return this.shared({ kind: 'result', name }, type, shape);
  }

  /** What goes into a flat vector is written there at once. */
  private placeParts(node: Node): void {
    const flat = this.write(node.outputs[0]!, 'float32');
    let start = 0;
    for (const value of node.inputs) {
      const shape = shapeOf(value);
      if (!named.has(value.node.op.name) && !this.targets.has(value)) this.targets.set(value, part(flat, start, shape));
      start += sizeOf(shape);
    }
  }

  private isExact(value: Value): boolean {
    let known = this.exact.get(value);
    if (known === undefined) {
      const readExactly = ({ op, outputs }: Node) => elementwise.has(op.name) && this.typeOf(outputs[0]!) === 'float32';
      known = value.shape.length < 2 || this.readersOf(value).some(readExactly);
      this.exact.set(value, known);
    }
    return known;
  }
}

export function shapeOf(value: Value): number[] {
  return value.shape.map((size) => {
    if (typeof size === 'string') throw new Error(`'${value.node.op.name}' has a size '${size}' that is not known`);
    return size;
  });
}

/** As launches take what is stored. */
export function numbers({ area, type }: Stored): Numbers<Area> {
  if (type === 'int32') throw new Error('numbers with a fraction are wanted where there are whole ones');
  return { at: area, type };
}

/** As launches take a matrix whose rows follow one another. */
export function matrix(stored: Stored): Matrix<Area> {
  return { ...numbers(stored), stride: stored.shape.at(-1)! };
}
