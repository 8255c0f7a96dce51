/** An evaluation as a service returns it, with two arms. */
import type { ArmResult, EvalResult, EvalScore, TrainingResult } from '../../../native-host/study/eval/eval-result.ts';

const score = (questions: number, mean: number): EvalScore => ({
  questions,
  exactMatch: { mean, low: Math.max(0, mean - 0.1), high: Math.min(1, mean + 0.1) },
  tokenF1: { mean: (1 + mean) / 2, low: mean, high: 1 },
});

const arm = (name: 'base' | 'lift', mean: number): ArmResult => ({
  arm: name,
  adapterKind: name === 'base' ? null : 'full',
  name,
  probes: score(40, mean),
  byStratum: { identifiers: score(25, mean), structure: score(15, mean) },
  needles: score(4, 0.25),
  references: { questions: 3, nll: { mean: 3 - mean, low: 2, high: 4 } },
  training: name === 'base' ? null : 'everything',
  promptTokens: 31.5,
  answerSeconds: 0.042,
  peakBytes: 512_000_000,
});

const training: TrainingResult = {
  name: 'everything',
  adapterKind: 'full',
  lessons: 'everything',
  method: ['consolidation'],
  folder: '/projects/repo',
  parameters: 2_900_000,
  steps: 120,
  trainedTokens: 98_765,
  seconds: 60.4,
  cpuSeconds: 118.2,
  peakBytes: 700_000_000,
  curve: [
    { seconds: 0, steps: 0, trainedTokens: 0, exactMatch: 0.05 },
    { seconds: 30, steps: 60, trainedTokens: 50_000, exactMatch: 0.4 },
    { seconds: 60.4, steps: 120, trainedTokens: 98_765, exactMatch: 0.6 },
  ],
  losses: [
    { seconds: 1, step: 1, loss: 4.2 },
    { seconds: 60, step: 120, loss: 0.7 },
  ],
  nextTokenAccuracy: 0.82,
  trainedWordings: 0.9,
  unseenWordings: 0.7,
  byFolder: [
    { path: 'src', tokens: 9000, absorbed: 0.85 },
    { path: '', tokens: 400, absorbed: 0.5 },
  ],
  general: { code: 2.5, prose: 4.5, chat: 5.5 },
};

export const evalResult: EvalResult = {
  format: 1,
  folder: '/projects/repo',
  adapterOf: null,
  model: 'lift-base',
  modelParameters: 4_000_000,
  device: 'cpu',
  window: 1024,
  documents: 12,
  tokens: 9400,
  seed: 1,
  budget: { minutes: 1, epochs: null, steps: null },
  base: {
    nextTokenAccuracy: 0.31,
    trainedWordings: 0.06,
    unseenWordings: 0.04,
    general: { code: 2.4, prose: 4.4, chat: 5.4 },
  },
  arms: [arm('base', 0.05), arm('lift', 0.6)],
  trainings: [training],
  comparisons: [{ left: 'lift', right: 'base', exactMatch: { mean: 0.55, low: 0.4, high: 0.7 }, referenceNll: null }],
  questions: [
    {
      set: 'probe',
      stratum: 'identifiers',
      path: 'src/a.ts',
      question: 'limit: value?',
      answer: '42',
      answers: { base: 'none', lift: '42' },
    },
  ],
};
