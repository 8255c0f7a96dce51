/** How absorbing with a model fits the devices of this machine. */
import type { FrozenWeights } from './model/coded-weights.ts';
import { CudaUnavailableError } from './runtime/cuda/driver-error.ts';
import type { DeviceName } from './runtime/device.ts';
import {
  frozenBytes,
  gigabytes,
  MemoryError,
  type ModelSize,
  machineMemory,
  programMemory,
} from './runtime/fitting.ts';
import { chooseDevice, type DeviceChoice, type DeviceFiles } from './runtime/open-device.ts';
import { type Recipe, recipeFor } from './train/recipe.ts';
import { trainingPlan } from './train/training-plan.ts';

export interface DevicePlan {
  device: DeviceName;
  fits: boolean;
  /** What it takes and costs, or why it does not fit, and what would. */
  plan: string;
}

/**
 * The recipe as this machine can train it, and what that costs in a sentence; empty: nothing. Nothing is refused: that was
 * decided when the device was chosen, by what was measured, and what is reckoned here is a little high.
 */
export function fittedRecipe(
  device: DeviceName,
  model: Pick<ModelSize, 'config'> & FrozenWeights,
  recipe: Recipe,
  memory = machineMemory(),
): { recipe: Recipe; cost: string } {
  if (device === 'cuda') return { recipe, cost: '' };
  const plan = trainingPlan(model.config, recipe, (program) => programMemory(program, model), memory);
  const cost = plan.cost === null ? '' : ` In ${gigabytes(memory)} of memory ${plan.cost}.`;
  return { recipe: plan.recipe, cost };
}

/** For each device that there can be. `name` is the model's. */
export function devicePlans(
  name: string,
  model: ModelSize,
  files: DeviceFiles,
  memory = machineMemory(),
): DevicePlan[] {
  return (['cpu', 'webgpu', 'cuda'] as const).map((device) => {
    try {
      const choice = chooseDevice(name, { device }, model, files, memory);
      // An old card is left to webgpu, which the reason says.
      if (device === 'cuda') return { device, fits: choice.name === 'cuda', plan: `${choice.reason}.` };
      return { device, fits: true, plan: planInMemory(model, choice, memory) };
    } catch (error) {
      if (!(error instanceof MemoryError || error instanceof CudaUnavailableError)) throw error;
      return { device, fits: false, plan: error.message };
    }
  });
}

function planInMemory(model: ModelSize, { name, weights }: DeviceChoice, memory: number): string {
  const { config, parameters } = model;
  const kind = weights === 'float32' ? undefined : 'lora';
  const recipe = recipeFor(parameters, config.maxPositionEmbeddings, kind);
  // The programs are reckoned with exact weights.
  const saved = frozenBytes(model, 'float32') - frozenBytes(model, weights);
  const { bytes, cost, recipe: fitted } = trainingPlan(config, recipe, programMemory, memory + saved);
  const { rows, length } = fitted.full.shape;
  const how = cost ?? 'nothing has to be computed twice';
  const form = weights === 'float32' ? '' : `frozen weights as ${weights}, `;
  const room = `${gigabytes(bytes - saved)} of ${gigabytes(memory)}`;
  const unknown =
    name === 'webgpu' ? ' A GPU does not say what memory it has: reckoned is with that of the machine.' : '';
  return `${room}: ${form}batches of ${rows} × ${length} tokens, ${how}.${unknown}`;
}
