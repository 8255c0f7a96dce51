/** The arms of an evaluation: which adapter answers, and what it is shown beside the question. */

/**
 * `untrained` has the layout of a trained one; `distilled` is trained on everything and on what the base wrote about it;
 * `otherRepository` is trained on other text for as long.
 */
export type AdapterSource =
  | 'none'
  | 'untrained'
  | 'segments'
  | 'questions'
  | 'everything'
  | 'distilled'
  | 'otherRepository';

/** The file that the question is about, or the passages that BM25 finds; both cut to the window. */
export type ContextSource = 'nothing' | 'openFile' | 'evidence';

export interface Arm {
  adapter: AdapterSource;
  context: ContextSource;
  /** For people. */
  description: string;
}

/** In the order in which reports list them. */
export const arms = {
  base: { adapter: 'none', context: 'nothing', description: 'the base model' },
  icl: {
    adapter: 'none',
    context: 'openFile',
    description: 'the base model with the file that the question is about in context',
  },
  rag: { adapter: 'none', context: 'evidence', description: 'the base model with passages found by BM25' },
  'lift-segments': { adapter: 'segments', context: 'nothing', description: 'trained on segments alone' },
  'lift-questions': { adapter: 'questions', context: 'nothing', description: 'trained on questions alone' },
  lift: { adapter: 'everything', context: 'nothing', description: 'trained on segments and questions' },
  'lift+icl': {
    adapter: 'everything',
    context: 'openFile',
    description: 'lift with that file in context; a tiny model answers with and without it and takes the surer answer',
  },
  'lift+rag': {
    adapter: 'everything',
    context: 'evidence',
    description: 'lift with passages found by BM25, in the same way',
  },
  'lift-distilled': {
    adapter: 'distilled',
    context: 'nothing',
    description: 'trained on segments, questions and what the base finds likely about them with the text in its prompt',
  },
  zero: { adapter: 'untrained', context: 'nothing', description: 'an adapter before its first step' },
  wrong: { adapter: 'otherRepository', context: 'nothing', description: "another repository's adapter" },
} as const satisfies Record<string, Arm>;

export type ArmName = keyof typeof arms;

export const armNames = Object.keys(arms) as ArmName[];

/** Pairs whose difference says what LIFT adds, and whether a control is what it should be. */
export const comparedArms: readonly (readonly [ArmName, ArmName])[] = [
  ['lift', 'base'],
  ['lift', 'icl'],
  ['lift+icl', 'icl'],
  ['lift+rag', 'rag'],
  ['lift', 'lift-segments'],
  ['lift', 'lift-questions'],
  ['lift-distilled', 'lift'],
  ['zero', 'base'],
  ['wrong', 'base'],
];
