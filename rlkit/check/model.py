"""What can be wrong with a model: probabilities, masks, sampling, states that mix in a batch."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from rlkit.core import Model
from rlkit.core.contract import asked, check_attributes
from rlkit.core.enumerate import keys
from rlkit.core.errors import ModelError
from rlkit.core.mdp import FloatArray
from rlkit.core.model import inverse_cdf, take, where
from rlkit.core.random import uniform
from rlkit.core.rows import first as first_of
from rlkit.envs.adapters.episode import first


def model_findings(model: Model[Any], steps: int, seed: int) -> Iterator[str]:
    """What is wrong with a model, a line each."""
    try:
        check_attributes(model)
        yield from _findings(model, steps, seed)
    except ModelError as error:
        yield str(error)


def _findings(model: Model[Any], steps: int, seed: int) -> Iterator[str]:
    starts = asked(model, "start_probs")
    yield from _row_findings("start_probs", starts[None, :])
    u = np.random.default_rng(seed).random(1000)
    if (np.asarray(model.start_event(u)) != inverse_cdf(starts[None, :], u)).mean() > 0.001:
        yield "start_event does not choose the event in whose interval of start_probs u lies"
    rng = np.random.default_rng(seed)
    size = 64
    key = rng.integers(2**62, size=size)
    state = asked(model, "initial", model.start_event(uniform(key, np.zeros(size, dtype=np.int64))))
    for t in range(1, steps + 1):
        legal = asked(model, "legal", state)
        if not legal.any(axis=1).all():
            yield "a state that is not terminal has no legal action"
            return
        if not model.masked and not legal.all():
            yield "an action is illegal although masked is False"
        if not all(model.observation_space.contains(first(model.observe(state), i)) for i in range(4)):
            yield f"an observation is not in {model.observation_space}"
        action = (rng.random(legal.shape) * legal).argmax(axis=1)
        before = keys(state)
        probs = asked(model, "event_probs", state, action)
        yield from _row_findings("event_probs has a row that", probs)
        u = uniform(key, np.full(size, t))
        event = model.sample_event(state, action, u)
        if (event != inverse_cdf(probs, u)).any():
            yield "sample_event does not choose the event in whose interval of event_probs u lies"
        step = asked(model, "transition", state, action, event)
        drawn = model.sample(state, action, u)
        told = (drawn.reward != step.reward) | (drawn.terminated != step.terminated)
        if keys(drawn.state) != keys(step.state) or told.any():
            yield "sample disagrees with transition for the event that sample_event draws"
        if keys(state) != before:
            yield "transition changes the state it was given"
        alone = model.transition(take(state, slice(3, 4)), action[3:4], event[3:4])
        if keys(alone.state)[0] != keys(step.state)[3] or alone.reward[0] != step.reward[3]:
            yield "the result for a state depends on the rest of the batch"
        if not np.isfinite(step.reward).all():
            yield f"a reward is {step.reward[~np.isfinite(step.reward)][0]}"
        begun = model.initial(model.start_event(uniform(key + t, np.zeros(size, dtype=np.int64))))
        state = where(step.terminated, begun, step.state)


def _row_findings(what: str, probs: FloatArray) -> Iterator[str]:
    """The first row that is no distribution."""
    if not (good := probs >= 0).all():
        yield f"{what} holds {probs[~good][0]}"
    total = probs.sum(axis=1)
    if (i := first_of(~(np.abs(total - 1) <= 1e-9))) is not None:
        yield f"{what} sums to {total[i]:.9g}"
