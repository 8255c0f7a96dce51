/** From a graph to an ONNX model: a table from op to the ONNX nodes it becomes. */
import path from 'node:path';
import { elementCount, type Node, nodesInOrder, type Value } from '../../graph/value.ts';
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

/**
 * Lowers a program. `fullCaches` makes the named outputs the whole concatenated cache rather than the new rows.
 * Errors: Error naming an op that this backend lacks, a weight that has no file, or weights in more than one folder.
 */
export function lowerProgram(
  program: Program,
  weights: ReadonlyMap<string, StoredTensor>,
  fullCaches: ReadonlyMap<string, string> = new Map(),
): LoweredProgram {
  const builder = new OnnxBuilder();
  const names = new Map<Value, string>();
  const nameOf = (value: Value) => names.get(value)!;
  const saved: LoweringContext['saved'] = new Map();
  const inputs: OnnxValueInfo[] = [];
  const folders = new Set<string>();
  const order = nodesInOrder(Object.values(program.outputs));
  const gradientOf = new Map<Node, Node>();
  for (const node of order) if (node.attributes.forward) gradientOf.set(node.attributes.forward, node);

  for (const node of order) {
    const { name, shape, dtype, data } = node.attributes;
    const output = node.outputs[0]!;
    if (node.op.name === 'input') {
      inputs.push({ name, dtype, shape });
      names.set(output, name);
    } else if (node.op.name === 'weight') {
      folders.add(addWeight(builder, name, shape, weights.get(name)));
      names.set(output, name);
    } else if (node.op.name === 'constant') {
      names.set(output, builder.constant(dtype, shape, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)));
    } else {
      const lowering = lowerings[node.op.name];
      if (lowering === undefined) throw new Error(`the onnx backend has no op '${node.op.name}'`);
      const outputNames = lowering({
        builder,
        inputs: node.inputs.map(nameOf),
        node,
        nameOf,
        saved,
        gradientOf,
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
  builder.externalWeight(name, shape, path.basename(stored.file), stored.byteOffset, stored.byteLength);
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
