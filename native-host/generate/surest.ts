/** One answer out of several prompts that ask the same: the one that the model is surest of. */
import type { Decoder, Generated, GenerateOptions } from './decode.ts';

export interface SurestAnswer {
  generated: Generated;
  /** Index of the prompt that it came from. */
  prompt: number;
}

/**
 * An answer to a later prompt has to be so many times as likely as that to an earlier one. So what the first prompt's answer is
 * surer of than not is never given up.
 */
const timesAsLikely = 2;

/**
 * Answers each prompt and takes the answer whose tokens, the end of the turn included, are likeliest together after its own
 * prompt; the first unless another is far likelier. With one prompt it is that prompt's answer. `onToken` hears of the chosen
 * answer alone: with several prompts, all at once at the end. Errors: as Decoder.generate.
 */
export async function surestAnswer(
  decoder: Decoder,
  prompts: readonly (readonly number[])[],
  options: GenerateOptions,
): Promise<SurestAnswer> {
  const [only] = prompts;
  if (only === undefined) throw new RangeError('an answer needs a prompt');
  if (prompts.length === 1) return { generated: await decoder.generate(only, options), prompt: 0 };
  const started = performance.now();
  let best: (SurestAnswer & { logProbability: number }) | null = null;
  for (const [prompt, ids] of prompts.entries()) {
    let logProbability = 0;
    const generated = await decoder.generate(ids, {
      ...options,
      onToken: undefined,
      sample: (logits) => {
        const token = options.sample(logits);
        logProbability += logProbabilityOf(logits, token);
        return token;
      },
    });
    if (best === null || logProbability > best.logProbability + Math.log(timesAsLikely))
      best = { generated, prompt, logProbability };
    if (generated.end === 'cancelled') break;
  }
  const { generated, prompt } = best!;
  for (const token of generated.tokens) options.onToken?.(token);
  // Nobody saw a token before the last prompt was answered.
  return { generated: { ...generated, firstTokenMs: performance.now() - started }, prompt };
}

/** Of a token, by logits [V]. */
function logProbabilityOf(logits: Float32Array, token: number): number {
  let most = Number.NEGATIVE_INFINITY;
  for (const logit of logits) if (logit > most) most = logit;
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - most);
  return logits[token]! - most - Math.log(sum);
}
