/** A small random model, a little text to learn, and trainers of it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { documentFrom } from '../../native-host/corpus/documents.ts';
import { makeFact } from '../../native-host/corpus/questions/fact.ts';
import { segmentsOf } from '../../native-host/corpus/segments.ts';
import type { OptimizerSettings } from '../../native-host/graph/ops/optimizer.ts';
import { adapterLayout, initialAdapter } from '../../native-host/model/adapter-init.ts';
import type { AdapterKind } from '../../native-host/model/adapter-layout.ts';
import { type BaseModel, openBaseModel } from '../../native-host/model/open-model.ts';
import type { Device } from '../../native-host/runtime/device.ts';
import type { Curriculum, LiftControl, LiftPosition, LiftSettings } from '../../native-host/train/lift.ts';
import { type Lesson, questionLesson, segmentLesson } from '../../native-host/train/material.ts';
import { measureItems, recallItems } from '../../native-host/train/measure.ts';
import type { BatchShape } from '../../native-host/train/program.ts';
import { startState, Trainer, type TrainerState } from '../../native-host/train/trainer.ts';
import { makeTinyModel, type TinyModelOptions } from '../fixtures/tiny-model.ts';

export const shape: BatchShape = { rows: 2, length: 64 };
export const settings: LiftSettings = {
  shape,
  batchesPerStep: 1,
  learningRate: 1e-2,
  warmUpSteps: 20,
  lastRate: 0.1,
  annealing: 'budget',
  seed: 1,
};

export const muon: OptimizerSettings = { name: 'muon', momentum: 0.7, weightDecay: 0 };

const path = 'src/queue.ts';
const text = [
  'export const queueLimit = 42;',
  'export function push(item) { items.unshift(item); }',
  'export function pop() { return items.pop(); }',
  'const items = [];',
].join('\n');

export interface TinyModel {
  model: BaseModel;
  folder: string;
  remove(): Promise<void>;
}

export async function openTinyModel(seed = 1, options: TinyModelOptions = {}): Promise<TinyModel> {
  const folder = await mkdtemp(join(tmpdir(), 'lift-tiny-'));
  await makeTinyModel(join(folder, 'model'), { seed, ...options });
  const model = await openBaseModel(join(folder, 'model'), { folder: join(folder, 'cache'), form: 'F32' });
  return { model, folder, remove: () => rm(folder, { recursive: true, force: true }) };
}

export const documentTokens = (model: BaseModel) => Uint32Array.from(model.tokenizer.encode(text));

/** Segments of 32 tokens of the text, and two questions. */
export function lessonsFor(model: BaseModel): Lesson[] {
  const document = documentFrom(path, text);
  const segments = segmentsOf(document, documentTokens(model), 32, 12);
  const fact = (kind: string, subject: string, answer: string) =>
    makeFact({ kind, stratum: 'identifiers', path, line: 1, subject, slots: { name: subject, path }, answer });
  return [
    ...segments.map((segment) => segmentLesson(model, segment, [], shape.length)),
    ...[fact('constant-value', 'queueLimit', '42'), fact('defined-in', 'push', 'q.ts')].flatMap(
      (one) => questionLesson(model, one, 2, shape.length) ?? [],
    ),
  ];
}

export function curriculumOf(lessons: readonly Lesson[]): Curriculum {
  return { epoch: (number) => ({ visits: lessons, inOrder: number === 0, isWhole: true }) };
}

export function newState(
  model: BaseModel,
  kind: AdapterKind,
  seed = 1,
  optimizer?: OptimizerSettings,
): { layout: Trainer['layout']; state: TrainerState } {
  const layout = adapterLayout(model.config, { kind, rank: 8, alpha: 16 });
  return { layout, state: startState(initialAdapter(layout, seed), optimizer) };
}

export function openTrainer(
  device: Device,
  model: BaseModel,
  kind: AdapterKind,
  state?: TrainerState,
  optimizer?: OptimizerSettings,
): Promise<Trainer> {
  const fresh = newState(model, kind, 1, optimizer);
  return Trainer.open(device, model, fresh.layout, state ?? fresh.state, optimizer === undefined ? {} : { optimizer });
}

/** Share of the text's tokens that are predicted right. */
export async function recallOf(trainer: Trainer, model: BaseModel): Promise<number> {
  const counts = await measureItems(trainer, recallItems(model, path, documentTokens(model), 40), shape);
  const { correct, counted } = counts.get(path)!;
  return correct / counted;
}

/** A control that notes where training stands and is never in the way. */
export function control(changes: Partial<LiftControl> = {}): LiftControl & { positions: LiftPosition[] } {
  const positions: LiftPosition[] = [];
  return {
    positions,
    signal: new AbortController().signal,
    whileRunning: async () => {},
    onProgress: () => {},
    onStep: async (position) => {
      positions.push(position);
    },
    onTrained: () => {},
    clock: () => performance.now(),
    onPassed: () => {},
    measureRecall: async () => 0,
    ...changes,
  };
}
