import { deltaName } from './adapter-graph.ts';
import { type AdapterKind, type AdapterLayout, layOut } from './adapter-layout.ts';
import { expectedTensors, type ModelConfig } from './config.ts';
import { normalNumbers } from './random.ts';

export interface AdapterSettings {
  kind: AdapterKind;
  /** LoRA only. */
  rank: number;
  alpha: number;
}

/** The linear layers that adapters act on, with their shapes [out, in]. */
export function linearModules(config: ModelConfig): { name: string; shape: [number, number] }[] {
  const query = config.numAttentionHeads * config.headDim;
  const key = config.numKeyValueHeads * config.headDim;
  const { hiddenSize, intermediateSize } = config;
  return [
    { name: 'q_proj', shape: [query, hiddenSize] },
    { name: 'k_proj', shape: [key, hiddenSize] },
    { name: 'v_proj', shape: [key, hiddenSize] },
    { name: 'o_proj', shape: [hiddenSize, query] },
    { name: 'gate_proj', shape: [intermediateSize, hiddenSize] },
    { name: 'up_proj', shape: [intermediateSize, hiddenSize] },
    { name: 'down_proj', shape: [hiddenSize, intermediateSize] },
  ];
}

/** Where each parameter of an adapter lies, for a model of this config. */
export function adapterLayout(config: ModelConfig, { kind, rank, alpha }: AdapterSettings): AdapterLayout {
  const shapes: { name: string; shape: number[] }[] = [];
  for (let layer = 0; layer < config.numHiddenLayers; layer++) {
    if (kind === 'gatedMemory') {
      const { numAttentionHeads: heads, headDim: size } = config;
      const gateSize = Math.floor(Math.sqrt(size));
      shapes.push(
        { name: `layers.${layer}.memory.down`, shape: [heads, 2 * size, size] },
        { name: `layers.${layer}.memory.up`, shape: [heads, size, 2 * size] },
        { name: `layers.${layer}.memory.gateDown`, shape: [heads, gateSize, size] },
        { name: `layers.${layer}.memory.gateUp`, shape: [heads, 1, gateSize] },
      );
      continue;
    }
    for (const { name, shape } of linearModules(config)) {
      const [out, inner] = shape;
      if (kind === 'full') shapes.push({ name: `layers.${layer}.${name}.delta`, shape });
      else {
        shapes.push({ name: `layers.${layer}.${name}.lora_A`, shape: [rank, inner] });
        shapes.push({ name: `layers.${layer}.${name}.lora_B`, shape: [out, rank] });
      }
    }
  }
  return layOut(kind, kind === 'lora' ? rank : 0, kind === 'lora' ? alpha : 0, shapes);
}

/**
 * The vector that training starts from. It changes nothing of the model, except that Gated Memory's gates stand at
 * about 0.047: LoRA's B and dense deltas are zero, LoRA's A and the memories are random with deviation 1/√in.
 */
export function initialAdapter(layout: AdapterLayout, seed: number): Float32Array {
  const vector = new Float32Array(layout.length);
  const normal = normalNumbers(seed);
  for (const { name, shape, offset } of layout.entries) {
    if (name.endsWith('.delta') || name.endsWith('.lora_B') || name.endsWith('.gateUp')) continue;
    const inner = shape[shape.length - 1]!;
    const size = shape.reduce((product, dimension) => product * dimension, 1);
    // A memory that starts at zero output adds nothing; its first matrix has to be random for it to learn.
    if (name.endsWith('.up')) continue;
    for (let i = 0; i < size; i++) vector[offset + i] = normal() / Math.sqrt(inner);
  }
  return vector;
}

/** A dense change of every weight, embeddings and norms included: what pretraining learns. */
export function wholeModelLayout(config: ModelConfig): AdapterLayout {
  const shapes = [...expectedTensors(config)].map(([name, shape]) => ({ name: deltaName(name), shape }));
  return layOut('full', 0, 0, shapes);
}
