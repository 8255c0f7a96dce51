/** From a graph to an ONNX model: a table from op to the ONNX nodes it becomes. */
import path from 'node:path';
import { elementCount, type Node, nodesInOrder, type Value } from '../../graph/value.ts';
import type { CodedTensor, FrozenWeights } from '../../model/coded-weights.ts';
import type { StoredTensor } from '../../model/safetensors.ts';
import type { Program } from '../device.ts';
import { OnnxBuilder } from './builder.ts';
import { attentionLowerings } from './lower-attention.ts';
import { causalAttentionLowerings } from './lower-causal-attention.ts';
import { lossLowerings } from './lower-loss.ts';
import { mathLowerings } from './lower-math.ts';
import { productLowerings } from './lower-product.ts';
import type { OnnxModel, OnnxValueInfo } from './proto.ts';

export interface LoweringContext {
  builder: OnnxBuilder;
  /** The ONNX names of a node's inputs. */
  inputs: string[];
  node: Node;
  /** The ONNX name of a value that was lowered before. */
  nameOf: (value: Value) => string;
  /** What a node's lowering kept for the lowering of its gradient, by the forward node. */
  saved: Map<Node, Record<string, string>>;
  /** Gradient nodes by the forward node that they belong to. */
  gradientOf: Map<Node, Node>;
  /** Products with these values read codes. */
  coded: Map<Value, CodedTensor>;
  /** The program generates: each row's product reads all codes again, and may round what it multiplies them with. */
  generates: boolean;
  /** The device runs nodes whose sizes depend on values, without copies from where the others run. */
  dynamicRows: boolean;
}

/** Emits the node and returns the ONNX names of its outputs. */
export type Lowering = (context: LoweringContext) => string[];

const lowerings: Record<string, Lowering> = {
  ...mathLowerings,
  ...productLowerings,
  ...attentionLowerings,
  ...causalAttentionLowerings,
  ...lossLowerings,
};

export interface LoweredProgram {
  model: OnnxModel;
  /** The folder that all external weights lie in; null where there are none. */
  weightsFolder: string | null;
}

export interface LoweringOptions {
  /** Named outputs become the whole concatenated cache of the named input rather than the new rows. */
  fullCaches?: ReadonlyMap<string, string>;
  generates?: boolean;
  dynamicRows?: boolean;
}

/**
 * Lowers a program. Errors: Error naming an op that this backend lacks or that cannot read codes, a weight that has no
 * file, or weights in more than one folder.
 */
export function lowerProgram(
  program: Program,
  { weights, coded = new Map() }: FrozenWeights,
  { fullCaches = new Map(), generates = false, dynamicRows = false }: LoweringOptions = {},
): LoweredProgram {
  const builder = new OnnxBuilder();
  const names = new Map<Value, string>();
  const nameOf = (value: Value) => names.get(value)!;
  const saved: LoweringContext['saved'] = new Map();
  const inputs: OnnxValueInfo[] = [];
  const folders = new Set<string>();
  const order = nodesInOrder(Object.values(program.outputs));
  const gradientOf = new Map<Node, Node>();
  const inCodes: LoweringContext['coded'] = new Map();
  const inCodesOnly = new Set<Value>();
  for (const node of order) if (node.attributes.forward) gradientOf.set(node.attributes.forward, node);

  for (const node of order) {
    const { name, shape, dtype, data } = node.attributes;
    const output = node.outputs[0]!;
    if (node.op.name === 'input') {
      inputs.push({ name, dtype, shape });
      names.set(output, name);
    } else if (node.op.name === 'weight') {
      const codes = coded.get(name);
      const isCoded = codes !== undefined && (generates || !weights.has(name));
      if (isCoded) {
        folders.add(path.dirname(codes.file));
        inCodes.set(output, codes);
      }
      if (isCoded && !weights.has(name)) inCodesOnly.add(output);
      else folders.add(addWeight(builder, name, shape, weights.get(name)));
      names.set(output, name);
    } else if (node.op.name === 'constant') {
      names.set(output, builder.constant(dtype, shape, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)));
    } else {
      const lowering = lowerings[node.op.name];
      if (lowering === undefined) throw new Error(`the onnx backend has no op '${node.op.name}'`);
      if (node.op.name !== 'matmul' && node.inputs.some((value) => inCodesOnly.has(value))) {
        throw new Error(`'${node.op.name}' cannot read frozen weights in codes: use float32 weights`);
      }
      const outputNames = lowering({
        builder,
        inputs: node.inputs.map(nameOf),
        node,
        nameOf,
        saved,
        gradientOf,
        coded: inCodes,
        generates,
        dynamicRows,
      });
      node.outputs.forEach((value, i) => {
        names.set(value, outputNames[i]!);
      });
    }
  }
  if (folders.size > 1) throw new Error(`weights must lie in one folder, and lie in ${[...folders].join(' and ')}`);

  const outputs = Object.entries(program.outputs).map(([name, value]): OnnxValueInfo => {
    const pastName = fullCaches.get(name);
    const source = pastName === undefined ? names.get(value)! : cacheOf(order, names, saved, pastName);
    builder.nameOutput(source, name);
    return { name, dtype: value.dtype, shape: pastName === undefined ? value.shape : ['total', value.shape[1]!] };
  });
  return { model: builder.model(program.name, inputs, outputs), weightsFolder: [...folders][0] ?? null };
}

function addWeight(
  builder: OnnxBuilder,
  name: string,
  shape: readonly number[],
  stored: StoredTensor | undefined,
): string {
  if (stored === undefined) throw new Error(`weight '${name}' is not in the model`);
  if (stored.dtype !== 'F32' || elementCount(stored.shape) !== elementCount(shape)) {
    throw new Error(`weight '${name}' is ${stored.dtype} [${stored.shape}], and F32 [${shape}] is wanted`);
  }
  const { byteOffset, byteLength } = stored;
  builder.externalWeight(name, 'float32', shape, { location: path.basename(stored.file), byteOffset, byteLength });
  return path.dirname(stored.file);
}

/** The name of the concatenated cache that an attention made of a past input. */
function cacheOf(
  order: readonly Node[],
  names: ReadonlyMap<Value, string>,
  saved: LoweringContext['saved'],
  pastName: string,
): string {
  for (const node of order) {
    if (node.op.name !== 'cachedAttention') continue;
    if (names.get(node.inputs[3]!) === pastName) return saved.get(node)!.keys!;
    if (names.get(node.inputs[4]!) === pastName) return saved.get(node)!.values!;
  }
  throw new Error(`no attention reads the cache '${pastName}'`);
}
