/** Whether a base model is read right: how likely it finds a text, and what it says after it. */

import { Decoder } from '../generate/decode.ts';
import { sampler } from '../generate/sampler.ts';
import { frozenWeights } from '../model/coded-weights.ts';
import type { BaseModel } from '../model/open-model.ts';
import type { Device } from '../runtime/device.ts';
import { batchInputs, pack } from '../train/packing.ts';
import { lossProgram } from '../train/program.ts';

const greedyTokens = 32;

/**
 * The mean negative log-likelihood (nats) of each token of the text after all that come before it, of the first one only
 * where the model has a start token; and 32 greedy tokens after the text. Errors: RangeError where the text does not fit
 * the window or has fewer than 2 tokens.
 */
export async function checkModel(
  device: Device,
  model: BaseModel,
  text: string,
): Promise<{ architecture: string; parameters: number; nll: number; greedyIds: number[] }> {
  const { startToken } = model.tokenizer;
  const tokens = [...(startToken === null ? [] : [startToken]), ...model.tokenizer.encode(text)];
  const window = model.config.maxPositionEmbeddings;
  if (tokens.length < 2 || tokens.length + greedyTokens > window) {
    throw new RangeError(`the text has ${tokens.length} tokens; between 2 and ${window - greedyTokens} can be checked`);
  }
  const shape = { rows: 1, length: tokens.length };
  const executable = await device.compile(lossProgram(model.config, null, shape), frozenWeights(model));
  const [batch] = pack([{ tokens, weights: tokens.map(() => 1) }], shape);
  const { host } = await executable.run(batchInputs(batch!, 1 / batch!.totalWeight));
  await executable.release();
  const decoder = await Decoder.open(device, model, null);
  const { tokens: greedyIds } = await decoder.generate(tokens, {
    maxTokens: greedyTokens,
    sample: sampler({ temperature: 0 }),
    stopTokens: new Set(),
  });
  await decoder.close();
  const { config, parameters } = model;
  return { architecture: config.modelType, parameters, nll: host.loss!.data[0]!, greedyIds };
}
