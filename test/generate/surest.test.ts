import { expect, test } from 'vitest';
import type { Decoder, Generated, GenerateOptions } from '../../native-host/generate/decode.ts';
import { sampler } from '../../native-host/generate/sampler.ts';
import { surestAnswer } from '../../native-host/generate/surest.ts';

const end = 0;
const greedy = sampler({ temperature: 0 });

/** Answers a prompt whose first token is k with the k-th list of logits, one for each token. */
function decoderOf(logitsOfPrompts: readonly (readonly number[][])[]): Decoder & { asked: number[][] } {
  const asked: number[][] = [];
  const generate = async (prompt: readonly number[], options: GenerateOptions): Promise<Generated> => {
    asked.push([...prompt]);
    const tokens: number[] = [];
    for (const logits of logitsOfPrompts[prompt[0]!]!) {
      if (options.signal?.aborted) return { tokens, firstTokenMs: 1, tokensPerSecond: 2, end: 'cancelled' };
      const token = options.sample(Float32Array.from(logits));
      if (options.stopTokens.has(token)) break;
      tokens.push(token);
      options.onToken?.(token);
    }
    return { tokens, firstTokenMs: 1, tokensPerSecond: 2, end: 'stop' };
  };
  return { asked, generate } as unknown as Decoder & { asked: number[][] };
}

const sure = (token: number) => [0, 0, 0, 0].map((_, id) => (id === token ? 9 : 0));
const unsure = (token: number) => [0, 0, 0, 0].map((_, id) => (id === token ? 0.5 : 0));
const options = (more: Partial<GenerateOptions> = {}): GenerateOptions => ({
  maxTokens: 8,
  sample: greedy,
  stopTokens: new Set([end]),
  ...more,
});

test('the answer whose tokens are likeliest together is taken, and no token of another is heard of', async () => {
  const decoder = decoderOf([
    [unsure(1), sure(1), sure(end)],
    [sure(2), sure(3), sure(end)],
    [sure(3), sure(3), unsure(end)],
  ]);
  const heard: number[] = [];
  const { generated, prompt } = await surestAnswer(
    decoder,
    [[0], [1], [2]],
    options({ onToken: (token) => heard.push(token) }),
  );
  expect(prompt).toBe(1);
  expect(generated.tokens).toEqual([2, 3]);
  expect(heard).toEqual([2, 3]);
  expect(decoder.asked).toEqual([[0], [1], [2]]);
});

test('the first is given up only for one that is twice as likely', async () => {
  // Of four tokens this one has that probability.
  const likely = (token: number, share: number) =>
    [0, 0, 0, 0].map((_, id) => Math.log(id === token ? share : (1 - share) / 3));
  const takes = async (first: number, second: number) => {
    const decoder = decoderOf([
      [likely(1, first), sure(end)],
      [likely(2, second), sure(end)],
    ]);
    return (await surestAnswer(decoder, [[0], [1]], options())).prompt;
  };
  expect(await takes(0.9, 0.9)).toBe(0);
  expect(await takes(0.51, 0.999)).toBe(0);
  expect(await takes(0.45, 0.8)).toBe(0);
  expect(await takes(0.45, 0.95)).toBe(1);
  expect(await takes(0.9, 0.4)).toBe(0);
});

test('logits far from zero are compared by what they mean', async () => {
  const shifted = (logits: number[], by: number) => logits.map((logit) => logit + by);
  const decoder = decoderOf([
    [shifted(unsure(1), 900), shifted(sure(end), 900)],
    [shifted(sure(2), -900), shifted(sure(end), -900)],
  ]);
  expect((await surestAnswer(decoder, [[0], [1]], options())).prompt).toBe(1);
});

test('one prompt is answered as ever, token by token', async () => {
  const decoder = decoderOf([[sure(1), sure(2), sure(end)]]);
  const heard: number[] = [];
  const given = options({ onToken: (token) => heard.push(token) });
  const { generated, prompt } = await surestAnswer(decoder, [[0]], given);
  expect({ prompt, heard, milliseconds: generated.firstTokenMs }).toEqual({
    prompt: 0,
    heard: [1, 2],
    milliseconds: 1,
  });
  await expect(surestAnswer(decoder, [], given)).rejects.toThrow(/needs a prompt/);
});

test('once it is cancelled no further prompt is asked', async () => {
  const cancellation = new AbortController();
  const decoder = decoderOf([[sure(1), sure(end)], [sure(2)]]);
  const sample = (logits: Float32Array) => {
    cancellation.abort();
    return greedy(logits);
  };
  const { generated } = await surestAnswer(decoder, [[0], [1]], options({ sample, signal: cancellation.signal }));
  expect(generated.end).toBe('cancelled');
  expect(decoder.asked).toEqual([[0]]);
});
