/** The programs of generating: one that continues a cached conversation, and one that folds dense deltas into weights. */
import { add } from '../graph/ops/elementwise.ts';
import { lastRow } from '../graph/ops/embedding.ts';
import { input, unflatten, weight } from '../graph/ops/source.ts';
import type { Value } from '../graph/value.ts';
import { adaptedModel, deltaName } from '../model/adapter-graph.ts';
import type { AdapterLayout } from '../model/adapter-layout.ts';
import { expectedTensors, type ModelConfig } from '../model/config.ts';
import { decoder, logitsOf } from '../model/decoder.ts';
import type { Program } from '../runtime/device.ts';

export interface DecodeProgram extends Program {
  caches: { past: string; rows: string }[];
}

/**
 * Inputs: ids and positions [n] int32, the caches, and the adapter: an input for each layout entry, or for dense deltas
 * one for each changed weight under its name in the base. Output: logits [1, V] of the last position.
 */
export function decodeProgram(config: ModelConfig, layout: AdapterLayout | null, window: number): DecodeProgram {
  const parameters = new Map<string, Value>();
  const merged = new Map<string, Value>();
  if (layout?.kind === 'full') {
    for (const { name, shape } of changedWeights(config, layout)) merged.set(name, input(name, shape));
  } else {
    for (const { name, shape } of layout?.entries ?? []) parameters.set(name, input(name, shape));
  }
  const width = config.numKeyValueHeads * config.headDim;
  const past = Array.from({ length: config.numHiddenLayers }, (_, layer) => ({
    keys: input(`pastKeys.${layer}`, ['t', width]),
    values: input(`pastValues.${layer}`, ['t', width]),
  }));
  const ids = input('ids', ['n'], 'int32');
  const positions = input('positions', ['n'], 'int32');
  const model = adaptedModel(layout, parameters, merged);
  const outputs = decoder(config, model, ids, positions, { kind: 'cached', past }, window);
  const program: DecodeProgram = {
    name: 'decode',
    outputs: { logits: logitsOf(config, lastRow(outputs.hidden), outputs.outputEmbedding) },
    caches: [],
  };
  for (let layer = 0; layer < config.numHiddenLayers; layer++) {
    program.outputs[`keys.${layer}`] = outputs.newKeys[layer]!;
    program.outputs[`values.${layer}`] = outputs.newValues[layer]!;
    program.caches.push({ past: `pastKeys.${layer}`, rows: `keys.${layer}` });
    program.caches.push({ past: `pastValues.${layer}`, rows: `values.${layer}` });
  }
  return program;
}

/** Input: parameters [n]. Outputs: each changed weight, under its name in the base. */
export function mergeProgram(config: ModelConfig, layout: AdapterLayout): Program {
  const deltas = unflatten(
    input('parameters', [layout.length]),
    layout.entries.map(({ shape }) => shape),
  );
  const changed = changedWeights(config, layout);
  // An output may not bear the name of a weight that the program reads.
  const outputs = changed.map(({ name, shape, entry }) => [mergedName(name), add(weight(name, shape), deltas[entry]!)]);
  return { name: 'merge', outputs: Object.fromEntries(outputs) };
}

export function mergedName(weightName: string): string {
  return `merged ${weightName}`;
}

/** The base weights that a dense adapter changes, with the index of the layout entry that does. */
export function changedWeights(
  config: ModelConfig,
  layout: AdapterLayout,
): { name: string; shape: number[]; entry: number }[] {
  const entries = new Map(layout.entries.map(({ name }, i) => [name, i]));
  return [...expectedTensors(config)].flatMap(([name, shape]) => {
    const entry = entries.get(deltaName(name));
    return entry === undefined ? [] : [{ name, shape, entry }];
  });
}
