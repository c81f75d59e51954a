"""The regret of an agent with memory, sampled on an exact model.

It is the sum over an episode of V*(s) - Q*(s, a), whose expectation is V* - V_pi whatever the policy depends
on (Kakade and Langford 2002, lemma 6.1), and which is 0 in every episode of an optimal one.
"""

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from rlkit.agents import Agent
from rlkit.core import MDP, NoExactModel, TableModel
from rlkit.core.model import inverse_cdf
from rlkit.core.table import TableState
from rlkit.evaluate.scoring import Scale, Score
from rlkit.evaluate.shown import Shown, acts, choices, in_beliefs
from rlkit.solvers import backward_induction, best, q_values, solve

PRECISION = 0.005  # of the distance between random and optimal play: half a 95 % interval
FEWEST, AT_ONCE = 1_000, 10_000  # episodes before the precision is looked at, and in one batch
MOST_MOVES = 1_000_000  # over all episodes
LONGEST = 10_000  # steps of an episode without a limit
MOST_VALUES = 50_000_000  # of states at the steps of an episode
NEGLIGIBLE = 1e-6  # of the precision: what is left to be lost when a discounted episode is left
ROUNDING = 1e-12  # of a value: differences that mean nothing


def sampled_score(agent: Agent, given: Shown, one: Scale, *, stochastic: bool, seed: int) -> Score:
    """The score of an agent by its sampled regret."""
    if not math.isfinite(one.optimum):
        return one.score(math.nan)
    solution, beliefs = one.best.solution, one.best.beliefs
    if beliefs is not None:
        given = in_beliefs(given, beliefs)
    elif solution.mdp is not given.mdp:  # the hidden states alone, without what is observed in them
        solution = solve(given.mdp, gamma=one.gamma, horizon=one.horizon)
    losses = Losses(given.mdp, solution.value, gamma=one.gamma, horizon=one.horizon)
    gap = one.gap if math.isfinite(one.gap) and one.gap > 0 else max(1.0, abs(one.optimum))
    precision = PRECISION * gap
    found = sampled_regret(agent, given, losses, precision=precision, stochastic=stochastic, seed=seed)
    n = found.episodes
    ends = found.ended / n if one.gamma == 1 else None  # discounted ones are left before
    if found.cut:
        why = f"{found.cut:,} of {n:,} sampled episodes did not end"
        return replace(one.score(math.nan, ends=ends), reason=why, sampled=True, episodes=n)
    score = one.score(one.optimum - found.mean, ends=ends)
    low, high = found.mean - found.half, found.mean + found.half
    percents = None if score.percent_of_optimum is None else (one.percent(high), one.percent(low))
    score = replace(score, regret=found.mean, regret_ci95=(low, high), percent_ci95=percents)
    return replace(score, sampled=True, episodes=n)


class Regret(NamedTuple):
    """The mean regret of `episodes`, half its 95 % interval, how many ended, and how many were cut before."""

    mean: float
    half: float
    episodes: int
    ended: int
    cut: int


class Losses:
    """V*(s) - Q*(s, a) of every choice [C] at step t = 1, 2, ... of an episode."""

    def __init__(self, mdp: MDP, value: NDArray[np.float64], *, gamma: float, horizon: int | None) -> None:
        self.mdp, self.gamma, self.horizon = mdp, gamma, horizon
        if horizon is None:
            self._constant = self._loss(value, 1.0)
            return
        if horizon * mdp.n_states > MOST_VALUES:
            raise NoExactModel(
                f"{horizon} steps of {mdp.n_states:,} states are too many to sample the regret of an agent "
                "with memory"
            )
        self._after = np.zeros((horizon + 1, mdp.n_states))  # value after step t
        for step, _, now in backward_induction(mdp, gamma, horizon):
            self._after[step - 1] = now

    def at(self, t: int) -> NDArray[np.float64]:
        """The losses of step t."""
        if self.horizon is None:
            return self._constant
        return self._loss(self._after[t], self.mdp.reward_scale(t))

    def _loss(self, after: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
        q = q_values(self.mdp, after, self.gamma, scale=scale)
        value = best(self.mdp, q)[self.mdp.state_of_choice]
        loss: NDArray[np.float64] = value - q
        return np.where(loss > ROUNDING * np.maximum(1.0, np.abs(value)), loss, 0.0)


class _Batch(NamedTuple):
    """Regrets [B], how many episodes ended, how many were given up without an end, and the steps taken."""

    regret: NDArray[np.float64]
    ended: int
    cut: int
    moves: int


def sampled_regret(
    agent: Agent, given: Shown, losses: Losses, *, precision: float, stochastic: bool, seed: int
) -> Regret:
    """Play until half the 95 % interval is at most `precision`, or a million steps are taken."""
    rng = np.random.default_rng(seed)
    found: list[NDArray[np.float64]] = []
    moves = ended = cut = 0
    size = FEWEST
    while size and not cut:
        batch = _episodes(agent, given, losses, size, precision, stochastic, rng)
        found.append(batch.regret)
        moves, ended, cut = moves + batch.moves, ended + batch.ended, cut + batch.cut
        regrets = np.concatenate(found)
        n, deviation = len(regrets), float(regrets.std(ddof=1))
        wanted = math.ceil((1.96 * deviation / precision) ** 2) - n
        affordable = int((MOST_MOVES - moves) * n / max(1, moves))
        size = max(0, min(wanted, affordable, AT_ONCE))
    return Regret(float(regrets.mean()), 1.96 * deviation / math.sqrt(n), n, ended, cut)


def _episodes(
    agent: Agent,
    given: Shown,
    losses: Losses,
    size: int,
    precision: float,
    stochastic: bool,
    rng: np.random.Generator,
) -> _Batch:
    """Episodes side by side."""
    mdp, model, choice_of = given.mdp, TableModel(given.mdp), choices(given.mdp)
    regret, moves = np.zeros(size), 0
    states = rng.choice(mdp.n_states, size, p=mdp.initial)
    playing = np.flatnonzero(~mdp.terminal[states])
    states, memory, weight = states[playing], agent.policy.initial_state(len(playing)), 1.0
    ended = size - len(playing)
    for t in range(1, (LONGEST if losses.horizon is None else losses.horizon) + 1):
        reset = torch.full((len(playing),), t == 1, device=agent.device)
        policy, memory = acts(agent, given, states, memory, reset, stochastic=stochastic)
        loss, choice = losses.at(t), choice_of[states]
        regret[playing] += weight * (policy * np.where(choice >= 0, loss[choice], 0.0)).sum(axis=1)
        moves, weight = moves + len(playing), weight * losses.gamma
        action = inverse_cdf(policy, rng.random(len(playing)))
        step = model.sample(TableState(states), action, rng.random(len(playing)))
        going = ~step.terminated
        playing, states = playing[going], step.state.index[going]
        memory = tuple(part[torch.as_tensor(going, device=part.device)] for part in memory)
        ended += int(given.over[step.state.index].sum())
        if not len(playing) or (losses.horizon is None and moves > MOST_MOVES):
            break
        if losses.gamma < 1 and weight * loss.max() < NEGLIGIBLE * precision * (1 - losses.gamma):
            return _Batch(regret, ended, 0, moves)
    return _Batch(regret, ended, len(playing) if losses.horizon is None else 0, moves)
