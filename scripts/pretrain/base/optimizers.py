"""Muon for matrices and AdamW for the rest: one update from .grad at a time, learning rates given with each step."""

import torch


def orthogonal(matrices, steps=5):
    """Newton-Schulz: matrices [B, M, N] with their singular values moved near 1. In bfloat16 on a card."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrices.bfloat16() if matrices.is_cuda else matrices
    tall = x.shape[1] > x.shape[2]
    x = x.transpose(1, 2) if tall else x
    x = x / (x.flatten(1).norm(dim=1)[:, None, None] + 1e-7)
    for _ in range(steps):
        product = torch.bmm(x, x.transpose(1, 2))
        x = a * x + torch.bmm(b * product + c * torch.bmm(product, product), x)
    return (x.transpose(1, 2) if tall else x).to(matrices.dtype)


class Muon:
    """Jordan's Muon with Nesterov momentum; the update of a matrix [out, in] is scaled by sqrt(max(1, out / in))."""

    def __init__(self, parameters, momentum=0.95, decay=0.05):
        self.momentum, self.decay = momentum, decay
        self.groups = {}
        for parameter in parameters:
            self.groups.setdefault(tuple(parameter.shape), []).append(parameter)
        self.moments = {shape: torch.zeros(len(group), *shape, device=group[0].device) for shape, group in self.groups.items()}

    @torch.no_grad()
    def step(self, rate):
        for (out, inner), group in self.groups.items():
            gradient, moment = torch.stack([parameter.grad for parameter in group]), self.moments[out, inner]
            moment.lerp_(gradient, 1 - self.momentum)
            update = orthogonal(gradient.lerp(moment, self.momentum)) * max(1, out / inner) ** 0.5
            for parameter, change in zip(group, update):
                parameter.mul_(1 - rate * self.decay).add_(change, alpha=-rate)


class Optimizer:
    """`muon` false: AdamW for all. Rates are multiples of `scale`, which the schedule gives."""

    def __init__(self, parameters, matrices, muon=True, matrix_rate=0.02, other_rate=2e-3):
        self.matrix_rate = matrix_rate
        chosen = [parameters[name] for name in matrices] if muon else []
        identities = {id(parameter) for parameter in chosen}
        self.all = list(parameters.values())
        self.muon = Muon(chosen) if muon else None
        rest = [parameter for parameter in self.all if id(parameter) not in identities]
        fused = {'fused': True} if rest[0].is_cuda else {}
        self.other_rate = other_rate
        self.adam = torch.optim.AdamW(rest, lr=other_rate, betas=(0.9, 0.98), eps=1e-8, weight_decay=0.01, **fused)

    def step(self, scale):
        """Clips the gradient to norm 1 and takes a step. Gradients are cleared."""
        torch.nn.utils.clip_grad_norm_(self.all, 1.0)
        if self.muon:
            self.muon.step(self.matrix_rate * scale)
        for group in self.adam.param_groups:
            group['lr'] = self.other_rate * scale
        self.adam.step()
        for parameter in self.all:
            parameter.grad = None
