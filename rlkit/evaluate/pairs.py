"""An agent with memory on an exact model, as the Markov chain of a state and what is remembered there.

Such an agent has no policy over states, but one over pairs. Where few can be reached its value is exact.
"""

import hashlib
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rlkit.agents import Agent
from rlkit.core import MDP, from_triplets
from rlkit.core.mdp import BoolArray
from rlkit.core.rows import ranges
from rlkit.evaluate.shown import Shown, acts, choices

MOST_PAIRS = 20_000
OVER = -1  # stands for the end until its number is known


class Chain(NamedTuple):
    """Pairs of a state and a memory, with one action each, and which of them are `over`."""

    mdp: MDP
    over: BoolArray


def chain_of_pairs(agent: Agent, given: Shown, *, horizon: int | None, stochastic: bool) -> Chain | None:
    """The Markov chain of an agent; None where more than 20,000 pairs can be reached.

    Pairs that are first reached after `horizon` steps have no successors.
    """
    mdp, choice_of = given.mdp, choices(given.mdp)
    start = np.flatnonzero((mdp.initial > 0) & ~mdp.terminal)
    number: dict[tuple[int, bytes], int] = {(s, b""): i for i, s in enumerate(start.tolist())}
    states, memory, depth = start, agent.policy.initial_state(len(start)), 0
    rows: list[tuple[NDArray[Any], ...]] = []
    while len(states) and (horizon is None or depth < horizon):
        reset = torch.full((len(states),), depth == 0, device=agent.device)
        policy, memory = acts(agent, given, states, memory, reset, stochastic=stochastic)
        marks, first = _marks(memory), len(number) - len(states)  # the frontier has the last numbers
        pair, action = np.nonzero(policy)
        choice, weight = choice_of[states[pair], action], policy[pair, action]
        size = np.diff(mdp.choice_ptr)[choice]
        place = ranges(mdp.choice_ptr[choice], size)
        reward = np.bincount(pair, weights=weight * mdp.reward[choice], minlength=len(states))
        source, successor = np.repeat(pair, size), mdp.successor[place]
        target = np.full(len(source), OVER)
        origin, entered = [], []
        for j in np.flatnonzero(~mdp.terminal[successor]).tolist():
            key = int(successor[j]), marks[source[j]]
            if key not in number:
                if len(number) >= MOST_PAIRS:
                    return None
                number[key] = len(number)
                origin.append(source[j])
                entered.append(key[0])
            target[j] = number[key]
        probability = np.repeat(weight, size) * mdp.probability[place]
        rows.append((first + source, target, probability, reward[source]))
        states, depth = np.array(entered, dtype=np.int64), depth + 1
        kept = torch.tensor(origin, dtype=torch.int64, device=agent.device)
        memory = tuple(part[kept] for part in memory)
    if not rows:
        return Chain(mdp, mdp.terminal)  # every episode is over where it begins
    n = len(number)
    source, target, probability, reward = (np.concatenate(column) for column in zip(*rows, strict=True))
    begun_over = float(mdp.initial[mdp.terminal].sum())
    ended = bool((target == OVER).any() or begun_over)
    over = np.arange(n + ended) == n
    initial = begun_over * over
    initial[: len(start)] = mdp.initial[start]
    found = from_triplets(
        source,
        np.zeros_like(source),
        np.where(target == OVER, n, target),
        probability,
        n_states=len(over),
        reward=reward,
        initial=initial,
    )
    return Chain(found.with_reward_decay(mdp.reward_decay), over)


def _marks(memory: tuple[Tensor, ...]) -> list[bytes]:
    """A fingerprint of each row of what is remembered."""
    parts = [part.cpu().numpy().reshape(len(part), -1) for part in memory]
    rows = [np.ascontiguousarray(part).view(np.uint8) for part in parts]
    return [hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in np.concatenate(rows, axis=1)]
