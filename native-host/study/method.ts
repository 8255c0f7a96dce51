/** What an absorption can do beside learning segments and questions. Each is a switch. */

export const methodNames = ['anchors', 'distractors', 'self-study', 'distillation', 'consolidation'] as const;

export type MethodName = (typeof methodNames)[number];

export type Method = ReadonlySet<MethodName>;

/** For people. */
export const methodDescriptions: Readonly<Record<MethodName, string>> = {
  anchors: 'general texts hold the adapter to what the base says of them',
  distractors: 'half of the questions are asked with texts in the prompt, right and wrong ones',
  'self-study': 'the base writes about each part of the corpus, and what it wrote is learned',
  distillation: 'of what the base wrote, its 20 likeliest tokens are learned at each place',
  consolidation: 'after many changes everything is absorbed anew',
};

/** bench/ABLATION.md says what each is worth. Anchors are worth their time; their memory was not measured with large models. */
export const usualMethod: readonly MethodName[] = ['consolidation'];

/** Errors: RangeError where one lacks what it builds on. */
export function methodOf(names: readonly MethodName[] = usualMethod): Method {
  const method = new Set(names);
  if (method.has('distillation') && !method.has('self-study'))
    throw new RangeError('distillation is about what self-study writes: name both');
  return method;
}
