"""Blackjack against the rules as Gymnasium words them on lists of cards, and the book's figure 5.2."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.envs.toy_text import blackjack as rules

from rlkit.envs.adapters.torch import on_device
from rlkit.envs.chains.blackjack import blackjack
from rlkit.envs.options import OptionError
from rlkit.solvers import solve

CHANCE = {card: rules.deck.count(card) / 13 for card in range(1, 11)}
GAMES = {"book": {}, "plain": {"sab": False}, "natural": {"sab": False, "natural": True}}


def seen(model: Any) -> Any:
    """Observation of every state, [S, 3]."""
    return model.observe(model.all_states())


def dealers(hand: Any) -> Iterator[Any]:
    """Every hand the dealer may end with, and its probability."""
    if len(hand) > 1 and rules.sum_hand(hand) >= 17:
        yield hand, 1.0
        return
    for card, chance in CHANCE.items():
        for end, later in dealers([*hand, card]):
            yield end, chance * later


DEALERS = {card: list(dealers([card])) for card in CHANCE}


def worth(player: Any, dealer: Any, sab: Any, natural: Any) -> Any:
    """Gymnasium's reward for sticking."""
    reward = rules.cmp(rules.score(player), rules.score(dealer))
    if sab and rules.is_natural(player) and not rules.is_natural(dealer):
        return 1.0
    return 1.5 if natural and not sab and rules.is_natural(player) and reward == 1 else reward


@pytest.mark.parametrize("game", GAMES)
def test_the_deal_is_that_of_four_cards(game: Any) -> None:
    model = blackjack(**GAMES[game])
    expected: dict[tuple[int, int, int], float] = {}
    for first, second, card in product(CHANCE, CHANCE, CHANCE):
        total, ace = rules._hand_sum_and_usable_ace([first, second])
        expected[total, card, ace] = expected.get((total, card, ace), 0.0) + (
            CHANCE[first] * CHANCE[second] * CHANCE[card]
        )
    got: dict[tuple[int, int, int], float] = {}
    for observation, chance in zip(seen(model).tolist(), model.mdp.initial, strict=True):
        if chance:
            got[tuple(observation)] = got.get(tuple(observation), 0.0) + chance
    assert got == pytest.approx(expected)


@pytest.mark.parametrize("game", GAMES)
def test_sticking_pays_what_the_dealers_play_gives(game: Any) -> None:
    options = {"sab": True, "natural": False} | GAMES[game]
    mdp, shown = blackjack(**options).mdp, seen(blackjack(**options))
    hands = {(13, 0): [10, 3], (20, 0): [10, 10], (17, 1): [1, 6], (21, 0): [10, 5, 6], (21, 1): [1, 5, 5]}
    cases = [(total, ace, hand, False) for (total, ace), hand in hands.items()]
    if game != "plain":
        cases.append((21, 1, [1, 10], True))
    for total, ace, hand, natural in cases:
        for card in (1, 6, 10):
            like = (shown == [total, card, ace]).all(axis=1) & ~mdp.terminal
            alike = {mdp.state_name(s).startswith("natural"): s for s in np.flatnonzero(like)}
            expected = sum(p * worth(hand, end, **options) for end, p in DEALERS[card])
            assert mdp.reward[mdp.state_ptr[alike[natural]]] == pytest.approx(expected, abs=1e-12)


def test_hitting_draws_one_card() -> None:
    model = blackjack(sab=False)
    mdp, shown = model.mdp, seen(model)
    for total, ace, hand in ((12, 0, [10, 2]), (12, 1, [1, 1]), (18, 1, [1, 7]), (21, 0, [10, 9, 2])):
        state = int(np.flatnonzero((shown == [total, 5, ace]).all(axis=1) & ~mdp.terminal)[0])
        hit = mdp.state_ptr[state] + 1
        got: dict[tuple[int, ...], float] = {}
        for t in range(mdp.choice_ptr[hit], mdp.choice_ptr[hit + 1]):
            after = tuple(shown[mdp.successor[t]].tolist())
            got[after] = got.get(after, 0.0) + mdp.probability[t]
            assert mdp.terminal[mdp.successor[t]] == (after[0] > 21)
            assert mdp.transition_reward[t] == -(after[0] > 21)
        expected: dict[tuple[int, ...], float] = {}
        for card, chance in CHANCE.items():
            total_after, ace_after = rules._hand_sum_and_usable_ace([*hand, card])
            after = (total_after, 5, ace_after)
            expected[after] = expected.get(after, 0.0) + chance
        assert got == pytest.approx(expected)


OPTIMA = {"book": -0.043113, "plain": -0.046556, "natural": -0.025729}


@pytest.mark.parametrize("game", GAMES)
def test_optima(game: Any) -> None:
    solution = solve(blackjack(**GAMES[game]).mdp)
    assert solution.initial.value == pytest.approx(OPTIMA[game], abs=1e-6)


def test_the_best_policy_is_that_of_figure_5_2() -> None:
    model = blackjack()
    mdp, shown, policy = model.mdp, seen(model), solve(model.mdp).policy
    for s in np.flatnonzero(~mdp.terminal):
        total, dealer, ace = shown[s]
        if ace:
            sticks = total >= (19 if dealer in (1, 9, 10) else 18)
        elif dealer in (4, 5, 6):
            sticks = total >= 12
        else:
            sticks = total >= (13 if dealer in (2, 3) else 17)
        assert policy[s] == (0 if sticks else 1), mdp.state_name(s)


def test_spaces_are_gymnasiums_and_torch_agrees() -> None:
    env, theirs = gym.make("rlkit/Blackjack-v0", observation="tuple"), gym.make("Blackjack-v1")
    assert env.observation_space == theirs.observation_space
    assert env.action_space == theirs.action_space
    for kind in ("tuple", "multi-discrete"):
        model = blackjack(observation=kind)
        here, moved = (m.observe(model.all_states()) for m in (model, on_device(model, torch.device("cpu"))))
        assert all(np.array_equal(a, b) for a, b in zip(here, moved, strict=True))
    assert model.partially_observable
    assert not blackjack(sab=False).partially_observable


def test_text_and_picture() -> None:
    model = blackjack()
    start = model.initial(np.array([0]))
    assert model.text(start) == "4 against 1"
    assert model.picture(start).dtype == np.uint8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"natural": True}, "natural=True needs sab=False"),
        ({"sab": 1}, "sab must be True or False, not 1"),
    ],
)
def test_bad_options(options: Any, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        blackjack(**options)
