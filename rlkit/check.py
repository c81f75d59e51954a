"""Checkers of environments, of batches of them, and of the models behind them.

Each takes an object, one's own or anyone's, and returns if nothing is wrong; else it raises `CheckError`
with everything it found.
"""

from __future__ import annotations

import math
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium.utils.env_checker import check_env as gymnasium_check_env
from gymnasium.vector import AutoresetMode, VectorEnv
from scipy.stats import chisquare

from rlkit.core import MDP, Model, TableModel, enumerate_model
from rlkit.core.enumerate import keys
from rlkit.core.model import batch_size, inverse_cdf, leaves, take, where
from rlkit.core.random import uniform
from rlkit.core.validation import ModelError, NoExactModel
from rlkit.envs.faces import ModelEnv, action_mask, flat_action, time_limit
from rlkit.envs.single import first
from rlkit.errors import RlkitError
from rlkit.solvers import solve

DOUBT = 1e-4  # probability of calling right frequencies wrong, over a whole check
LARGEST = 100_000  # states of a model whose optimum is still computed


class CheckError(RlkitError, AssertionError):
    """What a checker found, one line each, in `findings`."""

    def __init__(self, subject: str, findings: list[str]) -> None:
        super().__init__("\n".join([f"{subject} has {len(findings)} defect(s):", *findings]))
        self.findings = tuple(findings)


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


def check_env(env: gym.Env[Any, Any], *, steps: int = 3000, seed: int = 0) -> None:
    """Check a `gymnasium.Env`: Gymnasium's own rules, seeding, masks, and the exact model where it has one.

    With a model (rlkit's own, or a table `P`), every sampled step must be one that the model knows, the
    frequencies must pass a chi-square test, and `reward_threshold` must not lie above the optimum.
    Raises `CheckError`.
    """
    if not isinstance(env, gym.Env):
        raise TypeError(
            f"check_env takes a gymnasium.Env, not {env!r}; for batches there is check_vector_env"
        )
    _report(_name(env), _env_findings(env, steps, seed))


def check_vector_env(env: VectorEnv[Any, Any, Any], *, steps: int = 300, seed: int = 0) -> None:
    """Check a `gymnasium.vector.VectorEnv`: shapes, types, seeding, and the rules of its autoreset mode.

    Raises `CheckError`.
    """
    if not isinstance(env, VectorEnv):
        raise TypeError(f"check_vector_env takes a gymnasium.vector.VectorEnv, not {env!r}")
    _report(str(env), _vector_findings(env, steps, seed))


def check_model(model: Model[Any] | MDP, *, steps: int = 200, seed: int = 0) -> None:
    """Check a `Model` or an `MDP`: probabilities, masks, spaces, sampling, and that batches do not mix.

    Raises `CheckError`.
    """
    described = TableModel(model) if isinstance(model, MDP) else model
    _report(type(model).__name__, _model_findings(described, steps, seed))


def check_id(name: str, **knobs: Any) -> dict[str, Any]:
    """Every check that an environment id allows, as a plain record: its parts, and what each found."""
    from rlkit.envs.registry import make, resolve

    id = resolve(name)
    env = make(id, **knobs)
    spec = gym.spec(id)
    subjects: dict[str, tuple[Callable[..., None], Any]] = {"environment": (check_env, env)}
    if isinstance(env.unwrapped, ModelEnv):
        subjects["model"] = check_model, env.unwrapped.model
        for mode in AutoresetMode:
            batch = gym.make_vec(
                id, num_envs=4, vectorization_mode="vector_entry_point", autoreset_mode=mode, **knobs
            )
            subjects[f"batch, {mode.value}"] = check_vector_env, batch
    else:
        native = spec.vector_entry_point is not None
        batch = gym.make_vec(
            id, num_envs=4, vectorization_mode="vector_entry_point" if native else "sync", **knobs
        )
        subjects["batch"] = check_vector_env, batch
    checks = []
    for part, (check, subject) in subjects.items():
        try:
            check(subject)
            findings: tuple[str, ...] = ()
        except CheckError as error:
            findings = error.findings
        checks.append({"part": part, "findings": findings})
    return {"id": id, "checks": checks}


def _report(subject: str, found: Iterator[str]) -> None:
    findings = list(dict.fromkeys(found))
    if findings:
        raise CheckError(subject, findings)


def _name(env: gym.Env[Any, Any]) -> str:
    return str(env) if env.spec is None else env.spec.id


def _env_findings(env: gym.Env[Any, Any], steps: int, seed: int) -> Iterator[str]:
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
    return isinstance(env.unwrapped, ModelEnv) and bool(env.unwrapped.model.decay)


def _mark(state: Any) -> Hashable:
    return state if isinstance(state, int) else keys(state)[0]


def _shown(env: gym.Env[Any, Any], state: Any) -> str:
    if isinstance(state, int):
        return f"state {state}"
    names = env.unwrapped.model.state_names(state)  # type: ignore[attr-defined]
    return f"state {names[0] if names else '/'.join(str(x[0]) for x in leaves(state))}"


def _vector_findings(env: VectorEnv[Any, Any, Any], steps: int, seed: int) -> Iterator[str]:
    n = env.num_envs
    mode = AutoresetMode(env.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP))
    if "autoreset_mode" not in env.metadata:
        yield "metadata lacks 'autoreset_mode', so nobody can know what a step after an episode's end does"
    once, again = ([repr(row) for row in _vector_play(env, 50, seed)] for _ in range(2))
    if once != again:
        yield f"seed {seed} gives other episodes the second time"
    over = np.zeros(n, dtype=np.bool_)
    for obs, reward, terminated, truncated, info in _vector_play(env, steps, seed):
        if reward is None:
            over[:] = False
            yield from _batch_findings(env, obs, "reset")
            continue
        yield from _batch_findings(env, obs, "step")
        for name, value in (("reward", reward), ("terminated", terminated), ("truncated", truncated)):
            if np.shape(value) != (n,):
                yield f"{name} has shape {np.shape(value)}, expected ({n},)"
                return
        for name, value in (("terminated", terminated), ("truncated", truncated)):
            if np.asarray(value).dtype != np.bool_:
                yield f"{name} is {np.asarray(value).dtype}, not bool"
        if not np.isfinite(np.asarray(reward, dtype=float)).all():
            yield "a reward is not finite"
        done = np.logical_or(terminated, truncated)
        if mode is AutoresetMode.NEXT_STEP:
            yield from _next_step_findings(over, reward, done)
        elif mode is AutoresetMode.SAME_STEP:
            yield from _same_step_findings(env, done, info)
        elif done.any():
            yield from _disabled_findings(env, obs, done)
            return
        over = done


def _vector_play(env: VectorEnv[Any, Any, Any], steps: int, seed: int) -> Iterator[tuple[Any, ...]]:
    rng = np.random.default_rng(seed)
    env.action_space.seed(seed)
    obs, info = env.reset(seed=seed)
    yield obs, None, None, None, info
    for _ in range(steps):
        mask = info.get("action_mask")
        action = env.action_space.sample()
        if mask is not None:
            scores = rng.random(np.shape(mask)) * (np.asarray(mask) > 0)
            action = scores.argmax(axis=1)
        obs, reward, terminated, truncated, info = env.step(action)
        yield obs, reward, terminated, truncated, info
        if env.metadata.get("autoreset_mode") is AutoresetMode.DISABLED:
            done = np.logical_or(terminated, truncated)
            if done.any():
                obs, info = env.reset(options={"reset_mask": done})


def _batch_findings(env: VectorEnv[Any, Any, Any], obs: Any, what: str) -> Iterator[str]:
    if not env.observation_space.contains(obs):
        yield f"what {what} returns is not in the observation space {env.observation_space}"


def _next_step_findings(over: Any, reward: Any, done: Any) -> Iterator[str]:
    if (np.asarray(reward)[over] != 0).any():
        yield "NEXT_STEP: the step that only begins an episode pays a reward"
    if done[over].any():
        yield "NEXT_STEP: the step that only begins an episode ends one"


def _same_step_findings(env: VectorEnv[Any, Any, Any], done: Any, info: dict[str, Any]) -> Iterator[str]:
    if not done.any():
        return
    for name in ("final_obs", "_final_obs", "final_info", "_final_info"):
        if name not in info:
            yield f"SAME_STEP: the info lacks {name!r} where an episode ended"
            return
    if (np.asarray(info["_final_obs"]) != done).any():
        yield "SAME_STEP: _final_obs differs from the episodes that ended"
    for i in np.flatnonzero(done).tolist():
        if not env.single_observation_space.contains(info["final_obs"][i]):
            yield "SAME_STEP: a final observation is not in the observation space"


def _disabled_findings(env: VectorEnv[Any, Any, Any], obs: Any, done: Any) -> Iterator[str]:
    fresh, _ = env.reset(options={"reset_mask": done.copy()})
    for i in np.flatnonzero(~done).tolist():
        if repr(first(fresh, i)) != repr(first(obs, i)):
            yield "DISABLED: a reset touches an environment that the reset_mask leaves out"


def _model_findings(model: Model[Any], steps: int, seed: int) -> Iterator[str]:
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
            yield "a state that is not the end offers no action"
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
            yield "sample does something else than transition does for the event of sample_event"
        if keys(state) != before:
            yield "transition changes the state it was given"
        alone = model.transition(take(state, slice(3, 4)), action[3:4], event[3:4])
        if keys(alone.state)[0] != keys(step.state)[3] or alone.reward[0] != step.reward[3]:
            yield "a state fares otherwise alone than in a batch"
        if batch_size(step.state) != size or not np.isfinite(step.reward).all():
            yield "a reward is not finite, or the batch changes its size"
        begun = model.initial(model.start_event(uniform(key + t, np.zeros(size, dtype=np.int64))))
        state = where(step.terminated, begun, step.state)
