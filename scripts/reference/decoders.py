"""Tiny random decoders of the Llama family, as Hugging Face folders, with logits and gradients from PyTorch.

Written from the published architecture (RMSNorm before attention and before the gated MLP, rotate-half rope, grouped
query heads), computed in float64 from float32 weights. Usage: decoders.py <output folder>.
"""

import json
import math
import os
import struct
import sys

import torch
import torch.nn.functional as F

from ops import geglu, rope_frequencies, soft_cap

RANK, ALPHA = 4, 8
BATCH, LENGTH, PROMPT, CONTINUATION = 2, 12, 5, 8
MODULES = {
    'q_proj': 'self_attn',
    'k_proj': 'self_attn',
    'v_proj': 'self_attn',
    'o_proj': 'self_attn',
    'gate_proj': 'mlp',
    'up_proj': 'mlp',
    'down_proj': 'mlp',
}

SHAPE = {
    'hidden_size': 64,
    'intermediate_size': 96,
    'num_hidden_layers': 2,
    'num_attention_heads': 4,
    'num_key_value_heads': 2,
    'vocab_size': 97,
    'max_position_embeddings': 256,
    'hidden_act': 'silu',
    'rope_theta': 10000.0,
    'rms_norm_eps': 1e-5,
    'initializer_range': 0.02,
    'bos_token_id': 1,
    'eos_token_id': 2,
    'torch_dtype': 'float32',
    'use_cache': True,
}
LLAMA = {'architectures': ['LlamaForCausalLM'], 'model_type': 'llama', 'attention_bias': False, 'mlp_bias': False}
# Of the 8 frequencies of a head of 16, two are kept, one is blended and five are divided.
LLAMA3 = {
    'factor': 8.0,
    'high_freq_factor': 4.0,
    'low_freq_factor': 1.0,
    'original_max_position_embeddings': 128,
    'rope_type': 'llama3',
}
DECODERS = {
    'llama-tied': {**SHAPE, **LLAMA, 'rope_scaling': None, 'tie_word_embeddings': True},
    'llama3-rope-untied': {
        **SHAPE,
        **LLAMA,
        'num_hidden_layers': 3,
        'head_dim': 16,
        'rope_scaling': LLAMA3,
        'tie_word_embeddings': False,
    },
    # Biases on all seven modules; rope's theta and scaling in one object, as newer files have them.
    'llama-biases': {
        **{key: value for key, value in SHAPE.items() if key != 'rope_theta'},
        **LLAMA,
        'attention_bias': True,
        'mlp_bias': True,
        'rope_parameters': {**LLAMA3, 'rope_theta': 500000.0},
        'tie_word_embeddings': True,
    },
    'mistral': {
        **SHAPE,
        'architectures': ['MistralForCausalLM'],
        'model_type': 'mistral',
        'num_key_value_heads': 1,
        'sliding_window': None,
        'tie_word_embeddings': False,
    },
    'qwen2': {
        **SHAPE,
        'architectures': ['Qwen2ForCausalLM'],
        'model_type': 'qwen2',
        'rope_theta': 1000000.0,
        'rms_norm_eps': 1e-6,
        'sliding_window': 256,
        'use_sliding_window': False,
        'max_window_layers': 2,
        'tie_word_embeddings': True,
    },
    'qwen3': {
        **SHAPE,
        'architectures': ['Qwen3ForCausalLM'],
        'model_type': 'qwen3',
        'head_dim': 24,
        'attention_bias': False,
        'rope_scaling': None,
        'rope_theta': 1000000.0,
        'rms_norm_eps': 1e-6,
        'sliding_window': None,
        'use_sliding_window': False,
        'max_window_layers': 2,
        'tie_word_embeddings': True,
    },
}
PHI3 = {
    **SHAPE,
    'architectures': ['Phi3ForCausalLM'],
    'model_type': 'phi3',
    'hidden_size': 48,
    'num_attention_heads': 3,
    'num_key_value_heads': 1,
    'original_max_position_embeddings': 64,
}
DECODERS.update(
    {
        'mistral-window': {**DECODERS['mistral'], 'num_key_value_heads': 2, 'hidden_size': 48, 'sliding_window': 5},
        # Of three layers the last one has the window.
        'qwen2-window': {
            **DECODERS['qwen2'],
            'hidden_size': 48,
            'num_hidden_layers': 3,
            'sliding_window': 4,
            'use_sliding_window': True,
        },
        'phi3-window': {**PHI3, 'rope_scaling': None, 'sliding_window': 7, 'tie_word_embeddings': False},
        # Of each head's 16 columns 12 are turned.
        'phi3-longrope': {
            **PHI3,
            'partial_rotary_factor': 0.75,
            'rope_scaling': {
                'type': 'longrope',
                'short_factor': [1.0, 1.1, 1.3, 1.7, 2.5, 4.0],
                'long_factor': [1.0, 2.0, 4.0, 8.0, 16.0, 32.0],
            },
            'sliding_window': 256,
            'tie_word_embeddings': True,
        },
    }
)
GEMMA = {
    **{key: value for key, value in SHAPE.items() if key != 'hidden_act'},
    'hidden_size': 48,
    'head_dim': 20,
    'num_attention_heads': 2,
    'num_key_value_heads': 1,
    'hidden_activation': 'gelu_pytorch_tanh',
    'rms_norm_eps': 1e-6,
    'query_pre_attn_scalar': 28,
}
DECODERS.update(
    {
        # Of three layers the first and the last have the window; caps so low that they matter.
        'gemma2': {
            **GEMMA,
            'architectures': ['Gemma2ForCausalLM'],
            'model_type': 'gemma2',
            'num_hidden_layers': 3,
            'sliding_window': 5,
            'attn_logit_softcapping': 4.0,
            'final_logit_softcapping': 0.6,
        },
        # Every second layer sees all, with another base and stretched.
        'gemma3': {
            **GEMMA,
            'architectures': ['Gemma3ForCausalLM'],
            'model_type': 'gemma3_text',
            'sliding_window': 5,
            'sliding_window_pattern': 2,
            'rope_theta': 1000000.0,
            'rope_local_base_freq': 10000.0,
            'rope_scaling': {'factor': 2.0, 'rope_type': 'linear'},
        },
        # The same within the window alone.
        'gemma3-short': {
            **GEMMA,
            'architectures': ['Gemma3ForCausalLM'],
            'model_type': 'gemma3_text',
            'sliding_window': 512,
            'layer_types': ['sliding_attention', 'full_attention'],
            'rope_theta': 1000000.0,
            'rope_local_base_freq': 100.0,
        },
    }
)
ALL_GRADIENTS = 'llama-tied'
SEEDS = {'llama-tied': 1, 'llama3-rope-untied': 1, 'llama-biases': 3, 'mistral': 1, 'qwen2': 2, 'qwen3': 10}
SEEDS.update({'mistral-window': 1, 'qwen2-window': 2, 'phi3-window': 1, 'phi3-longrope': 2})
SEEDS.update({'gemma2': 83, 'gemma3': 2, 'gemma3-short': 3})
# What the files of phi3 hold as one matrix, from the top.
FUSED = {'qkv_proj': ['q_proj', 'k_proj', 'v_proj'], 'gate_up_proj': ['gate_proj', 'up_proj']}


def head_dim(config):
    return config.get('head_dim') or config['hidden_size'] // config['num_attention_heads']


def linear_shapes(config):
    """[out, in] of the seven linear modules of a layer."""
    hidden, mlp, d = config['hidden_size'], config['intermediate_size'], head_dim(config)
    wide, narrow = config['num_attention_heads'] * d, config['num_key_value_heads'] * d
    return {
        'q_proj': [wide, hidden],
        'k_proj': [narrow, hidden],
        'v_proj': [narrow, hidden],
        'o_proj': [hidden, wide],
        'gate_proj': [mlp, hidden],
        'up_proj': [mlp, hidden],
        'down_proj': [hidden, mlp],
    }


def stored_shapes(config):
    """The same as they are in the files."""
    shapes = linear_shapes(config)
    if config['model_type'] != 'phi3':
        return shapes
    for fused, parts in FUSED.items():
        shapes[fused] = [sum(shapes[part][0] for part in parts), shapes[parts[0]][1]]
        for part in parts:
            del shapes[part]
    return shapes


def is_gemma(config):
    return config['model_type'].startswith('gemma')


def window(config, layer):
    """How many positions a position of the layer sees; None: all."""
    if config['model_type'] == 'qwen2' and (not config['use_sliding_window'] or layer < config['max_window_layers']):
        return None
    if is_gemma(config):
        types = config.get('layer_types')
        every = 2 if config['model_type'] == 'gemma2' else config.get('sliding_window_pattern')
        sees_all = types[layer] == 'full_attention' if types else (layer + 1) % every == 0
        return None if sees_all else config['sliding_window']
    return config.get('sliding_window') if config['model_type'] in ('mistral', 'qwen2', 'phi3') else None


def has_bias(config, module):
    if config['model_type'] == 'qwen2':
        return module in ('q_proj', 'k_proj', 'v_proj')
    if config['model_type'] == 'phi3' or is_gemma(config):
        return False
    return config.get('attention_bias' if MODULES[module] == 'self_attn' else 'mlp_bias', False)


def random_weights(config, generator):
    """Larger than a usual start, so that attention is far from uniform and every parameter matters."""

    def normal(*shape, size):
        return torch.randn(*shape, generator=generator) * size

    def norm_weight(width):
        return (0 if is_gemma(config) else 1) + normal(width, size=0.2)

    # Gemma multiplies embeddings; with larger ones each token would only be said again.
    size = 0.03 if is_gemma(config) else 0.25
    weights = {'model.embed_tokens.weight': normal(config['vocab_size'], config['hidden_size'], size=size)}
    for i in range(config['num_hidden_layers']):
        layer = f'model.layers.{i}'
        weights[f'{layer}.input_layernorm.weight'] = norm_weight(config['hidden_size'])
        weights[f'{layer}.post_attention_layernorm.weight'] = norm_weight(config['hidden_size'])
        if is_gemma(config):
            weights[f'{layer}.pre_feedforward_layernorm.weight'] = norm_weight(config['hidden_size'])
            weights[f'{layer}.post_feedforward_layernorm.weight'] = norm_weight(config['hidden_size'])
        for module, (rows, columns) in stored_shapes(config).items():
            name = f'{layer}.{MODULES[FUSED.get(module, [module])[0]]}.{module}'
            weights[f'{name}.weight'] = normal(rows, columns, size=1.5 / math.sqrt(columns))
            if has_bias(config, module):
                weights[f'{name}.bias'] = normal(rows, size=0.5)
        if config['model_type'] in ('qwen3', 'gemma3_text'):
            weights[f'{layer}.self_attn.q_norm.weight'] = norm_weight(head_dim(config))
            weights[f'{layer}.self_attn.k_norm.weight'] = norm_weight(head_dim(config))
    weights['model.norm.weight'] = norm_weight(config['hidden_size'])
    if not config.get('tie_word_embeddings', is_gemma(config)):
        weights['lm_head.weight'] = normal(config['vocab_size'], config['hidden_size'], size=0.25)
    return weights


def random_lora(config, generator):
    lora = {}
    for i in range(config['num_hidden_layers']):
        for module, (rows, columns) in linear_shapes(config).items():
            lora[f'layers.{i}.{module}.lora_A'] = torch.randn(RANK, columns, generator=generator) / math.sqrt(columns)
            lora[f'layers.{i}.{module}.lora_B'] = torch.randn(rows, RANK, generator=generator) * 0.2
    return lora


def rotary(config, layer):
    """Radians a position for each pair of columns that is turned, and what cosines and sines are multiplied with."""
    scaling = config.get('rope_scaling') or {}
    if config['model_type'] == 'gemma3_text':
        if window(config, layer) is not None:
            return rope_frequencies(head_dim(config), config['rope_local_base_freq'], None), 1.0
        return rope_frequencies(head_dim(config), config['rope_theta'], None) / scaling.get('factor', 1.0), 1.0
    if scaling.get('type') != 'longrope':
        return frequencies(config), 1.0
    turned = int(head_dim(config) * config['partial_rotary_factor'])
    plain = rope_frequencies(turned, config['rope_theta'], None)
    # The context is within the window that the model was trained with, so the short factors hold.
    original = config['original_max_position_embeddings']
    stretch = config['max_position_embeddings'] / original
    return plain / torch.tensor(scaling['short_factor']).double(), math.sqrt(1 + math.log(stretch) / math.log(original))


def frequencies(config):
    rope = config.get('rope_parameters') or {**(config.get('rope_scaling') or {}), 'rope_theta': config['rope_theta']}
    names = {'factor': 'factor', 'lowFreqFactor': 'low_freq_factor', 'highFreqFactor': 'high_freq_factor'}
    names['originalMaxPositionEmbeddings'] = 'original_max_position_embeddings'
    scaling = {ours: rope[theirs] for ours, theirs in names.items()} if 'factor' in rope else None
    return rope_frequencies(head_dim(config), rope['rope_theta'], scaling)


def forward(config, weights, ids, lora=None):
    """ids [B,T] -> logits [B,T,V]; each row is one sequence from position 0."""
    heads, kv_heads, d = config['num_attention_heads'], config['num_key_value_heads'], head_dim(config)
    batch, length = ids.shape
    every = torch.ones(length, length, dtype=torch.bool)

    def norm(x, name):
        weight = weights[f'{name}.weight'] + (1 if is_gemma(config) else 0)
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + config['rms_norm_eps']) * weight

    def linear(x, i, module):
        name = f'model.layers.{i}.{MODULES[module]}.'
        if config['model_type'] == 'phi3' and module not in ('o_proj', 'down_proj'):
            fused = next(fused for fused, parts in FUSED.items() if module in parts)
            rows = [linear_shapes(config)[part][0] for part in FUSED[fused]]
            y = F.linear(x, weights[f'{name}{fused}.weight']).split(rows, dim=-1)[FUSED[fused].index(module)]
        else:
            y = F.linear(x, weights[f'{name}{module}.weight'], weights.get(f'{name}{module}.bias'))
        if lora is None:
            return y
        a, b = lora[f'layers.{i}.{module}.lora_A'], lora[f'layers.{i}.{module}.lora_B']
        return y + ALPHA / RANK * F.linear(F.linear(x, a), b)

    def rotate(x, layer):
        radians, size = rotary(config, layer)
        angles = torch.outer(torch.arange(length).double(), radians)
        cos, sin = size * torch.cat([angles, angles], 1).cos(), size * torch.cat([angles, angles], 1).sin()
        turned, rest = x[..., : cos.shape[1]], x[..., cos.shape[1] :]
        first, second = turned.chunk(2, dim=-1)
        return torch.cat([turned * cos + torch.cat([-second, first], dim=-1) * sin, rest], dim=-1)

    def by_head(x, count):
        return x.view(batch, length, count, d).transpose(1, 2)

    def gated(gate, up):
        return geglu({}, gate, up)['output'] if is_gemma(config) else F.silu(gate) * up

    x = weights['model.embed_tokens.weight'][ids.long()]
    if is_gemma(config):
        x = x * math.sqrt(config['hidden_size'])
    scale = 1 / math.sqrt(config.get('query_pre_attn_scalar', d))
    for i in range(config['num_hidden_layers']):
        layer = f'model.layers.{i}'
        y = norm(x, f'{layer}.input_layernorm')
        q = by_head(linear(y, i, 'q_proj'), heads)
        k, v = by_head(linear(y, i, 'k_proj'), kv_heads), by_head(linear(y, i, 'v_proj'), kv_heads)
        if config['model_type'] in ('qwen3', 'gemma3_text'):
            q, k = norm(q, f'{layer}.self_attn.q_norm'), norm(k, f'{layer}.self_attn.k_norm')
        q, k = rotate(q, i), rotate(k, i)
        k, v = k.repeat_interleave(heads // kv_heads, dim=1), v.repeat_interleave(heads // kv_heads, dim=1)
        hidden = every.triu(1) | every.tril(-(window(config, i) or length))
        scores = soft_cap(q @ k.transpose(2, 3) * scale, config.get('attn_logit_softcapping'))
        scores = scores.masked_fill(hidden, -math.inf)
        attended = (torch.softmax(scores, dim=-1) @ v).transpose(1, 2).reshape(batch, length, heads * d)
        y = linear(attended, i, 'o_proj')
        x = x + (norm(y, f'{layer}.post_attention_layernorm') if is_gemma(config) else y)
        y = norm(x, f'{layer}.pre_feedforward_layernorm' if is_gemma(config) else f'{layer}.post_attention_layernorm')
        y = linear(gated(linear(y, i, 'gate_proj'), linear(y, i, 'up_proj')), i, 'down_proj')
        x = x + (norm(y, f'{layer}.post_feedforward_layernorm') if is_gemma(config) else y)
    head = 'model.embed_tokens.weight' if config.get('tie_word_embeddings', is_gemma(config)) else 'lm_head.weight'
    return soft_cap(F.linear(norm(x, 'model.norm'), weights[head]), config.get('final_logit_softcapping'))


def weighted_loss(logits, labels, weights):
    per_token = F.cross_entropy(logits.flatten(0, 1), labels.flatten().long(), reduction='none')
    return (weights.flatten() * per_token).sum()


def greedy(config, weights, prompt, lora):
    """Fails where it would be a weak test: a near tie that float32 may decide otherwise, an early end, a repetition."""
    ids = prompt.clone()
    for _ in range(CONTINUATION):
        best = forward(config, weights, ids, lora)[0, -1].topk(2)
        if best.values[0] - best.values[1] < 0.01 or int(best.indices[0]) == config['eos_token_id']:
            raise SystemExit('near tie or end of sequence in the greedy continuation: take another seed')
        ids = torch.cat([ids, best.indices[:1][None]], dim=1)
    continuation = ids[0, prompt.shape[1] :].int()
    if len(continuation.unique()) < 5:
        raise SystemExit('the greedy continuation repeats itself: take another seed')
    return continuation


def double(tensors, gradient=False):
    return {name: tensor.double().requires_grad_(gradient) for name, tensor in tensors.items()}


def reference(config, weights, generator, every_gradient):
    ids = torch.randint(3, config['vocab_size'], (BATCH, LENGTH), generator=generator, dtype=torch.int32)
    last = torch.randint(3, config['vocab_size'], (BATCH, 1), generator=generator, dtype=torch.int32)
    labels = torch.cat([ids[:, 1:], last], dim=1)
    token_weights = torch.rand(BATCH, LENGTH, generator=generator)
    token_weights[0, :4] = 0  # a prompt that carries no loss
    token_weights[1, -2:] = 0
    lora = random_lora(config, generator)
    base, adapter = double(weights, every_gradient), double(lora, True)
    logits = forward(config, base, ids)
    lora_logits = forward(config, base, ids, adapter)
    loss = weighted_loss(lora_logits, labels, token_weights.double())
    tensors = {
        'input_ids': ids,
        'logits': logits,
        'labels': labels,
        'weights': token_weights,
        'lora_logits': lora_logits,
        'loss': loss.reshape(1),
        **lora,
    }
    loss.backward(retain_graph=every_gradient)
    tensors.update({f'gradient.{name}': tensor.grad for name, tensor in adapter.items()})
    if every_gradient:
        tensors.update({f'gradient.{name}': tensor.grad.clone() for name, tensor in base.items()})
        base_loss = weighted_loss(logits, labels, token_weights.double())
        tensors['base_loss'] = base_loss.reshape(1)
        gradients = torch.autograd.grad(base_loss, list(base.values()))
        tensors.update({f'base_gradient.{name}': gradient for name, gradient in zip(base, gradients)})
    prompt = ids[:1, :PROMPT]
    with torch.no_grad():
        tensors['greedy_prompt'] = prompt[0]
        tensors['greedy_continuation'] = greedy(config, base, prompt, None)
        tensors['lora_greedy_continuation'] = greedy(config, base, prompt, adapter)
    return tensors


def write_safetensors(path, tensors):
    """8 bytes of header length, a JSON header padded with spaces to a multiple of 8, then the tensors' bytes."""
    header, parts, offset = {'__metadata__': {'format': 'pt'}}, [], 0
    for name, tensor in tensors.items():
        tensor = tensor.detach()
        floats = tensor.is_floating_point()
        data = (tensor.float() if floats else tensor.int()).contiguous().numpy().tobytes()
        shape, end = list(tensor.shape), offset + len(data)
        header[name] = {'dtype': 'F32' if floats else 'I32', 'shape': shape, 'data_offsets': [offset, end]}
        parts.append(data)
        offset = end
    text = json.dumps(header, separators=(',', ':')).encode()
    text += b' ' * (-len(text) % 8)
    with open(path, 'wb') as file:
        file.write(struct.pack('<Q', len(text)) + text + b''.join(parts))


def main():
    for name, config in DECODERS.items():
        folder = os.path.join(sys.argv[1], name)
        os.makedirs(folder, exist_ok=True)
        generator = torch.Generator().manual_seed(SEEDS[name])
        weights = random_weights(config, generator)
        tensors = reference(config, weights, generator, name == ALL_GRADIENTS)
        with open(os.path.join(folder, 'config.json'), 'w') as file:
            file.write(json.dumps(config, indent=2) + '\n')
        write_safetensors(os.path.join(folder, 'model.safetensors'), weights)
        write_safetensors(os.path.join(folder, 'reference.safetensors'), tensors)
        largest = float(tensors['logits'].abs().max())
        continuation = tensors['greedy_continuation'].tolist()
        print(f'{name}: loss {float(tensors["loss"]):.4f}, largest logit {largest:.1f}, continues with {continuation}')


if __name__ == '__main__':
    main()
