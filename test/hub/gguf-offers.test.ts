// File names as they are found in repositories of GGUF files.
import { describe, expect, it } from 'vitest';
import { chooseGguf, ggufOffers } from '../../native-host/hub/gguf-offers.ts';

const bytes = 1e9;
const offersOf = (sizes: Record<string, number>) =>
  ggufOffers(Object.entries(sizes).map(([name, size]) => ({ name, size, hash: 'a'.repeat(64) })));

describe('a name', () => {
  it.each([
    ['SmolLM2-135M-Instruct-Q4_K_M.gguf', 'Q4_K'],
    ['qwen2.5-coder-0.5b-instruct-q8_0.gguf', 'Q8_0'],
    ['gemma-2-2b-it-Q6_K_L.gguf', 'Q6_K'],
    ['Llama-3.2-1B-Instruct-UD-Q4_K_XL.gguf', 'Q4_K'],
    ['Qwen3-4B.Q5_1.gguf', 'Q5_1'],
    ['phi-3-fp16.gguf', 'F16'],
    ['some-model-bf16.gguf', 'BF16'],
    ['F32.gguf', 'F32'],
    ['model.gguf', null],
    ['Q4_K_M-of-something.gguf', null],
  ])('says the format: %s', (name, format) => {
    expect(offersOf({ [name]: bytes })).toMatchObject({ readable: [{ name, format }], unread: [] });
  });

  it.each([
    ['SmolLM2-135M-Instruct-Q2_K.gguf', /Q2_K is not read/],
    ['Llama-3.2-1B-Instruct-Q3_K_XL.gguf', /Q3_K_XL is not read/],
    ['gemma-2-2b-it-IQ4_XS.gguf', /IQ4_XS is not read/],
    ['gemma-2-2b-it-IQ3_M.gguf', /IQ3_M is not read/],
    ['Phi-3.5-mini-instruct-Q4_0_8_8.gguf', /Q4_0_8_8 is not read/],
    ['gpt-MXFP4_MOE.gguf', /MXFP4_MOE is not read/],
    ['qwen2.5-7b-instruct-q8_0-00001-of-00003.gguf', /part of a model in several files/],
  ])('says why a file is not read: %s', (name, reason) => {
    const { readable, unread } = offersOf({ [name]: bytes });
    expect(readable).toEqual([]);
    expect(unread).toEqual([{ name, reason: expect.stringMatching(reason) }]);
  });

  it('of what is no model, or no file at the top, is passed over', () => {
    const names = ['mmproj-model-f16.gguf', 'model.imatrix.gguf', 'README.md', 'BF16/model.gguf', '../x.gguf'];
    expect(offersOf(Object.fromEntries(names.map((name) => [name, bytes])))).toEqual({ readable: [], unread: [] });
  });
});

describe('of several files', () => {
  const offers = offersOf({
    'a-IQ2_M.gguf': 1e8,
    'a-Q4_K_M.gguf': 4.8e8,
    'a-UD-Q8_0.gguf': 9e8,
    'a-Q8_0.gguf': 8.5e8,
    'a-f16.gguf': 16e8,
    'a-f32.gguf': 32e8,
  });

  it('the most exact is taken where the memory holds it, which is asked with the parameters', () => {
    const asked: number[] = [];
    const holdsExactly = (parameters: number) => asked.push(parameters) > 0;
    expect(chooseGguf('org/a', offers, { holdsExactly }).offer.name).toBe('a-f16.gguf');
    expect(asked).toEqual([8e8]);
  });

  it('Q8_0 is taken where the model will lie in codes, or else the most exact', () => {
    const holdsExactly = () => false;
    const chosen = chooseGguf('org/a', offers, { holdsExactly });
    expect(chosen.offer.name).toBe('a-Q8_0.gguf');
    expect(chosen.reason).toMatch(/only in codes of 8 bits or fewer/);
    const without = offersOf({ 'a-Q4_0.gguf': 4.5e8, 'a-Q6_K.gguf': 6.6e8, 'a.gguf': 7e8 });
    expect(chooseGguf('org/a', without, { holdsExactly }).offer.name).toBe('a-Q6_K.gguf');
  });

  it('the named one is taken, unless it is not read or not there', () => {
    expect(chooseGguf('org/a', offers, { file: 'a-Q4_K_M.gguf' }).offer.name).toBe('a-Q4_K_M.gguf');
    expect(() => chooseGguf('org/a', offers, { file: 'a-IQ2_M.gguf' })).toThrow(/IQ2_M is not read.*a-f16\.gguf/);
    expect(() => chooseGguf('org/a', offers, { file: 'b.gguf' })).toThrow(/has no file b\.gguf.*a-f16\.gguf/);
  });

  it('none is taken where none is read, and every reason is said', () => {
    const others = offersOf({ 'a-Q2_K.gguf': 1e8, 'a-f16-00001-of-00002.gguf': 8e8 });
    expect(() => chooseGguf('org/a', others, {})).toThrow(/a-Q2_K\.gguf: .*a-f16-00001-of-00002\.gguf: a part/);
  });
});
