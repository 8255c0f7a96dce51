/**
 * Adapters to PEFT's format (adapter_config.json and adapter_model.safetensors), for other runtimes.
 * Source: https://huggingface.co/docs/peft/developer_guides/checkpoint
 *
 * A dense delta [out, in] is exported exactly, as LoRA of full rank whose smaller side is an identity: B · A = delta with
 * A = I where in <= out, else with B = I; alpha equals the rank, so that the scale is 1.
 */
import { join } from 'node:path';
import type { AdapterLayout } from '../model/adapter-layout.ts';
import { createSafetensors } from '../model/safetensors-writer.ts';
import { explained, makeFolder, namesIn, writeFileAtomically } from './atomic-file.ts';
import { vectorProblems } from './layout-problems.ts';
import { mostCommon, type PeftScales, peftConfigFile, peftTensorFile, renderPeftConfig } from './peft-config.ts';
import { fusedLayout, fuseVector, moduleCount } from './peft-fused.ts';
import { moduleOfEntry, peftTensorName } from './peft-names.ts';
import { exportFolderInUse, notExportable, unusableVector } from './store-error.ts';
import { bytesOf } from './vector-file.ts';

interface PlannedTensor {
  name: string;
  shape: [number, number];
  /** Read when it is written, so that only one identity is in memory at a time. */
  data: () => Float32Array;
}

/**
 * Writes an adapter of kind 'lora' or 'full' into `folder`, which is created; with `fusedProjections` for a model whose
 * files hold query, key and value as one matrix, and gate and up (peft-fused.ts). Throws a StoreError for Gated Memory, which
 * PEFT has no form for, for a folder that holds an adapter already, and for a full disk.
 */
export async function exportPeft(
  layout: AdapterLayout,
  vector: Float32Array,
  { baseModelNameOrPath }: { baseModelNameOrPath: string },
  folder: string,
  fusedProjections = false,
): Promise<void> {
  const problems = vectorProblems(layout, 'the adapter', vector);
  if (problems.length > 0) throw unusableVector(problems);
  const { tensors, modules, scales } = fusedProjections
    ? plan(fusedLayout(layout, 'blocks'), fuseVector(layout, vector))
    : plan(layout, vector);
  await makeFolder(folder);
  const existing = (await namesIn(folder)).find((name) => name === peftConfigFile || name === peftTensorFile);
  if (existing !== undefined) throw exportFolderInUse(folder, existing);

  const described = tensors.map(({ name, shape }) => ({ name, shape, dtype: 'F32' as const }));
  const bytes = tensors.reduce((sum, { shape: [rows, columns] }) => sum + rows * columns * 4, 0);
  try {
    const writer = await createSafetensors(join(folder, peftTensorFile), described, { format: 'pt' });
    try {
      for (const { data } of tensors) await writer.write(bytesOf(data()));
      await writer.commit();
    } catch (error) {
      await writer.discard();
      throw error;
    }
  } catch (error) {
    throw await explained(error, folder, bytes);
  }
  // Last, so that a folder with a configuration is complete.
  const config = renderPeftConfig([...modules], scales, baseModelNameOrPath);
  await writeFileAtomically(join(folder, peftConfigFile), [Buffer.from(config)]);
}

interface ExportPlan {
  tensors: PlannedTensor[];
  modules: Set<string>;
  scales: PeftScales;
}

function plan(layout: AdapterLayout, vector: Float32Array): ExportPlan {
  return layout.kind === 'lora' ? planLora(layout, vector) : planFull(layout, vector);
}

function planLora(layout: AdapterLayout, vector: Float32Array): ExportPlan {
  const modules = new Set<string>();
  const tensors = linearEntries(layout).map(({ shape, offset, layer, module, part }): PlannedTensor => {
    modules.add(module);
    const name = peftTensorName({ layer, module }, part as 'lora_A' | 'lora_B');
    return { name, shape, data: () => vector.subarray(offset, offset + shape[0] * shape[1]) };
  });
  const { rank, alpha } = layout;
  const differing = [...modules].filter((module) => moduleCount(module) > 1);
  const times = (value: number) => new Map(differing.map((module) => [module, value * moduleCount(module)]));
  return { tensors, modules, scales: { rank, alpha, rankByModule: times(rank), alphaByModule: times(alpha) } };
}

function planFull(layout: AdapterLayout, vector: Float32Array): ExportPlan {
  const rankByModule = new Map<string, number>();
  const tensors = linearEntries(layout).flatMap(({ shape, offset, layer, module }): PlannedTensor[] => {
    const [out, inner] = shape;
    const rank = Math.min(out, inner);
    if ((rankByModule.get(module) ?? rank) !== rank) {
      throw notExportable(`${module} has different shapes in different layers`);
    }
    rankByModule.set(module, rank);
    const delta = () => vector.subarray(offset, offset + out * inner);
    const [nameA, nameB] = [peftTensorName({ layer, module }, 'lora_A'), peftTensorName({ layer, module }, 'lora_B')];
    const square = { shape: [rank, rank] as [number, number], data: () => identity(rank) };
    return inner <= out
      ? [
          { name: nameA, ...square },
          { name: nameB, shape, data: delta },
        ]
      : [
          { name: nameA, shape, data: delta },
          { name: nameB, ...square },
        ];
  });
  const rank = mostCommon([...rankByModule.values()]) ?? 1;
  const scales = { rank, alpha: rank, rankByModule, alphaByModule: rankByModule };
  return { tensors, modules: new Set(rankByModule.keys()), scales };
}

function linearEntries(layout: AdapterLayout) {
  if (layout.kind === 'gatedMemory') {
    throw notExportable(
      'Gated Memory adds memories to the attention heads, which no adapter type of PEFT can express; ' +
        "absorb with the adapter kind 'lora' or 'full' to export",
    );
  }
  const others = layout.entries.filter(({ name }) => moduleOfEntry(name) === null).map(({ name }) => name);
  if (others.length > 0) throw notExportable(`it changes more than linear layers: ${others.join(', ')}`);
  return layout.entries.map(({ name, shape, offset }) => {
    return { shape: shape as [number, number], offset, ...moduleOfEntry(name)! };
  });
}

function identity(size: number): Float32Array {
  const matrix = new Float32Array(size * size);
  for (let i = 0; i < size; i++) matrix[i * (size + 1)] = 1;
  return matrix;
}
