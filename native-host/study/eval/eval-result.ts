/** What an evaluation measured, as `lift eval --json` prints it. Fields are added, and never change their meaning. */
import type { AdapterKind } from '../../model/adapter-layout.ts';
import type { MethodName } from '../method.ts';
import type { ArmName } from './arms.ts';
import type { Interval } from './bootstrap.ts';
import type { GeneralAbility } from './general-ability.ts';

export interface EvalScore {
  questions: number;
  /** Share of the answers that are the wanted one, to the letter. */
  exactMatch: Interval;
  /** Overlap of words with the wanted answer, 0 to 1. */
  tokenF1: Interval;
}

export interface ArmResult {
  arm: ArmName;
  /** Of its adapter; null for the base. */
  adapterKind: AdapterKind | null;
  /** The arm, with the kind where several are compared. */
  name: string;
  /** All probes; needles count apart. */
  probes: EvalScore;
  byStratum: Record<string, EvalScore>;
  /** Null where none were planted. */
  needles: EvalScore | null;
  /** Mean −log p a token of the reference answers, in nats; null where none were given. */
  references: { questions: number; nll: Interval } | null;
  /** Which of `trainings` made its adapter; null where none did. */
  training: string | null;
  /** Mean tokens of a prompt, and mean seconds of an answer. */
  promptTokens: number;
  answerSeconds: number;
  /** The most memory that the whole process had while the arm answered. */
  peakBytes: number;
}

/** How much was known after so much training. */
export interface CurvePoint {
  seconds: number;
  steps: number;
  trainedTokens: number;
  exactMatch: number;
}

export interface TrainingResult {
  name: string;
  adapterKind: AdapterKind;
  lessons: 'segments' | 'questions' | 'everything' | 'distilled';
  /** What was done beside them. */
  method: MethodName[];
  folder: string;
  /** Of the adapter. */
  parameters: number;
  steps: number;
  trainedTokens: number;
  /** Of training alone, without the measuring in between. */
  seconds: number;
  /** Of all the processor's cores together, for the same: what else the machine does counts little. */
  cpuSeconds: number;
  peakBytes: number;
  curve: CurvePoint[];
  /** Running mean of the loss in nats, at most 200 points. */
  losses: { seconds: number; step: number; loss: number }[];
  /** Share of the evaluated folder's tokens that are predicted right. */
  nextTokenAccuracy: number;
  /** Share of the probes that are answered exactly in a wording of training. */
  trainedWordings: number;
  /** The same in a wording that not even the base model's pretraining had. */
  unseenWordings: number;
  /** The same by top-level folder; '' for the files beside them. */
  byFolder: { path: string; tokens: number; absorbed: number }[];
  general: GeneralAbility;
}

export interface Comparison {
  left: string;
  right: string;
  /** Of the exact match on the probes, left − right, question by question. */
  exactMatch: Interval;
  /** Of the mean −log p a token of reference answers, left − right: below 0 the left one is better. */
  referenceNll: Interval | null;
}

export interface AskedQuestion {
  set: 'probe' | 'needle';
  stratum: string;
  path: string;
  question: string;
  answer: string;
  /** What each arm answered, by its name. */
  answers: Record<string, string>;
}

export interface EvalResult {
  format: 1;
  folder: string;
  adapterOf: string | null;
  model: string;
  modelParameters: number;
  device: string;
  /** Most tokens of prompt and answer together. */
  window: number;
  documents: number;
  tokens: number;
  seed: number;
  /** What each training was given. */
  budget: { minutes: number | null; epochs: number | null; steps: number | null };
  base: Pick<TrainingResult, 'nextTokenAccuracy' | 'trainedWordings' | 'unseenWordings' | 'general'>;
  arms: ArmResult[];
  trainings: TrainingResult[];
  comparisons: Comparison[];
  questions: AskedQuestion[];
}
