/** Models that suit this program, for those who don't know which to take. */

export interface SuggestedModel {
  id: string;
  parameters: number;
  /** Of its weights as they are downloaded. */
  bytes: number;
}

/**
 * Openly licensed, of families that can be run, smallest first. Parameters as the models' pages state them. In safetensors, as
 * they were released: a GGUF file with fewer bits saves download alone, since its weights are held in memory like any others.
 */
const models: readonly [id: string, millionParameters: number][] = [
  ['HuggingFaceTB/SmolLM2-135M-Instruct', 135],
  ['HuggingFaceTB/SmolLM2-360M-Instruct', 362],
  ['Qwen/Qwen2.5-Coder-0.5B-Instruct', 494],
  ['Qwen/Qwen2.5-Coder-1.5B-Instruct', 1544],
  ['Qwen/Qwen3-4B-Instruct-2507', 4022],
  ['Qwen/Qwen2.5-Coder-7B-Instruct', 7616],
];

const halfPrecisionBytes = 2;

export function suggestedModels(): SuggestedModel[] {
  return models.map(([id, millions]) => ({
    id,
    parameters: millions * 1e6,
    bytes: millions * 1e6 * halfPrecisionBytes,
  }));
}
