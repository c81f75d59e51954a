"""One description, two interfaces: the same seed gives the same episodes in both."""

import copy
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import InvalidAction, ResetNeeded
from scipy.stats import chisquare

import rlkit
from rlkit.core import ModelError, NoExactModel, TableModel, from_successors
from rlkit.envs import MDPEnv, ModelVectorEnv, frozen_lake, make_torch
from rlkit.envs.adapters import simulation
from rlkit.envs.adapters.tabulated import tabulated
from rlkit.envs.options import OptionError
from rlkit.envs.wrappers import StickyActions

IDS = ("rlkit/Exam-v0", "rlkit/FrozenLake-v0", "rlkit/GridWorld-v0")
MODES = ("NextStep", "SameStep", "Disabled")
STEPS = 150
Trace = list[tuple[int, float, bool, bool]]


def scalar_trace(id: str, seed: int, actions: np.ndarray) -> Trace:
    """What one environment shows, a reset observation being a row without reward."""
    env = gym.make(id, max_episode_steps=20)
    trace = [(int(env.reset(seed=seed)[0]), 0.0, False, False)]
    for action in actions:
        observation, reward, terminated, truncated, _ = env.step(int(action))
        trace.append((int(observation), float(reward), terminated, truncated))
        if terminated or truncated:
            trace.append((int(env.reset()[0]), 0.0, False, False))
    return trace


def vector_trace(id: str, seed: int, actions: np.ndarray, *, size: int, place: int, mode: str) -> Trace:
    """The same for the environment at `place` of a batch whose others take other actions."""
    env = gym.make_vec(
        id,
        num_envs=size,
        vectorization_mode="vector_entry_point",
        autoreset_mode=mode,
        max_episode_steps=20,
    )
    others = np.random.default_rng(99)
    trace = [(int(env.reset(seed=seed - place)[0][place]), 0.0, False, False)]
    taken, over = 0, False
    while taken < len(actions):
        batch = others.integers(env.single_action_space.n, size=size)
        batch[place] = actions[taken]
        observation, reward, terminated, truncated, info = env.step(batch)
        row = (float(reward[place]), bool(terminated[place]), bool(truncated[place]))
        done = terminated | truncated
        taken += not over
        if mode == "SameStep" and done[place]:
            trace.append((int(info["final_obs"][place]), *row))
            row = (0.0, False, False)
        trace.append((int(observation[place]), *row))
        if mode == "NextStep":
            over = bool(done[place])
        elif mode == "Disabled" and done.any():
            observation, _ = env.reset(options={"reset_mask": done})
            if done[place]:
                trace.append((int(observation[place]), 0.0, False, False))
    return trace


def assert_same(first: Trace, second: Trace) -> None:
    length = min(len(first), len(second))
    assert length >= STEPS
    assert first[:length] == second[:length]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("size", "place"), [(1, 0), (7, 3), (1024, 777)])
@pytest.mark.parametrize("id", IDS)
def test_scalar_and_vector_give_the_same_episodes(id: Any, size: int, place: int, mode: Any) -> None:
    actions = np.random.default_rng(5).integers(gym.make(id).action_space.n, size=STEPS)
    assert_same(
        scalar_trace(id, 2000, actions), vector_trace(id, 2000, actions, size=size, place=place, mode=mode)
    )


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("id", [*IDS, "rlkit/TaxiRainy-v0", "rlkit/FourRoomsCompass-v0"])
def test_the_compiled_loop_plays_the_same_episodes(
    id: Any, mode: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulation, "COMPILE_FROM", 200)
    actions = np.random.default_rng(5).integers(gym.make(id).action_space.n, size=STEPS)
    assert_same(scalar_trace(id, 2000, actions), vector_trace(id, 2000, actions, size=7, place=3, mode=mode))
    env = gym.make_vec(id, num_envs=200, vectorization_mode="vector_entry_point").unwrapped
    env.reset(seed=0)
    env.step(np.zeros(200, dtype=np.int64))
    assert env._simulation._tables is not None


def test_only_small_models_whose_state_is_a_number_are_looked_up() -> None:
    assert tabulated(frozen_lake()) is not None
    assert tabulated(StickyActions(frozen_lake(), 0.1)) is None
    assert tabulated(frozen_lake(size=500)) is None


def test_a_generator_that_looks_at_the_batch_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    true_uniform = simulation.uniform
    monkeypatch.setattr(simulation, "uniform", lambda key, draw: true_uniform(key, draw + len(key) // 7))
    actions = np.random.default_rng(5).integers(4, size=STEPS)
    with pytest.raises(AssertionError):
        assert_same(
            scalar_trace("rlkit/FrozenLake-v0", 2000, actions),
            vector_trace("rlkit/FrozenLake-v0", 2000, actions, size=7, place=3, mode="SameStep"),
        )


def frequencies_p(env: ModelVectorEnv, mdp: Any, *, steps: int) -> float:
    """Smallest chi-square p-value of the observed successors over all well-visited choices."""
    rng = np.random.default_rng(0)
    counts = np.zeros((mdp.n_choices, mdp.n_states))
    index = TableModel(mdp).choice.reshape(mdp.n_states, -1)
    before, _ = env.reset(seed=1)
    for _ in range(steps):
        action = rng.integers(mdp.n_actions, size=env.num_envs)
        after, _, terminated, truncated, info = env.step(action)
        landed = after.copy()
        done = terminated | truncated
        landed[done] = info["final_obs"][done].astype(np.int64) if done.any() else 0
        np.add.at(counts, (index[before, action], landed), 1)
        before = after
    p_values = []
    for choice, seen in enumerate(counts):
        expected = mdp.matrix[[choice]].toarray().ravel()
        if seen.sum() < 500 or np.count_nonzero(expected) < 2:
            continue
        assert seen[expected == 0].sum() == 0
        possible = expected > 0
        p_values.append(chisquare(seen[possible], expected[possible] * seen.sum()).pvalue)
    assert len(p_values) >= 5
    return min(p_values)


@pytest.mark.parametrize("id", IDS)
def test_observed_frequencies_are_those_of_the_model(id: Any) -> None:
    env = gym.make_vec(id, num_envs=512, vectorization_mode="vector_entry_point", autoreset_mode="SameStep")
    assert frequencies_p(env.unwrapped, rlkit.exact(id), steps=200) > 1e-4


def test_a_wrong_model_is_found_by_its_frequencies() -> None:
    env = gym.make_vec(
        "rlkit/FrozenLake-v0",
        num_envs=512,
        vectorization_mode="vector_entry_point",
        autoreset_mode="SameStep",
        slip=0.6,
    )
    assert frequencies_p(env.unwrapped, rlkit.exact("rlkit/FrozenLake-v0"), steps=200) < 1e-4


def masked_mdp() -> Any:
    """`left` is not offered in b."""
    return from_successors(
        lambda s: {
            "a": {"left": [(1.0, "a", 0.0)], "right": [(1.0, "b", 0.0)]},
            "b": {"right": [(1.0, "end", 1.0)]},
        }.get(s, {}),
        "a",
    )


def test_action_masks_and_illegal_actions() -> None:
    env = MDPEnv(masked_mdp())
    _, info = env.reset(seed=0)
    assert info["action_mask"].tolist() == [1, 1]
    _, _, _, _, info = env.step(1)
    assert info["action_mask"].tolist() == [0, 1]
    with pytest.raises(
        InvalidAction, match=r'action 0 is not legal here; legal are \[1\] .*illegal="random"'
    ):
        env.step(0)
    with pytest.raises(InvalidAction, match=r"action 2 is none of 0\.\.1"):
        env.step(2)
    with pytest.raises(InvalidAction, match="no integer"):
        env.step(0.5)


def test_final_info_holds_the_mask_of_the_final_state() -> None:
    env = ModelVectorEnv(TableModel(masked_mdp()), num_envs=2, autoreset_mode="SameStep")
    env.reset(seed=0)
    env.step(np.array([1, 0]))
    observation, reward, terminated, _, info = env.step(np.array([1, 0]))
    assert terminated.tolist() == [True, False]
    assert reward.tolist() == [1.0, 0.0]
    assert observation.tolist() == [0, 0]
    assert info["_final_obs"].tolist() == [True, False]
    assert info["final_obs"][0] == 2
    assert info["final_info"]["action_mask"][0].tolist() == [1, 1]  # nothing is legal: all are shown
    assert info["action_mask"].tolist() == [[1, 1], [1, 1]]


def test_steps_out_of_order_are_refused() -> None:
    env = MDPEnv(masked_mdp())
    with pytest.raises(ResetNeeded):
        env.step(0)
    env.reset(seed=0)
    env.step(1)
    env.step(1)
    with pytest.raises(ResetNeeded):
        env.step(1)
    batch = ModelVectorEnv(TableModel(masked_mdp()), num_envs=2, autoreset_mode="Disabled")
    batch.reset(seed=0)
    batch.step(np.array([1, 1]))
    batch.step(np.array([1, 1]))
    with pytest.raises(ResetNeeded, match="environment 0"):
        batch.step(np.array([1, 1]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_envs": 0}, "num_envs"),
        ({"max_episode_steps": 0}, "max_episode_steps"),
        ({"autoreset_mode": "sometimes"}, "sometimes"),
    ],
)
def test_bad_vector_options(options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ModelVectorEnv(TableModel(masked_mdp()), **options)


@pytest.mark.parametrize("mode", MODES[:2])
def test_a_saved_state_resumes_as_if_never_stopped(mode: Any) -> None:
    def make() -> Any:
        return gym.make_vec(
            "rlkit/FrozenLake-v0", num_envs=9, vectorization_mode="vector_entry_point", autoreset_mode=mode
        ).unwrapped

    rng = np.random.default_rng(3)
    actions = rng.integers(4, size=(120, 9))
    env = make()
    env.reset(seed=4)
    for action in actions[:60]:
        env.step(action)
    saved = copy.deepcopy(env.state_dict())
    rest = [env.step(action) for action in actions[60:]]
    again = make()
    again.load_state_dict(saved)
    for action, expected in zip(actions[60:], rest, strict=True):
        got = again.step(action)
        assert all((g == e).all() for g, e in zip(got[:4], expected[:4], strict=True))


def test_without_a_seed_episodes_differ_and_continue() -> None:
    env = gym.make("rlkit/FrozenLake-v0")
    env.reset(seed=7)
    first = [env.step(a % 4)[0] for a in range(3)]
    env.reset()
    second = [env.step(a % 4)[0] for a in range(3)]
    env.reset(seed=7)
    assert first == [env.step(a % 4)[0] for a in range(3)]
    env.reset()
    assert second == [env.step(a % 4)[0] for a in range(3)]


def test_actions_of_the_step_that_only_begins_an_episode_mean_nothing() -> None:
    env = gym.make_vec("rlkit/Go5x5-v0", 8, vectorization_mode="vector_entry_point", max_episode_steps=3)
    _, info = env.reset(seed=0)
    rng = np.random.default_rng(0)
    over = np.zeros(8, dtype=bool)
    for _ in range(12):
        legal = (rng.random((8, 26)) * info["action_mask"]).argmax(axis=1)
        action = np.where(over, rng.integers(26, size=8), legal)
        _, reward, terminated, truncated, info = env.step(action)
        assert (reward[over] == 0).all()
        over = terminated | truncated


def test_a_crash_costs_the_same_at_any_time_and_in_any_wrapper() -> None:
    for options in ({"balls": 1}, {"balls": 1, "sticky": 0.0}, {"balls": 1, "reward_delay": 1}):
        env = gym.make("rlkit/DynamicObstacles-v0", size=5, **options)
        env.action_space.seed(0)
        env.reset(seed=0)
        costs = set()
        for _ in range(300):
            _, reward, terminated, truncated, _ = env.step(env.action_space.sample())
            costs |= {reward} if reward < 0 else set()
            if terminated or truncated:
                env.reset()
        assert costs == {-1.0}
        with pytest.raises(NoExactModel, match="take reward_decay=0"):
            rlkit.exact("rlkit/DynamicObstacles-v0", size=5, **options)


def test_environments_without_a_seed_play_different_episodes() -> None:
    env = gym.make_vec("rlkit/FrozenLake-v0", 40, vectorization_mode="vector_entry_point").unwrapped
    env.reset(seed=[None] * 39 + [5])
    assert len(set(env._simulation.seed.tolist())) == 40
    other = gym.make_vec("rlkit/FrozenLake-v0", 2, vectorization_mode="vector_entry_point").unwrapped
    other.reset(seed=[None, 5])
    assert other._simulation.seed[1] == env._simulation.seed[39]
    assert other._simulation.seed[0] != env._simulation.seed[0]


def test_what_is_returned_belongs_to_the_caller() -> None:
    env = gym.make_vec("rlkit/TicTacToe-v0", 2, vectorization_mode="vector_entry_point")
    _, info = env.reset(seed=0)
    info["action_mask"][:] = 0
    assert len({tuple(env.action_space.sample()) for _ in range(20)}) > 5
    truncated = env.step(np.array([0, 1]))[3]
    truncated |= True
    assert not env.step(env.action_space.sample())[3].any()


def test_a_table_whose_rewards_fade_pays_what_its_optimum_says() -> None:
    exact = rlkit.exact("rlkit/Empty8x8-v0", observation="grid", size=5)
    plan = rlkit.solve(exact, horizon=100)
    env = MDPEnv(exact)
    state, _ = env.reset(seed=0)
    earned, over, t = 0.0, False, 0
    while not over:
        state, reward, over, _, _ = env.step(int(exact.action[plan.plan[t][state]]))
        earned, t = earned + reward, t + 1
    assert earned == pytest.approx(plan.initial.value)


def test_parts_of_an_action_are_checked_in_every_library() -> None:
    env = gym.make_vec("rlkit/Inventory-v0", 2, vectorization_mode="vector_entry_point", products=2)
    for batch in (env, make_torch("rlkit/Inventory-v0", 2, "cpu", products=2)):
        batch.reset(seed=0)
        with pytest.raises(InvalidAction, match="must lie in MultiDiscrete"):
            batch.step(np.array([[0, 0], [0, 99]]))


@pytest.mark.parametrize(
    ("mask", "error", "message"),
    [
        ([True, False], None, ""),
        (np.array([True, False]), None, ""),
        (np.array([1, 0]), TypeError, "must be an array of bool, not of int64"),
        (np.array([False, False]), ValueError, "true nowhere"),
        (np.array([True]), ValueError, r"shape \(1,\), expected \(2,\)"),
    ],
)
def test_a_reset_mask_is_what_gymnasium_takes(mask: Any, error: Any, message: str) -> None:
    env = gym.make_vec("rlkit/FrozenLake-v0", 2, vectorization_mode="vector_entry_point", slip=0.0)
    env.reset(seed=0)
    env.step(np.array([2, 2]))
    if error is None:
        assert env.reset(options={"reset_mask": mask})[0].tolist() == [0, 1]
        return
    with pytest.raises(error, match=message):
        env.reset(options={"reset_mask": mask})


def test_a_negative_seed_is_refused() -> None:
    for env in (
        gym.make("rlkit/Exam-v0"),
        gym.make_vec("rlkit/Exam-v0", 2),
        make_torch("rlkit/Exam-v0", 2, "cpu"),
    ):
        with pytest.raises(gym.error.Error, match="-1"):
            env.reset(seed=-1)


def test_an_environment_of_a_pomdp_shows_observations() -> None:
    pomdp = rlkit.exact("rlkit/Tiger-v0")
    env = MDPEnv(pomdp)
    assert env.observation_space.n == pomdp.n_observations
    assert env.reset(seed=0)[0] == 0
    listened, *_ = env.step(0)
    assert listened in (1, 2)
    assert env.pomdp().n_observations == pomdp.n_observations


@pytest.mark.parametrize("given", [None, 3])
def test_an_environment_of_no_model(given: int | None) -> None:
    with pytest.raises(OptionError, match=f"mdp must be an MDP, a POMDP or a model file, not {given}"):
        MDPEnv(given)


def test_a_model_in_which_nothing_can_be_done_is_no_environment() -> None:
    with pytest.raises(ModelError, match="every state of the MDP is terminal: there is no step to take"):
        MDPEnv(from_successors(lambda s: {}, 0))
