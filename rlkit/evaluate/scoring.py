"""A value beside that of the optimal and of the random policy, under one objective."""

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from rlkit.core import MDP, POMDP
from rlkit.core.mdp import BoolArray
from rlkit.solvers import Optimum, evaluate_policy, optimum, uniform_policy

NEVER = 1e-12  # a probability that is one of rounding
WORTH = "the policy is worth {}"


@dataclass(frozen=True)
class Score:
    """The value of a policy under one objective; `reason` says why a field is None.

    Where it was `sampled` over so many `episodes`, there are 95 % intervals of the regret and the percent.
    """

    objective: str
    gamma: float
    value: float | None
    optimum: float | None
    random: float | None
    percent_of_optimum: float | None
    regret: float | None
    reason: str | None = None
    sees: str = "states"  # what the optimum knows: states, "beliefs", "hidden states", or "both players"
    ends: float | None = None  # probability that an episode ends, within a limit if any; None if none can
    note: str | None = None  # what the percent does not tell
    sampled: bool = False
    episodes: int | None = None
    regret_ci95: tuple[float, float] | None = None
    percent_ci95: tuple[float, float] | None = None


@dataclass(frozen=True)
class Grade:
    """Scores by objective; `headline` names the one that the environment itself asks for."""

    headline: str
    objectives: dict[str, Score]

    @property
    def score(self) -> Score:
        """The headline score."""
        return self.objectives[self.headline]

    def to_json(self) -> dict[str, Any]:
        """The headline score as `exact` or as `sampled`, whichever it is, and all `objectives`."""
        headline = asdict(self.score)
        return {
            "exact": None if self.score.sampled else headline,
            "sampled": headline if self.score.sampled else None,
            "objectives": {name: asdict(score) for name, score in self.objectives.items()},
        }


@dataclass(frozen=True)
class Scale:
    """One objective's two ends: the optimum, and the `random` policy, uniform over the legal actions."""

    objective: str
    gamma: float
    horizon: int | None
    best: Optimum
    random: float

    @property
    def optimum(self) -> float:
        """The value of the optimal policy; nan where the solver did not find it."""
        return self.best.initial.value if self.best.converged else math.nan

    @property
    def gap(self) -> float:
        """How much better the optimum is than the random policy."""
        return self.optimum - self.random

    def percent(self, regret: float) -> float:
        """100 (V_pi - V_rand) / (V* - V_rand), by what V_pi lacks of V*."""
        return 100 * (1 - regret / self.gap)

    def score(self, value: float, *, ends: float | None = None) -> Score:
        """The score of a policy that is worth `value`, whose episodes end with probability `ends`."""
        optimum, random = self.optimum, self.random
        percent, regret, reason = None, None, None
        if math.isnan(optimum):
            reason = "the solver did not converge"
        elif not math.isfinite(optimum):
            reason = f"the optimum is {optimum}"
        elif not math.isfinite(value):
            reason = WORTH.format(value)
        else:
            regret = optimum - value
            if not math.isfinite(random):
                reason = f"the random policy is worth {random}"
            elif self.gap <= 1e-9 * max(1.0, abs(optimum)):
                reason = "the random policy is optimal"
            else:
                percent = self.percent(regret)
        figures = (finite(value), finite(optimum), finite(random), percent, regret)
        return Score(self.objective, self.gamma, *figures, reason=reason, sees=self.best.knows, ends=ends)


def scale(model: MDP | POMDP, *, objective: str, gamma: float, horizon: int | None) -> Scale:
    """Solve a model for one objective.

    Under partial observability the optimum is that of an agent with memory, if beliefs can be enumerated,
    else that with full observability; `sees` says which. In a game of two players the value of a policy, and
    of the random one, is that against a best response.
    """
    mdp = model.mdp if isinstance(model, POMDP) else model
    random = mdp.expectation(evaluate_policy(mdp, uniform_policy(mdp), gamma=gamma, horizon=horizon))
    return Scale(objective, gamma, horizon, optimum(model, gamma=gamma, horizon=horizon), random)


def ends(mdp: MDP, policy: npt.ArrayLike, over: BoolArray, horizon: int | None) -> float:
    """The probability that an episode of a policy comes to be `over`, within `horizon` steps if given."""
    ending = mdp.with_reward_decay(0.0).with_one_player().with_reward(mdp.matrix @ over.astype(np.float64))
    reached = ending.expectation(evaluate_policy(ending, policy, gamma=1.0, horizon=horizon))
    return float(reached + mdp.initial[over].sum())


def noted(scores: dict[str, Score], horizon: int | None) -> dict[str, Score]:
    """The scores, with a note where episodes never end or would cost without end."""
    endless = "unlimited" in scores and scores["unlimited"].reason == WORTH.format(-math.inf)

    def note(score: Score) -> str | None:
        said = []
        if score.ends is not None and score.ends < NEVER:
            said.append(
                f"no episode ends{f' in {horizon} steps' if score.objective == 'time-limited' else ''}"
            )
        if endless and score.objective != "unlimited":
            said.append("worth -inf in the long run")
        return ", ".join(said) or None

    return {name: replace(score, note=note(score)) for name, score in scores.items()}


def finite(x: float) -> float | None:
    """None for what JSON cannot hold."""
    return x if math.isfinite(x) else None
