"""DQN: one update against plain loops over what was lived, each switch against a known value."""

from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from rlkit.agents import SAC, ConfigError, NothingLearned, dqn
from rlkit.agents.dqn import DQN, Rainbow
from rlkit.agents.returns import n_step_rows
from rlkit.experience.memory import Due
from rlkit.nn import State

GAMMA = 0.5
CONSTANT = 1 / (1 - GAMMA)


class Row(NamedTuple):
    """A moment of one environment, and the transition that starts there, if one does."""

    obs: Tensor
    reset: bool
    mask: Tensor
    action: int = -1
    reward: float = 0.0
    discount: float = 0.0
    start: bool = False


def lived(agent: DQN, steps: int) -> list[list[Row]]:
    """Train, and write down the rows of every environment beside the agent."""
    agent.loop.ready(steps)
    rows: list[list[Row]] = [[] for _ in range(agent.stepper.num_envs)]
    add = agent.experience.replay.add

    def noted(**given: Any) -> None:
        step = given["step"]
        for b, own in enumerate(rows):
            own.append(
                Row(
                    given["obs"][b].clone(),
                    bool(given["reset"][b]),
                    given["mask"][b].clone(),
                    int(given["action"][b]),
                    float(step.reward[b]),
                    float(step.discount[b]),
                    True,
                )
            )
            if step.done[b]:
                own.append(Row(step.next_obs[b].clone(), False, step.next_mask[b].clone()))
        add(**given)

    agent.experience.replay.add = noted  # type: ignore[method-assign]
    agent.train(steps)
    for b, own in enumerate(rows):
        own.append(Row(agent.stepper.obs[b], bool(agent.stepper.reset[b]), agent.stepper.mask[b]))
    return rows


def states_of(agent: DQN, rows: list[Row]) -> list[State]:
    """The network's state before each row."""
    states = [agent.policy.initial_state(1)]
    for row in rows if states[0] else ():
        states.append(agent.network.scores(row.obs[None], states[-1], torch.tensor([row.reset]))[1])
    return states if states[0] else states * len(rows)


@torch.no_grad()
def reference(agent: DQN, rows: list[list[Row]], first: list[int]) -> float:
    """The mean Huber loss of sequences that begin in these rows of the memory, step by step."""
    c, losses = agent.config, []
    states = [states_of(agent, own) for own in rows]
    for number in first:
        b = number % len(rows)
        own = rows[b]
        i = next(
            i for i, row in enumerate(own) if row.obs.equal(agent.experience.replay.obs[number]) and row.start
        )
        online = target = states[b][i]
        q, q_target = [], []
        for row in own[i : i + agent.experience.burn_in + agent.experience.sequence + c.n_step]:
            values, online = agent.network.scores(row.obs[None], online, torch.tensor([row.reset]))
            q.append(values[0])
            values, target = agent.learner.target.scores(row.obs[None], target, torch.tensor([row.reset]))
            q_target.append(values[0])
        for t in range(agent.experience.burn_in, agent.experience.burn_in + agent.experience.sequence):
            if not own[i + t].start:
                continue
            total, discount, k = 0.0, 1.0, t
            while True:
                total += discount * own[i + k].reward
                discount *= c.gamma * own[i + k].discount
                k += 1
                if k == t + c.n_step or not own[i + k].start:
                    break
            chosen = (q if c.double else q_target)[k].clone()
            chosen[~own[i + k].mask] = -np.inf
            total += discount * float(q_target[k][chosen.argmax()])
            d = abs(float(q[t][own[i + t].action]) - total)
            losses.append(d * d / 2 if d <= 1 else d - 0.5)
    return float(np.mean(losses))


def losses(settings: dict[str, Any], breaking: Any = None) -> tuple[float, float]:
    """The loss of one update, and that of the reference; `breaking(agent)` may spoil the agent before."""
    agent = DQN(
        "probe/Ragged-v0",
        num_envs=4,
        hidden=(8,),
        learning_starts=10_000,
        replay_size=300,
        batch_size=64,
        **settings,
    )
    with torch.no_grad():  # so that the two networks differ
        for parameter in (*agent.network.parameters(), *agent.learner.target.parameters()):
            parameter += 0.1 * torch.randn(parameter.shape, generator=agent.learner.generator)
    with pytest.warns(NothingLearned):
        rows = lived(agent, 320)
    own_draw, drawn = agent.experience.replay.draw, []

    def draw(*args: Any, **kwargs: Any) -> Any:
        drawn.append(own_draw(*args, **kwargs))
        while not agent.experience.replay.start[
            drawn[-1].first
        ].all():  # the reference begins where a transition does
            drawn.append(own_draw(*args, **kwargs))
        return drawn[-1]

    agent.experience.replay.draw = draw  # type: ignore[method-assign]
    found: list[float] = []
    agent.learner.descend = lambda loss: found.append(loss.item()) or loss.detach()  # type: ignore[method-assign, func-returns-value]
    if breaking is not None:
        breaking(agent)
    agent.learner.learn_from(Due(agent.experience, 2, agent.steps))
    size = max(1, agent.config.batch_size // agent.experience.sequence)
    return found[-1], reference(agent, rows, drawn[-1].first.tolist()[-size:])


MEMORY = {"burn_in": 3, "sequence": 4, "n_step": 2}


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"double": False},
        {"n_step": 3, "dueling": True},
        {"backbone": "gru", **MEMORY},
        {"backbone": "lstm", **MEMORY, "burn_in": 0},
        {"backbone": "attention", "context": 4, **MEMORY, "double": False},
    ],
)
def test_an_update_is_that_of_plain_loops(settings: dict[str, Any]) -> None:
    found, expected = losses(settings)
    assert found == pytest.approx(expected, rel=1e-4)


def test_what_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def forget(agent: DQN) -> None:
        for part in agent.experience.replay.states:
            part.zero_()

    def run_on(agent: DQN) -> None:
        def wrong(*, start: Tensor, **rest: Any) -> Any:
            return n_step_rows(start=torch.ones_like(start), **rest)

        monkeypatch.setattr(dqn, "n_step_rows", wrong)

    def terminate(agent: DQN) -> None:
        agent.experience.replay.discount[~agent.experience.replay.start.roll(-4)] = (
            0.0  # as if time limits ended for good
        )

    for spoil in (forget, run_on, terminate):
        found, expected = losses({"backbone": "gru", **MEMORY, "burn_in": 0}, spoil)
        assert found != pytest.approx(expected, rel=1e-4), spoil
        monkeypatch.undo()


# Known values

SWITCHES: list[dict[str, Any]] = [
    {},
    {"double": False},
    {"n_step": 3},
    {"dueling": True},
    {"distribution": "c51"},
    {"distribution": "quantile", "atoms": 11},
    {"prioritized": True},
    {"noisy": True},
    {"backbone": "gru", "sequence": 8, "burn_in": 2},
]


def value(kind: type[DQN], **settings: Any) -> float:
    agent = kind(
        "probe/Constant-v0",
        **{
            "gamma": GAMMA,
            "learning_rate": 0.02,
            "num_envs": 4,
            "hidden": (16,),
            "batch_size": 32,
            "learning_starts": 64,
            "train_every": 32,
            "target_every": 32,
            "updates_per_step": 0.5,
            "schedule": "linear",
        }
        | settings,
    )
    return float(agent.train(480).q_values(np.array([0])).max())


@pytest.mark.parametrize("settings", SWITCHES)
def test_each_switch_learns_the_value_whatever_the_time_limit(settings: dict[str, Any]) -> None:
    assert value(DQN, **settings) == pytest.approx(CONSTANT, rel=0.04)


def test_rainbow_learns_the_value() -> None:
    assert value(Rainbow) == pytest.approx(CONSTANT, rel=0.04)


def test_c51_keeps_within_its_atoms() -> None:
    assert value(DQN, distribution="c51", v_min=-1.0, v_max=1.0) == pytest.approx(1.0, rel=0.02)


# What else


@pytest.mark.parametrize("num_envs", [1, 4, 20])
def test_the_target_is_copied_every_so_many_steps_of_all_environments(num_envs: int) -> None:
    agent = DQN(
        "probe/Constant-v0",
        num_envs=num_envs,
        train_every=20,
        learning_starts=20,
        target_every=100,
        updates_per_step=0.05,
    )
    copied = []
    agent.learner.target.load_state_dict = lambda _: copied.append(agent.steps)  # type: ignore[method-assign, assignment]
    agent.train(400)
    assert copied == [100, 200, 300, 400]


def test_updates_are_as_many_as_the_steps_are_worth() -> None:
    for settings in ({"num_envs": 5, "train_every": 30}, {"num_envs": 1, "train_every": 7}):
        agent = DQN("probe/Constant-v0", learning_starts=100, updates_per_step=0.3, **settings)
        learned: list[Any] = []
        agent.learner._learn = lambda _, lesson, learned=learned: learned.append(lesson) or {}  # type: ignore[method-assign]
        agent.train(400)
        assert len(learned) == int(400 * 0.3) - int(100 * 0.3)


def test_beta_and_epsilon_follow_the_progress() -> None:
    agent = DQN("probe/Constant-v0", priority_beta=0.4, epsilon_fraction=0.5)
    agent.clock.horizon = 100
    found = []
    for agent.clock.steps in (0, 25, 50, 100):
        found.append((agent.learner.beta, agent.config.epsilon(agent.clock.progress)))
    assert found == [pytest.approx(pair) for pair in [(0.4, 1.0), (0.55, 0.525), (0.7, 0.05), (1.0, 0.05)]]


def test_only_legal_actions_are_taken_with_and_without_noise() -> None:
    for settings in ({}, {"noisy": True}):
        agent = DQN("probe/OnlyLegal-v0", learning_starts=64, learning_rate=0.01, **settings).train(400)
        assert agent.evaluate(8).mean_return == 1  # the probe fails on an illegal action


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"distribution": "gauss"}, "distribution must be one of none, c51, quantile"),
        ({"v_min": 1.0, "v_max": 1.0}, "v_min must be below v_max"),
        ({"atoms": 1}, "atoms must be at least 2"),
        ({"priority_beta": 2.0}, "priority_beta must be from 0 to 1"),
        ({"replay_size": 7}, "replay_size must be at least num_envs"),
        ({"sequence": 0}, "sequence must be at least 1"),
        ({"burn_in": -1}, "burn_in must be at least 0"),
    ],
)
def test_settings_that_do_not_fit(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        DQN("CartPole-v1", **settings)


@pytest.mark.parametrize(
    ("settings", "steps", "why"),
    [
        ({}, 500, r"steps 1 to 500: the first update comes after step 1,000, by learning_starts"),
        ({"learning_starts": 0, "updates_per_step": 0.001}, 500, "no update came due by updates_per_step"),
        ({"learning_starts": 0, "backbone": "gru"}, 64, "no whole sequence was collected"),
    ],
)
@pytest.mark.parametrize("agent", [DQN, SAC])
def test_a_training_without_an_update_warns(
    agent: type[DQN | SAC], settings: dict[str, Any], steps: int, why: str
) -> None:
    learner = agent("probe/Ragged-v0", num_envs=4, hidden=(8,), **settings)
    before = {name: x.clone() for name, x in learner.policy.state_dict().items()}
    with pytest.warns(NothingLearned, match=f"{agent.name} learned nothing in .*{why}") as caught:
        learner.train(steps)
    assert caught[0].filename == __file__
    assert all(torch.equal(before[name], x) for name, x in learner.policy.state_dict().items())


def test_a_second_part_that_learns_does_not_warn() -> None:
    learner = DQN("probe/Ragged-v0", num_envs=4, hidden=(8,), learning_starts=300)
    with pytest.warns(NothingLearned):
        learner.train(200)
    learner.train(200)
    learner.continue_to(400)  # which are taken
