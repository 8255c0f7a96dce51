/** The programs of training: loss with gradient, loss alone, the optimizer's step, and what a teacher finds likely. */
import { grad } from '../graph/grad.ts';
import { add } from '../graph/ops/elementwise.ts';
import { vocabCrossEntropy, vocabDistillation } from '../graph/ops/loss.ts';
import { adamw, muon, type OptimizerSettings } from '../graph/ops/optimizer.ts';
import { flatten, input, scalar, unflatten } from '../graph/ops/source.ts';
import type { Value } from '../graph/value.ts';
import { type AdaptedModel, adaptedModel } from '../model/adapter-graph.ts';
import type { AdapterLayout } from '../model/adapter-layout.ts';
import type { ModelConfig } from '../model/config.ts';
import { decoder, logitsOf } from '../model/decoder.ts';
import type { Program } from '../runtime/device.ts';
import { topCount } from './top-tokens.ts';

/** Rows B and positions T of a packed batch. */
export interface BatchShape {
  rows: number;
  length: number;
}

function packedDecoder(config: ModelConfig, model: AdaptedModel, { rows, length }: BatchShape) {
  const count = rows * length;
  const ids = input('ids', [count], 'int32');
  const positions = input('positions', [count], 'int32');
  const sequenceIds = input('sequenceIds', [rows, length], 'int32');
  // The runtime's rotary embedding wants a table with at least as many rows as there are tokens.
  const attention = { kind: 'packed', sequenceIds } as const;
  return { ...decoder(config, model, ids, positions, attention, count), count };
}

function packedLoss(config: ModelConfig, model: AdaptedModel, shape: BatchShape, isTaught: boolean) {
  const { hidden, outputEmbedding, layerInputs, count } = packedDecoder(config, model, shape);
  const labels = input('labels', [count], 'int32');
  const weights = input('weights', [count]);
  const losses = vocabCrossEntropy(hidden, outputEmbedding, labels, weights, config.logitCap);
  if (!isTaught) return { losses, layerInputs };
  const topIds = input('topIds', [count, topCount], 'int32');
  const topLogProbabilities = input('topLogProbabilities', [count, topCount]);
  const taughtWeights = input('taughtWeights', [count]);
  const teacher = [topIds, topLogProbabilities, taughtWeights] as const;
  const { loss } = vocabDistillation(hidden, outputEmbedding, ...teacher, config.logitCap);
  return { losses: { ...losses, loss: add(losses.loss, loss) }, layerInputs };
}

function parametersOf(layout: AdapterLayout): { values: Value[]; byName: Map<string, Value> } {
  const flat = input('parameters', [layout.length]);
  const values = unflatten(
    flat,
    layout.entries.map(({ shape }) => shape),
  );
  return { values, byName: new Map(layout.entries.map(({ name }, i) => [name, values[i]!])) };
}

/**
 * Inputs: ids, positions, labels [B·T] int32, sequenceIds [B, T] int32, weights [B·T], parameters and accumulated [n].
 * Outputs: loss (Σ weights · loss), perToken and correct [B·T], gradient [n] = accumulated + this batch's.
 * `recompute`: only the inputs of the layers are kept for the gradient, and each layer is computed a second time.
 * `isTaught`: with inputs topIds [B·T, 20] int32, topLogProbabilities [B·T, 20] and taughtWeights [B·T], whose weighted
 * divergence is a part of the loss.
 */
export function gradientProgram(
  config: ModelConfig,
  layout: AdapterLayout,
  shape: BatchShape,
  recompute = false,
  isTaught = false,
): Program {
  const { values, byName } = parametersOf(layout);
  const { losses, layerInputs } = packedLoss(config, adaptedModel(layout, byName), shape, isTaught);
  const gradient = flatten(grad(losses.loss, values, scalar(1), recompute ? layerInputs : []));
  return {
    name: 'gradient',
    outputs: { ...losses, gradient: add(input('accumulated', [layout.length]), gradient) },
  };
}

/** As gradientProgram without the gradient. A null layout measures the base. */
export function lossProgram(
  config: ModelConfig,
  layout: AdapterLayout | null,
  shape: BatchShape,
  isTaught = false,
): Program {
  const parameters = layout === null ? new Map<string, Value>() : parametersOf(layout).byName;
  const { losses } = packedLoss(config, adaptedModel(layout, parameters), shape, isTaught);
  return { name: 'loss', outputs: { ...losses } };
}

/** Of the base. Inputs: ids and positions [B·T] int32, sequenceIds [B, T] int32. Output: logits [B·T, V]. */
export function logitsProgram(config: ModelConfig, shape: BatchShape): Program {
  const { hidden, outputEmbedding } = packedDecoder(config, adaptedModel(null, new Map()), shape);
  return { name: 'logits', outputs: { logits: logitsOf(config, hidden, outputEmbedding) } };
}

/**
 * Inputs: parameters, first, gradient [n], learningRate (a scalar), and for AdamW second [n] and step (a scalar).
 * Outputs: nextParameters, nextFirst, for AdamW nextSecond, and gradientNorm.
 */
export function updateProgram(layout: AdapterLayout, settings: OptimizerSettings): Program {
  const vector = (name: string) => input(name, [layout.length]);
  const [parameters, first, gradient] = [vector('parameters'), vector('first'), vector('gradient')];
  const learningRate = input('learningRate', []);
  if (settings.name === 'muon') {
    const shapes = layout.entries.map(({ shape }) => shape);
    const next = muon(parameters, first, gradient, learningRate, shapes, settings);
    const { gradientNorm } = next;
    return { name: 'update', outputs: { nextParameters: next.parameters, nextFirst: next.first, gradientNorm } };
  }
  const moments = { first, second: vector('second') };
  const next = adamw(parameters, moments, gradient, learningRate, input('step', []), settings);
  return {
    name: 'update',
    outputs: {
      nextParameters: next.parameters,
      nextFirst: next.first,
      nextSecond: next.second,
      gradientNorm: next.gradientNorm,
    },
  };
}
