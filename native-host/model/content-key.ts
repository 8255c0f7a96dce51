import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { ModelConfig } from './config.ts';
import { plainTraits } from './decoder-traits.ts';
import type { StoredTensor } from './safetensors.ts';

const WHOLE_TENSOR_BYTES = 256 * 1024;
const SAMPLES_OF_A_TENSOR = 4;

type KeyedTensor = Pick<StoredTensor, 'shape' | 'file' | 'byteOffset' | 'byteLength'> & { dtype: string };

/**
 * 32 hexadecimal digits over a model's configuration and weights. Small tensors count with all of their bytes, larger ones with evenly spaced parts: enough to tell trained models
 * apart, without reading gigabytes at every start.
 */
export async function contentKey(config: ModelConfig, tensors: ReadonlyMap<string, KeyedTensor>): Promise<string> {
  // What an architecture shares with Llama is left out: adapters of known models outlive further architectures.
  const shared: Record<string, unknown> = { ...plainTraits };
  const special = Object.entries(config).filter(([name, value]) => !(name in shared && shared[name] === value));
  const hash = createHash('sha256').update(JSON.stringify(Object.fromEntries(special)));
  for (const [name, tensor] of tensors) {
    hash.update(JSON.stringify([name, tensor.dtype, tensor.shape]));
    const handle = await open(tensor.file, 'r');
    try {
      const whole = tensor.byteLength <= WHOLE_TENSOR_BYTES;
      const samples = whole ? 1 : SAMPLES_OF_A_TENSOR;
      const sample = Buffer.alloc(whole ? tensor.byteLength : WHOLE_TENSOR_BYTES / SAMPLES_OF_A_TENSOR);
      for (let i = 0; i < samples; i++) {
        const skipped = whole ? 0 : Math.floor(((tensor.byteLength - sample.length) * i) / (samples - 1));
        const { bytesRead } = await handle.read(sample, 0, sample.length, tensor.byteOffset + skipped);
        hash.update(sample.subarray(0, bytesRead));
      }
    } finally {
      await handle.close();
    }
  }
  return hash.digest('hex').slice(0, 32);
}
