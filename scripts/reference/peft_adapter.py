"""What Hugging Face transformers and PEFT make of models and adapters: the other side of scripts/peft-check.ts.

Usage: peft_adapter.py versions|model|make|logits '<JSON of the task>'. Prints one line of JSON. All in float32 on the
processor. Logits are written as raw float32 [tokens, vocabulary]. `fixtures <decoders folder> <output folder>` writes the
adapters that the tests read (README.md beside this file).
"""

import json
import os
import shutil
import sys

import torch
from peft import LoraConfig, PeftModel, __version__ as peft_version, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM, __version__ as transformers_version

FIXTURES = {
    'qwen2-patterns': (
        'qwen2',
        {
            'r': 4,
            'lora_alpha': 8,
            'target_modules': ['q_proj', 'v_proj', 'down_proj'],
            'rank_pattern': {'down_proj': 6},
            'alpha_pattern': {'v_proj': 3, 'layers.1.self_attn.q_proj': 10},
        },
    ),
    'qwen2-rslora-one-layer': (
        'qwen2',
        {
            'r': 4,
            'lora_alpha': 3,
            'use_rslora': True,
            'layers_to_transform': [1],
            'target_modules': ['k_proj', 'o_proj', 'up_proj'],
        },
    ),
    'phi3-fused': (
        'phi3-window',
        {'r': 3, 'lora_alpha': 6, 'rank_pattern': {'o_proj': 2}, 'target_modules': ['qkv_proj', 'o_proj', 'gate_up_proj']},
    ),
}


def load(folder):
    config = AutoConfig.from_pretrained(folder)
    # phi3's default is a token that a small vocabulary does not have.
    config.pad_token_id = None
    model = AutoModelForCausalLM.from_pretrained(
        folder, config=config, dtype=torch.float32, attn_implementation='eager'
    )
    model.config.use_cache = False
    return model.eval()


@torch.no_grad()
def logits_of(model, ids):
    return model(input_ids=torch.tensor([ids])).logits[0].float().contiguous()


@torch.no_grad()
def with_random_adapter(model, options, seed):
    """PEFT's own adapter: A as PEFT makes it, B random as well, so that it changes something."""
    torch.manual_seed(seed)
    adapted = get_peft_model(model, LoraConfig(task_type='CAUSAL_LM', **options)).eval()
    for name, parameter in adapted.named_parameters():
        if 'lora_B' in name:
            parameter.normal_(0, 0.1)
    return adapted


def versions(_):
    return {'versions': f'torch {torch.__version__}, transformers {transformers_version}, peft {peft_version}'}


def model(task):
    """A random model of `config`, larger than a usual start, so that every parameter matters."""
    torch.manual_seed(1)
    config = dict(task['config'])
    kind = AutoConfig.for_model(config.pop('model_type'), initializer_range=0.2, **config)
    AutoModelForCausalLM.from_config(kind).float().save_pretrained(task['folder'])
    return {}


def make(task):
    adapted = with_random_adapter(load(task['model']), task['options'], seed=2)
    adapted.save_pretrained(task['folder'])
    logits_of(adapted, task['ids']).numpy().tofile(task['output'])
    return {}


def logits(task):
    base = load(task['model'])
    adapted = base if task['adapter'] is None else PeftModel.from_pretrained(base, task['adapter']).eval()
    logits_of(adapted, task['ids']).numpy().tofile(task['output'])
    return {}


def fixtures(decoders, output):
    for name, (decoder, options) in FIXTURES.items():
        folder = os.path.join(output, name)
        shutil.rmtree(folder, ignore_errors=True)
        ids = load_file(os.path.join(decoders, decoder, 'reference.safetensors'))['input_ids']
        adapted = with_random_adapter(load(os.path.join(decoders, decoder)), options, seed=3)
        adapted.peft_config['default'].base_model_name_or_path = decoder
        adapted.save_pretrained(folder)
        os.remove(os.path.join(folder, 'README.md'))
        with open(os.path.join(folder, 'adapter_config.json'), 'r+') as file:
            # A set in PEFT, in another order each time.
            written = json.load(file)
            file.seek(0)
            file.truncate()
            file.write(json.dumps({**written, 'target_modules': sorted(written['target_modules'])}, indent=2) + '\n')
        with torch.no_grad():
            result = adapted(input_ids=ids.long()).logits.contiguous()
        save_file({'logits': result}, os.path.join(folder, 'reference.safetensors'))
        print(f'{name}: largest logit {float(result.abs().max()):.1f}')


if __name__ == '__main__':
    if sys.argv[1] == 'fixtures':
        fixtures(*sys.argv[2:])
    else:
        task = {'versions': versions, 'model': model, 'make': make, 'logits': logits}[sys.argv[1]]
        print(json.dumps(task(json.loads(sys.argv[2]))))
