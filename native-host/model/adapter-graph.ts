/** Adapters as parts of the graph. Each kind says how it changes a weight, a linear layer or an attention output. */
import { gatedBlend } from '../graph/ops/attention.ts';
import { add, affine, scale, sigmoid, silu } from '../graph/ops/elementwise.ts';
import { linear, perHeadLinear } from '../graph/ops/matmul.ts';
import { weight } from '../graph/ops/source.ts';
import type { Value } from '../graph/value.ts';
import type { AdapterLayout } from './adapter-layout.ts';

/** The base model's weights with an adapter over them. */
export interface AdaptedModel {
  weight(name: string, shape: readonly number[]): Value;
  /** x [N, in] through the layer's matrix [columns, in], adapted. `block` is self_attn or mlp. */
  linear(layer: number, block: string, module: string, x: Value, columns: number): Value;
  /** What goes into the output projection: `query` before rotary embedding and `mixed` are [N, H·D]. */
  attention(layer: number, query: Value, mixed: Value): Value;
}

/** The frozen base alone. */
export function baseModel(): AdaptedModel {
  return adaptedModel(null, new Map());
}

/**
 * The base with an adapter. `parameters` has a value for each entry of the layout. `mergedWeights`: weights that
 * come in as values, already adapted, under their names in the base.
 */
export function adaptedModel(
  layout: Pick<AdapterLayout, 'kind' | 'rank' | 'alpha'> | null,
  parameters: ReadonlyMap<string, Value>,
  mergedWeights: ReadonlyMap<string, Value> = new Map(),
): AdaptedModel {
  const weightOf = (name: string, shape: readonly number[]): Value => {
    const merged = mergedWeights.get(name);
    if (merged !== undefined) return merged;
    const delta = parameters.get(deltaName(name));
    return delta === undefined ? weight(name, shape) : add(weight(name, shape), delta);
  };
  return {
    weight: weightOf,

    linear(layer, block, module, x, columns) {
      const base = linear(
        x,
        weightOf(`model.layers.${layer}.${block}.${module}.weight`, [columns, x.shape[1] as number]),
      );
      const down = parameters.get(`layers.${layer}.${module}.lora_A`);
      const up = parameters.get(`layers.${layer}.${module}.lora_B`);
      if (layout === null || down === undefined || up === undefined) return base;
      return add(base, scale(linear(linear(x, down), up), layout.alpha / layout.rank));
    },

    attention(layer, query, mixed) {
      const part = (name: string) => parameters.get(`layers.${layer}.memory.${name}`);
      if (part('down') === undefined) return mixed;
      return gatedMemory(query, mixed, part('down')!, part('up')!, part('gateDown')!, part('gateUp')!).output;
    },
  };
}

/** The layout entry that holds the dense change of a base weight. */
export function deltaName(weightName: string): string {
  return `${weightName
    .replace(/^model\./, '')
    .replace(/\.(self_attn|mlp)\./, '.')
    .replace(/\.weight$/, '')}.delta`;
}

/**
 * LIFT's Gated Memory, per head: memory M(q) = up · silu(down · q), gate G(q) = sigmoid(3 · (gateUp · silu(gateDown · q)
 * − 1)), output (1 − G) · mixed + G · M(q). Shapes: query and mixed [N, H·D], down [H, 2D, D], up [H, D, 2D],
 * gateDown [H, ⌊√D⌋, D], gateUp [H, 1, ⌊√D⌋]. Source: github.com/GraphPKU/LIFT.
 */
export function gatedMemory(
  query: Value,
  mixed: Value,
  down: Value,
  up: Value,
  gateDown: Value,
  gateUp: Value,
): { memory: Value; gate: Value; output: Value } {
  const memory = perHeadLinear(silu(perHeadLinear(query, down)), up);
  const gate = sigmoid(affine(perHeadLinear(silu(perHeadLinear(query, gateDown)), gateUp), 3, -3));
  return { memory, gate, output: gatedBlend(mixed, memory, gate) };
}
