"""Judging a trained agent: its greedy return, V and Q beside the optimum and the values of a probe."""

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium.vector import VectorEnv

from rlkit.check.probe import Probe, Truth
from rlkit.errors import RlkitError

EPISODES = 128  # side by side, to judge the greedy policy by
ROUNDS = 2  # of such episodes, so that what an agent remembers of the first could mislead it in the second
LONGEST = 200  # steps of such an episode
NEGLIGIBLE = 1e-3  # weight of a reward from which nothing more counts
VALUE_TOLERANCE = 0.2  # of the largest value of the probe, or of 1


class ProtocolError(RlkitError, TypeError):
    """What was given is no agent: its constructor, its methods, or what they return, do not fit."""


def judged(agent: Any, probe: Probe, gamma: float | None, steps: int, seed: int) -> tuple[str, list[str]]:
    """Train the agent; "passed", "failed" or "skipped", and what was got beside what was expected.

    `gamma` is that of the agent's values, None if nobody knows it; then they are not looked at. Raises
    ProtocolError where a method is missing or returns something of a wrong form.
    """
    for method in ("train", "act"):
        if not callable(getattr(agent, method, None)):
            raise ProtocolError(f"{type(agent).__name__} has no method {method}")
    truth = probe.truth(probe.gamma if gamma is None else gamma)
    remembers = _Player(agent, probe, seed=seed).remembers
    if probe.needs_memory and not remembers:
        return "skipped", ["the agent has no memory"]
    exact = {} if gamma is None else {"value": truth.value, "q_values": truth.q}
    offered = [name for name, x in exact.items() if np.isfinite(x).any() and hasattr(agent, name)]
    if not truth.decision and not offered:
        return "skipped", [
            "the agent does not accept gamma" if gamma is None else "the agent has neither value nor q_values"
        ]
    agent.train(steps)
    wrong = []
    if truth.decision:
        earned = _Player(agent, probe, seed=seed + 1).discounted_return(probe.gamma)
        optimum = probe.truth(probe.gamma).optimum
        if not earned >= optimum - probe.tolerance:
            wrong.append(_differs("the greedy return", earned, optimum))
    for name in offered:
        wrong += _wrong_values(agent, name, truth, only_first=remembers)
    return ("failed" if wrong else "passed"), wrong


def _wrong_values(agent: Any, name: str, truth: Truth, *, only_first: bool) -> list[str]:
    """The value that is furthest off, if it is too far: V [N] or Q [N, A] where all policies agree on it."""
    exact = truth.value if name == "value" else truth.q
    known = np.isfinite(exact) & (truth.first | (not only_first)).reshape(-1, *(1,) * (exact.ndim - 1))
    learned = _array(getattr(agent, name)(truth.obs))
    if learned.shape != exact.shape:
        raise ProtocolError(f"{name} must return {list(exact.shape)} numbers, not {list(learned.shape)}")
    if not known.any():
        return []
    error = np.where(known, np.abs(np.where(np.isfinite(learned), learned, np.inf) - exact), 0.0)
    at = np.unravel_index(error.argmax(), error.shape)
    if error[at] <= VALUE_TOLERANCE * max(1.0, float(np.abs(exact[known]).max())):
        return []
    state = truth.names[at[0]]
    what = f"V({state})" if name == "value" else f"Q({state}, {at[1]})"
    return [_differs(what, float(learned[at]), float(exact[at]))]


def _differs(what: str, got: float, expected: float) -> str:
    return f"{what} is {got:.3g}, must be {expected:.3g}"


class _Player:
    """An agent that plays greedily, many episodes side by side, without a time limit."""

    def __init__(self, agent: Any, probe: Probe, *, seed: int) -> None:
        self.agent, self.seed = agent, seed
        self.env: VectorEnv[Any, Any, Any] = probe.vector_env(
            EPISODES, interface=probe.interfaces[0], limited=False
        )
        self.takes = set(inspect.signature(agent.act).parameters)
        self.shape = (EPISODES, *(self.env.single_action_space.shape or ()))

    @property
    def remembers(self) -> bool:
        """Whether the agent has something to pass on after the first step."""
        obs, info = self.env.reset(seed=self.seed)
        _, state = self.act(obs, None, info, first=True)
        return state is not None and (not isinstance(state, tuple | list | dict) or len(state) > 0)

    def discounted_return(self, gamma: float) -> float:
        """Mean over episodes of the sum of gamma^t reward."""
        earned, state = np.zeros(EPISODES), None
        for k in range(ROUNDS):
            obs, info = self.env.reset(seed=self.seed + k * EPISODES)
            if "reset" not in self.takes:
                state = None
            playing, weight = np.ones(EPISODES, dtype=np.bool_), 1.0
            for t in range(LONGEST):
                action, state = self.act(obs, state, info, first=t == 0)
                obs, reward, terminated, _, info = self.env.step(action)
                earned += weight * playing * reward
                playing &= ~terminated
                weight *= gamma
                if not playing.any() or weight < NEGLIGIBLE:
                    break
        return float(earned.mean() / ROUNDS)

    def act(
        self, obs: Any, state: Any, info: Mapping[str, Any], *, first: bool
    ) -> tuple[npt.NDArray[Any], Any]:
        """The agent's actions, checked, and its next state."""
        known = {"mask": info.get("action_mask"), "reset": np.full(EPISODES, first)}
        told = {name: x for name, x in known.items() if name in self.takes and x is not None}
        if "mask" in told:
            told["mask"] = np.asarray(told["mask"], dtype=np.bool_)
        answer = self.agent.act(obs, state, **told)
        if not isinstance(answer, tuple) or len(answer) != 2:
            raise ProtocolError(f"act must return a pair (action, state), not {_kind(answer)}")
        action = _array(answer[0])
        if action.shape != self.shape:
            raise ProtocolError(
                f"act must return actions {self.shape} for {EPISODES} observations, not {action.shape}"
            )
        return action, answer[1]


def _array(x: Any) -> npt.NDArray[Any]:
    """Numbers of any library as a numpy array."""
    return np.asarray(x.detach().cpu() if hasattr(x, "detach") else x)


def _kind(x: object) -> str:
    return f"{len(x)} things" if isinstance(x, tuple) else f"a {type(x).__name__}"
