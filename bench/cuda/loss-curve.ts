/** Losses of 200 training steps of the embedded model on this repository's own sources, and whether they come again. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { adapterLayout, initialAdapter } from '../../native-host/model/adapter-init.ts';
import type { BaseModel } from '../../native-host/model/open-model.ts';
import type { Device } from '../../native-host/runtime/device.ts';
import { type PackedBatch, pack } from '../../native-host/train/packing.ts';
import { startState, Trainer } from '../../native-host/train/trainer.ts';

const shape = { rows: 4, length: 256 };
const learningRate = 1e-3;

export interface Curve {
  losses: number[];
  vector: Float32Array;
}

/** LoRA r16 on all linear layers; the batches come round again after an epoch of 40. */
export async function lossCurve(
  device: Device,
  model: BaseModel,
  batches: readonly PackedBatch[],
  steps: number,
): Promise<Curve> {
  const layout = adapterLayout(model.config, { kind: 'lora', rank: 16, alpha: 32 });
  const trainer = await Trainer.open(device, model, layout, startState(initialAdapter(layout, 1)));
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    const batch = batches[step % batches.length]!;
    losses.push((await trainer.accumulate(batch, batch.totalWeight)).loss);
    await trainer.takeStep(learningRate);
  }
  const { vector } = await trainer.state();
  await trainer.close();
  return { losses, vector };
}

/** Batches of this repository's own sources, always the same. */
export function sourceBatches(model: BaseModel, folder: string, count = 40): PackedBatch[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .sort();
  const tokens: number[] = [];
  for (const file of files) {
    tokens.push(...model.tokenizer.encode(readFileSync(path.join(folder, file), 'utf8')));
    if (tokens.length > count * shape.rows * shape.length) break;
  }
  const items = Array.from({ length: Math.floor(tokens.length / shape.length) }, (_, i) => {
    const part = tokens.slice(i * shape.length, (i + 1) * shape.length);
    return { tokens: part, weights: part.map(() => 1), source: i };
  });
  return pack(items, shape).slice(0, count);
}

/** Mean and largest |difference| ÷ loss of two curves. */
export function curveDifference(one: readonly number[], other: readonly number[]): { mean: number; most: number } {
  const relative = one.map((loss, i) => Math.abs(loss - other[i]!) / other[i]!);
  return { mean: relative.reduce((sum, value) => sum + value, 0) / relative.length, most: Math.max(...relative) };
}
