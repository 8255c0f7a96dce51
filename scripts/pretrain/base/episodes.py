"""Episodes of LIFT: the base is adapted to a package as the product does it, a dense change of every linear layer by Adam,
for a few steps on segments and questions; then other wordings are asked. First-order: the gradient of their loss at the
adapted weights is the base's. Several episodes run at once, each with matrices of its own.
"""

import numpy as np
import torch

from batches import padded
from model import matrix_names

ANSWER_WEIGHT = 3.0
FACTS = 12
SEGMENTS = 4


class Episodes:
    """Draws packages and what is learned and asked of each. Rows have `length` ids."""

    def __init__(self, shards, questions, language, seed, length=161):
        self.questions, self.language, self.length = questions, language, length
        self.random = np.random.default_rng(seed)
        facts = shards.facts
        mine = questions.memory[facts['wordings'][questions.memory] >= 4]
        order = np.argsort(facts['package'][mine], kind='stable')
        packages, starts = np.unique(facts['package'][mine[order]], return_index=True)
        groups = np.split(mine[order], starts[1:])
        self.facts_of = [group for group in groups if len(group) >= FACTS]
        self.shards = shards

    def draw(self, count, steps):
        """`steps` batches to learn from and one of other wordings, each (ids, weights) [count * rows, length]."""
        episodes = [self._episode(steps) for _ in range(count)]
        batches = zip(*episodes)
        return [tuple(np.concatenate(parts) for parts in zip(*batch)) for batch in batches]

    def _episode(self, steps):
        group = self.facts_of[self.random.integers(len(self.facts_of))]
        facts = self.random.permutation(group)[:FACTS]
        half = lambda fact: int(self.shards.facts['wordings'][fact]) // 2
        learned = [self._learned(facts, half) for _ in range(steps)]
        # As many rows as are learned, so that one compiled shape serves both.
        again = [*facts, *facts[:SEGMENTS]]
        asked = [self.questions.from_memory(fact, range(half(fact), 2 * half(fact))) for fact in again]
        return [*learned, self._rows(asked)]

    def _learned(self, facts, half):
        ids, weights = self._rows([self.questions.from_memory(fact, range(half(fact)), bare=True) for fact in facts])
        documents = self.shards.documents
        chosen = self.shards.facts['document'][self.random.choice(facts, SEGMENTS)]
        first = documents['start'][chosen] + documents['header'][chosen]
        end = np.append(documents['start'], len(self.shards.tokens))[chosen + 1]
        offsets = first + (self.random.random(SEGMENTS) * np.maximum(1, end - first - self.length // 2)).astype(np.int64)
        text, text_weights = self.language.windows(offsets, self.length)
        return np.concatenate([ids, text]), np.concatenate([weights * ANSWER_WEIGHT, text_weights])

    def _rows(self, items):
        """The start of a long question is left out."""
        cut = [max(0, len(tokens) - self.length) for tokens, _ in items]
        return padded([(tokens[n:], start - n) for (tokens, start), n in zip(items, cut)], self.length)


def episode_losses(llama, parameters, ids, weights, count):
    """Mean nats [count] of each episode, by weight."""
    losses = llama.losses(parameters, ids)
    weights = weights[:, 1:].reshape(count, -1)
    return (losses.reshape(count, -1) * weights).sum(1) / weights.sum(1)


def adapted(llama, base, learned, count, rate):
    """The base's parameters with matrices [count, out, in] that have learned an episode's batches, one step each."""
    names = matrix_names(llama.config)
    matrices = [base[name].detach()[None].repeat(count, 1, 1).requires_grad_() for name in names]
    # All ask for gradients, though the matrices alone get them: the same compiled program then serves the base's own.
    rest = {name: value.detach().requires_grad_() for name, value in base.items()}
    parameters = {**rest, **dict(zip(names, matrices))}
    first = [torch.zeros_like(matrix) for matrix in matrices]
    second = [torch.zeros_like(matrix) for matrix in matrices]
    for step, (ids, weights) in enumerate(learned, 1):
        loss = episode_losses(llama, parameters, ids, weights, count).sum()
        gradients = torch.autograd.grad(loss, matrices)
        with torch.no_grad():
            norm = sum(gradient.square().sum((1, 2)) for gradient in gradients).sqrt()
            factor = (1 / norm.clamp(min=1))[:, None, None]
            for matrix, gradient, m, v in zip(matrices, gradients, first, second):
                gradient = gradient * factor
                m.mul_(0.9).add_(gradient, alpha=0.1)
                v.mul_(0.98).addcmul_(gradient, gradient, value=0.02)
                change = (m / (1 - 0.9**step)) / ((v / (1 - 0.98**step)).sqrt() + 1e-8)
                matrix.sub_(change, alpha=rate)
    return parameters, names


def add_gradient(llama, base, learned, asked, count, rate):
    """Adds the first-order gradient of `asked` after learning to the base's .grad; the mean loss of `asked`."""
    parameters, names = adapted(llama, base, learned, count, rate)
    others = [name for name in base if name not in set(names)]
    leaves = {name: parameters[name].detach().requires_grad_() for name in base}
    loss = episode_losses(llama, leaves, *asked, count).mean()
    loss.backward()
    for name in base:
        gradient = leaves[name].grad
        gradient = gradient if name in others else gradient.sum(0)
        base[name].grad = gradient if base[name].grad is None else base[name].grad + gradient
    return loss.detach()


@torch.no_grad()
def answered_exactly(llama, parameters, ids, weights, count):
    """Share of rows whose whole answer is the likeliest, token by token."""
    guesses = []
    per_episode = ids.reshape(count, -1, ids.shape[1])
    for episode in range(count):
        own = {name: value[episode] if value.dim() == 3 else value for name, value in parameters.items()}
        guesses.append(llama.logits(own, per_episode[episode][:, :-1]).argmax(-1))
    right = (torch.cat(guesses) == ids[:, 1:]) | (weights[:, 1:] == 0)
    return right.all(1).float().mean()
