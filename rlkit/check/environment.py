"""What can be wrong with an environment: its rules, its seeding, and what its model says of its steps."""

from __future__ import annotations

import math
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium.utils.env_checker import check_env as gymnasium_check_env
from scipy.stats import chisquare

from rlkit.core import MDP, enumerate_model
from rlkit.core.enumerate import keys
from rlkit.core.model import leaves, take
from rlkit.core.validation import ModelError, NoExactModel
from rlkit.envs.faces import ModelEnv, action_mask, flat_action, time_limit
from rlkit.solvers import solve

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
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            gymnasium_check_env(env.unwrapped, skip_render_check=True, skip_close_check=True)
    except Exception as error:
        yield f"gymnasium's check_env: {' '.join(str(error).split()) or type(error).__name__}"
        return
    once, again = (_trace(env, min(steps, 200), seed) for _ in range(2))
    different = next((t for t, (a, b) in enumerate(zip(once, again, strict=False)) if a != b), None)
    if different is not None:
        yield f"seed {seed} gives another episode the second time, from step {different} on"
    found = list(_step_findings(env, seed))
    if found:
        yield from found
        return
    tabled = _tabled(env)
    if tabled is None:
        return
    if not isinstance(env.unwrapped, ModelEnv):
        try:
            tabled.exact()
        except ModelError as error:
            yield f"the table P: {error}"
            return
    try:
        yield from _sampled_findings(env, tabled, steps, seed)
    except (gym.error.Error, ArithmeticError, LookupError, TypeError, ValueError) as error:
        yield f"a legal step failed: {type(error).__name__}: {error}"
        return
    yield from _threshold_findings(env, tabled)


def _trace(env: gym.Env[Any, Any], steps: int, seed: int) -> list[str]:
    return [repr(step) for step in _play(env, steps, seed)]


def _play(env: gym.Env[Any, Any], steps: int, seed: int) -> Iterator[tuple[Any, Any, Any]]:
    """Random legal play: (None, None, reset's result) and (observation before, action, step's result)."""
    env.action_space.seed(seed)
    observation, info = env.reset(seed=seed)
    yield None, None, (observation, info)
    for _ in range(steps):
        action = env.action_space.sample(action_mask(env, info))
        before, (observation, reward, terminated, truncated, info) = observation, env.step(action)
        yield before, action, (observation, reward, terminated, truncated, info)
        if terminated or truncated:
            observation, info = env.reset()
            yield None, None, (observation, info)


def _step_findings(env: gym.Env[Any, Any], seed: int) -> Iterator[str]:
    n = getattr(env.action_space, "n", None)
    for _, action, (observation, *told, info) in _play(env, 100, seed):
        if not env.observation_space.contains(observation):
            yield f"an observation is not in {env.observation_space}"
        over = False
        if action is not None:
            reward, over, truncated = told
            if not isinstance(reward, int | float | np.integer | np.floating) or not math.isfinite(reward):
                yield f"the reward {reward!r} is not a finite number"
            for name, value in (("terminated", over), ("truncated", truncated)):
                if not isinstance(value, bool | np.bool_):
                    yield f"{name} is {value!r}, not a bool"
        mask = info.get("action_mask")
        if mask is None:
            continue
        if np.shape(mask) != (n,):
            yield f"action_mask has shape {np.shape(mask)}, expected ({n},)"
            return
        elif not over and not np.any(mask):
            yield "action_mask allows nothing although the episode goes on"


def _tabled(env: gym.Env[Any, Any]) -> Tabled | None:
    base: Any = env.unwrapped
    if isinstance(base, ModelEnv):
        return _from_model(base)
    if hasattr(base, "P") and hasattr(base, "initial_state_distrib"):
        return _from_table(base)
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
        for mark, reward, end, p in zip(
            keys(step.state), rewards, step.terminated, probs[events], strict=True
        ):
            found[Outcome(mark, float(reward), bool(end))] += float(p)
        return found

    starts: dict[Hashable, float] = defaultdict(float)
    events = np.arange(model.n_starts)
    for mark, p in zip(keys(model.initial(events)), model.start_probs(), strict=True):
        starts[mark] += float(p)

    def exact() -> MDP:
        return enumerate_model(model, max_states=LARGEST)

    return Tabled(lambda _: base.state, starts, outcomes, exact)


def _from_table(base: Any) -> Tabled:
    def outcomes(before: Any, action: int, time: int) -> dict[Outcome, float]:
        found: dict[Outcome, float] = defaultdict(float)
        for p, successor, reward, end in base.P[int(before)][int(action)]:
            found[Outcome(int(successor), float(reward), bool(end))] += float(p)
        return found

    def exact() -> MDP:
        from rlkit.core import from_gymnasium

        return from_gymnasium(base.P, base.initial_state_distrib)

    starts: dict[Hashable, float] = {s: float(p) for s, p in enumerate(base.initial_state_distrib) if p > 0}
    return Tabled(lambda observation: int(getattr(base, "s", observation)), starts, outcomes, exact)


def _sampled_findings(env: gym.Env[Any, Any], tabled: Tabled, steps: int, seed: int) -> Iterator[str]:
    expected: dict[Hashable, dict[Any, float]] = {"the start": tabled.starts}
    seen: dict[Hashable, Counter[Any]] = defaultdict(Counter)
    before: Any = None
    time = 0
    for _, action, result in _play(env, steps, seed):
        here = tabled.state(result[0])
        mark = _mark(here)
        if action is None:
            time = 0
            seen["the start"][mark] += 1
            if mark not in tabled.starts:
                yield f"an episode started in {_shown(env, here)}, which the model says cannot be"
        else:
            time += 1
            choice = (_mark(before), flat_action(env.action_space, action), time if _decays(env) else 0)
            outcome = Outcome(mark, float(result[1]), bool(result[2]))
            possible = expected.setdefault(choice, tabled.outcomes(before, action, time))
            seen[choice][outcome] += 1
            if outcome not in possible:
                yield (
                    f"action {action} in {_shown(env, before)} led to {_shown(env, here)} with reward "
                    f"{outcome.reward:g}{' and ended' if outcome.terminated else ''}, "
                    "which the model says cannot be"
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
    optimum = solve(mdp, gamma=1.0, horizon=time_limit(env)).initial
    if spec.reward_threshold > optimum.upper + 1e-9:
        yield f"reward_threshold {spec.reward_threshold:g} lies above the optimum {optimum.value:.6g}"


def _decays(env: gym.Env[Any, Any]) -> bool:
    return isinstance(env.unwrapped, ModelEnv) and env.unwrapped.model.fades


def _mark(state: Any) -> Hashable:
    return state if isinstance(state, int) else keys(state)[0]


def _shown(env: gym.Env[Any, Any], state: Any) -> str:
    base = env.unwrapped
    if not isinstance(base, ModelEnv):
        return f"state {state}"
    names = base.model.state_names(state)
    return f"state {names[0] if names else '/'.join(str(x[0]) for x in leaves(state))}"
