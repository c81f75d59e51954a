"""Packages that solve: each takes the exact model of an id, and must find the value that rlkit certifies."""

from __future__ import annotations

from typing import Any

import numpy as np

import rlkit
from rlkit.core import to_arrays, to_pairs

GAMMA = 0.95


def quantecon(id: str, **options: Any) -> None:
    """policy iteration of a `DiscreteDP` of `to_pairs`"""
    from quantecon.markov import DiscreteDP

    reward, transition, state, action = to_pairs(rlkit.exact(id, **options))
    found = DiscreteDP(reward, transition, GAMMA, state, action).solve(method="policy_iteration")
    _compare(found.v, id, options)


def pymdptoolbox(id: str, **options: Any) -> None:
    """policy iteration of `to_arrays`"""
    from mdptoolbox.mdp import PolicyIteration

    transition, reward = to_arrays(rlkit.exact(id, **options), order="ASS")
    found = PolicyIteration(transition, reward, GAMMA)
    found.run()
    _compare(np.array(found.V), id, options)


def _compare(value: Any, id: str, options: dict[str, Any]) -> None:
    known = rlkit.solve(rlkit.exact(id, **options), gamma=GAMMA).value
    np.testing.assert_allclose(value, known, atol=1e-6)
