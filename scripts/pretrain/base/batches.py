"""Rows that lift-base is trained on, out of the shards that shards.ts writes: language, reading, memory, and episodes."""

import json
import os

import numpy as np
import torch

FACT = 'package validation document kind passage file answer first_wording wordings memory'.split()
DOCUMENT = 'start header package validation'.split()
LONGEST_HEADER = 24
REFUSED = 0.07
INSTRUCTED = 0.25
VISITS = 12


class Shards:
    def __init__(self, folder):
        read = lambda name, kind: np.fromfile(os.path.join(folder, name), dtype=kind)
        with open(os.path.join(folder, 'meta.json')) as file:
            self.meta = json.load(file)
        # All of the text, or its first part alone: what lies beyond is left out.
        parts = sorted(name for name in os.listdir(folder) if name.startswith('tokens.'))
        self.tokens = np.concatenate([read(name, '<u2') for name in parts])
        documents = read('documents.bin', '<i4').reshape(-1, len(DOCUMENT))
        facts = read('facts.bin', '<i4').reshape(-1, len(FACT))
        documents = documents[: np.searchsorted(documents[:, 0], len(self.tokens))]
        facts = facts[facts[:, FACT.index('document')] < len(documents)]
        self.documents = {name: documents[:, i].astype(np.int64) for i, name in enumerate(DOCUMENT)}
        self.facts = {name: facts[:, i] for i, name in enumerate(FACT)}
        self.piece_tokens, self.piece_starts = read('pieces.bin', '<u2'), read('pieces.idx', '<u4')
        self.frame = [np.array(self.meta[part], np.int64) for part in ('before', 'instructed', 'between', 'after')]
        self.refusal = np.array(self.meta['refusal'], np.int64)

    def piece(self, i):
        return self.piece_tokens[self.piece_starts[i] : self.piece_starts[i + 1]].astype(np.int64)


class Language:
    """Windows of the packages' text in random order, each led by the name of the document that it begins in."""

    def __init__(self, shards, seed, validation=False):
        self.shards, self.validation = shards, validation
        self.random = np.random.default_rng(seed)
        self.queue = {}

    def _offsets(self, length):
        documents = self.shards.documents
        stride = length - LONGEST_HEADER
        offsets = np.arange(self.random.integers(stride), len(self.shards.tokens) - length, stride)
        held = np.concatenate([[0], np.cumsum(documents['validation'])])
        first = np.searchsorted(documents['start'], offsets, 'right') - 1
        last = np.searchsorted(documents['start'], offsets + length, 'right') - 1
        count = held[last + 1] - held[first]
        offsets = offsets[count == (last + 1 - first if self.validation else 0)]
        self.random.shuffle(offsets)
        return offsets

    def rows(self, count, length):
        """Ids [count, length] and weights of the same shape."""
        queue = self.queue.get(length, np.empty(0, np.int64))
        while len(queue) < count:
            queue = np.concatenate([queue, self._offsets(length)])
        taken, self.queue[length] = queue[:count], queue[count:]
        return self.windows(taken, length)

    def windows(self, offsets, length):
        start, header = self.shards.documents['start'], self.shards.documents['header']
        document = np.searchsorted(start, offsets, 'right') - 1
        offsets = np.maximum(offsets, start[document] + header[document])
        offsets = np.minimum(offsets, len(self.shards.tokens) - length)[:, None]
        size = np.minimum(header[document], LONGEST_HEADER)[:, None]
        name_end = (start + header)[document][:, None]
        column = np.arange(length)[None]
        # The start of a long path is left out, the mark before it is not.
        name = np.where(column == 0, start[document][:, None], name_end - size + column)
        index = np.where(column < size, name, offsets + column - size)
        return self.shards.tokens[index].astype(np.int64), (column >= size).astype(np.float32)


def padded(items, length):
    """Items (ids, start of the answer) as rows [N, length] with weight on the answers alone."""
    ids = np.zeros((len(items), length), np.int64)
    weights = np.zeros((len(items), length), np.float32)
    for row, (tokens, start) in enumerate(items):
        ids[row, : len(tokens)] = tokens
        weights[row, start : len(tokens)] = 1
    return ids, weights


class Questions:
    """Questions with their answers, from texts in context and from memory."""

    def __init__(self, shards, seed, validation=False, active=3000):
        self.shards = shards
        self.random = np.random.default_rng(seed)
        facts = shards.facts
        mine = facts['validation'] == int(validation)
        self.readable = np.flatnonzero(mine & ((facts['passage'] >= 0) | (facts['file'] >= 0)))
        self.passages = np.flatnonzero(mine & (facts['passage'] >= 0))
        order = np.argsort(facts['package'][self.passages], kind='stable')
        self.passages = self.passages[order]
        self.package_of_passage = facts['package'][self.passages]
        self.memory = self.random.permutation(np.flatnonzero(mine & (facts['memory'] == 1)))
        self.pool = [[fact, 0] for fact in self.memory[:active]]
        self.next = len(self.pool)

    def item(self, texts, question, answer, bare=False):
        before, instructed, between, after = self.shards.frame
        before = instructed if not bare and self.random.random() < INSTRUCTED else before
        prompt = np.concatenate([before, *texts, question, between])
        return np.concatenate([prompt, answer, after]), len(prompt)

    def wording(self, fact, among=None):
        facts = self.shards.facts
        among = range(facts['wordings'][fact]) if among is None else among
        return self.shards.piece(facts['first_wording'][fact] + among[self.random.integers(len(among))])

    def from_memory(self, fact, among=None, bare=False):
        """`among`: numbers of the wordings to choose from. `bare`: without instructions, as absorbing asks."""
        return self.item([], self.wording(fact, among), self.shards.piece(self.shards.facts['answer'][fact]), bare)

    def recalled(self):
        """A fact of a pool, each asked a dozen times before another takes its place: what it takes to learn it."""
        entry = self.pool[self.random.integers(len(self.pool))]
        fact = entry[0]
        entry[1] += 1
        if entry[1] >= VISITS:
            entry[:] = [self.memory[self.next % len(self.memory)], 0]
            self.next += 1
        return self.from_memory(fact)

    def _others(self, fact, count):
        """Passages of other documents, mostly of the same package."""
        facts, found = self.shards.facts, []
        low, high = np.searchsorted(self.package_of_passage, [facts['package'][fact], facts['package'][fact] + 1])
        for _ in range(count):
            near = high > low and self.random.random() < 0.7
            other = self.passages[self.random.integers(low, high) if near else self.random.integers(len(self.passages))]
            if facts['document'][other] != facts['document'][fact]:
                found.append(int(facts['passage'][other]))
        return found

    def read(self, length):
        """A question whose answer stands in one of the texts before it, or, rarely, in none of them."""
        for _ in range(100_000):
            item = self._read(self.readable[self.random.integers(len(self.readable))], length)
            if item is not None:
                return item
        raise ValueError(f'no text with a question fits {length} tokens')

    def _read(self, fact, length):
        facts, piece = self.shards.facts, self.shards.piece
        passage, file = facts['passage'][fact], facts['file'][fact]
        shown = int(file if passage < 0 or (file >= 0 and self.random.random() < 0.25) else passage)
        others = self._others(fact, self.random.integers(6 if length < 1500 else 9))
        refused = len(others) > 0 and facts['memory'][fact] == 1 and self.random.random() < REFUSED
        answer = self.shards.refusal if refused else piece(facts['answer'][fact])
        question = self.wording(fact)
        room = length - sum(map(len, self.shards.frame)) - len(question) - len(answer)
        texts = []
        for text in ([] if refused else [shown]) + others:
            tokens = piece(text)
            if len(tokens) <= room:
                texts.append(tokens)
                room -= len(tokens)
            elif not texts:
                return None
        order = self.random.permutation(len(texts))
        return self.item([texts[i] for i in order], question, answer)

    def reading_rows(self, count, length):
        return padded([self.read(length) for _ in range(count)], length)

    def memory_rows(self, count, length):
        items = []
        while len(items) < count:
            item = self.recalled()
            if len(item[0]) <= length:
                items.append(item)
        return padded(items, length)


def on_device(rows, device):
    return [torch.from_numpy(array).to(device, non_blocking=True) for array in rows]
