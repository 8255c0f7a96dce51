/** The small random decoders with the values that PyTorch computed for them (scripts/reference). */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { adapterLayout } from '../../native-host/model/adapter-init.ts';
import type { AdapterLayout } from '../../native-host/model/adapter-layout.ts';
import type { ModelConfig } from '../../native-host/model/config.ts';
import { openModelFolder } from '../../native-host/model/model-folder.ts';
import {
  readSafetensors,
  readTensor,
  type SafetensorsFile,
  type StoredTensor,
  storedTensor,
} from '../../native-host/model/safetensors.ts';

export const referenceNames = [
  ...['llama-tied', 'llama3-rope-untied', 'llama-biases', 'mistral', 'mistral-window'],
  ...['qwen2', 'qwen2-window', 'qwen3', 'phi3-window', 'phi3-longrope'],
  ...['gemma2', 'gemma3', 'gemma3-short'],
];

export interface ReferenceDecoder {
  config: ModelConfig;
  weights: Map<string, StoredTensor>;
  /** The LoRA adapter that the reference values were computed with. */
  lora: { layout: AdapterLayout; vector: Float32Array };
  integers(name: string): number[];
}

/** A Hugging Face folder without a tokenizer. */
export function referenceFolder(name: string): string {
  return fileURLToPath(new URL(`../fixtures/reference/decoders/${name}`, import.meta.url));
}

export async function openReference(name: string): Promise<ReferenceDecoder> {
  const folder = referenceFolder(name);
  const { config, tensors } = await openModelFolder(folder);
  const reference = await readSafetensors(`${folder}/reference.safetensors`);
  const layout = adapterLayout(config, { kind: 'lora', rank: 4, alpha: 8 });
  const vector = new Float32Array(layout.length);
  for (const { name: entry, offset } of layout.entries)
    vector.set(await readTensor(storedTensor(reference, entry)), offset);
  return {
    config,
    weights: tensors,
    lora: { layout, vector },
    integers: (tensor) => integersOf(reference, tensor),
  };
}

function integersOf({ file, entries }: SafetensorsFile, name: string): number[] {
  const { byteOffset, byteLength } = entries.get(name)!;
  return [...new Int32Array(new Uint8Array(readFileSync(file).subarray(byteOffset, byteOffset + byteLength)).buffer)];
}
