import dataclasses
import json

import pytest

from rlkit.agents import (
    AGENTS,
    NEURAL,
    PPO,
    Agent,
    ConfigError,
    DQNConfig,
    PPOConfig,
    UnsupportedError,
    default_steps,
)
from rlkit.agents.describe import abilities, settings
from rlkit.agents.presets import DEFAULT_STEPS
from rlkit.settings import options_of


@pytest.mark.parametrize("agent", AGENTS.values())
def test_json_round_trip(agent: type) -> None:
    config = agent.Config(gamma=0.5, **({"hidden": (8, 4)} if agent.name in NEURAL else {}))
    assert agent.Config().replace(json.loads(json.dumps(config.to_json()))) == config


def test_settings_do_not_depend_on_who_enters_the_environment() -> None:
    id = "MiniGrid-FourRooms-v0"
    assert default_steps("ppo", f"minigrid:{id}") == default_steps("ppo", id) != DEFAULT_STEPS
    assert PPO.configure(f"minigrid:{id}") == PPO.configure(id) != PPO.Config()


def test_text_values() -> None:
    config = PPOConfig().replace(
        {"hidden": "32,16", "learning_rate": "1e-4", "epochs": "3", "monitor": "yes"}
    )
    assert PPOConfig().replace({"hidden": "none"}).hidden == PPOConfig().replace({"hidden": ""}).hidden == ()
    assert (config.hidden, config.learning_rate, config.epochs, config.monitor) == ((32, 16), 1e-4, 3, True)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"learning_rat": 1}, "^there is no option 'learning_rat'; did you mean 'learning_rate'"),
        ({"xyz": 1}, "^there is no option 'xyz'; the options are"),
        ({"gamma": 1.5}, "gamma must be from 0 to 1"),
        ({"gamma": "high"}, "gamma must be a number"),
        ({"epochs": 2.5}, "epochs must be a whole number"),
        ({"monitor": "perhaps"}, "monitor must be true or false"),
        ({"optimizer": "adamw"}, "optimizer must be one of adam, sgd, momentum, rmsprop; got 'adamw'"),
        ({"schedule": "step"}, "schedule must be one of constant, linear, cosine"),
        ({"l2": -1}, "l2 must be at least 0"),
        ({"patience": 1}, "set evaluate_every too"),
        ({"evaluate_every": -1}, "evaluate_every must be at least 0"),
        ({"hidden": "64,x"}, "hidden must be a list of whole numbers"),
        ({"hidden": "64,0"}, "hidden must be layer widths"),
        ({"activation": "sine"}, "activation must be one of tanh"),
        ({"learning_rate": 0}, "learning_rate must be a number above 0"),
        ({"learning_rate": float("nan")}, "learning_rate must be a number above 0"),
        ({"num_envs": 0}, "num_envs must be at least 1"),
    ],
)
def test_bad_fields_are_named(overrides: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        PPOConfig().replace(overrides)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        *(("lr", "learning_rate"), ("gae", "gae_lambda"), ("lam", "gae_lambda"), ("n_envs", "num_envs")),
        *(("clip_range", "clip"), ("ent_coef", "entropy_coef"), ("learning_rat", "learning_rate")),
    ],
)
def test_a_setting_is_found_by_what_others_call_it(name: str, meant: str) -> None:
    with pytest.raises(ConfigError) as caught:
        PPO("CartPole-v1", **{name: 1})
    assert str(caught.value) == (
        f"ppo has no option {name!r}; did you mean {meant!r}? `rlkit agents ppo` lists them"
    )


def test_agent_takes_a_config_or_overrides_of_it() -> None:
    agent = AGENTS["dqn"]("CartPole-v1", config=DQNConfig(batch_size=8), gamma=0.5)
    assert (agent.config.batch_size, agent.config.gamma) == (8, 0.5)
    with pytest.raises(ConfigError, match="takes a PPOConfig, got DQNConfig"):
        AGENTS["ppo"]("CartPole-v1", config=DQNConfig())


@pytest.mark.parametrize("name", ["dqn", "pqn", "rainbow"])
def test_continuous_actions_are_refused_by_name(name: str) -> None:
    with pytest.raises(UnsupportedError, match="Discrete action space, got Box"):
        AGENTS[name]("MountainCarContinuous-v0")


@pytest.mark.parametrize("agent", AGENTS.values())
def test_what_an_agent_is_said_to_deal_with_it_does(agent: type[Agent]) -> None:
    found = abilities(agent)
    assert found["agent"] == agent.name
    assert found["summary"].endswith(".")
    tried = (
        (found["actions"], "Discrete", "rlkit/Exam-v0"),
        (found["actions"], "Box", "MountainCarContinuous-v0"),
        (found["observations"], "numbers", "CartPole-v1"),
    )
    for able, name, env_id in tried:
        if name in able:
            agent(env_id)
        else:
            with pytest.raises(UnsupportedError):
                agent(env_id)


def test_abilities_by_hand() -> None:
    assert abilities(AGENTS["ppo"]) == {
        "agent": "ppo",
        "summary": "Proximal policy optimisation.",
        "actions": ["Discrete", "MultiDiscrete", "Box"],
        "observations": ["categories", "numbers", "grids"],
        "memory": True,
        "masks": True,
    }
    assert abilities(AGENTS["dqn"])["actions"] == ["Discrete"]


@pytest.mark.parametrize("agent", AGENTS.values())
def test_every_setting_is_described(agent: type[Agent]) -> None:
    found = {setting["name"]: setting for setting in settings(agent)}
    assert list(found) == [field.name for field in dataclasses.fields(agent.Config)]
    assert found["gamma"] == {
        "name": "gamma",
        "type": "float",
        "default": str(agent.Config().gamma),
        "meaning": "Discount",
        "allowed": "from 0 to 1",
        "choices": [],
        "search": [0.9, 0.999],
    }
    assert all(setting["meaning"] for setting in found.values())
    if agent.name in NEURAL:
        assert found["hidden"]["type"] == "ints"


@pytest.mark.parametrize("agent", AGENTS.values())
def test_an_option_can_be_searched_where_it_may_be_set(agent: type[Agent]) -> None:
    found = {name: known for name, known in options_of(agent.Config).items() if known.search}
    assert {"learning_rate", "gamma"} <= set(found)
    for name, known in found.items():
        assert list(known.search) == sorted(known.search)
        for number in known.search:
            known.check(name, number)
