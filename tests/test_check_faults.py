"""Whatever an environment does wrong, the checkers survive it and say what it was."""

import json
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

import rlkit
from rlkit.agents import PPO
from rlkit.check import CheckError, check_id
from rlkit.check.comparing import kept, same
from rlkit.check.playing import draw
from rlkit.errors import RlkitError


class Steps(gym.Env):
    """Episodes of five steps; `says` maps a time to what is seen there, or raises."""

    def __init__(self, says: Any = None, space: Any = None, actions: Any = None, mask: Any = None) -> None:
        self.observation_space = spaces.Box(-1, 1, (1,), np.float32) if space is None else space
        self.action_space = spaces.Discrete(2) if actions is None else actions
        self.says, self.mask = says or (lambda t: np.zeros(1, np.float32)), mask

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.t = 0
        return self.says(0), self.told()

    def step(self, action: Any) -> Any:
        assert self.action_space.contains(action)
        self.t += 1
        return self.says(self.t), 1.0, self.t == 5, False, self.told()

    def told(self) -> Any:
        mask = None if self.mask is None else self.mask(self.t)
        return {} if mask is None else {"action_mask": mask}


class OldReset(Steps):
    def reset(self) -> Any:
        return super().reset()[0]


class OldStep(Steps):
    def step(self, action: Any) -> Any:
        observation, reward, over, _, info = super().step(action)
        return observation, reward, over, info


class Unmade(Steps):
    def __init__(self) -> None:
        raise RuntimeError("no display")


class Late(Steps):
    """Forgets Gymnasium's interface in the middle of an episode."""

    def step(self, action: Any) -> Any:
        return super().step(action) if self.t < 3 else (np.zeros(1, np.float32), 1.0)


def raising(at: Any, error: Any) -> Any:
    def says(t: Any) -> Any:
        if t == at:
            raise error
        return np.zeros(1, np.float32)

    return says


def category(t: Any, late: Any) -> Any:
    return late if t == 3 else 1


ONES = np.ones(2, dtype=np.int8)
FAULTS = {
    "raises in reset": (lambda: Steps(raising(0, ZeroDivisionError("no level"))), "no level"),
    "raises in step": (
        lambda: Steps(raising(3, KeyError("door"))),
        "step 3 raised KeyError: 'door' (test_check_faults.py:",
    ),
    "cannot be made": (Unmade, "RuntimeError: no display"),
    "old reset": (OldReset, "reset raised TypeError"),
    "old step": (OldStep, "step 1 must return a tuple of 5, not a tuple of 4"),
    "old step later": (Late, "step 4 must return a tuple of 5, not a tuple of 2"),
    "another type": (lambda: Steps(lambda t: np.zeros(1)), "observation"),
    "outside its Box": (lambda: Steps(lambda t: np.full(1, 2.0 * (t == 3), np.float32)), "is not in Box"),
    "outside Discrete": (
        lambda: Steps(lambda t: category(t, 10**6), space=spaces.Discrete(5)),
        "is not in Discrete",
    ),
    "outside a space of several lines": (
        lambda: Steps(lambda t: np.full((2, 2), 9), space=spaces.MultiDiscrete([[3, 4], [2, 2]])),
        "observation [[9 9] [9 9]] is not in MultiDiscrete([[3 4] [2 2]])",
    ),
    "below Discrete": (
        lambda: Steps(lambda t: category(t, -1), space=spaces.Discrete(5)),
        "is not in Discrete",
    ),
    "float for Discrete": (lambda: Steps(lambda t: 2.0, space=spaces.Discrete(5)), "observation"),
    "mask of another size": (
        lambda: Steps(mask=lambda t: np.ones(3, np.int8)),
        "reset: action_mask of shape (3,) does not fit Discrete(2), which needs (2,)",
    ),
    "mask of nothing": (
        lambda: Steps(mask=lambda t: ONES * (t != 2)),
        "step 2: action_mask allows no action of Discrete(2)",
    ),
    "mask that is text": (lambda: Steps(mask=lambda t: "all"), "is not 0 and 1 for each action"),
    "mask of other numbers": (lambda: Steps(mask=lambda t: ONES * 2), "action_mask holds 2"),
    "mask in steps alone": (
        lambda: Steps(mask=lambda t: ONES.copy() if t else None),
        "gives an action_mask in step but gave none in reset",
    ),
    "part of nothing": (
        lambda: Steps(
            actions=spaces.MultiDiscrete([2, 3]), mask=lambda t: np.array([1, 1, 0, 0, 0], np.int8)
        ),
        "reset: action_mask allows no action of MultiDiscrete([2 3])",
    ),
}


TAKEN = ("another type", "outside its Box")  # against Gymnasium's rules, but agents lose nothing by it


@pytest.mark.filterwarnings("ignore")  # Gymnasium warns of some
@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_reported(fault: Any) -> None:
    make, expected = FAULTS[fault]
    gym.registry.pop("Faulty-v0", None)
    gym.register("Faulty-v0", make)
    checks = check_id("Faulty-v0")["checks"]
    assert checks[0]["part"] == "environment"
    assert expected in " / ".join(checks[0]["findings"])
    if make is not Unmade:
        with pytest.raises(CheckError):
            rlkit.check_env(make())
    if fault in TAKEN:
        assert PPO("Faulty-v0", num_envs=2).train(64).steps == 64
        return
    with pytest.raises(RlkitError):
        PPO("Faulty-v0", num_envs=2).train(64)


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (
            {0: {0: [("1", 0, 0.0, True)]}},
            "state 0, action 0 of the table has the outcome ('1', 0, 0.0, True)",
        ),
        (
            {0: {0: [(1.0, 7, 0.0, True)]}},
            "state 0, action 0 of the table leads to state 7, but states are 0..0",
        ),
        (None, "the table must map the numbers of states"),
    ],
)
def test_a_table_that_cannot_be_used_is_noted(table: Any, reason: str, rlkit: Any) -> None:
    class Tabled(Steps):
        P, initial_state_distrib = table, [1.0]

    gym.registry.pop("Tabled-v0", None)
    gym.register("Tabled-v0", Tabled)
    found = check_id("Tabled-v0")["checks"][0]
    assert found["findings"] == ()
    assert found["note"].startswith(
        f"nothing wrong; Tabled-v0 has no exact model: its P cannot be used: {reason}"
    )
    assert "nothing wrong; Tabled-v0 has no exact" in rlkit("check", "Tabled-v0")[1]


def test_a_table_that_raises_is_a_finding() -> None:
    class Raising(Steps):
        @property
        def P(self) -> Any:
            raise ZeroDivisionError("no table")

    gym.registry.pop("Raising-v0", None)
    gym.register("Raising-v0", Raising)
    (found,) = check_id("Raising-v0")["checks"][0]["findings"]
    assert found.startswith("looking at it raised ZeroDivisionError: no table (test_check_faults.py:")


def test_what_an_environment_prints_is_no_part_of_the_json(rlkit: Any) -> None:
    def chatty(t: int) -> Any:
        print("hello")
        return np.zeros(1, np.float32)

    gym.registry.pop("Chatty-v0", None)
    gym.register("Chatty-v0", lambda: Steps(chatty))
    code, out, err = rlkit("check", "Chatty-v0", "--json")
    assert (code, json.loads(out)["id"], "hello" in err) == (0, "Chatty-v0", True)


SOUND = {
    "a list as mask": lambda: Steps(mask=lambda t: [1, 0]),
    "masks in parts": lambda: Steps(actions=spaces.MultiDiscrete([2, 3]), mask=lambda t: ([1, 1], [0, 0, 1])),
    "a mask of something else": lambda: Steps(actions=spaces.Box(-1, 1, (1,)), mask=lambda t: "rest"),
    "a mask of bool": lambda: Steps(mask=lambda t: np.array([False, True])),
    "a mask from a start": lambda: Steps(actions=spaces.Discrete(2, start=3), mask=lambda t: ONES.copy()),
    "a mask of several parts": lambda: Steps(
        actions=spaces.MultiDiscrete([2, 3]), mask=lambda t: np.array([1, 0, 0, t % 2, 1], bool)
    ),
    "a mask of nothing at the end": lambda: Steps(mask=lambda t: ONES * (t != 5)),
    "statistics with a clock": lambda: gym.wrappers.RecordEpisodeStatistics(Steps()),
    "pictures": lambda: Steps(
        lambda t: np.full((96, 96, 3), t, np.uint8), space=spaces.Box(0, 255, (96, 96, 3), np.uint8)
    ),
    "sequences, which no agent sees": lambda: Steps(
        lambda t: (t,), space=spaces.Sequence(spaces.Discrete(9))
    ),
}


@pytest.mark.parametrize("name", SOUND)
def test_sound_environments_pass_and_can_be_trained_on(name: Any) -> None:
    rlkit.check_env(SOUND[name]())
    env = gym.vector.SyncVectorEnv([SOUND[name]] * 2)
    rlkit.check_vector_env(env)
    if not isinstance(env.single_observation_space, spaces.Sequence):
        PPO(env, hidden=(2,)).train(64)


class Noisy(Steps):
    """One pixel in the middle of a picture does not follow the seed."""

    def __init__(self) -> None:
        super().__init__(space=spaces.Box(0, 255, (96, 96, 3), np.uint8), says=self.picture)
        self.own = np.random.default_rng()

    def picture(self, t: Any) -> Any:
        seen = np.zeros((96, 96, 3), np.uint8)
        seen[48, 48, 1] = self.own.integers(256)
        return seen


class Reusing(Steps):
    """Returns one array again and again, and takes no notice of the seed."""

    def __init__(self) -> None:
        self.seen, self.own = np.zeros(1, np.float32), np.random.default_rng()
        super().__init__(says=self.number)

    def number(self, t: Any) -> Any:
        self.seen[0] = 0 if t == 5 else self.own.random()
        return self.seen


@pytest.mark.parametrize("kind", [Noisy, Reusing])
def test_what_does_not_follow_the_seed_is_found(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rlkit.check.environment.gymnasium_check_env", lambda *_, **__: None)
    with pytest.raises(CheckError, match="seed 0 gives a different episode the second time"):
        rlkit.check_env(kind())


class Buffered(Reusing):
    """Returns one array again and again, and follows the seed."""

    def number(self, t: Any) -> Any:
        self.seen[0] = t / 5
        return self.seen


def test_one_buffer_for_all_observations_is_as_good_as_to_agents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rlkit.check.environment.gymnasium_check_env", lambda *_, **__: None)
    rlkit.check_env(Buffered())


def test_a_batch_of_unseeded_pictures_is_found() -> None:
    with pytest.raises(CheckError, match="gives different episodes the second time"):
        rlkit.check_vector_env(gym.vector.SyncVectorEnv([Noisy] * 2))


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (np.zeros(2000), np.eye(1, 2000, 1000)[0], False),
        (np.array([np.nan]), np.array([np.nan]), True),
        ({"a": (1, [2.0])}, {"a": (1, [2.0])}, True),
        ({"a": 1}, {"b": 1}, False),
        ({"episode": {"r": 1.0, "t": 0.1}}, {"episode": {"r": 1.0, "t": 0.2}}, True),
        ({"elapsed_time": np.array([0.1])}, {"elapsed_time": np.array([0.2])}, True),
        ({"episode": {"r": 1.0, "t": 0.1}}, {"episode": {"r": 2.0, "t": 0.1}}, False),
        ({"time": 3}, {"time": 4}, False),  # a count of steps
        ({"state": 0.1}, {"state": 0.2}, False),
        (object(), object(), True),
        ("left", "right", False),
        (float("nan"), float("nan"), True),
        (np.array([{"a": 1}, None], dtype=object), np.array([{"a": 2}, None], dtype=object), False),
    ],
)
def test_data_are_compared_not_text(one: Any, other: Any, equal: bool) -> None:
    assert same(kept(one), kept(other)) is equal


def test_legal_actions_are_drawn_evenly_among_the_legal() -> None:
    rng = np.random.default_rng(0)
    mask = np.tile([False, True, True], (4000, 1))
    drawn = draw(spaces.Discrete(3, start=-1), mask, rng)
    assert np.bincount(drawn + 1, minlength=3) == pytest.approx([0, 2000, 2000], abs=200)
    pairs = draw(spaces.MultiDiscrete([2, 2]), np.tile([True, False, True, True], (4000, 1)), rng)
    assert not pairs[:, 0].any()
    assert pairs[:, 1].mean() == pytest.approx(0.5, abs=0.05)
