/** The Llama family's decoder as a graph: architectures differ in biases, norms, positions and what a layer sees. */
import { type AttentionShape, cachedAttention, causalAttention, rope } from '../graph/ops/attention.ts';
import { add, affine, geglu, scale, softCapped, swiglu } from '../graph/ops/elementwise.ts';
import { embedding } from '../graph/ops/embedding.ts';
import { addBias, linear } from '../graph/ops/matmul.ts';
import { rmsNorm } from '../graph/ops/norm.ts';
import { constant } from '../graph/ops/source.ts';
import type { Value } from '../graph/value.ts';
import type { AdaptedModel } from './adapter-graph.ts';
import type { ModelConfig } from './config.ts';
import { localRopeTables, type RopeTables, ropeTables } from './rope-tables.ts';

/** What a layer's attention runs over: packed rows when training, a cache when generating. */
export type AttentionMode =
  | { kind: 'packed'; sequenceIds: Value }
  | { kind: 'cached'; past: readonly { keys: Value; values: Value }[] };

export interface DecoderOutputs {
  /** After the last norm [N, C]. */
  hidden: Value;
  /** The output embedding [V, C]: the input embedding itself where the two are tied. */
  outputEmbedding: Value;
  /** Keys and values of the new positions, by layer, each [N, G·D]. */
  newKeys: Value[];
  newValues: Value[];
  /** The residual stream [N, C] before each layer, and after the last. */
  layerInputs: Value[];
}

/**
 * ids [N] and positions [N] are int32; positions lie below `maxPositions`. `model` gives the weights as adapted.
 */
export function decoder(
  config: ModelConfig,
  model: AdaptedModel,
  ids: Value,
  positions: Value,
  attention: AttentionMode,
  maxPositions: number,
): DecoderOutputs {
  const { hiddenSize, vocabSize, headDim, rmsNormEps } = config;
  const positionsOf = ({ cosines, sines, shape }: RopeTables) =>
    [constant(cosines, shape), constant(sines, shape)] as const;
  const everywhere = positionsOf(ropeTables(config, maxPositions));
  const inWindow = config.localRopeTheta === null ? everywhere : positionsOf(localRopeTables(config, maxPositions));
  const normWeight = (name: string, width: number) => {
    const stored = model.weight(name, [width]);
    return config.normOffset === 0 ? stored : affine(stored, 1, config.normOffset);
  };
  const table = model.weight('model.embed_tokens.weight', [vocabSize, hiddenSize]);
  const newKeys: Value[] = [];
  const newValues: Value[] = [];

  let x = scale(embedding(table, ids), config.embeddingScale);
  const layerInputs = [x];
  for (let layer = 0; layer < config.numHiddenLayers; layer++) {
    const prefix = `model.layers.${layer}`;
    const norm = (name: string, of: Value) =>
      rmsNorm(of, normWeight(`${prefix}.${name}.weight`, hiddenSize), rmsNormEps);
    const outputNorm = (name: string, of: Value) => (config.outputNorms ? norm(name, of) : of);
    const project = (block: string, name: string, of: Value, columns: number, bias: boolean) => {
      const y = model.linear(layer, block, name, of, columns);
      return bias ? addBias(y, model.weight(`${prefix}.${block}.${name}.bias`, [columns])) : y;
    };
    const headNorm = (name: string, of: Value) =>
      config.queryKeyNorm ? rmsNorm(of, normWeight(`${prefix}.self_attn.${name}.weight`, headDim), rmsNormEps) : of;

    const attentionInput = norm('input_layernorm', x);
    const queryWidth = config.numAttentionHeads * headDim;
    const keyWidth = config.numKeyValueHeads * headDim;
    const bias = config.attentionBias;
    const query = headNorm('q_norm', project('self_attn', 'q_proj', attentionInput, queryWidth, bias));
    const key = headNorm('k_norm', project('self_attn', 'k_proj', attentionInput, keyWidth, bias));
    const v = project('self_attn', 'v_proj', attentionInput, keyWidth, bias);
    const attended = attentionOf(config, layer);
    const [cosines, sines] = config.slidingWindow?.layers.includes(layer) ? inWindow : everywhere;
    const queryScale = config.queryScalar === null ? 1 : Math.sqrt(headDim / config.queryScalar);
    const q = scale(rope(query, positions, cosines, sines, headDim), queryScale);
    const k = rope(key, positions, cosines, sines, headDim);
    newKeys.push(k);
    newValues.push(v);
    const past = attention.kind === 'cached' ? attention.past[layer]! : null;
    const mixed =
      attention.kind === 'packed'
        ? causalAttention(q, k, v, attention.sequenceIds, attended)
        : cachedAttention(q, k, v, past!.keys, past!.values, attended);
    const remembered = model.attention(layer, query, mixed);
    const attentionOutput = project('self_attn', 'o_proj', remembered, hiddenSize, config.attentionOutputBias);
    x = add(x, outputNorm('post_attention_layernorm', attentionOutput));

    const mlpInput = norm(config.outputNorms ? 'pre_feedforward_layernorm' : 'post_attention_layernorm', x);
    const gate = project('mlp', 'gate_proj', mlpInput, config.intermediateSize, config.mlpBias);
    const up = project('mlp', 'up_proj', mlpInput, config.intermediateSize, config.mlpBias);
    const gated = config.activation === 'silu' ? swiglu(gate, up) : geglu(gate, up);
    const mlpOutput = project('mlp', 'down_proj', gated, hiddenSize, config.mlpBias);
    x = add(x, outputNorm('post_feedforward_layernorm', mlpOutput));
    layerInputs.push(x);
  }
  const hidden = rmsNorm(x, normWeight('model.norm.weight', hiddenSize), rmsNormEps);
  const outputEmbedding = config.tieWordEmbeddings ? table : model.weight('lm_head.weight', [vocabSize, hiddenSize]);
  return { hidden, outputEmbedding, newKeys, newValues, layerInputs };
}

/** Logits [N, V] of hidden states [N, C], as decoder() gives both. */
export function logitsOf({ logitCap }: ModelConfig, hidden: Value, outputEmbedding: Value): Value {
  const logits = linear(hidden, outputEmbedding);
  return logitCap === null ? logits : softCapped(logits, logitCap);
}

function attentionOf(config: ModelConfig, layer: number): AttentionShape {
  const { slidingWindow, scoreCap, maxPositionEmbeddings } = config;
  const window = slidingWindow?.layers.includes(layer) ? slidingWindow.positions : maxPositionEmbeddings;
  return {
    heads: config.numAttentionHeads,
    keyValueHeads: config.numKeyValueHeads,
    headDim: config.headDim,
    ...(window < maxPositionEmbeddings ? { window } : {}),
    ...(scoreCap === null ? {} : { softCap: scoreCap }),
  };
}
