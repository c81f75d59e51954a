"""Generated models of the families that solvers are measured on; every one is a function of its size."""

from __future__ import annotations

import numpy as np

from rlkit.core import MDP


def assembled(per_choice: np.ndarray, successor: np.ndarray, probability: np.ndarray, **given: object) -> MDP:
    """An MDP from rows of equal length: successors and probabilities [C, k], choices [S] of each state."""
    choices, width = successor.shape
    state_ptr = np.concatenate([[0], np.cumsum(per_choice)])
    owner = np.repeat(np.arange(len(per_choice)), per_choice)
    return MDP(
        state_ptr=state_ptr,
        choice_ptr=np.arange(choices + 1) * width,
        successor=successor.ravel(),
        probability=probability.ravel(),
        action=np.arange(choices) - state_ptr[owner],
        initial=np.eye(1, len(per_choice)).ravel(),
        **given,
    )


def maze(size: int, *, slip: float = 0.2, walls: float = 0.2, seed: int = 0) -> MDP:
    """A square of free and walled cells; a move slips sideways; reaching the far corner pays 1 and ends."""
    rng = np.random.default_rng(seed)
    wall = rng.random((size, size)) < walls
    wall[0, 0] = wall[-1, -1] = False
    number = np.full((size, size), -1)
    number[~wall] = np.arange((~wall).sum())
    row, column = np.nonzero(~wall)
    states, goal = np.arange(len(row)), number[-1, -1]
    neighbours = []
    for down, right in ((0, -1), (1, 0), (0, 1), (-1, 0)):
        to = number[np.clip(row + down, 0, size - 1), np.clip(column + right, 0, size - 1)]
        neighbours.append(np.where(to < 0, states, to))
    moves = np.stack(neighbours, axis=1)[states != goal]  # [S-1, 4]
    turned = [np.roll(moves, -turn, axis=1) for turn in (0, 1, -1)]
    successor = np.stack(turned, axis=2).reshape(-1, 3)
    probability = np.broadcast_to([1 - slip, slip / 2, slip / 2], successor.shape)
    reward = (probability * (successor == goal)).sum(axis=1)
    return assembled(np.where(states == goal, 0, 4), successor, probability, reward=reward)


def random_sparse(states: int, *, actions: int = 4, successors: int = 5, seed: int = 0) -> MDP:
    """Every choice leads to a few states drawn at random, with random probabilities and reward."""
    rng = np.random.default_rng(seed)
    shape = (states * actions, successors)
    weights = rng.random(shape)
    return assembled(
        np.full(states, actions),
        rng.integers(states, size=shape),
        weights / weights.sum(axis=1, keepdims=True),
        reward=rng.random(shape[0]),
    )


def layered(layers: int, width: int, *, actions: int = 4, successors: int = 4, seed: int = 0) -> MDP:
    """A DAG: every choice leads into the next layer."""
    rng = np.random.default_rng(seed)
    shape = ((layers - 1) * width * actions, successors)
    layer = np.repeat(np.arange(1, layers), width * actions)[:, None]
    weights = rng.random(shape)
    return assembled(
        np.repeat([actions, 0], [(layers - 1) * width, width]),
        layer * width + rng.integers(width, size=shape),
        weights / weights.sum(axis=1, keepdims=True),
        reward=rng.random(shape[0]),
    )


def chain(states: int, *, back: float = 0.3) -> MDP:
    """A line: go on carefully, or fast with a chance of being thrown back ten places; the end pays 1."""
    place = np.arange(states - 1)
    ahead, fallen = place + 1, np.maximum(place - 10, 0)
    fast = np.minimum(place + 3, states - 1)
    successor = np.stack([np.stack([ahead, place], 1), np.stack([fast, fallen], 1)], axis=1).reshape(-1, 2)
    probability = np.tile([[0.9, 0.1], [1 - back, back]], (states - 1, 1))
    reward = (probability * (successor == states - 1)).sum(axis=1)
    return assembled(np.repeat([2, 0], [states - 1, 1]), successor, probability, reward=reward)


def protocol(rounds: int, *, block: int = 5, seed: int = 0) -> MDP:
    """Very many small components: within a round one retries in a ring of states, then the next begins."""
    rng = np.random.default_rng(seed)
    states = rounds * block
    place = np.arange(states)
    ring = place - place % block + (place + 1) % block
    entry = np.where(place // block < rounds - 1, rng.integers(block, size=states), 0)
    onward = np.minimum(place - place % block + block, states) + entry
    chance = rng.uniform(0.05, 0.9, size=(states, 2))
    retry, wait = np.stack([onward, ring], 1), np.stack([onward, place], 1)
    successor = np.stack([retry, wait], axis=1).reshape(-1, 2)
    probability = np.stack([chance, 1 - chance], axis=2).reshape(-1, 2)
    reward = -rng.uniform(0.5, 1.5, size=2 * states)
    return assembled(np.append(np.full(states, 2), 0), successor, probability, reward=reward)
