"""lift-base in PyTorch: a Llama whose parameters are a dict by Hugging Face's names.

Rows are [N, T] token ids. A matrix is [out, in] and serves all rows, or [E, out, in] and serves the rows of episode e alone,
which are N / E rows in a row. Parameters are float32; products run in `dtype`, the residual stream in float32.
"""

import math

import torch
import torch.nn.functional as F

MODULES = {
    'self_attn.q_proj': ('query', 'hidden'),
    'self_attn.k_proj': ('key', 'hidden'),
    'self_attn.v_proj': ('key', 'hidden'),
    'self_attn.o_proj': ('hidden', 'query'),
    'mlp.gate_proj': ('feed', 'hidden'),
    'mlp.up_proj': ('feed', 'hidden'),
    'mlp.down_proj': ('hidden', 'feed'),
}
NORMS = ('input_layernorm', 'post_attention_layernorm')
# PyTorch 1.13 has no attention of its own.
HAS_ATTENTION = hasattr(F, 'scaled_dot_product_attention')
EMBEDDING = 'model.embed_tokens.weight'
FINAL_NORM = 'model.norm.weight'


def llama_config(vocabulary, hidden=384, layers=8, heads=6, groups=2, feed=1024, context=2048):
    """Fields of config.json, as the product reads them. A head has 64 dimensions."""
    return {
        'architectures': ['LlamaForCausalLM'],
        'model_type': 'llama',
        'hidden_size': hidden,
        'intermediate_size': feed,
        'num_hidden_layers': layers,
        'num_attention_heads': heads,
        'num_key_value_heads': groups,
        'head_dim': 64,
        'vocab_size': vocabulary,
        'max_position_embeddings': context,
        'hidden_act': 'silu',
        'rms_norm_eps': 1e-5,
        'rope_theta': 10000,
        'rope_scaling': None,
        'attention_bias': False,
        'mlp_bias': False,
        'tie_word_embeddings': True,
        'bos_token_id': 0,
        'eos_token_id': [2, 0],
        'initializer_range': 0.02,
        'torch_dtype': 'float16',
    }


def matrix_names(config):
    """Names of the linear layers' weights: what Muon trains, and what an adapter changes."""
    layers = range(config['num_hidden_layers'])
    return [f'model.layers.{layer}.{module}.weight' for module in MODULES for layer in layers]


def initial_parameters(config, seed, device):
    """Float32. Normal with deviation 0.02, what adds to the residual stream smaller by 1/sqrt(2 layers), norms 1."""
    generator = torch.Generator().manual_seed(seed)
    size = {
        'hidden': config['hidden_size'],
        'feed': config['intermediate_size'],
        'query': config['num_attention_heads'] * config['head_dim'],
        'key': config['num_key_value_heads'] * config['head_dim'],
    }
    residual = 0.02 / math.sqrt(2 * config['num_hidden_layers'])
    normal = lambda deviation, *shape: torch.randn(shape, generator=generator) * deviation
    parameters = {EMBEDDING: normal(0.02, config['vocab_size'], size['hidden'])}
    for layer in range(config['num_hidden_layers']):
        for module, (out, inner) in MODULES.items():
            deviation = residual if module.endswith(('o_proj', 'down_proj')) else 0.02
            parameters[f'model.layers.{layer}.{module}.weight'] = normal(deviation, size[out], size[inner])
        for norm in NORMS:
            parameters[f'model.layers.{layer}.{norm}.weight'] = torch.ones(size['hidden'])
    parameters[FINAL_NORM] = torch.ones(size['hidden'])
    return {name: value.to(device) for name, value in parameters.items()}


def rope_tables(config, length, device):
    """Cosines and sines [T, D], each half of a head the same frequencies."""
    dim = config['head_dim']
    frequencies = config['rope_theta'] ** (-torch.arange(0, dim, 2, dtype=torch.float64) / dim)
    angles = torch.arange(length, dtype=torch.float64)[:, None] * torch.cat([frequencies, frequencies])
    return angles.cos().float().to(device), angles.sin().float().to(device)


def linear(x, weight, dtype):
    x, weight = x.to(dtype), weight.to(dtype)
    if weight.dim() == 2:
        return F.linear(x, weight)
    episodes = weight.shape[0]
    y = torch.bmm(x.reshape(episodes, -1, x.shape[-1]), weight.transpose(1, 2))
    return y.reshape(*x.shape[:-1], -1)


def rms_norm(x, weight, epsilon):
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + epsilon) * weight


def rotate(x, cosines, sines):
    low, high = x.chunk(2, -1)
    return (x * cosines + torch.cat([-high, low], -1) * sines).to(x.dtype)


def attend(q, k, v):
    if HAS_ATTENTION:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    length = q.shape[-2]
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    future = torch.ones(length, length, dtype=torch.bool, device=q.device).triu(1)
    return scores.masked_fill(future, -math.inf).softmax(-1) @ v


def block(x, norms, q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj, cosines, sines, dim, epsilon, dtype):
    """One layer of the residual stream [N, T, C]; `norms` [2, C]."""
    rows, length, _ = x.shape
    heads = lambda y: y.reshape(rows, length, -1, dim).transpose(1, 2)
    y = rms_norm(x, norms[0], epsilon)
    q = rotate(heads(linear(y, q_proj, dtype)), cosines, sines)
    k = rotate(heads(linear(y, k_proj, dtype)), cosines, sines)
    v = heads(linear(y, v_proj, dtype))
    shared = q.shape[1] // k.shape[1]
    mixed = attend(q, k.repeat_interleave(shared, 1), v.repeat_interleave(shared, 1))
    x = x + linear(mixed.transpose(1, 2).reshape(rows, length, -1), o_proj, dtype)
    y = rms_norm(x, norms[1], epsilon)
    return x + linear(F.silu(linear(y, gate_proj, dtype)) * linear(y, up_proj, dtype), down_proj, dtype)


def token_losses(x, norm, table, targets, epsilon, dtype):
    """Nats [N, T] of each target given the residual stream after the last layer."""
    logits = linear(rms_norm(x, norm, epsilon), table, dtype).float()
    losses = F.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1), reduction='none')
    return losses.reshape(targets.shape)


class Llama:
    """The functions of a config; `compiled` runs layers and loss through torch.compile."""

    def __init__(self, config, device, dtype=torch.float32, compiled=False):
        self.config, self.dtype = config, dtype
        self.tables = rope_tables(config, config['max_position_embeddings'], device)
        self.block, self.token_losses = block, token_losses
        if compiled:
            self.block = torch.compile(block, dynamic=False)
            self.token_losses = torch.compile(token_losses, dynamic=False)

    def stream(self, parameters, ids):
        """The residual stream [N, T, C] after the last layer."""
        config = self.config
        cosines, sines = (table[: ids.shape[1]] for table in self.tables)
        x = F.embedding(ids, parameters[EMBEDDING])
        constants = (cosines, sines, config['head_dim'], config['rms_norm_eps'], self.dtype)
        for layer in range(config['num_hidden_layers']):
            prefix = f'model.layers.{layer}.'
            norms = torch.stack([parameters[f'{prefix}{norm}.weight'] for norm in NORMS])
            weights = [parameters[f'{prefix}{module}.weight'] for module in MODULES]
            x = self.block(x, norms, *weights, *constants)
        return x

    def losses(self, parameters, rows):
        """Nats [N, T - 1] of rows [N, T]: of each token but the first, given those before it."""
        x = self.stream(parameters, rows[:, :-1])
        norm, table = parameters[FINAL_NORM], parameters[EMBEDDING]
        return self.token_losses(x, norm, table, rows[:, 1:], self.config['rms_norm_eps'], self.dtype)

    def logits(self, parameters, ids):
        """[N, T, V]"""
        x = rms_norm(self.stream(parameters, ids), parameters[FINAL_NORM], self.config['rms_norm_eps'])
        return linear(x, parameters[EMBEDDING], self.dtype)
