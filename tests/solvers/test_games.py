"""Games solved exactly, against known values, brute force and a wrong solution."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rlkit.core import MDP, ModelError, NoExactModel, TableModel, enumerate_model, from_outcomes
from rlkit.core.files import read_model, write_model
from rlkit.core.pomdp import pomdp_of
from rlkit.envs.games import ConnectFour, Go, Othello, SelfPlay, TicTacToe, tic_tac_toe
from rlkit.envs.wrappers import StickyActions
from rlkit.solvers import (
    SolveError,
    average_reward,
    belief_bounds,
    belief_mdp,
    best_memoryless,
    best_stationary,
    evaluate_policy,
    optimum,
    point_based,
    solve,
    stochastic_memoryless,
    uniform_policy,
    verify,
)


def by_recursion(mdp: Any, gamma: float = 1.0) -> Any:
    """Value of each state for its mover, one state at a time."""
    known = {}

    def value(s: Any) -> Any:
        if s not in known:
            known[s] = 0.0 if mdp.terminal[s] else max(worth(c) for c in range(*mdp.state_ptr[s : s + 2]))
        return known[s]

    def worth(c: Any) -> Any:
        after = range(*mdp.choice_ptr[c : c + 2])
        return mdp.reward[c] - gamma * sum(mdp.probability[t] * value(int(mdp.successor[t])) for t in after)

    return np.array([value(s) for s in range(mdp.n_states)])


def random_game(seed: Any, states: int = 40) -> Any:
    """A game with chance that only leads to states of larger number."""
    rng = np.random.default_rng(seed)
    rows = []
    for s in range(states - 1):
        for a in range(3):
            after = rng.integers(s + 1, states, size=2)
            rows += [(s, a, int(t), 0.5, float(rng.integers(-3, 4)), t == states - 1) for t in after]
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    return replace(from_outcomes(*columns, initial=np.eye(states)[0]), zero_sum=True)


def test_tic_tac_toe_is_a_draw() -> None:
    mdp = enumerate_model(SelfPlay(TicTacToe()))
    solution = solve(mdp)
    assert solution.initial == (0, 0, 0)
    assert solution.residual == 0
    assert solution.method == "value-iteration"
    assert verify(mdp, solution) == []
    assert (solution.value == by_recursion(mdp)).all()
    counts = [(solution.value[~mdp.terminal] == v).sum() for v in (-1, 0, 1)]
    assert all(counts)
    assert sum(counts) == 4520  # of 5478 positions, 958 are over


def test_its_policy_never_loses() -> None:
    """Against every opponent: where the best one plays, the agent with the optimal policy is worth 0."""
    mdp = enumerate_model(SelfPlay(TicTacToe()))
    policy = solve(mdp).policy
    assert evaluate_policy(mdp, policy)[0] == 0
    # One MDP for each side: the policy's states keep one choice; the other side maximises the policy's loss.
    depth = np.zeros(mdp.n_states, dtype=int)
    for s in np.argsort(mdp.state_of_choice, kind="stable"):
        depth[mdp.successor[s]] = depth[mdp.state_of_choice[s]] + 1
    value = np.zeros(mdp.n_states)
    for mine in (0, 1):
        for s in np.argsort(-depth, kind="stable"):
            choices = range(*mdp.state_ptr[s : s + 2])
            worth = {int(mdp.action[c]): mdp.reward[c] - value[mdp.successor[c]] for c in choices}
            if worth:
                value[s] = worth[int(policy[s])] if depth[s] % 2 == mine else max(worth.values())
        assert (value[0] if mine == 0 else -value[0]) == 0


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("gamma", [1.0, 0.9])
def test_random_games_by_recursion(seed: int, gamma: float) -> None:
    mdp = random_game(seed)
    solution = solve(mdp, gamma=gamma)
    assert solution.value == pytest.approx(by_recursion(mdp, gamma), abs=1e-12)
    assert solution.residual <= 1e-12
    assert verify(mdp, solution) == []
    whole = solve(mdp, gamma=gamma, horizon=mdp.n_states)
    assert whole.value == pytest.approx(solution.value, abs=1e-12)
    assert verify(mdp, whole) == []


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("horizon", [None, 1, 4])
def test_a_policy_is_worth_what_a_best_response_leaves_it(seed: int, horizon: int | None) -> None:
    """The one who answers has an MDP of its own, in which the policy's moves are chance."""
    mdp = random_game(seed)
    rng = np.random.default_rng(seed)
    policy = rng.random((mdp.n_states, mdp.n_actions)) * mdp.legal
    policy /= np.maximum(policy.sum(axis=1, keepdims=True), 1e-300)
    n, rows = mdp.n_states, []  # state n + s: the policy moves in s
    for c, (s, a) in enumerate(zip(mdp.state_of_choice, mdp.action, strict=True)):
        for t in range(*mdp.choice_ptr[c : c + 2]):
            p, after = mdp.probability[t], int(mdp.successor[t])
            rows += [(s, a, n + after, p, mdp.reward[c], mdp.terminal[after])]
            rows += [(n + s, 0, after, p * policy[s, a], -mdp.reward[c], mdp.terminal[after])]
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    answer = from_outcomes(*columns, initial=np.eye(2 * n)[n])
    found = evaluate_policy(mdp, policy, horizon=horizon)
    assert found == pytest.approx(-solve(answer, horizon=horizon).value[n : 2 * n], abs=1e-9)
    best = solve(mdp, horizon=horizon)
    assert (found <= best.value + 1e-12).all()
    if horizon is None:
        assert evaluate_policy(mdp, best.policy) == pytest.approx(best.value, abs=1e-12)


def test_a_wrong_solution_of_a_game_is_noticed() -> None:
    """With the sign of one player, or a policy that a best response exploits."""
    mdp = random_game(0)
    solution = solve(mdp)
    alone = solve(mdp.with_one_player())
    assert verify(mdp, replace(solution, value=alone.value, lower=alone.value, upper=alone.value)) != []
    assert verify(mdp, replace(solution, choice=alone.choice)) != []
    plan = solve(mdp.with_one_player(), horizon=5)
    assert verify(mdp, replace(plan, mdp=mdp)) != []


@pytest.mark.parametrize(
    ("game", "value"),
    [(ConnectFour(4, 4), 0), (ConnectFour(4, 4, 3), 1), (ConnectFour(3, 3, 3), 0), (Othello(4), -1)],
    ids=["connect four on 4x4", "connect three on 4x4", "connect three on 3x3", "othello on 4x4"],
)
def test_known_games(game: Any, value: int) -> None:
    """Tromp's table for connect four; Othello on 4x4 is won by the second player (Feinstein 1993)."""
    found = optimum(enumerate_model(SelfPlay(game)))
    assert (found.initial.value, found.knows) == (value, "both players")


def test_a_wrong_value_has_a_residual() -> None:
    solution = solve(enumerate_model(SelfPlay(TicTacToe())))
    value = solution.value.copy()
    value[0] = 1
    assert replace(solution, value=value).residual == 1


def test_both_players_are_told_from_one_who_makes_all_moves(tmp_path: Path) -> None:
    """As one decision maker both sides cooperate and win, which is not what the game is worth."""
    game = enumerate_model(wrapped := StickyActions(SelfPlay(TicTacToe()), 0.0))
    write_model(game, tmp_path / "game.json")
    uniform = uniform_policy(game)
    for mdp in (game, read_model(tmp_path / "game.json"), enumerate_model(TableModel(game))):
        assert solve(mdp).initial.value == solve(mdp, horizon=9).initial.value == 0
        assert evaluate_policy(mdp, uniform)[0] < -0.5
        hidden = pomdp_of(mdp, np.arange(mdp.n_states))
        for ask in (
            lambda hidden=hidden: optimum(hidden),
            lambda hidden=hidden: belief_mdp(hidden),
            lambda hidden=hidden: belief_bounds(hidden),
            lambda hidden=hidden: point_based(hidden, horizon=3),
            lambda hidden=hidden: best_memoryless(hidden, horizon=3),
            lambda hidden=hidden: stochastic_memoryless(hidden, horizon=3),
            lambda mdp=mdp: best_stationary(mdp, horizon=3),
            lambda mdp=mdp: average_reward(mdp, uniform),
        ):
            with pytest.raises(NoExactModel, match=r"both players.*name an opponent"):
                ask()
    assert wrapped.zero_sum
    with pytest.raises(ModelError, match="can only be written as"):
        write_model(game, tmp_path / "game.drn")
    assert solve(enumerate_model(SelfPlay(TicTacToe())).with_one_player()).initial.value == 1


def test_who_meets_the_perfect_opponent_gets_the_value_of_the_game() -> None:
    versus = enumerate_model(tic_tac_toe(opponent="perfect"))
    best = solve(versus)
    assert (
        versus.expectation(evaluate_policy(versus, best.policy))
        == 0
        == solve(enumerate_model(tic_tac_toe(opponent=None))).initial.value
    )


def test_play_that_can_come_back_needs_a_horizon() -> None:
    game = enumerate_model(SelfPlay(Go(2)))
    for ask in (solve, lambda game: evaluate_policy(game, uniform_policy(game))):
        with pytest.raises(SolveError, match=r"come back to a state .*horizon"):
            ask(game)
    found = solve(game, horizon=8)
    assert verify(game, found) == []
    assert game.expectation(evaluate_policy(game, uniform_policy(game), horizon=8)) <= found.initial.value


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"objective": "average"}, "two players has the objectives discounted, total, finite-horizon"),
        ({"objective": "reach-prob", "target": [3]}, "two players has the objectives"),
        ({"method": "policy-iteration"}, "total of two players is solved by method auto or value-iteration"),
        ({"gamma": 0.9, "method": "exact"}, "discounted of two players is solved by"),
    ],
)
def test_what_two_players_do_not_have_is_refused(how: Any, message: str) -> None:
    with pytest.raises(SolveError, match=message):
        solve(random_game(0), **how)


def test_gamma_is_checked() -> None:
    mdp: MDP = random_game(0)
    with pytest.raises(SolveError, match="gamma"):
        solve(mdp, gamma=1.5)


def test_rewards_that_fade_need_a_horizon() -> None:
    game = enumerate_model(SelfPlay(TicTacToe())).with_reward_decay(0.1)
    for ask in (solve, lambda game: evaluate_policy(game, uniform_policy(game))):
        with pytest.raises(SolveError, match="horizon"):
            ask(game)
    assert solve(game, horizon=9).initial.value == 0
