// The words by which texts and questions are compared: identifiers whole and in their parts.

/** Every term of a text, in order and with repetitions, in lower case: `parseHTTPHeader2` gives itself, parse, http, header and 2. */
export function termsOf(text: string): string[] {
  const terms: string[] = [];
  for (const [word] of text.matchAll(words)) {
    if (word.length > LONGEST) continue;
    const whole = word.toLowerCase();
    terms.push(whole);
    // A plain word has no parts; that is most of them.
    if (!composed.test(word)) continue;
    for (const [part] of word.matchAll(parts)) if (part.length < word.length) terms.push(part.toLowerCase());
  }
  return terms;
}

/** The terms of a question that say what it is about, each once. All of its terms when nothing else is left. */
export function questionTerms(question: string): string[] {
  const telling = tellingTerms(question);
  return telling.length > 0 ? telling : [...new Set(termsOf(question))];
}

/** The terms that say what a text is about, each once. */
export function tellingTerms(text: string): string[] {
  const all = [...new Set(termsOf(text))];
  return all.filter((term) => !commonWords.has(term) && (term.length > 1 || /\p{N}/u.test(term)));
}

/** What is left of an English word without its ending, when that is still a word: `vacuuming` gives vacuum. Null otherwise. */
export function stemOf(term: string): string | null {
  const stem = /^\p{L}{4,}?(?=(?:ing|ed|es|s|er|ers)$)/u.exec(term);
  return stem ? stem[0] : null;
}

/** Longer ones are data: hashes, encoded bytes, minified code. */
const LONGEST = 64;
const words = /[\p{L}\p{N}_$]+/gu;
const composed = /[_$\p{N}]|\p{Ll}\p{Lu}|\p{Lu}\p{Lu}\p{Ll}/u;
const parts = /\p{Lu}+(?!\p{Ll})|\p{Lu}?\p{Ll}+|\p{Lo}+|\p{N}+/gu;

/** Words of questions, and of programming in general, that are in too many passages to tell them apart. */
const commonWords = new Set(
  `a about all am an and any are argument arguments as at be been but by call called calls can class code constant could
  declared defined definition describe did do does done every explain file files find for from function functions give
  given gives has have how i if in into is it its made make me method my name named names not of on one or our out
  parameter parameters please repository return returned returns say says section shall should show some take takes tell
  than that the their them then there these they this those through to type use used uses using value variable want was we
  were what when where which who whom whose why will with work works would you your`.split(/\s+/),
);
