"""The grade of agents with memory: exact by pairs of state and memory, else a regret with an interval."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import rlkit
from rlkit.agents import PPO, Agent
from rlkit.core import MDP, POMDP, from_triplets
from rlkit.evaluate import grade, grade_record, shown
from rlkit.evaluate.pairs import chain_of_pairs
from rlkit.evaluate.scoring import Score
from rlkit.nn.policy import Policy
from rlkit.solvers import belief_mdp, evaluate_policy, optima, solve

Rule = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class Scripted(PPO):
    """Remembers one number, and goes by a rule: (observation, number) -> (action probabilities, number)."""

    def __init__(self, id: str, rule: Rule, **settings: object) -> None:
        super().__init__(id, hidden=(2,), **settings)
        self.learner.policy = ScriptedPolicy(self.policy, rule)


class ScriptedPolicy(Policy):
    def __init__(self, like: Policy, rule: Rule) -> None:
        parts = (like.encoder, like.network, like.head, like.action_space)
        super().__init__(*parts, device=like.device, seed=0)
        self.rule = rule

    def initial_state(self, batch: Any) -> Any:
        return (torch.zeros(batch, dtype=torch.int64),)

    def probabilities(self, obs: Any, state: Any, reset: Any, mask: Any, *, stochastic: Any) -> Any:
        chances, number = self.rule(obs, torch.where(reset, 0, state[0]))
        return chances.double(), (number,)

    def choose(self, obs: Any, state: Any, reset: Any, mask: Any, generator: Any) -> Any:
        chances, state = self.probabilities(obs, state, reset, mask, stochastic=True)
        return chances.multinomial(1, generator=torch.default_generator).squeeze(-1), state


@pytest.fixture
def sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pairs are expanded."""
    monkeypatch.setattr("rlkit.evaluate.pairs.MOST_PAIRS", 0)


def plan(id: str, horizon: int) -> Rule:
    """The optimal plan under a time limit, which counts steps."""
    mdp = rlkit.exact(id)
    best = solve(mdp, gamma=1.0, horizon=horizon)
    assert best.plan is not None
    action = torch.as_tensor(np.where(best.plan < 0, 0, mdp.action[best.plan]))  # [H, S]

    def rule(obs: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
        taken = action[step.clamp(max=horizon - 1), obs.long()].long()
        return torch.nn.functional.one_hot(taken, mdp.n_actions), step + 1

    return rule


def of_beliefs(id: str, horizon: int) -> Rule:
    """The optimal plan over beliefs; the number codes the step, the belief and the last action."""
    pomdp = rlkit.exact(id)
    assert isinstance(pomdp, POMDP)
    agent = PPO(id, hidden=(2,))
    beliefs = belief_mdp(pomdp, horizon=horizon)
    mdp, n, a = beliefs.mdp, beliefs.mdp.n_states, beliefs.mdp.n_actions
    best = solve(mdp, gamma=1.0, horizon=horizon)
    assert best.plan is not None
    action = np.where(best.plan < 0, 0, mdp.action[best.plan])
    obs = shown(agent, pomdp.mdp).obs.numpy()
    seen = {int(obs[s]): int(pomdp.observation[s]) for s in np.flatnonzero(~pomdp.mdp.terminal)}
    after = {}
    for c in range(mdp.n_choices):
        for s in mdp.successor[mdp.choice_ptr[c] : mdp.choice_ptr[c + 1]].tolist():
            after[int(mdp.state_of_choice[c]), int(mdp.action[c]), int(beliefs.observation[s])] = s
    first = {int(beliefs.observation[s]): s for s in np.flatnonzero(mdp.initial).tolist()}

    def one(o: int, number: int) -> tuple[int, int]:
        step, belief, last = number // (n * a), number // a % n, number % a
        here = first[seen[o]] if step == 0 else after.get((belief, last, seen[o]), belief)
        taken = int(action[min(step, horizon - 1), here])
        return taken, ((step + 1) * n + here) * a + taken

    def rule(obs: Tensor, number: Tensor) -> tuple[Tensor, Tensor]:
        pairs = zip(obs.tolist(), number.tolist(), strict=True)
        taken, numbers = torch.tensor([one(*pair) for pair in pairs]).T
        return torch.nn.functional.one_hot(taken, a), numbers

    return rule


@pytest.mark.usefixtures("sampled")
@pytest.mark.parametrize(
    "make",
    [
        lambda: Scripted("FrozenLake-v1", plan("FrozenLake-v1", 100)),
        lambda: Scripted("rlkit/TMaze-v0", of_beliefs("rlkit/TMaze-v0", 50)),
        lambda: Scripted("rlkit/Tiger-v0", of_beliefs("rlkit/Tiger-v0", 50)),
    ],
    ids=["states", "beliefs", "noisy beliefs"],
)
def test_who_plays_optimally_has_no_regret_in_any_episode(make: Callable[[], Agent]) -> None:
    found = grade(make()).score
    assert found.sampled
    assert (found.regret, found.regret_ci95) == (0.0, (0.0, 0.0))
    assert (found.percent_of_optimum, found.percent_ci95) == (100, (100, 100))
    assert found.value == found.optimum


def test_who_plays_optimally_is_graded_exactly_where_pairs_are_few() -> None:
    found = grade(Scripted("FrozenLake-v1", plan("FrozenLake-v1", 100))).score
    assert not found.sampled
    assert found.percent_of_optimum == pytest.approx(100, abs=1e-9)


SLIP, EVERY = 0.7, 2  # the probability of another than the best action on every second step


def clumsy(mdp: MDP) -> Rule:
    """The optimal action of the exam, but on every second step often another."""
    best = torch.as_tensor(np.maximum(solve(mdp, gamma=1.0).policy, 0))

    def rule(obs: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
        chances = torch.nn.functional.one_hot(best[obs.long()].long(), mdp.n_actions).double()
        slip = SLIP * (step == EVERY - 1).double().unsqueeze(-1)
        return (1 - slip) * chances + slip * chances.roll(1, dims=-1), (step + 1) % EVERY

    return rule


def by_hand(mdp: MDP, gamma: float) -> float:
    """The value of `clumsy` on the model of a state and a step modulo two."""
    best, rows = np.maximum(solve(mdp, gamma=1.0).policy, 0), []
    policy = np.zeros((mdp.n_states * EVERY, mdp.n_actions))
    for c in range(mdp.n_choices):
        s, a = int(mdp.state_of_choice[c]), int(mdp.action[c])
        for step in range(EVERY):
            slip = SLIP * (step == EVERY - 1)
            other = (best[s] + 1) % mdp.n_actions
            policy[s * EVERY + step, a] = (1 - slip) * (a == best[s]) + slip * (a == other)
            for t in range(mdp.choice_ptr[c], mdp.choice_ptr[c + 1]):
                to = int(mdp.successor[t]) * EVERY + (step + 1) % EVERY
                rows.append((s * EVERY + step, a, to, mdp.probability[t], mdp.reward[c]))
    source, action, target, probability, reward = map(np.array, zip(*rows, strict=True))
    initial = np.zeros(mdp.n_states * EVERY)
    initial[::EVERY] = mdp.initial
    product = from_triplets(
        source,
        action,
        target,
        probability,
        reward=reward,
        n_states=len(initial),
        initial=initial,
    )
    return product.expectation(evaluate_policy(product, policy, gamma=gamma))


@pytest.mark.filterwarnings("ignore:.*unreachable|.*reach")
def test_pairs_are_exact() -> None:
    mdp = rlkit.exact("rlkit/Exam-v0")
    agent = Scripted("rlkit/Exam-v0", clumsy(mdp), gamma=0.9)
    found = grade(agent).objectives
    assert not any(score.sampled for score in found.values())
    assert found["unlimited"].value == pytest.approx(by_hand(mdp, 1.0), abs=1e-12)
    assert found["discounted"].value == pytest.approx(by_hand(mdp, 0.9), abs=1e-12)
    assert found["unlimited"].regret > 0.01
    chain = chain_of_pairs(agent, shown(agent, mdp), horizon=None, stochastic=False)
    assert chain is not None
    assert chain.mdp.n_states <= EVERY * mdp.n_states


def test_a_sample_agrees_with_the_exact_value(monkeypatch: pytest.MonkeyPatch) -> None:
    mdp = rlkit.exact("rlkit/Exam-v0")
    agent = Scripted("rlkit/Exam-v0", clumsy(mdp))
    exact = grade(agent).score
    monkeypatch.setattr("rlkit.evaluate.pairs.MOST_PAIRS", 0)
    samples = [grade(agent, seed=seed).score for seed in range(20)]
    inside = [low <= exact.regret <= high for low, high in (s.regret_ci95 for s in samples)]
    assert sum(inside) >= 16, "of 95 % intervals"
    assert len({s.regret for s in samples}) == 20, "another seed is another sample"
    assert samples[3] == grade(agent, seed=3).score
    for s in samples:
        low, high = s.percent_ci95
        assert low < s.percent_of_optimum < high
        assert (high - low) / 2 <= 0.5 * 1.05, "the precision, of the deviation that was estimated before"
        assert (s.value, s.reason) == (pytest.approx(s.optimum - s.regret), None)


def test_regrets_of_a_time_limit_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network with memory, on states that look alike."""
    agent = PPO("rlkit/TMaze-v0", backbone="gru", hidden=(8,), seed=3)
    exact = grade(agent).score
    monkeypatch.setattr("rlkit.evaluate.pairs.MOST_PAIRS", 0)
    beliefs = grade(agent).score
    monkeypatch.setattr(
        optima, "belief_mdp", lambda pomdp, **how: belief_mdp(pomdp, **how | {"max_beliefs": 2})
    )
    hidden = grade(agent).score
    for score in (beliefs, hidden):
        assert score.sampled
        assert abs(score.value - exact.value) <= 1.5 * half(score) + 1e-9
        assert score.ends == pytest.approx(exact.ends, abs=0.05)
    assert (exact.sees, beliefs.sees, hidden.sees) == ("beliefs", "beliefs", "hidden states")
    played = agent.evaluate(200)
    error = 2 * (played.ci95[1] - played.mean_return) + 1e-6  # rewards are played in float32
    assert exact.value == pytest.approx(played.mean_return, abs=error)


@pytest.mark.usefixtures("sampled")
def test_what_is_left_when_time_is_over_has_not_ended() -> None:
    """Beliefs that are first reached at the limit have no successors, like the end."""
    agent = Scripted("rlkit/TMaze-v0", always(2), env_kwargs={"max_episode_steps": 4})  # to the right
    found = grade(agent).score
    assert (found.sampled, found.ends, found.note) == (True, 0.0, "no episode ends in 4 steps")


def always(action: int) -> Rule:
    def rule(obs: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
        return torch.nn.functional.one_hot(torch.full_like(obs.long(), action), 4), step + 1

    return rule


def half(score: Score) -> float:
    assert score.regret_ci95 is not None
    return (score.regret_ci95[1] - score.regret_ci95[0]) / 2


@pytest.mark.usefixtures("sampled")
def test_episodes_that_do_not_end_have_no_sampled_value(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a circle costs nothing their regret so far would be too small."""
    monkeypatch.setattr("rlkit.evaluate.regret.LONGEST", 50)
    monkeypatch.setattr("rlkit.evaluate.regret.FEWEST", 20)
    found = grade(Scripted("CliffWalking-v1", always(3))).score
    assert (found.value, found.percent_of_optimum) == (None, None)
    assert found.reason == "20 of 20 sampled episodes did not end"
    assert (found.ends, found.note) == (0.0, "no episode ends")


@pytest.mark.usefixtures("sampled")
def test_what_is_sampled_is_not_called_exact() -> None:
    record = grade_record(Scripted("rlkit/Exam-v0", clumsy(rlkit.exact("rlkit/Exam-v0"))), episodes=20)
    assert record["exact"] is None
    assert record["sampled"] == record["objectives"]["unlimited"]
    assert record["sampled"]["episodes"] >= 1000
    assert list(record["objectives"]) == ["unlimited"], "only the headline is sampled"
