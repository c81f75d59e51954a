import json
from dataclasses import asdict
from typing import Any, ClassVar

import gymnasium
import numpy as np
import pytest
import reports
import torch

import rlkit
import rlkit.report
from rlkit.agents import AGENTS, PPO, Agent
from rlkit.core import NoExactModel
from rlkit.evaluate import Score, above, exact_policy, grade, grade_record, scale, shown
from rlkit.evaluate.scoring import ends
from rlkit.experience.evaluation import evaluate_on, summarise
from rlkit.solvers import belief_mdp, evaluate_policy, optima, solve, state_distribution, uniform_policy

UNSEEN = 3  # times that something may be expected to happen and still not be seen in 95 % of the cases
EXAM = {"gamma": 1.0, "horizon": None}


def one_hot(mdp: rlkit.core.MDP, action: np.ndarray) -> np.ndarray:
    return np.eye(mdp.n_actions)[action] * ~mdp.terminal[:, None]


def test_scale_of_percent_of_optimum() -> None:
    mdp = rlkit.exact("rlkit/Exam-v0")

    def graded(policy: np.ndarray) -> Score:
        value = mdp.expectation(evaluate_policy(mdp, policy, **EXAM))
        return scale(mdp, objective="unlimited", **EXAM).score(value)

    best = graded(one_hot(mdp, solve(mdp, gamma=1.0).policy))
    assert best.optimum == pytest.approx(-0.159)
    assert best.percent_of_optimum == pytest.approx(100)
    assert best.regret == pytest.approx(0)
    chance = graded(uniform_policy(mdp))
    assert chance.percent_of_optimum == pytest.approx(0)
    worst = graded(one_hot(mdp, np.array([0, 0, 1, 1, 0, 0])))
    assert worst.percent_of_optimum is not None
    assert worst.percent_of_optimum < 0


@pytest.mark.parametrize("agent", AGENTS.values())
@pytest.mark.parametrize("stochastic", [False, True])
def test_exact_and_sampled_values_agree(agent: type[Agent], stochastic: bool) -> None:
    untrained = agent("rlkit/FrozenLake-v0", seed=1)
    exact = grade(untrained, stochastic=stochastic).score
    sampled = untrained.evaluate(4_000, stochastic=stochastic)
    assert exact.objective == "time-limited"
    assert exact.value == pytest.approx(
        sampled.mean_return, abs=3 * (sampled.ci95[1] - sampled.mean_return) + UNSEEN / 4_000
    )


def test_objectives_are_named() -> None:
    objectives = grade(PPO("FrozenLake-v1")).objectives
    assert {name: round(s.optimum or 0, 5) for name, s in objectives.items()} == {
        "discounted": round(
            solve(rlkit.exact("FrozenLake-v1"), gamma=PPO("FrozenLake-v1").config.gamma).initial.value, 5
        ),
        "unlimited": round(14 / 17, 5),
        "time-limited": 0.74419,
    }
    assert set(grade(PPO("rlkit/Exam-v0")).objectives) == {"discounted", "unlimited"}
    assert grade(PPO("rlkit/Exam-v0", gamma=0.9)).objectives["discounted"].gamma == 0.9
    assert grade(PPO("rlkit/Exam-v0", gamma=1.0)).headline == "unlimited"


def test_policies_follow_the_legal_actions_of_the_model() -> None:
    mdp = rlkit.exact("FrozenLake-v1")
    agent = PPO("FrozenLake-v1")
    policy = exact_policy(agent, shown(agent, mdp), stochastic=True)
    np.testing.assert_allclose(policy.sum(-1), ~mdp.terminal)


def test_what_the_optimum_knows_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """The T-maze is worth 4 to those who remember the sign, and to those who see where the goal is."""
    memoryless = grade(PPO("rlkit/TMaze-v0"))
    assert (memoryless.score.sees, memoryless.score.optimum) == ("beliefs", pytest.approx(4.0))
    listening = grade(PPO("rlkit/Tiger-v0")).score
    assert listening.sees == "beliefs"
    monkeypatch.setattr(
        optima, "belief_mdp", lambda pomdp, **how: belief_mdp(pomdp, **how | {"max_beliefs": 2})
    )
    seeing = grade(PPO("rlkit/Tiger-v0")).score
    assert seeing.sees == "hidden states"
    assert listening.optimum is not None
    assert seeing.optimum is not None
    assert seeing.optimum > listening.optimum + 1, "who sees the tiger need not listen"
    assert grade(PPO("rlkit/Exam-v0")).score.sees == "states"


def test_actions_the_info_forbids_are_not_taken() -> None:
    """Gymnasium's Taxi lets one run into walls, but its info says which actions would."""
    env = gymnasium.make("Taxi-v4")
    agent = PPO("Taxi-v4")
    policy = exact_policy(agent, shown(agent, rlkit.exact("Taxi-v4")), stochastic=True)
    masks = np.array([env.unwrapped.action_mask(s) for s in range(500)], dtype=bool)
    assert not masks.all()
    live = policy[:500].sum(-1) > 0
    np.testing.assert_array_equal(policy[:500][live] > 0, masks[live])


def test_the_record_of_a_grade() -> None:
    record = grade_record(PPO("FrozenLake-v1"), episodes=20)
    assert record["episodes"] == 20
    assert record["exact"] == record["objectives"]["time-limited"]
    assert record["exact"] == asdict(grade(PPO("FrozenLake-v1")).score)
    record = grade_record(PPO("CartPole-v1"), episodes=5)
    assert record["exact"] is None
    assert record["reason"]
    with pytest.raises(NoExactModel):
        grade(PPO("CartPole-v1"))


def test_an_agent_that_moves_for_both_players_meets_a_best_response() -> None:
    """The game is a draw; one player who makes all moves would win it."""
    graded = grade_record(PPO("rlkit/TicTacToe-v0", env_kwargs={"opponent": None}), episodes=2)["exact"]
    assert (graded["sees"], graded["optimum"], graded["ends"]) == ("both players", 0, 1)
    assert graded["random"] < -0.5
    assert graded["value"] == -1, "an untrained policy is beaten by one that knows it"
    game = rlkit.exact("rlkit/TicTacToe-v0", opponent=None)
    value = game.expectation(evaluate_policy(game, solve(game).policy))
    best = scale(game, objective="unlimited", gamma=1.0, horizon=None).score(value)
    assert best.percent_of_optimum == 100
    with pytest.raises(NoExactModel, match="both players"):
        grade(PPO("rlkit/TicTacToe-v0", env_kwargs={"opponent": None}, backbone="gru"))


def test_quota_gives_short_and_long_episodes_their_share() -> None:
    evaluation = PPO("CartPole-v1", seed=0).evaluate(300, stochastic=True)
    alone = PPO("CartPole-v1", seed=0).evaluate(128, stochastic=True)
    assert len(evaluation.returns) == evaluation.episodes == 300
    assert evaluation.mean_return == evaluation.mean_length
    assert evaluation.mean_return == pytest.approx(alone.mean_return, rel=0.25)
    with pytest.raises(ValueError, match="at least 1"):
        PPO("CartPole-v1").evaluate(0)


class Seeds(gymnasium.vector.VectorEnv):
    """Keeps the seeds of its resets; its episodes never end."""

    metadata: ClassVar = {"autoreset_mode": gymnasium.vector.AutoresetMode.SAME_STEP}

    def __init__(self, num_envs: int) -> None:
        self.num_envs = num_envs
        self.seeds: list[Any] = []
        self.single_observation_space = gymnasium.spaces.Discrete(2)
        self.single_action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        self.seeds += range(seed, seed + self.num_envs)
        return np.zeros(self.num_envs, dtype=np.int64), {}

    def step(self, actions: Any) -> Any:
        nothing = np.zeros(self.num_envs, dtype=np.bool_)
        return np.zeros(self.num_envs, dtype=np.int64), np.ones(self.num_envs), nothing, nothing, {}


def test_no_episode_is_shared_between_seeds_or_rounds() -> None:
    """Environment i of a vector is seeded with its first seed + i."""
    played, agent = [], PPO(Seeds(128), hidden=(2,))
    for seed in range(30):
        env = Seeds(128)
        evaluate_on(agent.policy, env, episodes=384, seed=seed, stochastic=False, max_steps=1)
        played += env.seeds
    assert len(played) == 30 * 3 * 128
    assert len(set(played)) == len(played)
    assert max(played) < 2**31


def test_interval() -> None:
    evaluation = summarise(np.array([1.0, 3.0]), np.array([5, 7]))
    assert (evaluation.mean_return, evaluation.mean_length) == (2, 6)
    assert evaluation.ci95 == pytest.approx((2 - 1.96, 2 + 1.96))
    assert summarise(np.array([1.0]), np.array([5])).ci95 == (-np.inf, np.inf)


def walks_up(env_id: str) -> PPO:
    """On CliffWalking this stands against the wall for ever, at -1 a step."""
    agent = PPO(env_id, hidden=(8,))
    with torch.no_grad():
        agent.network.policy_head.weight.zero_()
        agent.network.policy_head.bias.copy_(torch.tensor([1.0, 0.0, 0.0, 0.0]))
    return agent


def test_an_episode_that_never_ends_is_cut() -> None:
    evaluation = walks_up("CliffWalking-v1").evaluate(5, max_steps=30)
    assert (evaluation.episodes, evaluation.cut) == (5, 5)
    assert evaluation.returns.tolist() == [-30.0] * 5
    assert evaluation.lengths.tolist() == [30] * 5
    assert grade_record(walks_up("CliffWalking-v1"), episodes=3, max_steps=30)["cut"] == 3


def test_more_episodes_than_environments_that_never_end_are_cut() -> None:
    evaluation = walks_up("CliffWalking-v1").evaluate(300, max_steps=4)
    assert (evaluation.episodes, evaluation.cut) == (300, 300)
    assert set(evaluation.lengths) == {4}


@pytest.mark.parametrize("mode", gymnasium.vector.AutoresetMode)
def test_only_episodes_that_have_not_ended_are_cut(mode: gymnasium.vector.AutoresetMode) -> None:
    env = gymnasium.make_vec(
        "rlkit/FrozenLake-v0", 4, slip=1.0, autoreset_mode=mode, vectorization_mode="vector_entry_point"
    )
    agent = PPO(env, hidden=(8,))
    settings = {"episodes": 200, "seed": 7, "stochastic": True}
    whole = evaluate_on(agent.policy, env, **settings, max_steps=100)
    assert whole.cut == 0, "the limit of the environment comes at the same step"
    some = evaluate_on(agent.policy, env, **settings, max_steps=6)
    assert some.episodes == 200
    assert 0 < some.cut < 200
    assert some.cut <= (some.lengths == 6).sum()
    assert some.lengths.max() == 6
    assert (whole.lengths > 6).mean() == pytest.approx(some.cut / 200, abs=0.15)


def test_a_policy_that_never_arrives_says_so_beside_its_percent() -> None:
    """On the slippery cliff it loses little by discounted reward, and everything in the long run."""
    record = grade_record(walks_up("CliffWalkingSlippery-v1"), episodes=2, max_steps=30)
    discounted, unlimited = record["objectives"]["discounted"], record["objectives"]["unlimited"]
    assert discounted["percent_of_optimum"] > 80
    assert (discounted["ends"], unlimited["ends"]) == (0, 0)
    assert discounted["note"] == "no episode ends, worth -inf in the long run"
    assert (unlimited["note"], unlimited["percent_of_optimum"]) == ("no episode ends", None)
    for width in (60, 80, 200):
        lines = [line.strip() for line in shown_text(record, width).splitlines()]
        assert any(line.endswith("85.31") for line in lines)
        assert "discounted: no episode ends, worth -inf in the long run" in lines, (
            "below the table, in one line"
        )


def test_a_grade_says_with_what_it_was_made() -> None:
    record = grade_record(PPO("rlkit/GridWorld-v0", env_kwargs={"slip": 0.3}), episodes=2, seed=9)
    assert (record["env_kwargs"], record["evaluation_seed"], record["seed"]) == ({"slip": 0.3}, 9, 0)
    assert "  graded with slip=0.3, episodes of seed 9 " in shown_text(record, 80)
    record = grade_record(PPO("rlkit/MDP-v0", env_kwargs={"mdp": rlkit.exact("rlkit/Exam-v0")}), episodes=2)
    assert json.loads(json.dumps(record))["evaluation_seed"] is None
    record = grade_record(PPO("rlkit/Exam-v0"), episodes=2)
    assert "graded with" not in shown_text(record, 200)


def test_who_ends_now_and_then_says_nothing_and_ends_with_its_probability() -> None:
    found = grade(PPO("rlkit/FrozenLake-v0", seed=1), stochastic=True).objectives
    played = PPO("rlkit/FrozenLake-v0", seed=1).evaluate(4_000, stochastic=True, seed=2)
    assert found["time-limited"].ends == pytest.approx((played.lengths < 100).mean(), abs=0.02)
    assert found["unlimited"].ends == pytest.approx(1)
    assert all(score.note is None for score in found.values())
    assert grade(PPO("rlkit/RiverSwim-v0")).score.ends is None, "nothing ends there but by the limit"


def test_ends_are_counted_where_rewards_fade() -> None:
    model = rlkit.exact("rlkit/Empty8x8-v0")
    mdp = model.mdp
    assert mdp.reward_decay
    policy = uniform_policy(mdp)
    over = state_distribution(mdp, policy, steps=256)[mdp.terminal].sum()
    assert ends(mdp, policy, mdp.terminal, 256) == pytest.approx(over, abs=1e-12)


def test_a_mean_above_the_optimum_is_called_sampling_error() -> None:
    record = grade_record(PPO("rlkit/Exam-v0"), episodes=20)
    assert record["return_note"] is None
    lucky = summarise(np.array([1.0, 0.6]), np.array([3, 3]))
    assert above(lucky, -0.159) == "above the optimum -0.159: the sampling error of 2 episodes"
    assert above(lucky, 0.9) is None
    cut = summarise(np.array([1.0, 0.6]), np.array([3, 3]), cut=1)
    assert (
        above(cut, -0.159)
        == "above the optimum -0.159: 1 were cut, and there is the sampling error of 2 episodes"
    )
    assert "above the optimum -0.159" in shown_text(record | {"return_note": above(lucky, -0.159)}, 80)


def shown_text(record: dict[str, Any], width: int) -> str:
    return reports.shown(rlkit.report.grade(record), width)
