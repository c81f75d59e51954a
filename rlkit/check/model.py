"""What can be wrong with a model: probabilities, masks, sampling, states that mix in a batch."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from rlkit.core import Model
from rlkit.core.enumerate import keys
from rlkit.core.model import batch_size, inverse_cdf, take, where
from rlkit.core.random import uniform
from rlkit.envs.adapters.episode import first


def model_findings(model: Model[Any], steps: int, seed: int) -> Iterator[str]:
    """What is wrong with a model, a line each."""
    starts = np.asarray(model.start_probs(), dtype=float)
    if starts.shape != (model.n_starts,):
        yield f"start_probs has shape {starts.shape}, expected ({model.n_starts},)"
        return
    if (starts < 0).any() or abs(starts.sum() - 1) > 1e-9:
        yield f"start_probs sums to {starts.sum():.9g}"
    u = np.random.default_rng(seed).random(1000)
    if (np.asarray(model.start_event(u)) != inverse_cdf(starts[None, :], u)).mean() > 0.001:
        yield "start_event does not choose the event in whose interval of start_probs u lies"
    rng = np.random.default_rng(seed)
    size = 64
    key = rng.integers(2**62, size=size)
    state = model.initial(model.start_event(uniform(key, np.zeros(size, dtype=np.int64))))
    for t in range(1, steps + 1):
        legal = np.asarray(model.legal(state))
        if legal.shape != (size, model.n_actions) or legal.dtype != np.bool_:
            yield f"legal is {legal.dtype} {legal.shape}, expected bool ({size}, {model.n_actions})"
            return
        if not legal.any(axis=1).all():
            yield "a state that is not terminal has no legal action"
            return
        if not model.masked and not legal.all():
            yield "an action is illegal although masked is False"
        if not all(model.observation_space.contains(first(model.observe(state), i)) for i in range(4)):
            yield f"an observation is not in {model.observation_space}"
        action = (rng.random(legal.shape) * legal).argmax(axis=1)
        before = keys(state)
        probs = np.asarray(model.event_probs(state, action))
        if probs.shape != (size, model.n_events):
            yield f"event_probs has shape {probs.shape}, expected ({size}, {model.n_events})"
            return
        total = probs.sum(axis=1)
        if (probs < 0).any() or np.abs(total - 1).max() > 1e-9:
            yield f"event_probs has a row that sums to {total[np.abs(total - 1).argmax()]:.9g}"
        u = uniform(key, np.full(size, t))
        event = model.sample_event(state, action, u)
        if (event != inverse_cdf(probs, u)).any():
            yield "sample_event does not choose the event in whose interval of event_probs u lies"
        step = model.transition(state, action, event)
        drawn = model.sample(state, action, u)
        told = (drawn.reward != step.reward) | (drawn.terminated != step.terminated)
        if keys(drawn.state) != keys(step.state) or told.any():
            yield "sample disagrees with transition for the event that sample_event draws"
        if keys(state) != before:
            yield "transition changes the state it was given"
        alone = model.transition(take(state, slice(3, 4)), action[3:4], event[3:4])
        if keys(alone.state)[0] != keys(step.state)[3] or alone.reward[0] != step.reward[3]:
            yield "the result for a state depends on the rest of the batch"
        if batch_size(step.state) != size or not np.isfinite(step.reward).all():
            yield "a reward is not finite, or the batch changes its size"
        begun = model.initial(model.start_event(uniform(key + t, np.zeros(size, dtype=np.int64))))
        state = where(step.terminated, begun, step.state)
