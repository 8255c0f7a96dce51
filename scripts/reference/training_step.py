"""The time of one LoRA training step in plain PyTorch on the CPU, to compare the engine with.

A frozen random float32 Llama at the shape of a Hugging Face config, LoRA on all seven linear modules of every layer,
cross entropy at every position, backward, clipping, AdamW. Prints one line of JSON. The merged projections, the
attention without expanded key/value heads and the flat optimizer are what made it faster when it was tried.
"""

import argparse
import json
import math
import os
import resource
import sys
import time


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument('--config', required=True, help='config.json of a Llama in Hugging Face layout')
    parser.add_argument('--batch', type=int, default=2)
    parser.add_argument('--length', type=int, default=256)
    parser.add_argument('--rank', type=int, default=16)
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--steps', type=int, default=5)
    return parser.parse_args()


def prepare_blas(threads):
    """Before torch is imported: OpenBLAS reads its environment when it is loaded, and takes new processors for old."""
    os.environ['OMP_NUM_THREADS'] = os.environ['OPENBLAS_NUM_THREADS'] = str(threads)
    # Or OpenMP's threads (elementwise ops) spin on the cores that OpenBLAS's threads need: 2.5 times slower.
    os.environ['OMP_WAIT_POLICY'] = 'passive'
    with open('/proc/cpuinfo') as file:
        if 'avx512dq' in file.read():
            os.environ.setdefault('OPENBLAS_CORETYPE', 'SKYLAKEX')


def require_threaded_openblas():
    """After torch was imported: the BLAS that this process has really mapped."""
    with open('/proc/self/maps') as file:
        libraries = {line.split()[-1] for line in file if '/libblas.so' in line}
    if not libraries or not all('openblas-pthread' in path for path in libraries):
        sys.exit(
            f'PyTorch uses {sorted(libraries) or "no BLAS"}, which is slower than it can be.\n'
            'Install the threaded OpenBLAS, then run this again: apt-get install libopenblas0-pthread\n'
            '(it becomes the default; else: update-alternatives --config libblas.so.3-x86_64-linux-gnu)'
        )


options = arguments()
prepare_blas(options.threads)
import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402

ALPHA = 32
CLIP_NORM = 1.0


class Shape:
    def __init__(self, config):
        self.hidden, self.mlp = config['hidden_size'], config['intermediate_size']
        self.heads, self.kv_heads = config['num_attention_heads'], config['num_key_value_heads']
        self.d = config.get('head_dim') or self.hidden // self.heads
        self.layers, self.vocabulary = config['num_hidden_layers'], config['vocab_size']
        self.eps, self.theta = config['rms_norm_eps'], config['rope_theta']
        self.wide, self.narrow = self.heads * self.d, self.kv_heads * self.d

    def groups(self):
        """Linear modules that read the same input, as {group: (in, [out of each])}."""
        return {
            'qkv': (self.hidden, [self.wide, self.narrow, self.narrow]),
            'o': (self.wide, [self.hidden]),
            'gate_up': (self.hidden, [self.mlp, self.mlp]),
            'down': (self.mlp, [self.hidden]),
        }


def flops_per_step(shape, batch, length, rank):
    """Matrix products only, 2 a multiply-add. Frozen weights: forward and input gradient; LoRA and attention: forward
    and both factors' gradients. Attention counts as T x T, the masked half included."""
    rows = batch * length
    modules = [(width, out) for width, outs in shape.groups().values() for out in outs]
    frozen = 4 * rows * sum(width * out for width, out in modules) * shape.layers
    lora = 6 * rows * rank * sum(width + out for width, out in modules) * shape.layers
    attention = 3 * 4 * rows * length * shape.wide * shape.layers
    # Nothing below the first layer is trained: its input needs no gradient, from the frozen weights or from LoRA.
    unneeded = 2 * rows * sum(shape.groups()['qkv'][1]) * shape.hidden + 2 * rows * 3 * rank * shape.hidden
    head = 4 * rows * shape.hidden * shape.vocabulary
    return {'frozen': frozen, 'lora': lora, 'attention': attention, 'head': head, 'unneeded': -unneeded}


def random_frozen(shape):
    layers = []
    for _ in range(shape.layers):
        layer = {name: torch.randn(sum(outs), width) * 0.02 for name, (width, outs) in shape.groups().items()}
        layer['attention_norm'], layer['mlp_norm'] = torch.ones(shape.hidden), torch.ones(shape.hidden)
        layers.append(layer)
    embedding = torch.randn(shape.vocabulary, shape.hidden) * 0.02
    return {'embedding': embedding, 'layers': layers, 'norm': torch.ones(shape.hidden)}


def flat_lora(shape, rank):
    """All LoRA matrices as views of one vector, their gradients as views of another: one AdamW, one norm."""
    sizes = []
    for i in range(shape.layers):
        for name, (width, outs) in shape.groups().items():
            sizes += [(i, f'{name}.A', (rank * len(outs), width))]
            sizes += [(i, f'{name}.B{j}', (out, rank)) for j, out in enumerate(outs)]
    flat = torch.nn.Parameter(torch.randn(sum(a * b for _, _, (a, b) in sizes)) * 0.02)
    flat.grad = torch.zeros_like(flat)
    views, offset = [{} for _ in range(shape.layers)], 0
    for i, name, (a, b) in sizes:
        view = flat.detach()[offset : offset + a * b].view(a, b).requires_grad_()
        view.grad = flat.grad[offset : offset + a * b].view(a, b)
        views[i][name] = view
        offset += a * b
    return flat, views


def rms_norm(x, weight, eps):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps) * weight


def project(x, group, outs, frozen, lora, rank):
    """x [N,in] through modules that share it -> one [N,out] each; the frozen product is one, and LoRA's A is one."""
    base = F.linear(x, frozen[group])
    low = F.linear(x, lora[f'{group}.A'])
    if len(outs) == 1:
        return [torch.addmm(base, low, lora[f'{group}.B0'].t(), alpha=ALPHA / rank)]
    return [
        torch.addmm(part, low[:, j * rank : (j + 1) * rank], lora[f'{group}.B{j}'].t(), alpha=ALPHA / rank)
        for j, part in enumerate(base.split(outs, dim=1))
    ]


def attention(q, k, v, shape, cos, sin, mask, batch, length):
    """q [N,H*d], k and v [N,KV*d]; the query heads of one key/value head are stacked as rows: nothing is expanded."""
    group = shape.heads // shape.kv_heads

    def rotate(x, heads):
        first, second = x.view(batch, length, heads, 2, shape.d // 2).unbind(3)
        return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)

    q = rotate(q, shape.heads).view(batch, length, shape.kv_heads, group, shape.d).permute(0, 2, 3, 1, 4)
    q = q.reshape(batch * shape.kv_heads, group * length, shape.d)
    k = rotate(k, shape.kv_heads).transpose(1, 2).reshape(batch * shape.kv_heads, length, shape.d)
    v = v.view(batch, length, shape.kv_heads, shape.d).transpose(1, 2).reshape(batch * shape.kv_heads, length, shape.d)
    scores = torch.baddbmm(mask, q, k.transpose(1, 2), alpha=1 / math.sqrt(shape.d))
    out = torch.bmm(torch.softmax(scores, dim=-1), v)
    out = out.view(batch, shape.kv_heads, group, length, shape.d).permute(0, 3, 1, 2, 4)
    return out.reshape(batch * length, shape.wide)


class MeanCrossEntropy(torch.autograd.Function):
    """The gradient is made in the memory of the logits [N,V]; F.cross_entropy takes three more tensors of that size."""

    @staticmethod
    def forward(context, hidden, embedding, labels):
        logits = F.linear(hidden, embedding)
        rows = torch.arange(len(labels))
        largest = logits.max(dim=1, keepdim=True).values
        of_label = logits[rows, labels]
        probabilities = logits.sub_(largest).exp_()
        total = probabilities.sum(dim=1, keepdim=True)
        loss = (total.log() + largest).squeeze(1).sub(of_label).mean()
        probabilities.div_(total)[rows, labels] -= 1
        context.save_for_backward(torch.mm(probabilities, embedding).div_(len(labels)))
        return loss

    @staticmethod
    def backward(context, cotangent):
        return context.saved_tensors[0] * cotangent, None, None


def mean_loss(shape, frozen, lora, ids, labels, tables, batch, length, rank):
    x = F.embedding(ids, frozen['embedding'])
    groups = shape.groups()
    for weights, adapter in zip(frozen['layers'], lora):
        y = rms_norm(x, weights['attention_norm'], shape.eps)
        q, k, v = project(y, 'qkv', groups['qkv'][1], weights, adapter, rank)
        y = attention(q, k, v, shape, *tables, batch, length)
        x = x + project(y, 'o', groups['o'][1], weights, adapter, rank)[0]
        y = rms_norm(x, weights['mlp_norm'], shape.eps)
        gate, up = project(y, 'gate_up', groups['gate_up'][1], weights, adapter, rank)
        x = x + project(F.silu(gate) * up, 'down', groups['down'][1], weights, adapter, rank)[0]
    return MeanCrossEntropy.apply(rms_norm(x, frozen['norm'], shape.eps), frozen['embedding'], labels)


def rope_and_mask(shape, length):
    frequencies = shape.theta ** (-torch.arange(0, shape.d, 2).double() / shape.d)
    angles = torch.outer(torch.arange(length).double(), frequencies)[None, :, None, :]
    mask = torch.full((length, length), -math.inf).triu(1).repeat(shape.heads // shape.kv_heads, 1)
    return angles.cos().float(), angles.sin().float(), mask


def best_seconds(work, times):
    best = math.inf
    for _ in range(times):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def matmul_gflops():
    """The best of three shapes, each timed several times."""
    rates = []
    for rows, inner, columns in ((1024, 1024, 1024), (2048, 2048, 2048), (512, 576, 1536)):
        left, right = torch.randn(rows, inner), torch.randn(inner, columns)
        rates.append(2 * rows * inner * columns / best_seconds(lambda: torch.mm(left, right), 10) / 1e9)
    return max(rates)


def main():
    require_threaded_openblas()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    with open(options.config) as file:
        shape = Shape(json.load(file))
    batch, length, rank = options.batch, options.length, options.rank
    frozen = random_frozen(shape)
    flat, lora = flat_lora(shape, rank)
    tables = rope_and_mask(shape, length)
    optimizer = torch.optim.AdamW([flat], lr=5e-4, betas=(0.9, 0.98), eps=1e-8, weight_decay=0.0)
    ids = torch.randint(0, shape.vocabulary, (batch * length,))
    labels = ids.roll(-1)
    losses = []

    def step():
        flat.grad.zero_()
        loss = mean_loss(shape, frozen, lora, ids, labels, tables, batch, length, rank)
        loss.backward()
        torch.nn.utils.clip_grad_norm_([flat], CLIP_NORM)
        optimizer.step()
        losses.append(loss.item())

    rate_before = matmul_gflops()
    step()
    seconds = best_seconds(step, options.steps)
    flops = flops_per_step(shape, batch, length, rank)
    total = sum(flops.values())
    rate = max(rate_before, matmul_gflops())
    result = {
        'tokensPerSecond': round(batch * length / seconds, 1),
        'stepSeconds': round(seconds, 4),
        'matmulGflops': round(rate, 1),
        'flopsPerStep': total,
        'peakMemoryBytes': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        'stepGflops': round(total / seconds / 1e9, 1),
        'flops': flops,
        'trainableParameters': flat.numel(),
        'losses': [round(loss, 4) for loss in losses],
        'torch': torch.__version__,
    }
    print(json.dumps(result))


if __name__ == '__main__':
    main()
