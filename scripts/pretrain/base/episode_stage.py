"""The last stage of train_base.py: episodes of LIFT, with some language so that nothing is lost."""

import time

from batches import on_device
from episodes import Episodes, adapted, add_gradient, answered_exactly, episode_losses
from model import matrix_names
from optimizers import Optimizer

ADAPTER_RATE = 1e-3
MEASURED = 4


def measure(run, drawn):
    """How held-out packages' questions fare before and after learning: mean nats, and the share answered exactly."""
    *learned, asked = [on_device(rows, run.device) for rows in drawn]
    before = {name: value.detach() for name, value in run.parameters.items()}
    after, _ = adapted(run.eager, run.parameters, learned, MEASURED, ADAPTER_RATE)
    result = {}
    for name, parameters in (('before', before), ('after', after)):
        loss = episode_losses(run.eager, parameters, *asked, MEASURED).mean()
        exact = answered_exactly(run.eager, parameters, *asked, MEASURED)
        result[name] = {'loss': round(float(loss), 4), 'exact': round(float(exact), 4)}
    return result


def train_episodes(run, end):
    options, opened = run.options, time.time()
    # One that has no package with enough facts measures on those it trains on, and says so.
    held_out = Episodes(run.shards, run.held_questions, run.language, 7)
    episodes = Episodes(run.shards, run.questions, run.language, options.seed)
    measured = (held_out if held_out.facts_of else episodes).draw(MEASURED, options.episode_steps)
    run.say(stage='episodes', packages=len(episodes.facts_of), heldOutPackages=len(held_out.facts_of), **measure(run, measured))
    optimizer = Optimizer(run.parameters, matrix_names(run.config), muon=False, other_rate=options.episode_rate)

    def make():
        return episodes.draw(options.episodes, options.episode_steps), run.language.rows(options.rows, options.length + 1)

    began = reported = time.time()
    # The last measurement takes about as long as the first one did.
    end -= began - opened
    batches, steps = run.prefetched(make), 0
    for drawn, text in batches:
        if time.time() >= end:
            break
        progress = (time.time() - began) / (end - began)
        *learned, asked = [on_device(rows, run.device) for rows in drawn]
        loss = add_gradient(run.llama, run.parameters, learned, asked, options.episodes, ADAPTER_RATE)
        (language,) = run.gradient([(*text, 1.0)])
        optimizer.step(min(1.0, (steps + 1) / 10) * (1 - progress))
        steps += 1
        if time.time() - reported > options.report:
            losses = {'asked': round(float(loss), 4), 'language': round(float(language), 4)}
            run.say(stage='episodes', step=steps, **losses, held=round(run.held_loss(run.held), 4))
            reported = time.time()
    batches.close()
    run.say(stage='episodes', end=True, steps=steps, **measure(run, measured), held=round(run.held_loss(run.held), 4))
