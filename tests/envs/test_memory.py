"""Tasks that ask for memory: against the chapter, against published values, by hand, and what memory buys."""

from __future__ import annotations

import itertools
from collections import Counter
from functools import cache
from typing import Any

import numpy as np
import pytest

from rlkit.core import enumerate_pomdp
from rlkit.envs.memory.concentration import Table, concentration
from rlkit.envs.memory.corridors import CorridorState, memory_corridor, t_maze
from rlkit.envs.memory.find_the_three import find_the_three
from rlkit.envs.memory.noisy_maze import NOTHING, MazeState, noisy_maze
from rlkit.envs.memory.repeat_previous import repeat_previous
from rlkit.envs.memory.signal_filter import signal_filter
from rlkit.envs.memory.tiger import tiger
from rlkit.envs.options import OptionError
from rlkit.solvers import belief_mdp, best_memoryless, memory_gain, solve, stochastic_memoryless

LEFT, DOWN, RIGHT, UP = range(4)


def one(*numbers: int) -> list[np.ndarray]:
    return [np.array([n]) for n in numbers]


def play(model: Any, state: Any, actions: Any, events: Any) -> Any:
    """Rewards, observations and ends of one episode whose events are given."""
    rewards, seen, ends = [], [model.observe(state)[0]], []
    for action, event in zip(actions, events, strict=True):
        step = model.transition(state, *one(action, event))
        state = step.state
        rewards.append(float(step.reward[0]))
        seen.append(model.observe(state)[0])
        ends.append(bool(step.terminated[0]))
    return rewards, seen, ends


def with_memory(model: Any, **how: Any) -> float:
    pomdp = enumerate_pomdp(model)
    return solve(belief_mdp(pomdp, horizon=how.get("horizon")).mdp, **how).initial.value


# corridors


@pytest.mark.parametrize(("make", "options"), [(t_maze, {}), (memory_corridor, {"shapes": 2})])
def test_corridors_by_hand(make: Any, options: Any) -> None:
    """With memory straight on and the right turn; without, one of two turns, right half the time."""
    for length in (1, 4):
        pomdp = enumerate_pomdp(make(length=length, **options))
        gamma = 0.9
        beliefs = belief_mdp(pomdp)
        assert solve(beliefs.mdp, gamma=gamma).initial.value == pytest.approx(4 * gamma**length)
        found = best_memoryless(pomdp, gamma=gamma).value
        assert found.value == pytest.approx((4 - 0.1) / 2 * gamma**length)
        assert found.upper - found.lower < 1e-8
        assert stochastic_memoryless(pomdp, gamma=gamma, starts=2).value <= found.value + 1e-9


@pytest.mark.parametrize("side", [0, 1])
def test_t_maze_step_by_step(side: int) -> None:
    model = t_maze(length=2)
    turn = (UP, DOWN)[side]
    actions = (LEFT, UP, RIGHT, LEFT, RIGHT, RIGHT, RIGHT, turn)
    rewards, seen, ends = play(model, model.initial(np.array([side])), actions, [0] * 8)
    assert rewards == [-0.1, -0.1, 0, 0, 0, 0, -0.1, 4]
    assert seen[:8] == [side, side, side, 2, side, 2, 3, 3]
    assert ends == [False] * 7 + [True]
    wrong = model.transition(CorridorState(*one(2, side, side)), *one(DOWN + UP - turn, 0))
    assert (wrong.reward[0], wrong.terminated[0]) == (-0.1, True)


def test_the_shape_of_the_start_stands_at_the_right_turn() -> None:
    model = memory_corridor(length=1, shapes=3)
    for event in range(model.n_starts):
        state = model.initial(np.array([event]))
        there = model.transition(state, *one(RIGHT, 0)).state
        pairs = [pair for pair in itertools.product(range(3), repeat=2) if pair[0] != pair[1]]
        upper, lower = pairs[int(model.observe(there)[0]) - 4]
        sought = int(model.observe(state)[0])
        for action, shape in ((UP, upper), (DOWN, lower)):
            reward = model.transition(there, *one(action, 0)).reward[0]
            assert reward == (4.0 if shape == sought else -0.1)
        assert model.ends(there) == ("ABC"[upper], "ABC"[lower])


# symbols and signals


def test_repeat_previous_against_a_list() -> None:
    model, delay = repeat_previous(symbols=3, delay=4), 4
    rng = np.random.default_rng(1)
    shown, actions = rng.integers(3, size=41), rng.integers(3, size=40)
    rewards, seen, ends = play(model, model.initial(shown[:1]), actions, shown[1:])
    assert seen == shown.tolist()
    due = [t >= delay and actions[t] == shown[t - delay] for t in range(40)]
    assert rewards == [float(right) for right in due]
    assert not any(ends)
    assert with_memory(model, horizon=10) == pytest.approx(6.0)


def filtered(received: list[float]) -> list[float]:
    """The recurrent network of Example 6.23, with the weights given there."""
    step = np.array([[0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1], [-0.1, -0.3, 0, 0]])
    read, write = np.array([-0.1, -0.3, 0, 0]), np.array([0, 0, 0, 1])
    state, output = np.zeros(4), []
    for x in received:
        output.append(float(read @ state + x))
        state = step @ state + write * x
    return output


def test_the_chapters_filter_removes_the_echoes() -> None:
    """Example 6.23: 5 10 0 1.5 3.5 1 is 5 10 0 0 0 0 with its echoes; on other signals as well."""
    assert filtered([5, 10, 0, 1.5, 3.5, 1]) == pytest.approx([5, 10, 0, 0, 0, 0], abs=1e-12)
    model = signal_filter(levels=11)
    for clean in ([5, 10, 0, 0, 0, 0], np.random.default_rng(0).integers(11, size=60).tolist()):
        state = model.initial(np.array([clean[0]]))
        rewards, seen, _ = play(model, state, clean, [*clean[1:], 0])
        received = [float(x[0]) for x in seen[:-1]]
        if len(clean) == 6:
            assert received == [5, 10, 0, 1.5, 3.5, 1]
        assert filtered(received) == pytest.approx(clean, abs=1e-5)
        assert rewards == [1.0] * len(clean)


def test_without_memory_an_echo_is_taken_for_a_signal() -> None:
    """Actions change nothing, so that the best map names the likeliest level of each received value."""
    levels, horizon = 4, 12
    together: Counter[tuple[int, int]] = Counter()
    for x, a, b in itertools.product(range(levels), repeat=3):
        together[10 * x, x] += 3 / levels**3  # before the first echo arrives
        together[10 * x + 3 * a, x] += 1 / levels**3
        together[10 * x + 3 * a + b, x] += (horizon - 4) / levels**3
    best = sum(max(together[r, x] for x in range(levels)) for r in {r for r, _ in together})
    pomdp = enumerate_pomdp(signal_filter(levels=levels))
    found = best_memoryless(pomdp, horizon=horizon, max_nodes=1).value
    assert found.value == pytest.approx(best, abs=1e-9)
    assert with_memory(signal_filter(levels=levels), horizon=horizon) == pytest.approx(horizon)
    assert best < 0.95 * horizon


def test_the_chapters_attention_finds_the_three() -> None:
    """Example 6.26: over 7 -5 -2 3 4 the weights are 0.0131 0.0002 0.0048 0.7177 0.2640."""
    model, numbers = find_the_three(length=5), [7, -5, -2, 3, 4]
    draw = {int(x): i for i, x in enumerate(model.others)}
    start = 3 * model.n_events + draw[7]
    events = [*(draw.get(x, 0) for x in numbers[1:]), 0, 0]
    _, seen, _ = play(model, model.initial(np.array([start])), [0] * 5, events[:5])
    shown = np.array(seen)
    assert shown[:, 0].tolist() == [*numbers, 0]
    assert shown[:, 1].tolist() == [0, 0, 0, 0, 0, 1]
    keys = np.maximum(np.stack([shown[:5, 0] - 3, 3 - shown[:5, 0]], axis=1), 0)
    weights = np.exp(keys @ [-1, -1])
    weights /= weights.sum()
    assert weights == pytest.approx([0.0131, 0.0002, 0.0048, 0.7177, 0.2640], abs=5e-5)
    for answer in range(5):
        rewards, _, ends = play(model, model.initial(np.array([start])), [0] * 5 + [answer], events)
        assert rewards == [0] * 5 + [float(answer == weights.argmax())]
        assert ends == [False] * 5 + [True]


def test_exactly_one_three_wherever_it_is() -> None:
    model = find_the_three(length=4, largest=3)
    rng = np.random.default_rng(0)
    state = model.initial(np.arange(model.n_starts))
    seen = [state.number]
    for _ in range(3):
        state = model.transition(
            state, np.zeros(model.n_starts, int), rng.integers(model.n_events, size=model.n_starts)
        ).state
        seen.append(state.number)
    threes = np.stack(seen, axis=1) == 3
    assert (threes.sum(axis=1) == 1).all()
    assert (threes.argmax(axis=1) == state.where).all()
    pomdp = enumerate_pomdp(model)
    assert best_memoryless(pomdp, horizon=5).value.value == pytest.approx(1 / 4)
    assert with_memory(model, horizon=5) == pytest.approx(1.0)


# the tiger


def test_tiger_has_the_published_value() -> None:
    """19.37 at gamma 0.95 (Kaelbling et al. 1998); without memory it is best to listen for ever."""
    pomdp = enumerate_pomdp(tiger())
    assert solve(belief_mdp(pomdp).mdp, gamma=0.95).initial.value == pytest.approx(19.3714, abs=1e-4)
    assert best_memoryless(pomdp, gamma=0.95).value.value == pytest.approx(-20.0)
    assert with_memory(tiger(), horizon=3) == pytest.approx(-2 + 0.7225 * 10 - 0.0225 * 100 - 0.255)


def test_a_tiger_that_is_always_heard_rightly() -> None:
    """Listen and open: 10 - 1 every other step."""
    assert with_memory(tiger(accuracy=1.0), horizon=10) == pytest.approx(45.0)


# Concentration


@cache
def turns_to_clear(unknown: int, known: int) -> float:
    """Expected turns with perfect memory: cards not seen yet, and seen ones whose partner is not.

    Every turn begins with an unknown card. If its partner is known it is taken; else another unknown card
    is turned. A partner found too late takes a turn of its own.
    """
    if unknown == 0:
        return 0.0
    pairs_known = known / unknown
    value = pairs_known * (1 + turns_to_clear(unknown - 1, known - 1)) if known else 0.0
    fresh = unknown - known
    if fresh:
        left = unknown - 1
        match = 1 / left * (1 + turns_to_clear(unknown - 2, known))
        late = known / left * (2 + turns_to_clear(unknown - 2, known)) if known else 0.0
        neither = (fresh - 2) / left * (1 + turns_to_clear(unknown - 2, known + 2)) if fresh > 2 else 0.0
        value += fresh / unknown * (match + late + neither)
    return value


@pytest.mark.parametrize(("pairs", "turns"), [(2, 8 / 3), (3, 13 / 3)])
def test_concentration_takes_as_many_turns_as_perfect_memory_needs(pairs: int, turns: Any) -> None:
    assert turns_to_clear(2 * pairs, 0) == pytest.approx(turns)
    best = with_memory(concentration(pairs=pairs, cost=0.1), horizon=30)
    assert best == pytest.approx(pairs - 0.2 * turns, abs=1e-9)


def test_concentration_by_hand() -> None:
    model = concentration(pairs=2, cost=0.25)
    deal = int(np.flatnonzero((model.deals == [0, 1, 0, 1]).all(axis=1))[0])
    actions = (0, 1, 1, 0, 0, 2, 2, 3, 3, 1)
    rewards, seen, ends = play(model, model.initial(np.array([deal])), actions, [0] * 10)
    assert [row.tolist() for row in seen] == [
        [0, 0, 0, 0],
        [1, 0, 0, 0],
        [0, 2, 0, 0],  # differs: the first is down again
        [0, 2, 0, 0],  # the same card begins a new turn
        [1, 0, 0, 0],
        [1, 0, 0, 0],  # begins a new turn
        [1, 0, 1, 0],  # found
        [1, 0, 1, 0],  # a found card
        [1, 0, 1, 2],
        [1, 0, 1, 2],  # the card that lies open
        [1, 2, 1, 2],
    ]
    assert rewards == [-0.25] * 5 + [0.75] + [-0.25] * 3 + [0.75]
    assert ends == [False] * 9 + [True]


def test_every_deal_once() -> None:
    model = concentration(pairs=3)
    assert len({tuple(deal) for deal in model.deals.tolist()}) == model.n_starts == 90
    assert (np.sort(model.deals, axis=1) == [0, 0, 1, 1, 2, 2]).all()
    assert model.initial(np.array([5])).waits.dtype == np.bool_
    assert isinstance(model.initial(np.array([5])), Table)


# the maze


def test_what_the_sensor_of_the_maze_shows() -> None:
    model = noisy_maze(map="S.#/#.G", noise=0.25)
    cells = {tuple(p): i for i, p in enumerate(model.grid.position.tolist())}
    walls = {(0, 0): {LEFT, DOWN, UP}, (0, 1): {RIGHT, UP}, (1, 1): {LEFT, DOWN}, (1, 2): {RIGHT, UP, DOWN}}
    names = model.action_names
    order = {names.index(n): m for n, m in (("left", LEFT), ("down", DOWN), ("right", RIGHT), ("up", UP))}
    for place, blocked in walls.items():
        code = int(model.shown[2 * cells[place]])
        assert {order[m] for m in range(4) if code >> m & 1} == blocked
        assert model.shown[2 * cells[place] + 1] == NOTHING
    start = model.initial(np.array([0]))
    step = model.transition(start, np.array([names.index("right")]), np.array([1]))
    assert (int(step.state.cell[0]), int(step.state.seen[0])) == (cells[0, 1], NOTHING)
    assert isinstance(step.state, MazeState)


def test_a_maze_with_one_way_needs_no_memory_and_three_alike_legs_do() -> None:
    line = memory_gain(enumerate_pomdp(noisy_maze(map="S..G", noise=0.0)), horizon=20, starts=2)
    assert line.share == pytest.approx(0.0, abs=1e-6)
    assert line.with_memory.value == pytest.approx(1 - 3 * 0.05)
    legs = enumerate_pomdp(noisy_maze(noise=0.0))
    assert memory_gain(legs, horizon=50, starts=2).share > 0.05


# options


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (t_maze, {"length": 0}, "length must be a whole number from 1"),
        (t_maze, {"length": 2.5}, "length must be a whole number"),
        (memory_corridor, {"shapes": 1}, "shapes must be a whole number from 2 to 26"),
        (repeat_previous, {"symbols": 1}, "symbols must be a whole number >= 2"),
        (repeat_previous, {"delay": 0}, "delay must be a whole number >= 1"),
        (repeat_previous, {"symbols": 9, "delay": 40}, r"must be at most 2\^62"),
        (signal_filter, {"levels": 1}, "levels must be a whole number >= 2"),
        (signal_filter, {"echoes": {}}, "echoes must map delays to strengths"),
        (signal_filter, {"echoes": {0: 0.5}}, "delays of echoes must be a whole number >= 1"),
        (signal_filter, {"echoes": {2: 0.0}}, "strengths of echoes must be a finite number from 0.001"),
        (signal_filter, {"echoes": {30: 0.5}}, r"must be at most 2\^62"),
        (find_the_three, {"length": 1}, "length must be a whole number from 2"),
        (find_the_three, {"largest": 2}, "largest must be a whole number from 3"),
        (tiger, {"accuracy": 0.4}, "accuracy must be a finite number from 0.5 to 1"),
        (concentration, {"pairs": 6}, "pairs must be a whole number from 2 to 5"),
        (concentration, {"cost": -1}, "cost must be a finite number from 0 to 1"),
        (noisy_maze, {"noise": 1.5}, "noise must be a finite number from 0 to 1"),
        (noisy_maze, {"map": "S#G"}, "no goal"),
    ],
)
def test_options_that_make_no_task(make: Any, options: Any, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        make(**options)
