"""Arguments of another kind are refused in one error that says what is allowed, by every solver."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from pomdps import random_pomdp

import rlkit
from rlkit.core import from_triplets
from rlkit.solvers import (
    SolveError,
    average_reward,
    belief_bounds,
    belief_mdp,
    best_memoryless,
    best_stationary,
    evaluate_policy,
    memory_gain,
    optimum,
    point_based,
    solve,
    state_distribution,
    stochastic_memoryless,
    uniform_policy,
    verify,
)

CHAIN = from_triplets([0], [0], [1], [1.0], n_states=2, reward=1.0)
POMDP = random_pomdp(0)
BY_GAMMA = {
    "solve": lambda gamma: solve(CHAIN, gamma=gamma),
    "evaluate_policy": lambda gamma: evaluate_policy(CHAIN, uniform_policy(CHAIN), gamma=gamma),
    "best_stationary": lambda gamma: best_stationary(CHAIN, horizon=2, gamma=gamma),
    "best_memoryless": lambda gamma: best_memoryless(POMDP, gamma=gamma),
    "optimum": lambda gamma: optimum(POMDP, gamma=gamma, horizon=1),
}
BY_HORIZON = {
    "solve": lambda horizon: solve(CHAIN, horizon=horizon),
    "evaluate_policy": lambda horizon: evaluate_policy(CHAIN, uniform_policy(CHAIN), horizon=horizon),
    "best_stationary": lambda horizon: best_stationary(CHAIN, horizon=horizon),
    "best_memoryless": lambda horizon: best_memoryless(POMDP, horizon=horizon),
    "belief_mdp": lambda horizon: belief_mdp(POMDP, horizon=horizon),
}


@pytest.mark.parametrize("name", BY_GAMMA)
@pytest.mark.parametrize("gamma", ["0.9", [0.9], 1.5, -0.1, float("nan"), 1j])
def test_gamma(name: str, gamma: object) -> None:
    with pytest.raises(SolveError, match=r"^gamma must lie in \[0, 1\], not "):
        BY_GAMMA[name](gamma)


@pytest.mark.parametrize("name", BY_HORIZON)
@pytest.mark.parametrize("horizon", ["3", 2.5, -1, 10**10, [3]])
def test_horizon(name: str, horizon: object) -> None:
    with pytest.raises(SolveError, match=r"^horizon must be a whole number from 0 to "):
        BY_HORIZON[name](horizon)


@pytest.mark.parametrize("kind", [float, np.float32, np.float64])
def test_numbers_of_any_kind_are_numbers(kind: type) -> None:
    assert solve(CHAIN, gamma=kind(0.5)).initial.value == 1
    assert solve(CHAIN, horizon=np.int32(3)).initial.value == 1


@pytest.mark.parametrize("sweeps", ["1", 0, 1.5, None])
def test_sweeps(sweeps: object) -> None:
    with pytest.raises(SolveError, match=r"^max_sweeps must be a whole number of at least 1, not "):
        solve(CHAIN, max_sweeps=sweeps)


OF_MDP = {
    "solve": solve,
    "evaluate_policy": lambda mdp: evaluate_policy(mdp, [0]),
    "average_reward": lambda mdp: average_reward(mdp, [0]),
    "state_distribution": lambda mdp: state_distribution(mdp, [0], steps=1),
    "verify": lambda mdp: verify(mdp, solve(CHAIN)),
    "best_stationary": lambda mdp: best_stationary(mdp, horizon=2),
}
OF_POMDP = {
    "belief_mdp": belief_mdp,
    "belief_bounds": belief_bounds,
    "point_based": lambda pomdp: point_based(pomdp, horizon=2),
    "best_memoryless": best_memoryless,
    "stochastic_memoryless": stochastic_memoryless,
    "memory_gain": memory_gain,
}


@pytest.mark.parametrize("given", ["rlkit/Exam-v0", None, gymnasium.make("rlkit/Exam-v0"), 3])
@pytest.mark.parametrize("name", [*OF_MDP, *OF_POMDP])
def test_what_is_no_model(name: str, given: object) -> None:
    kind = "an MDP" if name in OF_MDP else "a POMDP"
    with pytest.raises(SolveError, match=rf"^{name} takes {kind}, not .*rlkit\.exact\(ID\)") as caught:
        (OF_MDP | OF_POMDP)[name](given)
    assert isinstance(caught.value, TypeError)


@pytest.mark.parametrize("name", [*OF_MDP, *OF_POMDP])
def test_a_model_of_the_other_kind(name: str) -> None:
    with pytest.raises(
        SolveError, match="an object of MDP" if name in OF_POMDP else "POMDP|partially observable"
    ):
        (OF_MDP | OF_POMDP)[name](CHAIN if name in OF_POMDP else POMDP)


def test_the_error_shows_what_was_given() -> None:
    with pytest.raises(SolveError, match="not 'rlkit/Exam-v0'"):
        rlkit.solve("rlkit/Exam-v0")
