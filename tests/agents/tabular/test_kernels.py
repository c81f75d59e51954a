"""Kernels against numbers worked out by hand, and against the returns as the book defines them."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from tabular_steps import rule, table, transitions

from rlkit.agents.tabular import kernels
from rlkit.agents.tabular.records import Table, Trace, Window

EVERY = np.zeros(0, dtype=np.int64)
WHOLE = np.iinfo(np.int64).max
ENDINGS = ["terminated", "truncated"]


def ints(*values: Any) -> Any:
    return np.array(values, dtype=np.int64)


# Policies


def test_greedy_takes_the_lowest_of_the_best_legal_actions() -> None:
    q = np.array([3.0, 1.0, 2.0, 2.0])
    assert kernels.greedy(q, np.ones(4, np.bool_)) == 0
    assert kernels.greedy(q, np.array([False, True, True, True])) == 2
    assert kernels.greedy(q, np.zeros(4, np.bool_)) == 0


def test_epsilon_greedy_spreads_the_unit_interval() -> None:
    """Legal are 0, 2 and 3, the last two best: u in [0, .3) is random, and the two share the rest."""
    q, legal = np.array([1.0, 9.0, 5.0, 5.0]), np.array([True, False, True, True])
    by_u = {0.0: 0, 0.099: 0, 0.101: 2, 0.199: 2, 0.201: 3, 0.299: 3, 0.31: 2, 0.64: 2, 0.66: 3, 0.9999: 3}
    assert {u: kernels.epsilon_greedy(q, legal, 0.3, u) for u in by_u} == by_u
    last = np.nextafter(1.0, 0.0)
    assert kernels.epsilon_greedy(q, legal, 1.0, last) == 3
    assert kernels.epsilon_greedy(q, legal, 0.0, last) == 3


def test_expected_value_is_that_of_epsilon_greedy() -> None:
    q, legal = np.array([1.0, 9.0, 5.0]), np.array([True, False, True])
    u = (np.arange(10_000) + 0.5) / 10_000
    drawn = [q[kernels.epsilon_greedy(q, legal, 0.4, x)] for x in u]
    assert kernels.expected_value(q, legal, 0.4) == pytest.approx(0.6 * 5 + 0.4 * 3)
    assert np.mean(drawn) == pytest.approx(0.6 * 5 + 0.4 * 3, rel=1e-3)
    assert kernels.expected_value(q, legal, 0.0) == 5


def test_actions_already_chosen_stay() -> None:
    action = ints(1, 1, 1)
    mask = np.array([[True, True], [True, True], [False, True]])
    chosen = np.array([True, False, False])
    kernels.act(np.array([[2.0, 1.0]]), ints(0, 0, 0), mask, 0.0, np.zeros(3), chosen, action)
    assert action.tolist() == [1, 0, 1]


# One step


@pytest.mark.parametrize(
    ("epsilon", "end", "mask", "expected"),
    [
        (0.0, "", (1, 1), 0.5 * (1 + 0.5 * 4)),
        (0.0, "truncated", (1, 1), 0.5 * (1 + 0.5 * 4)),
        (0.0, "terminated", (1, 1), 0.5 * 1),
        (0.0, "terminated", (0, 0), 0.5 * 1),
        (0.0, "", (1, 0), 0.5 * (1 + 0.5 * 2)),
        (0.5, "", (1, 1), 0.5 * (1 + 0.5 * 3.5)),
        (0.5, "", (1, 0), 0.5 * (1 + 0.5 * 2)),
        (0.5, "invalid", (1, 1), 0.0),
    ],
)
def test_expected_sarsa(epsilon: float, end: str, mask: Any, expected: Any) -> None:
    it = table([[0, 0], [2, 4]])
    error = kernels.expected_sarsa(it, transitions((0, 0, 1.0, 1, end), masks=[mask]), rule(), epsilon)
    assert it.q.tolist() == [[expected, 0], [2, 4]]
    assert error == 2 * expected
    assert it.visits.sum() == (end != "invalid")


def test_a_later_environment_knows_what_an_earlier_one_learned() -> None:
    it = table([[0, 0], [0, 0]])
    steps = transitions((1, 0, 4.0, 0, "terminated"), (0, 1, 0.0, 1, ""), (1, 0, 4.0, 0, "terminated"))
    kernels.expected_sarsa(it, steps, rule(), 0.0)
    assert it.q.tolist() == [[0, 0.5 * 0.5 * 2], [3, 0]]


def test_step_size_falls_with_visits() -> None:
    rewards = [4.0, 8.0, 3.0]
    it = table([[7, 0]])
    for r in rewards:
        kernels.expected_sarsa(it, transitions((0, 0, r, 0, "terminated")), rule(alpha=1, omega=1), 0.0)
    assert it.q[0, 0] == pytest.approx(np.mean(rewards))
    assert kernels.step_size(rule(alpha=0.5, omega=0.5), 16) == pytest.approx(0.125)
    assert kernels.step_size(rule(alpha=0.5, omega=0.0), 16) == 0.5


def test_double_q_asks_one_table_and_values_with_the_other() -> None:
    q = np.array([[[0.0, 0.0], [1.0, 2.0]], [[0.0, 0.0], [30.0, 10.0]]])
    visits, mean = np.zeros(q.shape, np.int64), q.mean(0)
    steps = transitions((0, 0, 1.0, 1, ""), (0, 1, 1.0, 1, ""), (0, 1, 1.0, 1, "terminated"))
    kernels.double_q(mean, q, visits, steps, rule(), np.array([0.1, 0.5, 0.4]))
    assert q[0].tolist() == [[0.5 * (1 + 0.5 * 10), 0.5], [1, 2]]  # argmax of the first is 1, worth 10
    assert q[1].tolist() == [[0, 0.5 * (1 + 0.5 * 1)], [30, 10]]  # argmax of the second is 0, worth 1
    assert (mean == q.mean(0)).all()
    assert visits.tolist() == [[[1, 1], [0, 0]], [[0, 1], [0, 0]]]


def test_double_q_keeps_to_legal_actions() -> None:
    q = np.array([[[0.0, 0.0], [1.0, 2.0]], [[0.0, 0.0], [30.0, 10.0]]])
    steps = transitions((0, 0, 1.0, 1, ""), masks=[[1, 0]])
    kernels.double_q(q.mean(0), q, np.zeros(q.shape, np.int64), steps, rule(), np.array([0.1]))
    assert q[0, 0, 0] == 0.5 * (1 + 0.5 * 30)


# Returns over many steps, against their definitions


class Episode:
    """A random episode of one environment, with an action chosen at its end."""

    def __init__(self, rng: Any, *, length: Any, end: Any, n_states: int = 4) -> None:
        self.end = end
        self.state = rng.integers(n_states, size=length + 1)
        self.action = rng.integers(2, size=length + 1)
        self.reward = rng.normal(size=length).astype(np.float32).astype(np.float64)
        self.length = length

    def steps(self) -> Iterator[Any]:
        """(transitions of one environment, the next action) in order."""
        for k in range(self.length):
            end = self.end if k == self.length - 1 else ""
            step = (self.state[k], self.action[k], self.reward[k], self.state[k + 1], end)
            yield transitions(step), self.action[k + 1 : k + 2].copy()

    def n_step_return(self, q: Any, k: Any, n: Any, gamma: Any) -> Any:
        """G_{k:k+n} of S&B (7.4), cut short by the end of the episode."""
        last = min(k + n, self.length)
        g = sum(gamma ** (j - k) * self.reward[j] for j in range(k, last))
        if last == self.length and self.end == "terminated":
            return g
        return g + gamma ** (last - k) * q[self.state[last], self.action[last]]

    def lambda_return(self, q: Any, k: Any, lambda_: Any, gamma: Any) -> Any:
        """(1 - lambda) sum_n lambda^(n-1) G_{k:k+n}, the rest of the weight on the last (S&B 12.3)."""
        left = self.length - k
        g = [self.n_step_return(q, k, n, gamma) for n in range(1, left + 1)]
        weights = [(1 - lambda_) * lambda_ ** (n - 1) for n in range(1, left)] + [lambda_ ** (left - 1)]
        return np.dot(weights, g)


def learn_n_step(it: Any, episodes: Any, *, n: Any, first: Any = EVERY, **options: Any) -> Any:
    window = Window.empty(1, 64)
    for episode in episodes:
        for step, next_action in episode.steps():
            kernels.n_step_sarsa(it, step, next_action, window, first, rule(**options), n)
    return it


@pytest.mark.parametrize("end", ENDINGS)
@pytest.mark.parametrize("n", [1, 2, 3, 7, 20])
def test_n_step_sarsa_follows_the_definition(n: int, end: Any) -> None:
    """Updates in the order of the book, but that the end of an episode completes returns newest first."""
    rng = np.random.default_rng(n)
    q = rng.normal(size=(4, 2))
    episodes = [Episode(rng, length=length, end=end) for length in (9, 1, 5)]
    it = learn_n_step(table(q), episodes, n=n)
    for e in episodes:
        for t in range(e.length):
            if t == e.length - 1:
                pending = range(max(0, t - n + 1), e.length)
                returns = {k: e.n_step_return(q, k, n, 0.5) for k in pending}
                for k in reversed(pending):
                    q[e.state[k], e.action[k]] += 0.5 * (returns[k] - q[e.state[k], e.action[k]])
            elif t >= n - 1:
                k = t - n + 1
                q[e.state[k], e.action[k]] += 0.5 * (
                    e.n_step_return(q, k, n, 0.5) - q[e.state[k], e.action[k]]
                )
    np.testing.assert_allclose(it.q, q, atol=1e-12)


@pytest.mark.parametrize("end", ENDINGS)
@pytest.mark.parametrize("first_visit", [False, True])
def test_monte_carlo_averages_brute_force_returns(first_visit: bool, end: Any) -> None:
    rng = np.random.default_rng(3)
    q = rng.normal(size=(4, 2))
    episode = Episode(rng, length=30, end=end)
    first = np.zeros(8, np.int64) if first_visit else EVERY
    it = learn_n_step(table(q), [episode], n=WHOLE, first=first, alpha=1, omega=1)
    returns: dict[Any, Any] = {}
    for k in range(episode.length):
        g = sum(0.5 ** (j - k) * episode.reward[j] for j in range(k, episode.length))
        g += 0.5 ** (30 - k) * q[episode.state[30], episode.action[30]] * (end == "truncated")
        returns.setdefault((episode.state[k], episode.action[k]), []).append(g)
    for pair, all_returns in returns.items():
        expected = all_returns[0] if first_visit else np.mean(all_returns)
        assert it.q[pair] == pytest.approx(expected)
    assert it.visits.sum() == (len(returns) if first_visit else 30)
    assert it.visits.sum() != (30 if first_visit else len(returns))


def test_sarsa_by_hand() -> None:
    it = table([[0, 0], [2, 4]])
    step = transitions((0, 0, 1.0, 1, ""), (0, 1, 1.0, 1, "truncated"), (1, 1, 1.0, 0, "terminated"))
    kernels.n_step_sarsa(it, step, ints(0, 1, 0), Window.empty(3, 1), EVERY, rule(), 1)
    assert it.q.tolist() == [[0.5 * (1 + 0.5 * 2), 0.5 * (1 + 0.5 * 4)], [2, 2.5]]


def test_a_window_that_outlives_its_episode_would_be_noticed() -> None:
    """(0, 0) ends an episode by a time limit; the next one must not change it."""
    last, then = transitions((0, 0, 1.0, 1, "truncated")), transitions((1, 0, 8.0, 1, "terminated"))
    right, wrong = table([[0, 0], [2, 4]]), table([[0, 0], [2, 4]])
    for it, first in ((right, last), (wrong, last._replace(done=np.array([False])))):
        window = Window.empty(1, 3)
        kernels.n_step_sarsa(it, first, ints(0), window, EVERY, rule(), 3)
        kernels.n_step_sarsa(it, then, ints(0), window, EVERY, rule(), 3)
    assert right.q[0, 0] == 0.5 * (1 + 0.5 * 2)
    assert wrong.q[0, 0] == 0.5 * (1 + 0.5 * 8)


@pytest.mark.parametrize("kernel", ["n_step_sarsa", "lambda_step"])
def test_a_step_that_is_none_forgets_what_came_before(kernel: str) -> None:
    it = table([[0, 0], [0, 0]])
    before, gap = transitions((0, 0, 0.0, 1, "")), transitions((1, 0, 0.0, 1, "invalid"))
    after = transitions((1, 0, 8.0, 1, "terminated"))
    window, trace = Window.empty(1, 4), Trace.empty(1, 4)
    for step in (before, gap, after):
        if kernel == "n_step_sarsa":
            kernels.n_step_sarsa(it, step, ints(0), window, EVERY, rule(), 3)
        else:
            learn_lambda_step(it, step, 0, trace)
    assert it.q.tolist() == [[0, 0], [4, 0]]


# Traces


def learn_lambda_step(
    it: Any,
    step: Any,
    next_action: Any,
    trace: Any,
    *,
    lambda_: float = 0.8,
    cutoff: float = 0.0,
    replacing: bool = False,
    watkins: bool = False,
    **options: Any,
) -> None:
    action = ints(next_action)
    kernels.lambda_step(it, step, action, trace, rule(**options), lambda_, cutoff, replacing, watkins)


def learn_lambda(it: Any, episodes: Any, **options: Any) -> Any:
    trace = Trace.empty(1, 64)
    for episode in episodes:
        for step, next_action in episode.steps():
            learn_lambda_step(it, step, int(next_action[0]), trace, **options)
    return it


@pytest.mark.parametrize("end", ENDINGS)
def test_traces_give_the_lambda_return_for_small_steps(end: Any) -> None:
    """Forward view = backward view, off-line (S&B 12.2): to first order in alpha, repeated pairs included."""
    rng = np.random.default_rng(4)
    q = rng.normal(size=(4, 2))
    episodes = [Episode(rng, length=length, end=end) for length in (12, 1, 6)]
    it = learn_lambda(table(q), episodes, alpha=1e-7)
    expected = np.zeros_like(q)
    for e in episodes:
        for k in range(e.length):
            pair = e.state[k], e.action[k]
            expected[pair] += e.lambda_return(q, k, 0.8, 0.5) - q[pair]
    np.testing.assert_allclose((it.q - q) / 1e-7, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("end", ENDINGS)
@pytest.mark.parametrize("replacing", [False, True])
def test_traces_give_the_lambda_return_where_no_pair_repeats(end: Any, replacing: bool) -> None:
    rng = np.random.default_rng(5)
    q = rng.normal(size=(10, 2))
    episode = Episode(rng, length=9, end=end)
    episode.state = rng.permutation(10)
    it = learn_lambda(table(q), [episode], alpha=0.3, replacing=replacing)
    for k in range(episode.length):
        pair = episode.state[k], episode.action[k]
        expected = q[pair] + 0.3 * (episode.lambda_return(q, k, 0.8, 0.5) - q[pair])
        assert it.q[pair] == pytest.approx(expected, abs=1e-12)


def test_accumulating_and_replacing_by_hand() -> None:
    """Twice (0, 0), then the end with reward 1: the traces of (0, 0) are 0.4 and 1."""
    steps = transitions((0, 0, 0.0, 0, "")), transitions((0, 0, 1.0, 0, "terminated"))
    for replacing, expected in ((False, 0.5 * 1.4), (True, 0.5)):
        it, trace = table([[0, 0]]), Trace.empty(1, 4)
        for step in steps:
            learn_lambda_step(it, step, 0, trace, replacing=replacing)
        assert it.q[0, 0] == pytest.approx(expected)


def test_a_small_trace_is_dropped() -> None:
    steps = transitions((0, 0, 0.0, 1, "")), transitions((1, 0, 1.0, 0, "terminated"))
    for cutoff, expected in ((0.39, 0.5 * 0.4), (0.41, 0.0)):
        it, trace = table([[0, 0], [0, 0]]), Trace.empty(1, 4)
        for step in steps:
            learn_lambda_step(it, step, 0, trace, cutoff=cutoff)
        assert it.q[0, 0] == pytest.approx(expected)


def test_watkins_bootstraps_with_the_best_and_cuts_where_another_is_taken() -> None:
    for next_action, credit in ((1, 0.4), (0, 0.0)):
        it, trace = table([[0, 0], [2, 4]]), Trace.empty(1, 4)
        learn_lambda_step(it, transitions((0, 0, 1.0, 1, "")), next_action, trace, watkins=True)
        assert it.q[0, 0] == 0.5 * (1 + 0.5 * 4)
        before = it.q.copy()
        step = transitions((1, next_action, 9.0, 0, "terminated"))
        learn_lambda_step(it, step, 0, trace, watkins=True)
        delta = 9 - before[1, next_action]
        assert it.q[0, 0] - before[0, 0] == pytest.approx(0.5 * delta * credit)


def test_watkins_takes_the_best_among_legal_actions() -> None:
    it, trace = table([[0, 0], [2, 4]]), Trace.empty(1, 4)
    learn_lambda_step(it, transitions((0, 0, 1.0, 1, ""), masks=[[1, 0]]), 0, trace, watkins=True)
    assert it.q[0, 0] == 0.5 * (1 + 0.5 * 2)
    assert trace.length[0] == 1  # the only legal action is greedy, though another would be worth more


def test_a_trace_that_outlives_its_episode_would_be_noticed() -> None:
    last, then = transitions((0, 0, 1.0, 1, "truncated")), transitions((1, 1, 8.0, 1, "terminated"))
    right, wrong = table([[0, 0], [2, 4]]), table([[0, 0], [2, 4]])
    for it, first in ((right, last), (wrong, last._replace(done=np.array([False])))):
        trace = Trace.empty(1, 3)
        learn_lambda_step(it, first, 0, trace)
        learn_lambda_step(it, then, 0, trace)
    assert right.q[0, 0] == 0.5 * (1 + 0.5 * 2)
    assert wrong.q[0, 0] == pytest.approx(right.q[0, 0] + 0.5 * (8 - 4) * 0.4)


def test_traces_use_the_step_size_of_each_pair() -> None:
    it = Table(np.zeros((2, 2)), np.array([[3, 0], [0, 0]]))
    trace = Trace.empty(1, 4)
    options = {"alpha": 1.0, "omega": 1.0, "lambda_": 1.0, "gamma": 1.0}
    learn_lambda_step(it, transitions((0, 0, 0.0, 1, "")), 0, trace, **options)
    learn_lambda_step(it, transitions((1, 0, 1.0, 0, "terminated")), 0, trace, **options)
    assert it.q.tolist() == [[0.25, 0], [1, 0]]
