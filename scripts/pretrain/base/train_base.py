"""Trains lift-base: python3 scripts/pretrain/base/train_base.py --data DIR --out DIR --minutes 9.

Three stages share the minutes: language, a mixture with questions, episodes of LIFT. Each ends with a checkpoint in --out
(language's is replaced by mixture's); log.json says what happened. On a card in bfloat16 and compiled, else in float32.
"""

import argparse
import json
import os
import queue
import threading
import time

import numpy as np
import torch

from batches import Language, Questions, Shards, on_device
from checkpoints import remove_checkpoint, write_checkpoint
from episode_stage import train_episodes
from episodes import add_gradient
from model import Llama, initial_parameters, llama_config, matrix_names
from optimizers import Optimizer

STEPS_BETWEEN_LOOKS = 5


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--data', required=True)
    parser.add_argument('--out', required=True)
    parser.add_argument('--minutes', type=float, default=9)
    parser.add_argument('--shares', type=float, nargs=3, default=[0.55, 0.3, 0.15], help='of language, mixture, episodes')
    parser.add_argument('--no-episodes', action='store_true')
    parser.add_argument('--optimizer', choices=['muon', 'adamw'], default='muon')
    parser.add_argument('--matrix-rate', type=float, default=0.02)
    parser.add_argument('--other-rate', type=float, default=3e-3)
    parser.add_argument('--episode-rate', type=float, default=3e-4, help="of the base; an adapter's is the product's 1e-3")
    parser.add_argument('--episode-steps', type=int, default=12)
    parser.add_argument('--episodes', type=int, default=16, help='at once')
    parser.add_argument('--hidden', type=int, default=384)
    parser.add_argument('--layers', type=int, default=8)
    parser.add_argument('--heads', type=int, default=6)
    parser.add_argument('--feed', type=int, default=1024)
    parser.add_argument('--length', type=int, default=1024)
    parser.add_argument('--rows', type=int, default=64, help='of --length tokens at once; two gradients make a step')
    parser.add_argument('--report', type=float, default=10, help='seconds')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--no-compile', action='store_true')
    return parser.parse_args()


class Run:
    def __init__(self, options):
        self.options, self.started = options, time.time()
        self.end = self.started + 60 * options.minutes
        self.device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')
        torch.manual_seed(options.seed)
        torch.set_float32_matmul_precision('high')
        on_card = self.device.type == 'cuda'
        self.shards = Shards(options.data)
        vocabulary = self.shards.meta['vocabulary']
        shape = dict(hidden=options.hidden, layers=options.layers, heads=options.heads, feed=options.feed)
        self.config = llama_config(vocabulary, context=2 * options.length, **shape)
        self.parameters = initial_parameters(self.config, options.seed, self.device)
        for value in self.parameters.values():
            value.requires_grad_()
        dtype = torch.bfloat16 if on_card else torch.float32
        self.eager = Llama(self.config, self.device, dtype)
        self.llama = self.eager
        self.language = Language(self.shards, options.seed)
        self.questions = Questions(self.shards, options.seed)
        self.held_questions = Questions(self.shards, 7, validation=True)
        held = Language(self.shards, 7, validation=True)
        self.held = on_device(held.rows(min(32, options.rows), options.length + 1), self.device)
        self.held_reading = on_device(self.held_questions.reading_rows(options.rows, options.length + 1), self.device)
        self.log, self.entries = os.path.join(options.out, 'log.json'), []
        count = sum(value.numel() for value in self.parameters.values())
        self.say(parameters=count, tokens=len(self.shards.tokens), facts=len(self.shards.facts['kind']), torch=torch.__version__)
        if on_card and not options.no_compile:
            self.compile()

    def say(self, **entry):
        entry = {'seconds': round(time.time() - self.started, 1), **entry}
        self.entries.append(entry)
        print(json.dumps(entry), flush=True)
        with open(self.log, 'w') as file:
            json.dump(self.entries, file, indent=0)

    def compile(self):
        """Compiles for every shape; stays eager where that fails."""
        import torch._dynamo

        for name in ('recompile_limit', 'cache_size_limit'):
            if hasattr(torch._dynamo.config, name):
                setattr(torch._dynamo.config, name, 64)
        compiled = Llama(self.config, self.device, torch.bfloat16, compiled=True)
        options = self.options
        try:
            for rows, length in self.shapes():
                ids = torch.zeros(rows, length + 1, dtype=torch.long, device=self.device)
                compiled.losses(self.parameters, ids).mean().backward()
                self.say(compiled=[rows, length])
            if not options.no_episodes:
                nothing = [self.zero_rows(16 * options.episodes, 161) for _ in range(2)]
                add_gradient(compiled, self.parameters, nothing[:1], nothing[1], options.episodes, 0.0)
                self.say(compiled='episodes')
            self.llama = compiled
        except Exception as error:  # Whatever a compiler may say: training goes on without it.
            self.say(eager=str(error)[:300])
        for value in self.parameters.values():
            value.grad = None

    def zero_rows(self, rows, length):
        return torch.zeros(rows, length, dtype=torch.long, device=self.device), torch.ones(rows, length, device=self.device)

    def shapes(self):
        """Rows and lengths that are trained on."""
        rows, length = self.options.rows, self.options.length
        return [(rows, length), (rows // 2, 2 * length), (4 * rows, 160)]

    def prefetched(self, make):
        """What make() gives, made by another thread a little ahead. Close the generator to end it."""
        ready, done = queue.Queue(4), threading.Event()

        def work():
            while not done.is_set():
                try:
                    batch = make()
                except Exception as error:
                    batch = error
                while not done.is_set():
                    try:
                        ready.put(batch, timeout=0.5)
                        break
                    except queue.Full:
                        pass

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        try:
            while True:
                batch = ready.get()
                if isinstance(batch, Exception):
                    raise batch
                yield batch
        finally:
            done.set()
            thread.join()

    def language_batch(self):
        rows, length = self.options.rows, self.options.length
        return [(*self.language.rows(rows, length + 1), 0.5) for _ in range(2)]

    def mixture_batch(self):
        """Language and long contexts, contexts of --length, and questions from memory, with what each counts."""
        (rows, length), (few, longer), (many, short) = self.shapes()
        language, reading = self.language.rows(few * 3 // 4, longer + 1), self.questions.reading_rows(few - few * 3 // 4, longer + 1)
        # Means of both, each over its own tokens.
        parts = [(language[0], language[1] / language[1].sum()), (reading[0], 0.2 * reading[1] / reading[1].sum())]
        long_rows = tuple(np.concatenate(arrays) for arrays in zip(*parts))
        return [
            (*long_rows, None),
            (*self.questions.reading_rows(rows, length + 1), 0.5),
            (*self.questions.memory_rows(many, short + 1), 0.5),
        ]

    def gradient(self, batch):
        """Adds the gradient of each part's mean loss times its factor (None: weights are factors); their losses."""
        losses = []
        for ids, weights, factor in batch:
            ids, weights = on_device((ids, weights), self.device)
            weights = weights[:, 1:]
            loss = (self.llama.losses(self.parameters, ids) * weights).sum()
            loss = loss if factor is None else loss / weights.sum()
            (loss if factor is None else loss * factor).backward()
            losses.append(loss.detach())
        return losses

    @torch.no_grad()
    def held_loss(self, rows):
        weights = rows[1][:, 1:]
        return float((self.eager.losses(self.parameters, rows[0]) * weights).sum() / weights.sum())

    def train(self, stage, make, scale, end, optimizer):
        """Steps until the clock says `end`; `scale(progress, steps)` gives the learning rate."""
        began = reported = time.time()
        steps = tokens = counted = 0
        batches = self.prefetched(make)
        for batch in batches:
            if time.time() >= end:
                break
            progress = (time.time() - began) / (end - began)
            losses = self.gradient(batch)
            optimizer.step(scale(progress, steps))
            steps += 1
            tokens += sum(ids.size for ids, _, _ in batch)
            if steps % STEPS_BETWEEN_LOOKS == 0:
                found = [round(float(loss), 4) for loss in losses]
                if time.time() - reported > self.options.report:
                    speed = round((tokens - counted) / (time.time() - reported))
                    held = {'held': round(self.held_loss(self.held), 4), 'heldReading': round(self.held_loss(self.held_reading), 4)}
                    self.say(stage=stage, step=steps, tokens=tokens, loss=found, tokensPerSecond=speed, **held)
                    reported, counted = time.time(), tokens
        batches.close()
        self.say(stage=stage, end=True, steps=steps, tokens=tokens, held=round(self.held_loss(self.held), 4))


def warm(steps):
    return min(1.0, (steps + 1) / 100)


def main():
    options = arguments()
    os.makedirs(options.out, exist_ok=True)
    run = Run(options)
    shares = options.shares if not options.no_episodes else [*options.shares[:2], 0]
    left, now = run.end - time.time(), time.time()
    ends = [now + left * sum(shares[: i + 1]) / sum(shares) for i in range(3)]
    rates = dict(muon=options.optimizer == 'muon', matrix_rate=options.matrix_rate, other_rate=options.other_rate)
    optimizer = Optimizer(run.parameters, matrix_names(run.config), **rates)
    run.train('language', run.language_batch, lambda p, s: warm(s) * (1 - 0.5 * p), ends[0], optimizer)
    write_checkpoint(options.out, 'language', run.config, run.parameters)
    run.train('mixture', run.mixture_batch, lambda p, s: 0.5 * (1 - p), ends[1], optimizer)
    write_checkpoint(options.out, 'mixture', run.config, run.parameters)
    remove_checkpoint(options.out, 'language')
    if not options.no_episodes:
        train_episodes(run, ends[2])
        write_checkpoint(options.out, 'episodes', run.config, run.parameters)
    run.say(done=True)


if __name__ == '__main__':
    main()
