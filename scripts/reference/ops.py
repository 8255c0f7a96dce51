"""Reference values for the engine's ops: forward, cotangents and gradients from torch.autograd.

Each op is written here from its published formula, in float64 and as plainly as possible (loops where the engine uses
matrix products), so that it shares nothing with the engine. Inputs are float32 values. Every gradient is compared with
central differences before it is written. Usage: ops.py <output folder>, one JSON file a case.
"""

import json
import math
import os
import sys
import zlib

import torch

from op_cases import CASES


# Rows are N = B*T, batch-major. H query heads, KV key/value heads, d columns a head.


def embedding(attributes, table, ids):
    return {'output': table[ids.long()]}


def linear(attributes, x, weight):
    return {'output': x @ weight.t()}


def linear_bias(attributes, x, weight, bias):
    return {'output': x @ weight.t() + bias}


def matmul(attributes, left, right):
    left = left.t() if attributes['transposeLeft'] else left
    return {'output': left @ (right.t() if attributes['transposeRight'] else right)}


def add(attributes, a, b):
    return {'output': a + b}


def multiply(attributes, a, b):
    return {'output': a * b}


def scale(attributes, x):
    return {'output': x * attributes['factor']}


def affine(attributes, x):
    return {'output': attributes['factor'] * x + attributes['offset']}


def scale_by(attributes, x, factor):
    return {'output': x * factor}


def rms_norm(attributes, x, weight):
    return {'output': x / torch.sqrt((x * x).mean(-1, keepdim=True) + attributes['eps']) * weight}


def head_rms_norm(attributes, x, weight):
    d = weight.shape[0]
    return {'output': torch.cat([rms_norm(attributes, head, weight)['output'] for head in x.split(d, dim=1)], dim=1)}


def rope_frequencies(head_dim, theta, scaling):
    """Radians a position for each of the head_dim / 2 pairs; scaling is 'llama3' of Hugging Face."""
    frequencies = []
    for pair in range(head_dim // 2):
        frequency = theta ** (-2 * pair / head_dim)
        if scaling is not None:
            low, high, factor = scaling['lowFreqFactor'], scaling['highFreqFactor'], scaling['factor']
            turns = scaling['originalMaxPositionEmbeddings'] * frequency / (2 * math.pi)
            if turns < low:
                frequency = frequency / factor
            elif turns <= high:
                smooth = (turns - low) / (high - low)
                frequency = (1 - smooth) * frequency / factor + smooth * frequency
        frequencies.append(frequency)
    return torch.tensor(frequencies, dtype=torch.float64)


def rope(attributes, x, positions):
    d = attributes['headDim']
    turned = int(d * attributes.get('partialRotaryFactor', 1))
    angles = positions.double()[:, None] * rope_frequencies(turned, attributes['theta'], attributes['scaling'])[None, :]
    cos, sin = torch.cos(angles), torch.sin(angles)
    parts = []
    for head in x.split(d, dim=1):
        first, second = head[:, : turned // 2], head[:, turned // 2 : turned]
        parts += [first * cos - second * sin, second * cos + first * sin, head[:, turned:]]
    return {'output': torch.cat(parts, dim=1)}


def soft_cap(x, cap):
    """Near x where |x| is small beside the cap, and never beyond the cap."""
    return x if cap is None else torch.tanh(x / cap) * cap


def causal_attention(attributes, q, k, v, sequenceIds):
    """Padding (id -1) gets no special treatment: it attends the padding before it, as any sequence does."""
    d, heads, group = attributes['headDim'], attributes['heads'], attributes['heads'] // attributes['keyValueHeads']
    batch, length = sequenceIds.shape
    rows = []
    for b in range(batch):
        for j in range(length):
            first = max(0, j + 1 - attributes.get('window', length))
            seen = [b * length + i for i in range(first, j + 1) if sequenceIds[b, i] == sequenceIds[b, j]]
            row = []
            for head in range(heads):
                query = q[b * length + j, head * d : (head + 1) * d]
                columns = slice((head // group) * d, (head // group + 1) * d)
                scores = soft_cap(k[seen, columns] @ query / math.sqrt(d), attributes.get('softCap'))
                probabilities = torch.softmax(scores, dim=0)
                row.append(probabilities @ v[seen, columns])
            rows.append(torch.cat(row))
    return {'output': torch.stack(rows)}


def cached_attention(attributes, q, k, v, pastK, pastV):
    """n new positions see all that came before them, and themselves."""
    d, heads, group = attributes['headDim'], attributes['heads'], attributes['heads'] // attributes['keyValueHeads']
    keys, values, past = torch.cat([pastK, k]), torch.cat([pastV, v]), len(pastK)
    rows = []
    for i in range(len(q)):
        row = []
        for head in range(heads):
            columns = slice((head // group) * d, (head // group + 1) * d)
            end = past + i + 1
            seen = slice(max(0, end - attributes.get('window', end)), end)
            scores = keys[seen, columns] @ q[i, head * d : (head + 1) * d] / math.sqrt(d)
            weights = torch.softmax(soft_cap(scores, attributes.get('softCap')), dim=0)
            row.append(weights @ values[seen, columns])
        rows.append(torch.cat(row))
    return {'output': torch.stack(rows)}


def silu(attributes, x):
    return {'output': x * torch.sigmoid(x)}


def sigmoid(attributes, x):
    return {'output': torch.sigmoid(x)}


def swiglu(attributes, gate, up):
    return {'output': gate * torch.sigmoid(gate) * up}


def geglu(attributes, gate, up):
    """The tanh form of GELU."""
    return {'output': 0.5 * gate * (1 + torch.tanh(math.sqrt(2 / math.pi) * (gate + 0.044715 * gate**3))) * up}


def per_head_linear(attributes, x, weight):
    """x [N,H*i], weight [H,o,i] -> [N,H*o]"""
    width = weight.shape[2]
    parts = [x[:, h * width : (h + 1) * width] @ weight[h].t() for h in range(weight.shape[0])]
    return {'output': torch.cat(parts, dim=1)}


def gated_blend(attributes, a, b, gate):
    wide = gate.repeat_interleave(a.shape[1] // gate.shape[1], dim=1)
    return {'output': (1 - wide) * a + wide * b}


def vocab_cross_entropy(attributes, hidden, embedding, labels, weights):
    log_probabilities = torch.log_softmax(soft_cap(hidden @ embedding.t(), attributes.get('softCap')), dim=1)
    per_token = -log_probabilities[torch.arange(len(labels)), labels.long()]
    correct = (log_probabilities.argmax(dim=1) == labels).double()
    return {'loss': (weights * per_token).sum(), 'perToken': per_token, 'correct': correct}


def vocab_distillation(attributes, hidden, embedding, topIds, topLogProbs, weights):
    logits = soft_cap(hidden @ embedding.t(), attributes.get('softCap'))
    log_probabilities = torch.log_softmax(logits, dim=1).gather(1, topIds.long())
    divergence = (topLogProbs.exp() * (topLogProbs - log_probabilities)).sum(dim=1)
    return {'loss': (weights * divergence).sum(), 'perToken': divergence}


def gated_memory(attributes, query, attention, memoryDown, memoryUp, gateDown, gateUp):
    """query [N,H*d] before rope, attention [N,H*d]; with s = floor(sqrt(d)):
    memoryDown W1 [H,2d,d], memoryUp W2 [H,d,2d], gateDown V1 [H,s,d], gateUp w2 [H,1,s]"""
    hidden = silu(attributes, per_head_linear(attributes, query, memoryDown)['output'])['output']
    memory = per_head_linear(attributes, hidden, memoryUp)['output']
    narrow = silu(attributes, per_head_linear(attributes, query, gateDown)['output'])['output']
    gate = torch.sigmoid(3 * (per_head_linear(attributes, narrow, gateUp)['output'] - 1))
    return {'memory': memory, 'gate': gate, 'output': gated_blend(attributes, attention, memory, gate)['output']}


def adamw(attributes, p, m, v, g):
    parameter = torch.nn.Parameter(p.detach().clone())
    parameter.grad = g.detach().clone()
    norm = torch.nn.utils.clip_grad_norm_([parameter], attributes['clipNorm'])
    optimizer = torch.optim.AdamW(
        [parameter],
        lr=attributes['learningRate'],
        betas=(attributes['beta1'], attributes['beta2']),
        eps=attributes['epsilon'],
        weight_decay=attributes['weightDecay'],
    )
    state = {'step': torch.tensor(float(attributes['step'] - 1)), 'exp_avg': m.clone(), 'exp_avg_sq': v.clone()}
    optimizer.state[parameter] = state
    optimizer.step()
    return {'p': parameter.detach(), 'm': state['exp_avg'], 'v': state['exp_avg_sq'], 'gradientNorm': norm}


def euclidean_norm(attributes, x):
    norm = torch.linalg.vector_norm(x)
    return {'norm': norm, 'inverse': 1 / (norm + 1e-12)}


# The first three odd polynomials of the Polar Express: factors of s, s^3 and s^5.
POLAR_EXPRESS = [
    (8.28721201814563, -23.595886519098837, 17.300387312530933),
    (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
    (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
]


def orthogonalized(x):
    """By the singular values themselves, which products of the matrix only come to in effect."""
    left, values, right = torch.linalg.svd(x, full_matrices=False)
    values = values / (1.01 * torch.linalg.vector_norm(x) + 1e-12)
    for a, b, c in POLAR_EXPRESS:
        values = a * values + b * values**3 + c * values**5
    return left @ torch.diag(values) @ right


def muon(attributes, p, m, g):
    """Flat vectors that hold the matrices of attributes['shapes'] one after another."""
    rate, momentum, decay = (attributes[key] for key in ('learningRate', 'momentum', 'weightDecay'))
    next_m = momentum * m + (1 - momentum) * g
    ahead = momentum * next_m + (1 - momentum) * g
    steps, start = [], 0
    for rows, columns in attributes['shapes']:
        matrix = ahead[start : start + rows * columns].reshape(rows, columns)
        steps.append(0.2 * math.sqrt(max(rows, columns)) * orthogonalized(matrix).reshape(-1))
        start += rows * columns
    next_p = (1 - rate * decay) * p - rate * torch.cat(steps)
    return {'p': next_p, 'm': next_m, 'gradientNorm': torch.linalg.vector_norm(g)}


OPS = {
    'embedding': embedding,
    'linear': linear,
    'linearBias': linear_bias,
    'matmul': matmul,
    'add': add,
    'multiply': multiply,
    'scale': scale,
    'affine': affine,
    'scaleBy': scale_by,
    'rmsNorm': rms_norm,
    'headRmsNorm': head_rms_norm,
    'rope': rope,
    'causalAttention': causal_attention,
    'cachedAttention': cached_attention,
    'silu': silu,
    'sigmoid': sigmoid,
    'swiglu': swiglu,
    'geglu': geglu,
    'perHeadLinear': per_head_linear,
    'gatedBlend': gated_blend,
    'vocabCrossEntropy': vocab_cross_entropy,
    'vocabDistillation': vocab_distillation,
    'gatedMemory': gated_memory,
    'adamw': adamw,
    'euclideanNorm': euclidean_norm,
    'muon': muon,
}

# No gradient passes through these.
FORWARD_ONLY = {'scaleBy', 'cachedAttention', 'adamw', 'euclideanNorm', 'muon'}

# The other outputs of these two are reports; no gradient passes through them.
DIFFERENTIABLE = {'vocabCrossEntropy': ['loss'], 'vocabDistillation': ['loss']}


def stored(tensor):
    """Floats with as few digits as give the float32 back, at most 9."""
    flat = tensor.detach().reshape(-1)
    if not tensor.is_floating_point():
        return {'shape': list(tensor.shape), 'dtype': 'int32', 'data': flat.tolist()}
    numbers = [float(str(value)) for value in flat.float().numpy()]
    data = [int(number) if number == int(number) else number for number in numbers]
    return {'shape': list(tensor.shape), 'dtype': 'float32', 'data': data}


def check_by_differences(name, run, inputs, gradients, generator):
    """Moves each float input along a random direction; the change of the result must be what the gradient says."""
    step = 1e-5
    for key, gradient in gradients.items():
        direction = torch.randn(gradient.shape, generator=generator, dtype=torch.float64)
        moved = [run({**inputs, key: inputs[key].detach() + sign * step * direction}) for sign in (1, -1)]
        numeric = float((moved[0] - moved[1]) / (2 * step))
        analytic = float((gradient * direction).sum())
        if abs(numeric - analytic) > 1e-6 * max(1.0, abs(analytic)):
            raise SystemExit(f'{name}: gradient of {key} is {analytic}, differences say {numeric}')


def evaluate(op, case, attributes, inputs):
    generator = torch.Generator().manual_seed(zlib.crc32(f'{op}-{case}'.encode()))
    wide = {k: t.double() if t.is_floating_point() else t for k, t in inputs.items()}
    outputs = OPS[op](attributes, **wide)
    record = {
        'op': op,
        'attributes': attributes,
        'inputs': {k: stored(t) for k, t in inputs.items()},
        'outputs': {k: stored(t) for k, t in outputs.items()},
        'cotangents': {},
        'gradients': {},
    }
    if op in FORWARD_ONLY:
        return record
    names = DIFFERENTIABLE.get(op, list(outputs))
    cotangents = {
        k: (torch.randn(outputs[k].shape, generator=generator) * 1000).round().div(1000).float().double() for k in names
    }
    leaves = {k: t.clone().requires_grad_(t.is_floating_point()) for k, t in wide.items()}
    floats = [k for k, t in leaves.items() if t.is_floating_point()]

    def weighted_sum(values):
        result = OPS[op](attributes, **values)
        return sum((result[k] * cotangents[k]).sum() for k in names)

    gradients = dict(zip(floats, torch.autograd.grad(weighted_sum(leaves), [leaves[k] for k in floats])))
    check_by_differences(f'{op}-{case}', weighted_sum, wide, gradients, generator)
    record['cotangents'] = {k: stored(t) for k, t in cotangents.items()}
    record['gradients'] = {k: stored(t) for k, t in gradients.items()}
    return record


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    for old in os.listdir(folder):
        if old.endswith('.json'):
            os.remove(os.path.join(folder, old))
    for op, case, build in CASES:
        generator = torch.Generator().manual_seed(zlib.crc32(f'inputs of {op}-{case}'.encode()))
        attributes, inputs = build(generator)
        record = evaluate(op, case, attributes, inputs)
        with open(os.path.join(folder, f'{op}-{case}.json'), 'w') as file:
            file.write(json.dumps(record, separators=(',', ':')) + '\n')
    print(f'{len(CASES)} cases of {len(OPS)} ops, gradients agree with central differences')


if __name__ == '__main__':
    main()
