/** What is asked of an evaluation, and what it reports on the way. */
import type { OptimizerSettings } from '../../graph/ops/optimizer.ts';
import type { AdapterKind } from '../../model/adapter-layout.ts';
import type { MethodName } from '../method.ts';
import type { ArmName } from './arms.ts';
import type { ReferenceQuestion } from './reference-questions.ts';

export const defaults = { minutes: 3, probes: 100, needles: 10, seed: 1 };

export interface EvalRequest {
  /** All that can be asked unless told: `wrong` needs another repository. */
  arms?: readonly ArmName[];
  /** The one that suits the model's size unless told. */
  adapterKinds?: readonly AdapterKind[];
  /** The one that suits the model's size and the adapter's kind unless told. */
  optimizer?: OptimizerSettings['name'];
  /** Of each training, beside segments and questions; what earns its time unless told. */
  method?: readonly MethodName[];
  /** For each training; the minutes are 3 where nothing is given. Steps are the same on every machine. */
  minutes?: number;
  epochs?: number;
  steps?: number;
  probes?: number;
  needles?: number;
  seed?: number;
  references?: readonly ReferenceQuestion[];
}

export interface EvalControl {
  signal: AbortSignal;
  onProgress(report: EvalProgress): void;
}

export interface EvalProgress {
  stage: 'training' | 'measuring' | 'answering';
  /** Of the training or the arm. */
  name: string;
  /** Of this stage, 0 to 1. */
  done: number;
  loss?: number;
}
