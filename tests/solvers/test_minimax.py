"""Games solved exactly, against known values, brute force and a wrong solution."""

from dataclasses import replace

import numpy as np
import pytest

from rlkit.core import MDP, ModelError, NoExactModel, TableModel, enumerate_model, from_outcomes
from rlkit.core.files import read_model, write_model
from rlkit.core.pomdp import pomdp_of
from rlkit.envs.games import ConnectFour, Go, Othello, SelfPlay, TicTacToe, tic_tac_toe
from rlkit.envs.wrappers import StickyActions
from rlkit.solvers import SolveError, average_reward, evaluate_policy, optimum, solve, uniform_policy
from rlkit.solvers.minimax import minimax


def by_recursion(mdp, gamma=1.0):
    """Value of each state for its mover, one state at a time."""
    known = {}

    def value(s):
        if s not in known:
            known[s] = 0.0 if mdp.terminal[s] else max(worth(c) for c in range(*mdp.state_ptr[s : s + 2]))
        return known[s]

    def worth(c):
        after = range(*mdp.choice_ptr[c : c + 2])
        return mdp.reward[c] - gamma * sum(mdp.probability[t] * value(int(mdp.successor[t])) for t in after)

    return np.array([value(s) for s in range(mdp.n_states)])


def random_game(seed, states=40):
    """A game with chance that only leads to states of larger number."""
    rng = np.random.default_rng(seed)
    rows = []
    for s in range(states - 1):
        for a in range(3):
            after = rng.integers(s + 1, states, size=2)
            rows += [(s, a, int(t), 0.5, float(rng.integers(-3, 4)), t == states - 1) for t in after]
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    return from_outcomes(*columns, initial=np.eye(states)[0])


def test_tic_tac_toe_is_a_draw():
    mdp = enumerate_model(SelfPlay(TicTacToe()))
    solution = minimax(mdp)
    assert solution.initial == 0
    assert solution.residual == 0
    assert (solution.value == by_recursion(mdp)).all()
    counts = [(solution.value[~mdp.terminal] == v).sum() for v in (-1, 0, 1)]
    assert all(counts)
    assert sum(counts) == 4520  # of 5478 positions, 958 are over


def test_its_policy_never_loses():
    """Against every opponent: where the best one plays, the agent with minimax's policy is worth 0."""
    mdp = enumerate_model(SelfPlay(TicTacToe()))
    policy = minimax(mdp).policy
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
def test_random_games_by_recursion(seed, gamma):
    mdp = random_game(seed)
    solution = minimax(mdp, gamma=gamma)
    assert solution.value == pytest.approx(by_recursion(mdp, gamma), abs=1e-12)
    assert solution.residual <= 1e-12


@pytest.mark.parametrize(
    ("game", "value"),
    [(ConnectFour(4, 4), 0), (ConnectFour(4, 4, 3), 1), (ConnectFour(3, 3, 3), 0), (Othello(4), -1)],
    ids=["connect four on 4x4", "connect three on 4x4", "connect three on 3x3", "othello on 4x4"],
)
def test_known_games(game, value):
    """Tromp's table for connect four; Othello on 4x4 is won by the second player (Feinstein 1993)."""
    assert minimax(enumerate_model(SelfPlay(game))).initial == value


def test_a_wrong_value_has_a_residual():
    solution = minimax(enumerate_model(SelfPlay(TicTacToe())))
    value = solution.value.copy()
    value[0] = 1
    assert replace(solution, value=value).residual == 1


def test_one_player_who_makes_all_moves_is_refused(tmp_path):
    """As one decision maker both sides cooperate and win, which is not what the game is worth."""
    game = enumerate_model(wrapped := StickyActions(SelfPlay(TicTacToe()), 0.0))
    write_model(game, tmp_path / "game.json")
    uniform = uniform_policy(game)
    for mdp in (game, read_model(tmp_path / "game.json"), enumerate_model(TableModel(game))):
        for ask in (
            lambda mdp=mdp: solve(mdp),
            lambda mdp=mdp: solve(mdp, horizon=3),
            lambda mdp=mdp: optimum(pomdp_of(mdp, np.arange(mdp.n_states))),
            lambda mdp=mdp: evaluate_policy(mdp, uniform),
            lambda mdp=mdp: average_reward(mdp, uniform),
        ):
            with pytest.raises(NoExactModel, match=r"both players.*name an opponent.*minimax"):
                ask()
    assert wrapped.zero_sum
    with pytest.raises(ModelError, match="can only be written as"):
        write_model(game, tmp_path / "game.drn")
    alone = replace(enumerate_model(SelfPlay(TicTacToe())), zero_sum=False)
    assert solve(alone).initial.value == 1


def test_who_meets_the_perfect_opponent_gets_the_value_of_the_game():
    versus = enumerate_model(tic_tac_toe(opponent="perfect"))
    best = solve(versus)
    assert (
        versus.expectation(evaluate_policy(versus, best.policy))
        == 0
        == minimax(enumerate_model(tic_tac_toe(opponent=None))).initial
    )


def test_play_that_can_come_back_is_refused():
    with pytest.raises(SolveError, match="without cycles"):
        minimax(enumerate_model(SelfPlay(Go(2))))


def test_gamma_is_checked():
    mdp: MDP = random_game(0)
    with pytest.raises(SolveError, match="gamma"):
        minimax(mdp, gamma=1.5)


def test_rewards_that_fade_are_refused():
    with pytest.raises(SolveError, match="fade"):
        minimax(enumerate_model(SelfPlay(TicTacToe())).with_fade(0.1))
