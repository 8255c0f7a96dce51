"""The cases of ops.py: (op, case, build), where build(generator) gives (attributes, inputs)."""

import torch


def normal(g, *shape, size=1.0):
    """Normal values with three decimals, so that the files stay small."""
    return (torch.randn(*shape, generator=g) * size * 1000).round().div(1000)


def whole(g, top, *shape):
    return torch.randint(0, top, shape, generator=g, dtype=torch.int32)


def integers(values):
    return torch.tensor(values, dtype=torch.int32)


CASES = []


def case(op, name):
    def register(build):
        CASES.append((op, name, build))
        return build

    return register


def register_embedding(name, rows, width, count):
    @case('embedding', name)
    def build(g):
        return {}, {'table': normal(g, rows, width), 'ids': whole(g, rows, count)}


register_embedding('small', 50, 32, 16)  # 16 of 50 ids: most rows have gradient zero
register_embedding('repeated-ids', 5, 9, 14)
register_embedding('one-row', 11, 7, 1)


def register_linear(name, n, inputs, outputs):
    @case('linear', name)
    def build(g):
        return {}, {'x': normal(g, n, inputs), 'weight': normal(g, outputs, inputs, size=0.3)}

    @case('linearBias', name)
    def build_bias(g):
        weight, bias = normal(g, outputs, inputs, size=0.3), normal(g, outputs)
        return {}, {'x': normal(g, n, inputs), 'weight': weight, 'bias': bias}


register_linear('small', 16, 32, 24)
register_linear('odd', 7, 13, 5)
register_linear('one-row', 1, 9, 17)


def register_matmul(name, rows, inner, columns, left, right):
    @case('matmul', name)
    def build(g):
        a = normal(g, *((inner, rows) if left else (rows, inner)))
        b = normal(g, *((columns, inner) if right else (inner, columns)), size=0.3)
        return {'transposeLeft': left, 'transposeRight': right}, {'left': a, 'right': b}


register_matmul('plain', 7, 13, 5, False, False)
register_matmul('left-transposed', 7, 13, 5, True, False)
register_matmul('right-transposed', 7, 13, 5, False, True)
register_matmul('both-transposed', 7, 13, 5, True, True)
register_matmul('one-row', 1, 9, 17, False, False)
register_matmul('one-row-left-transposed', 1, 9, 17, True, False)
register_matmul('one-column-both-transposed', 6, 4, 1, True, True)


def register_elementwise(name, n, width, size):
    @case('add', name)
    def build_add(g):
        return {}, {'a': normal(g, n, width, size=size), 'b': normal(g, n, width, size=size)}

    @case('multiply', name)
    def build_multiply(g):
        return {}, {'a': normal(g, n, width, size=size), 'b': normal(g, n, width, size=size)}

    @case('geglu', name)
    def build_geglu(g):
        return {}, {'gate': normal(g, n, width, size=size), 'up': normal(g, n, width, size=size)}

    @case('swiglu', name)
    def build_swiglu(g):
        return {}, {'gate': normal(g, n, width, size=size), 'up': normal(g, n, width, size=size)}


register_elementwise('small', 16, 32, 1.0)
register_elementwise('odd', 7, 13, 3.0)
register_elementwise('one-row', 1, 5, 1.0)


def register_unary(name, build_x):
    for op in ('silu', 'sigmoid'):
        case(op, name)(lambda g: ({}, {'x': build_x(g)}))


register_unary('small', lambda g: normal(g, 16, 32))
register_unary('odd', lambda g: normal(g, 7, 13, size=3.0))
# exp(100) is infinite in float32; the results and gradients here are plain 0, 1 and x.
register_unary('extremes', lambda g: torch.tensor([[-100.0, -30.0, -10.0, -1.0, 0.0, 1.0, 10.0, 30.0, 100.0]]))

case('scale', 'small')(lambda g: ({'factor': 0.25}, {'x': normal(g, 16, 32)}))
case('scale', 'odd')(lambda g: ({'factor': -1.7}, {'x': normal(g, 7, 13)}))


case('affine', 'small')(lambda g: ({'factor': 3, 'offset': -3}, {'x': normal(g, 16, 32)}))
case('affine', 'odd')(lambda g: ({'factor': -0.7, 'offset': 1.25}, {'x': normal(g, 7, 13)}))
case('affine', 'offset-only')(lambda g: ({'factor': 1, 'offset': 0.5}, {'x': normal(g, 1, 5)}))
case('scaleBy', 'small')(lambda g: ({}, {'x': normal(g, 16, 32), 'factor': torch.tensor(0.375)}))
case('scaleBy', 'vector')(lambda g: ({}, {'x': normal(g, 9), 'factor': torch.tensor(-2.5)}))


def register_rms_norm(name, n, width, eps, size):
    @case('rmsNorm', name)
    def build(g):
        return {'eps': eps}, {'x': normal(g, n, width, size=size), 'weight': normal(g, width)}


register_rms_norm('small', 16, 32, 1e-5, 1.0)
register_rms_norm('odd', 7, 13, 1e-6, 20.0)
register_rms_norm('eps-matters', 3, 8, 1e-2, 0.05)


def register_head_rms_norm(name, n, heads, d, eps):
    @case('headRmsNorm', name)
    def build(g):
        return {'eps': eps, 'headDim': d}, {'x': normal(g, n, heads * d), 'weight': normal(g, d)}


register_head_rms_norm('small', 16, 4, 8, 1e-6)
register_head_rms_norm('odd', 7, 3, 10, 1e-5)
register_head_rms_norm('single-head', 5, 1, 6, 1e-6)

LLAMA3 = {'factor': 8, 'lowFreqFactor': 1, 'highFreqFactor': 4, 'originalMaxPositionEmbeddings': 1024}


def register_rope(name, positions, heads, d, theta, scaling, **others):
    @case('rope', name)
    def build(g):
        attributes = {'headDim': d, 'theta': theta, 'scaling': scaling, **others}
        return attributes, {'x': normal(g, len(positions), heads * d), 'positions': integers(positions)}


register_rope('small', list(range(8)) * 2, 4, 8, 10000, None)
# Packed sequences start again at 0; positions need not be in order.
register_rope('odd', [0, 1, 2, 0, 1, 200, 3], 3, 10, 100000, None)
# With d = 8 the four frequencies fall in all three bands: kept, kept, blended, divided by the factor.
register_rope('llama3', [0, 1, 2, 50, 100, 150, 7, 31], 2, 8, 10000, LLAMA3)
register_rope('single-head-one-row', [5], 1, 6, 10000, None)
register_rope('partial', [0, 1, 2, 9, 30], 3, 8, 10000, None, partialRotaryFactor=0.75)


def register_attention(name, sequence_ids, heads, kv_heads, d, size=1.0, **others):
    @case('causalAttention', name)
    def build(g):
        ids = integers(sequence_ids)
        n = ids.numel()
        attributes = {'heads': heads, 'keyValueHeads': kv_heads, 'headDim': d, **others}
        q, k, v = normal(g, n, heads * d, size=size), normal(g, n, kv_heads * d, size=size), normal(g, n, kv_heads * d)
        return attributes, {'q': q, 'k': k, 'v': v, 'sequenceIds': ids}


register_attention('one-sequence', [[0] * 8] * 2, 4, 2, 8)
register_attention('packed-and-padding', [[0, 0, 0, 1, 1, 2, 2, 2], [0, 0, 0, 0, 0, -1, -1, -1]], 4, 2, 8)
register_attention('odd', [[3, 3, 3, 3, 9], [1, 1, 2, 2, 2], [4, 5, 6, -1, -1]], 6, 2, 10)
register_attention('single-head', [[0, 0, 0, 0, 0, 1, 1]], 1, 1, 6)
register_attention('equal-heads', [[0] * 6, [0, 0, 1, 1, 1, -1]], 3, 3, 4)
register_attention('length-one', [[0], [7], [-1]], 4, 2, 8)
# Scores of about 100: exp without the row's maximum taken off overflows in float32.
register_attention('large-scores', [[0] * 7, [0] * 3 + [1] * 4], 2, 1, 8, size=6.0)


# No position sees more than three, itself included; and the second row has two sequences.
register_attention('window', [[0] * 8, [1, 1, 1, 1, 1, 2, 2, 2]], 4, 2, 8, window=3)
register_attention('soft-cap', [[0] * 7, [0] * 3 + [1] * 4], 4, 2, 8, size=2.0, softCap=5.0)


def register_cached_attention(name, new, past, heads, kv_heads, d, size=1.0, **others):
    @case('cachedAttention', name)
    def build(g):
        attributes = {'heads': heads, 'keyValueHeads': kv_heads, 'headDim': d, **others}
        inputs = {
            'q': normal(g, new, heads * d, size=size),
            'k': normal(g, new, kv_heads * d, size=size),
            'v': normal(g, new, kv_heads * d),
            'pastK': normal(g, past, kv_heads * d, size=size),
            'pastV': normal(g, past, kv_heads * d),
        }
        return attributes, inputs


register_cached_attention('one-new', 1, 7, 4, 2, 8)
register_cached_attention('several-new', 3, 5, 6, 2, 10)
register_cached_attention('nothing-cached', 4, 0, 4, 2, 8)
register_cached_attention('first-token', 1, 0, 2, 1, 6)
register_cached_attention('equal-heads', 2, 3, 3, 3, 4)
register_cached_attention('window', 3, 5, 4, 2, 8, window=4)
register_cached_attention('soft-cap', 2, 6, 4, 2, 8, size=2.0, softCap=5.0)
register_cached_attention('large-scores', 2, 6, 2, 1, 8, size=6.0)


def register_per_head_linear(name, n, heads, inputs, outputs):
    @case('perHeadLinear', name)
    def build(g):
        x, weight = normal(g, n, heads * inputs), normal(g, heads, outputs, inputs, size=0.4)
        return {'heads': heads}, {'x': x, 'weight': weight}


register_per_head_linear('small', 16, 4, 8, 16)
register_per_head_linear('odd', 7, 3, 10, 1)
register_per_head_linear('single-head-one-row', 1, 1, 6, 5)


def register_gated_blend(name, n, heads, d):
    @case('gatedBlend', name)
    def build(g):
        gate = torch.rand(n, heads, generator=g).mul(1000).round().div(1000)
        a, b = normal(g, n, heads * d), normal(g, n, heads * d)
        return {'heads': heads, 'headDim': d}, {'a': a, 'b': b, 'gate': gate}


register_gated_blend('small', 16, 4, 8)
register_gated_blend('odd', 7, 3, 5)
register_gated_blend('single-head-one-row', 1, 1, 6)


def register_gated_memory(name, n, heads, d, narrow):
    @case('gatedMemory', name)
    def build(g):
        inputs = {
            'query': normal(g, n, heads * d),
            'attention': normal(g, n, heads * d),
            'memoryDown': normal(g, heads, 2 * d, d, size=0.4),
            'memoryUp': normal(g, heads, d, 2 * d, size=0.3),
            'gateDown': normal(g, heads, narrow, d, size=0.5),
            'gateUp': normal(g, heads, 1, narrow),
        }
        return {'heads': heads, 'headDim': d}, inputs


register_gated_memory('small', 16, 4, 8, 2)
register_gated_memory('odd', 7, 3, 10, 3)
register_gated_memory('single-head-one-row', 1, 1, 16, 4)


def register_cross_entropy(name, n, width, vocabulary, size, **attributes):
    @case('vocabCrossEntropy', name)
    def build(g):
        hidden, embedding = normal(g, n, width, size=size), normal(g, vocabulary, width, size=0.5)
        weights = torch.rand(n, generator=g).mul(1000).round().div(1000)
        weights[::3] = 0  # masked positions; their cross entropy is still reported
        labels = whole(g, vocabulary, n)
        best = (hidden @ embedding.t()).argmax(dim=1).int()
        labels[1::2] = best[1::2]  # so that 'correct' has ones
        return attributes, {'hidden': hidden, 'embedding': embedding, 'labels': labels, 'weights': weights}


register_cross_entropy('small', 16, 32, 50, 1.0)
register_cross_entropy('odd', 7, 13, 97, 1.0)
register_cross_entropy('large-logits', 6, 16, 53, 25.0)
register_cross_entropy('two-rows', 2, 8, 31, 1.0)
register_cross_entropy('soft-cap', 7, 13, 53, 2.0, softCap=3.0)


def register_distillation(name, n, width, vocabulary, k, size, **attributes):
    @case('vocabDistillation', name)
    def build(g):
        hidden, embedding = normal(g, n, width, size=size), normal(g, vocabulary, width, size=0.5)
        teacher = torch.log_softmax(normal(g, n, vocabulary, size=2.0), dim=1).topk(k, dim=1)
        weights = torch.rand(n, generator=g).mul(1000).round().div(1000)
        weights[1::4] = 0
        inputs = {'hidden': hidden, 'embedding': embedding, 'topIds': teacher.indices.int()}
        return attributes, {**inputs, 'topLogProbs': teacher.values.mul(1000).round().div(1000), 'weights': weights}


register_distillation('small', 16, 32, 50, 20, 1.0)
register_distillation('odd', 7, 13, 97, 5, 1.0)
register_distillation('large-logits', 6, 16, 53, 4, 25.0)
register_distillation('soft-cap', 7, 13, 53, 5, 2.0, softCap=3.0)


def register_adamw(name, n, step, gradient_size, **changes):
    @case('adamw', name)
    def build(g):
        attributes = {'learningRate': 1e-3, 'beta1': 0.9, 'beta2': 0.98, 'epsilon': 1e-8, 'weightDecay': 0.0}
        attributes = {**attributes, 'step': step, 'clipNorm': 1.0, **changes}
        m, v = normal(g, n, size=0.05), normal(g, n, size=0.05) ** 2 + 1e-4
        gradient = normal(g, n, size=gradient_size)
        gradient[2] = 0
        if step == 1:
            m, v = torch.zeros(n), torch.zeros(n)
        return attributes, {'p': normal(g, n), 'm': m, 'v': v, 'g': gradient}


register_adamw('first-step', 33, 1, 0.05)  # norm about 0.3: not clipped
register_adamw('clipped', 33, 7, 2.0)
register_adamw('weight-decay', 64, 1000, 0.1, weightDecay=0.1, learningRate=0.02, beta2=0.999, epsilon=1e-6)


def register_norm(name, size, *shape):
    @case('euclideanNorm', name)
    def build(g):
        return {}, {'x': normal(g, *shape, size=size)}


register_norm('vector', 1.0, 700)
register_norm('matrix', 0.01, 9, 13)
register_norm('zero', 0.0, 5)


def register_muon(name, shapes, fed=True, started=True, decay=0.4):
    @case('muon', name)
    def build(g):
        n = sum(rows * columns for rows, columns in shapes)
        gradient = normal(g, n, size=0.5) if fed else torch.zeros(n)
        before = normal(g, n, size=0.5) if started else torch.zeros(n)
        attributes = {'learningRate': 0.05, 'momentum': 0.8, 'weightDecay': decay, 'shapes': shapes}
        return attributes, {'p': normal(g, n), 'm': before, 'g': gradient}


register_muon('wide', [[6, 17]])
register_muon('tall', [[19, 5]], decay=0)
register_muon('several', [[8, 8], [4, 12], [1, 9], [10, 3]], started=False)
register_muon('no-gradient', [[3, 4]], fed=False, started=False)
