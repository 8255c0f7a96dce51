/** How PEFT names the parameters of LoRA in a model of the Llama family, and the modules that they belong to. */

const parents = new Map([
  ...['q_proj', 'k_proj', 'v_proj', 'qkv_proj', 'o_proj'].map((module) => [module, 'self_attn'] as const),
  ...['gate_proj', 'up_proj', 'gate_up_proj', 'down_proj'].map((module) => [module, 'mlp'] as const),
]);

/** A linear layer as an adapter's layout calls it, `layers.<i>.<module>`. */
export interface AdaptedModule {
  layer: number;
  module: string;
}

/** Splits the name of a layout's entry, `layers.0.q_proj.lora_A`; null if it belongs to no linear layer. */
export function moduleOfEntry(name: string): (AdaptedModule & { part: string }) | null {
  const match = /^layers\.(\d+)\.(\w+)\.(lora_A|lora_B|delta)$/.exec(name);
  const [, layer, module, part] = match ?? [];
  return module === undefined || part === undefined || !parents.has(module)
    ? null
    : { layer: Number(layer), module, part };
}

export function peftTensorName({ layer, module }: AdaptedModule, part: 'lora_A' | 'lora_B'): string {
  return `base_model.model.${modelPath({ layer, module })}.${part}.weight`;
}

/** The module's path in Hugging Face's model, which the patterns of PEFT's configuration match. */
export function modelPath({ layer, module }: AdaptedModule): string {
  return `model.layers.${layer}.${parents.get(module)}.${module}`;
}

/** Null for a tensor that is no LoRA parameter of a linear layer. PEFT strips the adapter's name, others leave it. */
export function moduleOfTensor(name: string): (AdaptedModule & { part: 'lora_A' | 'lora_B' }) | null {
  const match = /^base_model\.model\.model\.layers\.(\d{1,6})\.(\w+)\.(\w+)\.(lora_[AB])(\.default)?\.weight$/.exec(
    name,
  );
  const [, layer, parent, module, part] = match ?? [];
  if (module === undefined || parents.get(module) !== parent) return null;
  return { layer: Number(layer), module, part: part as 'lora_A' | 'lora_B' };
}
