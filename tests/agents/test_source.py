"""Which environment a loaded agent means: its own, another one, another number of them, or none at all."""

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from saved_agents import forge, whole

from rlkit import storage
from rlkit.agents import AGENTS, DQN, PPO, SAC, Agent, ConfigError, LoadError, QLearning, UnsupportedError
from rlkit.agents.dqn import DQNLearner
from rlkit.experience.jsonable import options_from_json, options_to_json, space_from_json, space_to_json
from rlkit.run import checkpoint
from rlkit.run.train import train

QUICK: dict[str, Any] = {
    **{"hidden": (8,), "num_envs": 4, "rollout_steps": 16, "updates_per_step": 0.1},
    **{"learning_starts": 64, "replay_size": 500, "batch_size": 16},
}


def quick(agent: type[Agent], **more: Any) -> dict[str, Any]:
    fields = agent.Config().to_json()
    return {name: value for name, value in (QUICK | more).items() if name in fields}


# Another environment


def test_the_environment_given_is_the_one_evaluated(tmp_path: Path) -> None:
    dry = QLearning("FrozenLake-v1", env_kwargs={"is_slippery": False}, gamma=0.95).train(40_960)
    dry.save(tmp_path / "saved")
    assert QLearning.load(tmp_path / "saved").evaluate(20).mean_return == 1.0
    wet = gym.make_vec("FrozenLake-v1", 4, is_slippery=True)
    for loaded in (
        QLearning.load(tmp_path / "saved", env=wet),
        QLearning.load(tmp_path / "saved", env="FrozenLake-v1"),
        QLearning.load(tmp_path / "saved", env="FrozenLake-v1", env_kwargs={"is_slippery": True}),
        QLearning.load(tmp_path / "saved", env_kwargs={"is_slippery": True}),
    ):
        assert loaded.env_kwargs.get("is_slippery", True) is True
        assert loaded.evaluate(200).mean_return < 0.5


def test_options_of_an_environment_that_is_made_already_are_refused(tmp_path: Path) -> None:
    env = gym.make_vec("FrozenLake-v1", 2)
    with pytest.raises(
        ConfigError, match=r"env_kwargs {'is_slippery': False} are for an environment that is made"
    ):
        QLearning(env, env_kwargs={"is_slippery": False})
    QLearning("FrozenLake-v1").save(tmp_path / "saved")
    with pytest.raises(ConfigError, match="is made already"):
        QLearning.load(tmp_path / "saved", env=env, env_kwargs={"is_slippery": False})
    assert QLearning(env, env_kwargs={}).env_id == "FrozenLake-v1"


def test_an_environment_that_has_other_spaces_now_is_named(tmp_path: Path) -> None:
    QLearning("FrozenLake-v1").save(tmp_path / "saved")
    with pytest.raises(
        LoadError, match=r"observation_space Discrete\(16\); that of Taxi-v4 is Discrete\(500\)"
    ):
        QLearning.load(tmp_path / "saved", env="Taxi-v4")
    larger = QLearning.load(tmp_path / "saved", env_kwargs={"map_name": "8x8"})
    for use in (larger.evaluate, lambda: larger.train(64)):
        with pytest.raises(
            UnsupportedError, match=r"Discrete\(16\); that of FrozenLake-v1 is Discrete\(64\)"
        ):
            use()


@pytest.mark.parametrize("name", AGENTS)
@pytest.mark.parametrize("env_id", ["rlkit/FrozenLake-v0", "FrozenLake-v1"])
def test_an_agent_on_another_number_of_environments_acts_evaluates_and_learns(
    env_id: str, name: str, tmp_path: Path
) -> None:
    agent = AGENTS[name](env_id, **quick(AGENTS[name], normalize_reward=True)).train(192)
    agent.save(tmp_path / "saved")
    for n in (1, 6):
        loaded = type(agent).load(tmp_path / "saved", env=gym.make_vec(env_id, n))
        assert loaded.act(3)[0] == agent.act(3)[0]
        assert loaded.evaluate(4, seed=1).mean_return == agent.evaluate(4, seed=1).mean_return
        with pytest.warns(UserWarning, match=f"^4 environments are now {n}; .* start over at step 192"):
            assert loaded.train(192).steps == 384
        assert loaded.stepper.num_envs == n


@pytest.mark.parametrize("n", [1, 6])
def test_an_agent_on_another_number_of_environments_is_saved_and_copied(n: int, tmp_path: Path) -> None:
    PPO("FrozenLake-v1", **quick(PPO)).train(192).save(tmp_path / "saved")
    PPO.load(tmp_path / "saved", env=gym.make_vec("FrozenLake-v1", n)).save(tmp_path / "again")
    again = PPO.load(tmp_path / "again")
    assert again.config.num_envs == n
    for agent in (copy.deepcopy(again), again):
        with pytest.warns(UserWarning, match="start over at step 192"):
            assert agent.train(192).stepper.num_envs == min(n, 4)


# Without an environment

ALONE = """
import sys
from rlkit.agents import PPO, LoadError, UnsupportedError
agent = PPO.load("saved")
assert "absent" not in sys.modules
print(agent.act([[0.5, 0.25]])[0].tolist(), agent.value([[0.5, 0.25]]).tolist())
for use in (agent.evaluate, lambda: agent.train(64)):
    try:
        use()
    except UnsupportedError as error:
        print(error)
agent.save("again")
"""

ABSENT = """
import gymnasium, numpy
class Absent(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(0, numpy.array([1, 1 / 3], numpy.float32))
    action_space = gymnasium.spaces.Discrete(2, start=5)
    def reset(self, *, seed=None, options=None): return numpy.zeros(2, numpy.float32), {}
    def step(self, action): return numpy.zeros(2, numpy.float32), 1.0, True, False, {}
gymnasium.register("Absent-v0", Absent)
"""


def test_a_policy_acts_where_its_environment_is_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "absent.py").write_text(ABSENT)
    monkeypatch.syspath_prepend(str(tmp_path))
    agent = PPO("absent:Absent-v0", **quick(PPO)).train(64)
    agent.save(tmp_path / "saved")
    (tmp_path / "absent.py").unlink()
    done = subprocess.run(
        [sys.executable, "-c", ALONE], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    acted, *errors = done.stdout.splitlines()
    obs = np.array([[0.5, 0.25]], np.float32)
    assert acted == f"{agent.act(obs)[0].tolist()} {agent.value(obs).tolist()}"
    assert len(errors) == 2
    assert all("this run needs the module 'absent'" in error for error in errors)
    assert whole(tmp_path / "saved") == whole(tmp_path / "again")


def test_an_environment_that_is_not_installed_is_named_where_it_is_needed(tmp_path: Path) -> None:
    PPO("CartPole-v1", **quick(PPO)).train(64).save(tmp_path / "saved")
    forge(tmp_path / "saved", lambda meta: meta.update(env_id="Nothing-v0"))
    loaded = checkpoint.load(tmp_path / "saved")
    loaded.act(np.zeros(4, np.float32))
    for use in (loaded.evaluate, lambda: loaded.train(64)):
        with pytest.raises(UnsupportedError, match=r"^Nothing-v0 cannot be made: "):
            use()


def test_an_agent_is_loaded_from_a_run_folder(tmp_path: Path) -> None:
    trained = train("rlkit/Exam-v0", steps=128, overrides=quick(PPO), out=tmp_path / "run")
    assert PPO.load(tmp_path / "run").steps == trained.steps == 128
    with pytest.raises(LoadError, match="holds a ppo agent, not dqn"):
        DQN.load(tmp_path / "run")


def test_what_is_not_needed_to_act_is_neither_made_nor_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = DQN("rlkit/FrozenLake-v0", **quick(DQN)).train(192)
    agent.save(tmp_path / "saved")
    made: list[str] = []
    monkeypatch.setattr(DQNLearner, "experience", lambda learner, stepper: made.append("replay"))
    monkeypatch.setattr(
        "rlkit.experience.environments.make", lambda *given, **more: made.append("environment")
    )
    read: list[str] = []
    right = storage.Tensors.__getitem__

    def noted(tensors: storage.Tensors, name: str) -> torch.Tensor:
        read.append(name)
        return right(tensors, name)

    monkeypatch.setattr(storage.Tensors, "__getitem__", noted)
    loaded = DQN.load(tmp_path / "saved")
    assert loaded.act(3)[0] == agent.act(3)[0]
    assert {name.partition("/")[0] for name in read} == {"learner"}
    loaded.save(tmp_path / "again")
    assert not made
    assert whole(tmp_path / "saved") == whole(tmp_path / "again")


# Options and spaces as data


@pytest.mark.parametrize(
    "options",
    [
        {"size": (5, 5)},
        {"map": {(0, 0): "S", (1, 2): ("G", [1, (2,)])}},
        {"names": {0: "a", 1: "b"}},
        {"odd": {"__tuple__": [1], "__items__": {}}},
        {
            "none": None,
            "yes": True,
            "one": 1,
            "float": 1.0,
            "text": "ü",
            "inf": float("inf"),
            "list": [[], {}],
        },
    ],
)
def test_options_come_back_as_they_were(options: dict[str, Any]) -> None:
    found = options_from_json(json.loads(json.dumps(options_to_json(options))))
    assert repr(found) == repr(options), "equal in value and in type"


@pytest.mark.parametrize("value", [{1, 2}, np.ones(2), np.int64(3), object(), b"x", range(3), [{"a": {1}}]])
def test_options_that_json_would_change_are_not_saved(value: Any) -> None:
    with pytest.raises(UnsupportedError, match=r"env_kwargs hold 'it', a .*, which is not JSON"):
        options_to_json({"it": value})
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(UnsupportedError, match="env_kwargs hold 'loop', nested too deeply"):
        options_to_json({"loop": loop})


def test_the_options_of_a_saved_agent_keep_their_types(tmp_path: Path) -> None:
    kwargs = {"desc": ("SFG", "HHH"), "is_slippery": False}
    QLearning("FrozenLake-v1", env_kwargs=kwargs).save(tmp_path / "saved")
    assert QLearning.load(tmp_path / "saved").env_kwargs == kwargs
    run = tmp_path / "run"
    train("FrozenLake-v1", agent="q_learning", steps=256, env_kwargs=kwargs, out=run)
    assert checkpoint.load(run).env_kwargs == kwargs


SPACES: list[spaces.Space[Any]] = [
    spaces.Discrete(3, start=-1),
    spaces.MultiDiscrete([2, 3], start=[1, -1]),
    spaces.MultiDiscrete([[2], [3]], dtype=np.int32),
    spaces.MultiBinary(3),
    spaces.MultiBinary([2, 2]),
    spaces.Box(-1, 1, (2, 3), np.float32),
    spaces.Box(np.array([0.1, -np.inf], np.float32), np.array([1 / 3, np.inf], np.float32)),
    spaces.Box(0, 255, (4, 4, 3), np.uint8),
    spaces.Box(np.array([0.1, 2**60 + 1]), np.array([1e300, 2**60 + 3]), dtype=np.float64),
    spaces.Box(-(2**62) - 1, 2**62 + 1, (), np.int64),
    spaces.Dict({"z": spaces.Discrete(2), "a": spaces.Tuple([spaces.MultiBinary(1), spaces.Discrete(4)])}),
    spaces.Dict([("z", spaces.Discrete(2)), ("a", spaces.Discrete(3))], sort_keys=False),
]


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_spaces_come_back_exactly(space: spaces.Space[Any]) -> None:
    data = json.loads(json.dumps(space_to_json(space)))
    found = space_from_json(data)
    assert found == space
    assert space_to_json(found) == data
    assert (found.shape, found.dtype) == (space.shape, space.dtype)
    if isinstance(space, spaces.Box) and isinstance(found, spaces.Box):
        assert (found.low == space.low).all()
        assert (found.high == space.high).all()
    if isinstance(space, spaces.Dict) and isinstance(found, spaces.Dict):
        assert [*found] == [*space], "also their order, in which observations are packed"


def test_texts_are_texts() -> None:
    a, b = spaces.Text(5), spaces.Text(9, charset="xyz")
    assert space_to_json(a) == space_to_json(b), "words are counted, whatever texts there may be"
    assert isinstance(space_from_json(space_to_json(a)), spaces.Text)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"kind": "Graph"},
        {"kind": "Discrete", "n": -1, "start": 0},
        {"kind": "Box", "shape": [2**40, 2**40], "dtype": "float32", "low": 0, "high": 1},
        {"kind": "Box", "shape": [2], "dtype": "object", "low": 0, "high": 1},
        {"kind": "Box", "shape": [2], "dtype": "float32", "low": [0, 1, 2], "high": 1},
        {"kind": "MultiBinary", "n": [2**63, 4]},
        {"kind": "MultiBinary", "n": 2**40},
        {"kind": "Tuple", "spaces": [3]},
    ],
)
@pytest.mark.parametrize("which", ["observation_space", "action_space"])
def test_a_space_that_is_none_is_named(data: Any, which: str, tmp_path: Path) -> None:
    PPO("CartPole-v1", hidden=(8,)).save(tmp_path / "saved")
    forge(tmp_path / "saved", lambda meta: meta.update({which: data}))
    with pytest.raises(LoadError, match=r"agent\.json cannot be used"):
        PPO.load(tmp_path / "saved")


def test_how_numbers_are_printed_does_not_matter(tmp_path: Path) -> None:
    SAC("Pendulum-v1", **quick(SAC)).save(tmp_path / "saved")
    with np.printoptions(precision=1, suppress=True, threshold=2):
        assert SAC.load(tmp_path / "saved", env="Pendulum-v1").evaluate(1, max_steps=5).episodes == 1


def test_bounds_that_are_printed_alike_are_not_equal(tmp_path: Path) -> None:
    def vector(high: Any) -> Any:
        class Bounded(gym.Env[Any, Any]):
            observation_space, action_space = spaces.Box(0, high, (2000,), np.float64), spaces.Discrete(2)

        return gym.vector.SyncVectorEnv([Bounded])

    high, almost = np.full(2000, 1.0), np.full(2000, 1.0)
    high[1000], almost[1000] = 1.1, 1.1 + 1e-9
    PPO(vector(high), **quick(PPO)).save(tmp_path / "saved")
    assert PPO.load(tmp_path / "saved", env=vector(high)).steps == 0
    with pytest.raises(LoadError, match="with other bounds"):
        PPO.load(tmp_path / "saved", env=vector(almost))
