import { describe, expect, it } from 'vitest';
import { loosened } from '../../native-host/corpus/questions/loose-wording.ts';
import { factKinds, wordingsOf } from '../../native-host/corpus/questions/wordings.ts';
import { uniformNumbers } from '../../native-host/model/random.ts';
import { unseenWordingsOf } from '../../native-host/study/eval/unseen-wordings.ts';

/** Slots that give back their own names in braces. */
const slots = new Proxy({} as Record<string, string>, { get: (_, slot) => `{${String(slot)}}` });
/** Without the mark at the end, which may be lost. */
const wordsIn = (text: string): string[] => text.toLowerCase().replace(/[?.]$/, '').trim().split(' ');

function isPartOf(words: readonly string[], whole: readonly string[]): boolean {
  let at = 0;
  for (const word of whole) if (word === words[at]) at += 1;
  return at === words.length;
}

/** The words of a wording but for nouns before a slot, which may be put there, and lose a word. */
function withoutNouns(text: string): string[] {
  return wordsIn(text.replace(/(?: (?:the|function|class|method|constant|type|file|module))+(?= \{)/g, ''));
}

describe('loosened', () => {
  it('leaves every slot in its place, in every template', () => {
    const uniform = uniformNumbers(3);
    const slotsIn = (text: string) => text.match(/\S*\{\w+\}\S*/g)!.map((slot) => slot.replace(/[?.]$/, ''));
    for (const kind of factKinds) {
      for (const { template } of wordingsOf({ kind, slots })) {
        for (let i = 0; i < 20; i++) expect(slotsIn(loosened(template, kind, uniform))).toEqual(slotsIn(template));
      }
    }
  });

  it('is the template in less than half of the cases, and many others in the rest', () => {
    const template = 'Which files are in the folder {folder}?';
    const uniform = uniformNumbers(1);
    const texts = Array.from({ length: 2000 }, () => loosened(template, 'files-in', uniform));
    const asItIs = texts.filter((text) => text === template).length / texts.length;
    expect(asItIs).toBeGreaterThan(0.4);
    expect(asItIs).toBeLessThan(0.5);
    expect(new Set(texts).size).toBeGreaterThan(200);
    const words = texts.map((text) => wordsIn(text).filter((word) => wordsIn(template).includes(word)).length);
    expect(Math.min(...words)).toBeGreaterThan(1);
  });

  it('puts a noun before a name or a path that has none', () => {
    const uniform = uniformNumbers(2);
    const textsOf = (template: string, kind: string) =>
      Array.from({ length: 2000 }, () => loosened(template, kind, uniform).toLowerCase());
    const shareWith = (texts: readonly string[], words: string) =>
      texts.filter((text) => text.includes(words)).length / texts.length;
    const defined = textsOf('Where is {name} defined?', 'defined-in');
    expect(shareWith(defined, 'the function {name}')).toBeGreaterThan(0.02);
    expect(shareWith(defined, 'the class {name}')).toBeGreaterThan(0.02);
    expect(shareWith(textsOf('What does {path} import?', 'imports'), 'the file {path}')).toBeGreaterThan(0.05);
    expect(shareWith(textsOf('Where is the method {name} declared?', 'member-of'), 'the function')).toBe(0);
    expect(shareWith(textsOf('What is {name}?', 'kind-of'), 'the function')).toBe(0);
  });

  it('never becomes a wording that only measures', () => {
    for (const kind of factKinds) {
      const wordings = wordingsOf({ kind, slots });
      const trained = wordings.filter(({ heldBack }) => !heldBack).map(({ template }) => wordsIn(template));
      const held = wordings.filter(({ heldBack }) => heldBack).map(({ template }) => template);
      for (const measured of [...held, ...(unseenWordingsOf({ kind, slots }) ?? [])]) {
        for (const words of trained) expect(isPartOf(withoutNouns(measured), words), measured).toBe(false);
      }
    }
  });
});
