/** What a student is shown before a question, so that it learns to answer also beside texts, right and wrong ones. */
import type { Document } from '../corpus/documents.ts';
import { openEvidence, type Passage } from '../generate/evidence.ts';
import { buildPrompt } from '../generate/prompt.ts';
import type { BaseModel } from '../model/open-model.ts';
import type { ShownTexts } from '../train/material.ts';

/** Half of the questions stand alone, a quarter is asked beside other files, a quarter beside these and the right one. */
const bareShare = 0.5;
const wrongShare = 0.75;
const others = 2;
/** What is found is looked through for other files to this depth. */
const searched = 8;
/** A chat template may add more than the prompt's allowance for it. */
const spareTokens = 32;
/** With less room than this, no text is worth showing. */
const leastRoom = 64;

/** Prompts as `lift ask` packs them, cut to a row. */
export function shownTexts(
  { tokenizer, config }: BaseModel,
  documents: readonly Document[],
  rowLength: number,
): ShownTexts {
  const evidence = openEvidence(documents);
  const countTokens = (text: string) => tokenizer.encode(text).length;
  const window = config.maxPositionEmbeddings;
  return (question, answer, path, choice) => {
    if (choice < bareShare) return null;
    const reserve = window - rowLength + countTokens(answer) + spareTokens;
    if (window - reserve - countTokens(question) < leastRoom) return null;
    const found = evidence.search(question, searched, { boostPaths: [path] });
    const wrong = found.filter((passage) => passage.path !== path).slice(0, others);
    const right = choice < wrongShare ? undefined : found.find((passage) => passage.path === path);
    const shown = inOrder(right === undefined ? wrong : [...wrong, right]);
    if (shown.length === 0) return null;
    return buildPrompt({
      question,
      outline: '',
      dirty: [],
      openFiles: [],
      evidence: shown,
      conversation: [],
      window,
      reserve,
      countTokens,
    }).messages;
  };
}

function inOrder(passages: Passage[]): Passage[] {
  return passages.sort((a, b) => b.score - a.score);
}
