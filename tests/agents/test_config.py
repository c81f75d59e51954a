import json

import pytest

from rlkit.agents import AGENTS, ConfigError, DQNConfig, PPOConfig, UnsupportedError


@pytest.mark.parametrize("agent", AGENTS.values())
def test_json_round_trip(agent: type) -> None:
    config = agent.Config(hidden=(8, 4), gamma=0.5)
    assert agent.Config().replace(json.loads(json.dumps(config.to_json()))) == config


def test_text_values() -> None:
    config = PPOConfig().replace(
        {"hidden": "32,16", "learning_rate": "1e-4", "epochs": "3", "anneal": "false"}
    )
    assert (config.hidden, config.learning_rate, config.epochs, config.anneal) == ((32, 16), 1e-4, 3, False)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"learning_rat": 1}, "did you mean 'learning_rate'"),
        ({"xyz": 1}, "the fields are"),
        ({"gamma": 1.5}, "gamma must be from 0 to 1"),
        ({"gamma": "high"}, "gamma must be of type float"),
        ({"epochs": 2.5}, "epochs must be of type int"),
        ({"anneal": "perhaps"}, "anneal must be of type bool"),
        ({"hidden": "64,x"}, "hidden must be a list of integers"),
        ({"hidden": ""}, "hidden must be one or more"),
        ({"activation": "sine"}, "activation must be one of tanh"),
        ({"learning_rate": 0}, "learning_rate must be a number above 0"),
        ({"learning_rate": float("nan")}, "learning_rate must be a number above 0"),
        ({"num_envs": 0}, "num_envs must be at least 1"),
    ],
)
def test_bad_fields_are_named(overrides: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        PPOConfig().replace(overrides)


def test_agent_takes_a_config_or_overrides_of_it() -> None:
    agent = AGENTS["dqn"]("CartPole-v1", config=DQNConfig(batch_size=8), gamma=0.5)
    assert (agent.config.batch_size, agent.config.gamma) == (8, 0.5)
    with pytest.raises(ConfigError, match="takes a PPOConfig, got DQNConfig"):
        AGENTS["ppo"]("CartPole-v1", config=DQNConfig())


def test_continuous_actions_are_refused_by_name() -> None:
    with pytest.raises(UnsupportedError, match="Discrete action space, got Box"):
        AGENTS["ppo"]("MountainCarContinuous-v0")
