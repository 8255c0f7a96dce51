/** PEFT's adapter_config.json: what we write, and what of it we can read. */
import { type AdaptedModule, modelPath } from './peft-names.ts';

export const peftConfigFile = 'adapter_config.json';
export const peftTensorFile = 'adapter_model.safetensors';

export interface PeftScales {
  /** Of most modules. */
  rank: number;
  alpha: number;
  /** By module's name, where modules differ. */
  rankByModule: ReadonlyMap<string, number>;
  alphaByModule: ReadonlyMap<string, number>;
}

export function renderPeftConfig(modules: readonly string[], scales: PeftScales, baseModelNameOrPath: string): string {
  const config = {
    alpha_pattern: Object.fromEntries(scales.alphaByModule),
    auto_mapping: null,
    base_model_name_or_path: baseModelNameOrPath,
    bias: 'none',
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    layers_pattern: null,
    layers_to_transform: null,
    lora_alpha: scales.alpha,
    lora_dropout: 0,
    modules_to_save: null,
    peft_type: 'LORA',
    r: scales.rank,
    rank_pattern: Object.fromEntries(scales.rankByModule),
    revision: null,
    target_modules: modules,
    task_type: 'CAUSAL_LM',
    use_dora: false,
    use_rslora: false,
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}

export interface PeftConfig {
  baseModelNameOrPath: string | null;
  rankOf(module: AdaptedModule): number;
  /** With this alpha, B · A counts alpha / rank; where the file asks for alpha / √rank, that has become a larger alpha. */
  alphaOf(module: AdaptedModule): number;
  /** Layers that are adapted; null: all. */
  layers: ReadonlySet<number> | null;
}

/** Options that change what the adapter computes, with the values that leave it plain LoRA. */
const plainValues: [option: string, plain: (value: unknown) => boolean][] = [
  ['peft_type', (value) => value === 'LORA'],
  ['task_type', (value) => value === 'CAUSAL_LM' || isOff(value)],
  ['bias', (value) => value === 'none' || isOff(value)],
  // These change the base's weights as well.
  ['init_lora_weights', (value) => typeof value !== 'string' || !/^(pissa|olora|corda|loftq|lora_ga)/.test(value)],
  ...[
    ...['use_dora', 'use_qalora', 'lora_bias', 'fan_in_fan_out', 'modules_to_save', 'layer_replication'],
    ...['trainable_token_indices', 'target_parameters', 'alora_invocation_tokens', 'megatron_config', 'arrow_config'],
    ...['use_bdlora', 'kasa_config', 'velora_config', 'monteclora_config'],
  ].map((option): [string, (value: unknown) => boolean] => [option, isOff]),
];

function isOff(value: unknown): boolean {
  return value === undefined || value === null || value === false || (Array.isArray(value) && value.length === 0);
}

/** `problems` lists everything that is wrong or unsupported; `config` is null if nothing can be said about ranks. */
export function parsePeftConfig(text: string): { config: PeftConfig | null; problems: string[] } {
  let fields: Record<string, unknown>;
  try {
    fields = JSON.parse(text);
  } catch (error) {
    return { config: null, problems: [`${peftConfigFile} is not valid JSON: ${(error as Error).message}`] };
  }
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields)) {
    return { config: null, problems: [`${peftConfigFile} is not a JSON object`] };
  }
  const problems = plainValues
    .filter(([option, isPlain]) => !isPlain(fields[option]))
    .map(([option]) => `the option ${option} is ${brief(fields[option])}, which is not supported`);

  const { r = 8, lora_alpha: alpha = 8, base_model_name_or_path: base, use_rslora: byRoot } = fields;
  if (byRoot !== true && !isOff(byRoot)) problems.push(`use_rslora is ${brief(byRoot)} instead of true or false`);
  const layers = layersIn(fields.layers_to_transform, problems);
  if (!isRank(r)) problems.push(`r is ${brief(r)} instead of a whole number above 0`);
  if (!isAlpha(alpha)) problems.push(`lora_alpha is ${brief(alpha)} instead of a number`);
  const ranks = patternsOf('rank_pattern', fields.rank_pattern, isRank, problems);
  const alphas = patternsOf('alpha_pattern', fields.alpha_pattern, isAlpha, problems);
  if (!isRank(r) || !isAlpha(alpha)) return { config: null, problems };
  const rankOf = (module: AdaptedModule) => firstMatch(ranks, module) ?? r;
  const alphaOf = (module: AdaptedModule) =>
    (firstMatch(alphas, module) ?? alpha) * (byRoot === true ? Math.sqrt(rankOf(module)) : 1);
  return { config: { baseModelNameOrPath: typeof base === 'string' ? base : null, rankOf, alphaOf, layers }, problems };
}

function layersIn(value: unknown, problems: string[]): Set<number> | null {
  if (isOff(value)) return null;
  const layers = Array.isArray(value) ? value : [value];
  if (layers.every((layer) => Number.isSafeInteger(layer) && layer >= 0)) return new Set(layers);
  problems.push(`layers_to_transform is ${brief(value)} instead of numbers of layers`);
  return null;
}

function patternsOf(
  option: string,
  value: unknown,
  isValid: (value: unknown) => value is number,
  problems: string[],
): [pattern: string, value: number][] {
  if (value === undefined || value === null) return [];
  if (typeof value !== 'object' || Array.isArray(value)) {
    problems.push(`${option} is ${brief(value)} instead of an object`);
    return [];
  }
  const patterns: [string, number][] = [];
  for (const [pattern, number] of Object.entries(value)) {
    // PEFT takes regular expressions; running those of a stranger can take for ever, and names are what people write.
    if (!/^[\w.]+$/.test(pattern))
      problems.push(`${option} has the pattern ${brief(pattern)}; only names are supported`);
    else if (!isValid(number)) problems.push(`${option} says ${brief(number)} for ${brief(pattern)}`);
    else patterns.push([pattern, number]);
  }
  return patterns;
}

function firstMatch(patterns: readonly [string, number][], module: AdaptedModule): number | undefined {
  return patterns.find(([pattern]) => `.${modelPath(module)}`.endsWith(`.${pattern}`))?.[1];
}

function isRank(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}

function isAlpha(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function brief(value: unknown): string {
  const text = JSON.stringify(value) ?? 'missing';
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

export function mostCommon(values: readonly number[]): number | undefined {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0];
}
