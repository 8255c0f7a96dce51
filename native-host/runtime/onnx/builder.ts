import {
  type ElementType,
  elementType,
  type OnnxAttribute,
  type OnnxInitializer,
  type OnnxModel,
  type OnnxNode,
  type OnnxValueInfo,
} from './proto.ts';

/** Bytes of a file in the folder of the weights. */
export interface ExternalPlace {
  location: string;
  byteOffset: number;
  byteLength: number;
}

export type AttributeValues = Record<string, number | readonly number[] | { float: number } | string>;

/** Collects ONNX nodes. Equal nodes over equal inputs are made once. */
export class OnnxBuilder {
  private readonly nodes: OnnxNode[] = [];
  private readonly initializers: OnnxInitializer[] = [];
  private readonly known = new Map<string, string[]>();
  private readonly outputNames = new Map<string, string>();
  private nextName = 0;

  /** Adds a node with `count` outputs and returns their names. An empty input name leaves an optional input out. */
  many(
    opType: string,
    inputs: readonly string[],
    count: number,
    attributes: AttributeValues = {},
    domain = '',
  ): string[] {
    const key = JSON.stringify([domain, opType, inputs, attributes, count]);
    const before = this.known.get(key);
    if (before !== undefined) return before;
    const outputs = Array.from({ length: count }, () => `v${this.nextName++}`);
    const encoded: Record<string, OnnxAttribute> = {};
    for (const [name, value] of Object.entries(attributes)) {
      if (typeof value === 'number') encoded[name] = { int: value };
      else if (typeof value === 'string') encoded[name] = { string: value };
      else if ('float' in value) encoded[name] = value;
      else encoded[name] = { ints: value };
    }
    this.nodes.push({ opType, domain, inputs: [...inputs], outputs, attributes: encoded });
    this.known.set(key, outputs);
    return outputs;
  }

  one(opType: string, inputs: readonly string[], attributes: AttributeValues = {}, domain = ''): string {
    return this.many(opType, inputs, 1, attributes, domain)[0]!;
  }

  /** factor · left · right on the last two axes, either transposed first. */
  product(left: string, right: string, transposeLeft = false, transposeRight = false, factor = 1): string {
    if (!transposeLeft && !transposeRight && factor === 1) return this.one('MatMul', [left, right]);
    const attributes = { transA: Number(transposeLeft), transB: Number(transposeRight), alpha: { float: factor } };
    return this.one('FusedMatMul', [left, right], attributes, 'com.microsoft');
  }

  reshape(x: string, shape: readonly number[]): string {
    return this.one('Reshape', [x, this.int64(shape)]);
  }

  transpose(x: string, permutation: readonly number[]): string {
    return this.one('Transpose', [x], { perm: permutation });
  }

  /** Reduces over the last axis and keeps it with size 1. */
  reduceLast(opType: 'ReduceSum' | 'ReduceMean' | 'ReduceMax', x: string): string {
    return this.one(opType, [x, this.int64([-1])], { keepdims: 1 });
  }

  cast(x: string, to: ElementType): string {
    return this.one('Cast', [x], { to: elementType[to] });
  }

  /**
   * `value` as it is, but not there before the others are. onnxruntime knows no order but that of values, so zero times
   * an element of each of the others is added.
   */
  after(value: string, others: readonly string[]): string {
    const first = others.map((other) => {
      const flat = this.reshape(other, [-1]);
      return this.one('Slice', [flat, this.int64([0]), this.int64([1]), this.int64([0])]);
    });
    const sum = first.reduce((left, right) => this.one('Add', [left, right]));
    return this.one('Add', [value, this.one('Mul', [sum, this.float(0)])]);
  }

  float(value: number): string {
    return this.constant('float32', [], new Uint8Array(Float32Array.of(value).buffer));
  }

  int64(values: readonly number[], shape: readonly number[] = [values.length]): string {
    return this.constant('int64', shape, new Uint8Array(BigInt64Array.from(values.map(BigInt)).buffer));
  }

  /** Equal constants of up to 256 bytes are made once. */
  constant(dtype: ElementType, shape: readonly number[], data: Uint8Array): string {
    const make = () => {
      const name = `c${this.nextName++}`;
      this.initializers.push({ name, dtype, shape, data });
      return name;
    };
    if (data.byteLength > 256) return make();
    return this.once(`constant ${dtype} ${shape} ${Buffer.from(data).toString('hex')}`, make);
  }

  /** What `make` gave when it was first called with this key. */
  once(key: string, make: () => string): string {
    const before = this.known.get(key)?.[0];
    if (before !== undefined) return before;
    const name = make();
    this.known.set(key, [name]);
    return name;
  }

  /** A weight that lies in a file; once, however often it is asked for. */
  externalWeight(name: string, dtype: ElementType, shape: readonly number[], place: ExternalPlace): string {
    return this.once(`external ${name}`, () => {
      this.initializers.push({ name, dtype, shape, data: place });
      return name;
    });
  }

  /** Gives a value the name of an output. What no node computes, and what is an output already, is copied. */
  nameOutput(value: string, output: string): void {
    const isComputed = this.nodes.some(({ outputs }) => outputs.includes(value));
    if (isComputed && !this.outputNames.has(value)) this.outputNames.set(value, output);
    else this.nodes.push({ opType: 'Identity', domain: '', inputs: [value], outputs: [output], attributes: {} });
  }

  /** The nodes and constants that the outputs depend on. */
  model(name: string, inputs: OnnxValueInfo[], outputs: OnnxValueInfo[]): OnnxModel {
    const needed = new Set(outputs.map((output) => output.name));
    const named = (names: readonly string[]) => names.map((value) => this.outputNames.get(value) ?? value);
    const all = this.nodes.map((node) => ({ ...node, inputs: named(node.inputs), outputs: named(node.outputs) }));
    const nodes = all.reverse().filter((node) => {
      if (!node.outputs.some((output) => needed.has(output))) return false;
      for (const input of node.inputs) needed.add(input);
      return true;
    });
    const initializers = this.initializers.filter((initializer) => needed.has(initializer.name));
    return { name, nodes: nodes.reverse(), initializers, inputs, outputs };
  }
}
