/** Adapters on their way out to PEFT and in from there, each with the logits of both sides. */
import { mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type AdapterSettings, adapterLayout, initialAdapter } from '../../native-host/model/adapter-init.ts';
import { float32Tensors, openModelFolder } from '../../native-host/model/model-folder.ts';
import { uniformNumbers } from '../../native-host/model/random.ts';
import type { Device } from '../../native-host/runtime/device.ts';
import { exportPeft } from '../../native-host/store/peft-export.ts';
import { importPeft } from '../../native-host/store/peft-import.ts';
import { StoreError } from '../../native-host/store/store-error.ts';
import { pack } from '../../native-host/train/packing.ts';
import { startState, type TrainableModel, Trainer } from '../../native-host/train/trainer.ts';
import { type Adapter, adaptedLogits, largestDifference } from './adapted-logits.ts';
import type { Peft } from './peft.ts';

export interface RoundTrip {
  model: string;
  what: string;
  /** Largest change of a logit by the adapter; null where none was computed. */
  change: number | null;
  /** Largest difference between the two sides' logits. */
  difference: number | null;
  /** Null: all is right. */
  problem: string | null;
}

const tolerance = 1e-3;
const textLength = 96;
const trainingSteps = 8;

const smallShape = {
  hidden_size: 64,
  intermediate_size: 160,
  num_hidden_layers: 3,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  vocab_size: 500,
  max_position_embeddings: 256,
  bos_token_id: 1,
  eos_token_id: 2,
  pad_token_id: 0,
};
/** Caps that change scores and logits of this size, and windows shorter than the text. */
const gemmaShape = { ...smallShape, head_dim: 24, query_pre_attn_scalar: 20, tie_word_embeddings: true };
const everyOther = ['sliding_attention', 'full_attention', 'sliding_attention'];
const randomModels = {
  'random llama': { ...smallShape, model_type: 'llama', tie_word_embeddings: true },
  'random mistral': { ...smallShape, model_type: 'mistral', sliding_window: 40, tie_word_embeddings: false },
  'random qwen2': { ...smallShape, model_type: 'qwen2', tie_word_embeddings: true },
  'random phi3': { ...smallShape, model_type: 'phi3', tie_word_embeddings: false },
  'random gemma2': {
    ...{ ...gemmaShape, model_type: 'gemma2', sliding_window: 40, layer_types: everyOther },
    ...{ attn_logit_softcapping: 4.5, final_logit_softcapping: 8.5 },
  },
  'random gemma3': { ...gemmaShape, model_type: 'gemma3_text', sliding_window: 40, layer_types: everyOther },
};

const trained: [string, AdapterSettings, learningRate: number][] = [
  ['trained here, LoRA of rank 4', { kind: 'lora', rank: 4, alpha: 8 }, 1e-2],
  ['trained here, dense deltas', { kind: 'full', rank: 0, alpha: 0 }, 2e-3],
];

/** PEFT's options; with fused projections a matrix of three has the name of all. */
function optionsOfPeft(fused: boolean): [string, Record<string, unknown>][] {
  const [query, value, gate] = fused ? ['qkv_proj', 'qkv_proj', 'gate_up_proj'] : ['q_proj', 'v_proj', 'gate_proj'];
  const some = { r: 8, lora_alpha: 16, target_modules: [...new Set([query, value, 'down_proj'])] };
  return [
    ["PEFT's, rank 8 in some modules", some],
    ["PEFT's, all linear layers", { ...some, target_modules: 'all-linear' }],
    ["PEFT's, rsLoRA in one layer", { ...some, use_rslora: true, layers_to_transform: [1] }],
    ["PEFT's, ranks and alphas differ", { ...some, rank_pattern: { down_proj: 3 }, alpha_pattern: { [value]: 5 } }],
    ["PEFT's, gate of rank 2", { r: 2, lora_alpha: 1, target_modules: [gate, 'o_proj'] }],
  ];
}

const refused: [string, Record<string, unknown>, namedInError: string][] = [
  ["PEFT's DoRA", { use_dora: true }, 'use_dora'],
  ["PEFT's with modules to save", { modules_to_save: ['norm'] }, 'modules_to_save'],
  ["PEFT's with biases", { bias: 'all' }, 'bias'],
];

export async function* roundTrips(
  device: Device,
  peft: Peft,
  embeddedModel: string,
  scratch: string,
): AsyncGenerator<RoundTrip> {
  const embedded = basename(embeddedModel);
  yield* roundTripsOf(embedded, embeddedModel, device, peft, join(scratch, embedded));
  for (const [name, config] of Object.entries(randomModels)) {
    const folder = join(scratch, name.replace(' ', '-'));
    await peft.makeModel(config, join(folder, 'model'));
    yield* roundTripsOf(name, join(folder, 'model'), device, peft, folder);
  }
}

async function* roundTripsOf(
  name: string,
  modelFolder: string,
  device: Device,
  peft: Peft,
  scratch: string,
): AsyncGenerator<RoundTrip> {
  await mkdir(scratch, { recursive: true });
  const opened = await openModelFolder(modelFolder);
  const { config } = opened;
  const model = { config, weights: await float32Tensors(opened, join(scratch, 'weights')) };
  const uniform = uniformNumbers(7);
  const ids = Array.from({ length: textLength }, () => Math.floor(uniform() * config.vocabSize));
  const base = await adaptedLogits(device, model, null, ids);
  let count = 0;
  const nextFolder = () => join(scratch, `adapter-${++count}`);
  const compared = (what: string, ours: Float32Array, theirs: Float32Array): RoundTrip => {
    const [change, difference] = [largestDifference(base, theirs), largestDifference(ours, theirs)];
    const problem =
      difference > tolerance
        ? `differs by more than ${tolerance}`
        : change < 100 * tolerance
          ? 'changes too little to show anything'
          : null;
    return { model: name, what, change, difference, problem };
  };

  for (const [what, settings, learningRate] of trained) {
    const adapter = await trainedAdapter(device, model, settings, learningRate, ids);
    const folder = nextFolder();
    const from = { baseModelNameOrPath: modelFolder };
    await exportPeft(adapter.layout, adapter.vector, from, folder, config.fusedProjections);
    const theirs = await peft.logits(modelFolder, folder, ids);
    yield compared(what, await adaptedLogits(device, model, adapter, ids), theirs);
  }
  const take = (folder: string) =>
    importPeft(folder, (settings) => adapterLayout(config, settings), config.fusedProjections);
  for (const [what, options] of optionsOfPeft(config.fusedProjections)) {
    const folder = nextFolder();
    const theirs = await peft.makeAdapter(modelFolder, options, ids, folder);
    yield compared(what, await adaptedLogits(device, model, await take(folder), ids), theirs);
  }
  for (const [what, options, named] of refused) {
    const folder = nextFolder();
    await peft.makeAdapter(modelFolder, { r: 4, target_modules: ['o_proj'], ...options }, ids, folder);
    const refusal: unknown = await take(folder).then(
      () => null,
      (error: unknown) => error,
    );
    const isClear = refusal instanceof StoreError && refusal.message.includes(named);
    const problem = isClear ? null : `was not refused for ${named}: ${refusal}`;
    yield { model: name, what: `${what}, to be refused`, change: null, difference: null, problem };
  }
}

/** After some steps on the text, so that B is not zero. */
async function trainedAdapter(
  device: Device,
  model: TrainableModel,
  settings: AdapterSettings,
  learningRate: number,
  ids: readonly number[],
): Promise<Adapter> {
  const layout = adapterLayout(model.config, settings);
  const trainer = await Trainer.open(device, model, layout, startState(initialAdapter(layout, 1)));
  const [batch] = pack([{ tokens: ids, weights: ids.map(() => 1) }], { rows: 1, length: ids.length });
  for (let step = 0; step < trainingSteps; step++) {
    await trainer.accumulate(batch!, batch!.totalWeight);
    await trainer.takeStep(learningRate);
  }
  const { vector } = await trainer.state();
  await trainer.close();
  return { layout, vector };
}
