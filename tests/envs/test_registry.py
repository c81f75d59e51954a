"""Ids, short names, and the exact model behind an id."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest

import rlkit
import rlkit.agents
from rlkit.core import ModelError, NoExactModel, from_successors
from rlkit.core.files import write_model
from rlkit.envs import register, registry, resolve
from rlkit.envs.options import OptionError
from rlkit.envs.registry import make
from rlkit.errors import RlkitError
from rlkit.registry import RegistryError


@pytest.mark.parametrize(
    ("short", "id"),
    [
        ("exam", "rlkit/Exam-v0"),
        ("Exam-v0", "rlkit/Exam-v0"),
        ("frozenlake", "rlkit/FrozenLake-v0"),
        ("FrozenLake-v1", "FrozenLake-v1"),
        ("taxi", "rlkit/Taxi-v0"),
        ("cartpole", "CartPole-v1"),
        ("cartpole-v0", "CartPole-v0"),
    ],
)
def test_short_names(short: str, id: str) -> None:
    assert resolve(short) == id


def test_an_unknown_name_suggests_near_ones() -> None:
    with pytest.raises(RegistryError, match="did you mean rlkit/FrozenLake-v0"):
        resolve("frozenlak")
    with pytest.raises(RegistryError, match=r"rlkit\.envs registers rlkit\.envs:rlkit/FrozenLake-v0, "):
        resolve("rlkit.envs:frozenlak")
    with pytest.raises(RegistryError, match="':exam': importing '' failed: ValueError: Empty module name"):
        resolve(":exam")
    for name in ("Plant/Machine-v0", "space/Maze-v0"):
        with pytest.raises(RegistryError, match=f"registers it, write MODULE:{name}$") as caught:
            resolve(name)
        assert "did you mean" not in str(caught.value), "what is of another package is not near ours"


MINE = """
import gymnasium
gymnasium.register("Mine-v0", "gymnasium.envs.classic_control:CartPoleEnv")
gymnasium.register("space/Own-v0", lambda: None)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The current folder, with a module in it that registers two ids."""
    (tmp_path / "worlds.py").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop("worlds", None)
    for id in ("Mine-v0", "space/Own-v0"):
        gym.registry.pop(id, None)


def test_an_unknown_name_of_a_module_names_those_that_it_registers(folder: Any) -> None:
    with pytest.raises(RegistryError) as caught:
        resolve("worlds:Mint-v0")
    said = "no environment 'worlds:Mint-v0'; worlds registers "
    assert str(caught.value) == f"{said}worlds:Mine-v0, worlds:space/Own-v0"
    with pytest.raises(RegistryError) as caught:
        resolve("worlds:Mint-v0")
    assert str(caught.value) == f"{said}worlds:space/Own-v0", "which alone is made there"
    with pytest.raises(RegistryError, match="; json registers no environment"):
        resolve("json:exm")


def test_a_file_is_no_module_and_no_environment(folder: Any) -> None:
    for name in ("worlds.py:Mine-v0", "./worlds.py:Mine-v0"):
        with pytest.raises(RegistryError, match=r"write worlds:Mine-v0, without .py"):
            resolve(name)
    write_model(rlkit.exact("rlkit/Exam-v0"), folder / "dice.drn")
    for use in (resolve, rlkit.agents.PPO):
        with pytest.raises(
            RlkitError, match=r"is for `rlkit solve`; .* rlkit/MDP-v0 with --env mdp=dice.drn"
        ):
            use("dice.drn")
    (folder / "exam").write_text("an id comes before a file")
    assert resolve("exam") == "rlkit/Exam-v0"
    assert rlkit.agents.PPO("rlkit/MDP-v0", env_kwargs={"mdp": "dice.drn"})


def test_an_unknown_option_names_those_there_are() -> None:
    with pytest.raises(
        RegistryError,
        match=r"got an unexpected keyword argument 'slipp'; did you mean 'slip'.* options: size, map, slip",
    ):
        make("rlkit/FrozenLake-v0", slipp=1)
    with pytest.raises(RegistryError, match="FrozenLake-v1 cannot be made"):
        make("FrozenLake-v1", slipp=1)


def dice(sides: int = 6) -> Any:
    """A stand-in for the factory of a user, which looks at nothing itself."""
    return range(sides)


def test_text_for_a_whole_number_is_said_to_be_that(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_ENTRIES", dict(registry._ENTRIES))
    register("Dice-v0", dice)
    try:
        with pytest.raises(OptionError, match=r"^sides must be a whole number, not 'six'$"):
            make("Dice-v0", sides="six")
        with pytest.raises(ModelError, match="made of a Model, not of range"):
            make("Dice-v0", sides=6)
    finally:
        gym.registry.pop("Dice-v0", None)


@pytest.mark.parametrize("use", [make, rlkit.agents.PPO])
def test_a_refusal_ends_before_what_gymnasium_adds(use: Any) -> None:
    def refuse() -> None:
        raise TypeError("no level")

    gym.register("Refusing-v0", refuse)
    try:
        with pytest.raises(RlkitError, match=r"^Refusing-v0 cannot be made: no level$"):
            use("Refusing-v0")
    finally:
        gym.registry.pop("Refusing-v0", None)


def test_refusals_are_those_that_other_libraries_look_for() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'frameskip'") as caught:
        gym.make("rlkit/FrozenLake-v0", frameskip=1)
    assert "kwargs (" not in str(caught.value)
    with pytest.raises(gym.error.MissingArgument, match="cannot be made without its option 'mdp'"):
        gym.make("rlkit/MDP-v0")


def test_pictures_are_collected() -> None:
    env = gym.make("rlkit/FrozenLake-v0", render_mode="rgb_array_list")
    env.reset(seed=0)
    env.step(2)
    first, second = env.render()
    assert first.shape == second.shape
    assert (first != second).any()


def test_a_limit_of_the_model_is_in_the_specification() -> None:
    env = gym.make("rlkit/DoorKey8x8-v0", size=6)
    limit = env.unwrapped.model.max_episode_steps
    assert env.spec.max_episode_steps == limit == env.unwrapped.spec.max_episode_steps
    assert gym.make_vec("rlkit/DoorKey8x8-v0", 2, size=6).spec.max_episode_steps == limit
    assert gym.make("rlkit/DoorKey8x8-v0").spec.max_episode_steps > limit
    assert gym.make("rlkit/FrozenLake-v0").spec.max_episode_steps == 100
    assert gym.make("rlkit/CliffWalking-v0").spec.max_episode_steps is None
    timed = gym.wrappers.TimeAwareObservation(env)
    timed.reset(seed=0)


def test_exact_refuses_what_has_no_exact_model() -> None:
    with pytest.raises(NoExactModel, match="CartPole-v1"):
        rlkit.exact("CartPole-v1")
    with pytest.raises(NoExactModel, match="fickle"):
        rlkit.exact("Taxi-v4", fickle_passenger=True)


def test_any_mdp_is_an_environment() -> None:
    mdp = from_successors(lambda n: {"go": [(0.5, n + 1, 1.0), (0.5, n, 0.0)]} if n < 3 else {}, 0)
    env = gym.make("rlkit/MDP-v0", mdp=mdp)
    assert env.get_wrapper_attr("mdp")().n_states == 4
    env.reset(seed=0)
    assert sum(env.step(0)[1] for _ in range(2)) <= 2
    envs = gym.make_vec("rlkit/MDP-v0", num_envs=3, vectorization_mode="vector_entry_point", mdp=mdp)
    assert envs.reset(seed=0)[0].tolist() == [0, 0, 0]


def test_any_mdp_from_a_file_or_an_object(tmp_path: Path) -> None:
    mdp = rlkit.exact("rlkit/Exam-v0")
    write_model(mdp, tmp_path / "exam.drn")
    for given in (mdp, tmp_path / "exam.drn", str(tmp_path / "exam.drn")):
        env = make("rlkit/MDP-v0", mdp=given)
        rlkit.check_env(env)
        assert rlkit.solve(env.unwrapped.mdp()).initial.value == pytest.approx(-0.159)
    with pytest.raises(OptionError, match="mdp must be an MDP, a POMDP or a model file, not 3"):
        make("rlkit/MDP-v0", mdp=3)
    with pytest.raises(RegistryError, match="'mdp'"):
        make("rlkit/MDP-v0")
