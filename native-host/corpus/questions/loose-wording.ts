// Wordings as people type them. Who learns a question in twelve wordings to the letter understands these and little else; who
// has to do without a word here and there, and with other words around, learns by what a question is recognised, and which of
// its words is the name.

/** Of the times that a question is asked, so many are to the letter. */
const shareToTheLetter = 0.4;
const chanceOfLosingWord = 0.15;
const chanceOfLosingMark = 0.3;
const chanceOfSmallLetter = 0.3;
const chanceOfFrame = 0.4;
const chanceOfNoun = 0.4;

/** What people call a symbol or a file before they name it, rightly or not. */
const nouns: Record<string, readonly string[]> = {
  name: ['the function', 'the class', 'the method', 'the constant', 'the type', 'function', 'class'],
  path: ['the file', 'the module', 'file'],
};
/** The first slot that takes a noun and has none before it. */
const slotWithoutNoun = /(?<!\b(?:file|method|constant|symbol|functions|names)) \{(name|path)\}/;

/** What people put around a question. */
const frames: readonly (readonly [string, string])[] = [
  ['Please say: ', ''],
  ['Quick question: ', ''],
  ['', ' Thanks.'],
  ['In this project: ', ''],
  ['I forgot. ', ''],
  ['For my notes: ', ''],
  ['Do you know this? ', ''],
  ['', ' I need it now.'],
  ['About the code: ', ''],
  ['', ' Be brief.'],
];

/**
 * A template of a kind of fact as it is, or with a noun before a name, some words lost, without its mark, with a small first
 * letter, in a frame. Its {slots} stay, each with what stands right beside it. `uniform` gives numbers in [0, 1).
 */
export function loosened(template: string, kind: string, uniform: () => number): string {
  if (uniform() < shareToTheLetter) return template;
  // Who asks what something is does not say so.
  const whole = kind !== 'kind-of' && uniform() < chanceOfNoun ? withNoun(template, uniform()) : template;
  const words = whole.split(' ').filter((word) => word.includes('{') || uniform() >= chanceOfLosingWord);
  let text = words.join(' ');
  if (uniform() < chanceOfLosingMark) text = text.replace(/[?.]$/, '');
  if (uniform() < chanceOfSmallLetter) text = text.slice(0, 1).toLowerCase() + text.slice(1);
  if (uniform() >= chanceOfFrame) return text;
  const [before, after] = frames[Math.floor(uniform() * frames.length)]!;
  return `${before}${text}${after}`;
}

function withNoun(text: string, choice: number): string {
  return text.replace(slotWithoutNoun, (_, slot: string) => {
    const fitting = nouns[slot]!;
    return ` ${fitting[Math.floor(choice * fitting.length)]} {${slot}}`;
  });
}
