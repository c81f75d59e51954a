"""What can be wrong with an environment: its rules, its seeding, and what its model says of its steps."""

import math
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator
from textwrap import shorten
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env as gymnasium_check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from scipy.stats import chisquare

from rlkit.check.comparing import kept, same
from rlkit.check.playing import Failure, described, play
from rlkit.check.training import training_findings
from rlkit.core import MDP, enumerate_model, from_gymnasium
from rlkit.core.contract import shown
from rlkit.core.enumerate import keys
from rlkit.core.errors import ModelError, NoExactModel
from rlkit.core.model import take
from rlkit.envs.adapters.gym import ModelEnv, flat_action, time_limit
from rlkit.envs.foreign import check_unchanged, transitions
from rlkit.errors import FAILURES
from rlkit.solvers import optimum

DOUBT = 1e-4  # probability of calling right frequencies wrong, over a whole check
LARGEST = 100_000  # states of a model whose optimum is still computed


class Outcome(NamedTuple):
    """One way a step can go."""

    successor: Hashable
    reward: float
    terminated: bool


class Tabled(NamedTuple):
    """What is claimed about an environment: where it starts and what its steps do, with probabilities."""

    state: Callable[[Any], Hashable]  # observation -> the state that the environment is in
    starts: dict[Hashable, float]
    outcomes: Callable[[Any, int, int], dict[Outcome, float]]  # state before, action, time
    exact: Callable[[], MDP]


def environment_findings(env: gym.Env[Any, Any], steps: int, seed: int) -> Iterator[str]:
    """What is wrong with an environment, a line each."""
    try:
        first = list(_step_findings(env.unwrapped, 2, seed))
        yield from first or _rule_findings(env) or _findings(env, steps, seed)
    except Failure as error:
        yield str(error)


def _rule_findings(env: gym.Env[Any, Any]) -> list[str]:
    """What Gymnasium's own checker says, which stops at the first defect."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            gymnasium_check_env(env.unwrapped, skip_render_check=True, skip_close_check=True)
    except FAILURES as error:
        return [f"gymnasium's check_env: {described(error)}"]
    return []


def _findings(env: gym.Env[Any, Any], steps: int, seed: int) -> Iterator[str]:
    few = min(steps, 200)
    once = [kept(told) for _, _, told in play(env, few, seed)]
    again = (kept(told) for _, _, told in play(env, few, seed))
    different = next((t for t, (a, b) in enumerate(zip(once, again, strict=False)) if not same(a, b)), None)
    if different is not None:
        yield f"seed {seed} gives a different episode the second time, from step {different} on"
    found = list(_step_findings(env, 100, seed))
    alone = SyncVectorEnv([lambda: env], autoreset_mode=AutoresetMode.DISABLED)  # as agents train on it
    found = found or list(training_findings(alone, 100, seed))
    if found:
        yield from found
        return
    try:
        tabled = _tabled(env)
    except ModelError as error:
        yield f"the table P: {error}"
        return
    if tabled is None:
        return
    yield from _sampled_findings(env, tabled, steps, seed)
    yield from _threshold_findings(env, tabled)


def _step_findings(env: gym.Env[Any, Any], steps: int, seed: int) -> Iterator[str]:
    for _, action, (observation, *told, _) in play(env, steps, seed):
        if not env.observation_space.contains(observation):
            yield f"observation {shorten(str(observation), 100)} is not in {env.observation_space}"
            return
        if action is not None:
            reward, terminated, truncated = told
            if not isinstance(reward, int | float | np.integer | np.floating) or not math.isfinite(reward):
                yield f"the reward {reward!r} is not a finite number"
            for name, value in (("terminated", terminated), ("truncated", truncated)):
                if not isinstance(value, bool | np.bool_):
                    yield f"{name} is {value!r}, not a bool"


def _tabled(env: gym.Env[Any, Any]) -> Tabled | None:
    """What is claimed, None where nothing is; raises `ModelError` for a table that cannot be."""
    base = env.unwrapped
    try:
        check_unchanged(env)
        return _from_model(base) if isinstance(base, ModelEnv) else _from_table(env)
    except NoExactModel:
        return None


def _from_model(base: ModelEnv) -> Tabled:
    model = base.model

    def outcomes(before: Any, action: int, time: int) -> dict[Outcome, float]:
        flat = np.array([flat_action(base.action_space, action)])
        probs = model.event_probs(before, flat)[0]
        events = np.flatnonzero(probs > 0)
        rows = np.zeros(len(events), dtype=np.int64)
        step = model.transition(take(before, rows), flat[rows], events)
        found: dict[Outcome, float] = defaultdict(float)
        rewards = model.decayed(step.reward, time)
        told = zip(keys(step.state), rewards, step.terminated, probs[events], strict=True)
        for mark, reward, end, p in told:
            found[Outcome(mark, float(reward), bool(end))] += float(p)
        return found

    starts: dict[Hashable, float] = defaultdict(float)
    events = np.arange(model.n_starts)
    for mark, p in zip(keys(model.initial(events)), model.start_probs(), strict=True):
        starts[mark] += float(p)

    def exact() -> MDP:
        return enumerate_model(model, max_states=LARGEST)

    return Tabled(lambda _: base.state, starts, outcomes, exact)


def _from_table(env: gym.Env[Any, Any]) -> Tabled | None:
    table, initial = transitions(env)
    space = env.observation_space
    if not isinstance(space, spaces.Discrete) or space.n != len(table):
        return None
    mdp = from_gymnasium(table, initial)

    def outcomes(before: Any, action: int, time: int) -> dict[Outcome, float]:
        found: dict[Outcome, float] = defaultdict(float)
        for p, successor, reward, end in table[before].get(int(action), ()):
            found[Outcome(successor, reward, end)] += p
        return found

    starts: dict[Hashable, float] = {s: float(p) for s, p in enumerate(initial) if p > 0}
    return Tabled(lambda seen: int(seen) - int(space.start), starts, outcomes, lambda: mdp)


def _sampled_findings(env: gym.Env[Any, Any], tabled: Tabled, steps: int, seed: int) -> Iterator[str]:
    expected: dict[Hashable, dict[Any, float]] = {"the start": tabled.starts}
    seen: dict[Hashable, Counter[Any]] = defaultdict(Counter)
    before, time, base = None, 0, env.unwrapped
    decays = isinstance(base, ModelEnv) and base.model.reward_decay
    for _, action, result in play(env, steps, seed):
        here = tabled.state(result[0])
        mark = _mark(here)
        if action is None:
            time = 0
            seen["the start"][mark] += 1
            if mark not in tabled.starts:
                yield f"an episode started in {_shown(env, here)}, which the model rules out"
        else:
            time += 1
            choice = (_mark(before), flat_action(env.action_space, action), time if decays else 0)
            outcome = Outcome(mark, float(result[1]), bool(result[2]))
            possible = expected.setdefault(choice, tabled.outcomes(before, action, time))
            seen[choice][outcome] += 1
            if outcome not in possible:
                yield (
                    f"action {action} in {_shown(env, before)} led to {_shown(env, here)} with reward "
                    f"{outcome.reward:g}{' and ended' if outcome.terminated else ''}, "
                    "which the model rules out"
                )
                return
        before = here
    yield from _frequency_findings(expected, seen)


def _frequency_findings(
    expected: dict[Hashable, dict[Any, float]], seen: dict[Hashable, Counter[Any]]
) -> Iterator[str]:
    tests = []
    for choice, counts in seen.items():
        chances = expected[choice]
        n = counts.total()
        often = [outcome for outcome, p in chances.items() if n * p >= 5]
        if len(chances) < 2 or not often:
            continue
        observed = [counts[outcome] for outcome in often]
        wanted = [n * chances[outcome] for outcome in often]
        rest = n - sum(wanted)
        if rest > 1e-9 * n:
            observed, wanted = [*observed, n - sum(observed)], [*wanted, rest]
        if len(wanted) > 1 and min(wanted) >= 1:
            scale = n / math.fsum(wanted)
            tests.append((chisquare(observed, [w * scale for w in wanted]).pvalue, choice))
    if tests:
        p, choice = min(tests, key=lambda test: test[0])
        if p < DOUBT / len(tests):
            where = f"action {choice[1]} of some state" if isinstance(choice, tuple) else choice
            yield f"the frequencies after {where} differ from the model's probabilities (p = {p:.1e})"


def _threshold_findings(env: gym.Env[Any, Any], tabled: Tabled) -> Iterator[str]:
    spec = env.spec
    if spec is None or spec.reward_threshold is None:
        return
    try:
        mdp = tabled.exact()
    except NoExactModel:
        return
    best = optimum(mdp, gamma=1.0, horizon=time_limit(env)).initial
    if spec.reward_threshold > best.upper + 1e-9:
        yield f"reward_threshold {spec.reward_threshold:g} lies above the optimum {best.value:.6g}"


def _mark(state: Any) -> Hashable:
    return state if isinstance(state, int) else keys(state)[0]


def _shown(env: gym.Env[Any, Any], state: Any) -> str:
    base = env.unwrapped
    return shown(base.model, state) if isinstance(base, ModelEnv) else f"state {state}"
