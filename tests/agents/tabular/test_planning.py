"""The learned model, planning and the queue, against counts and numbers worked out by hand."""

import heapq
from typing import Any

import numpy as np
import pytest
from tabular_steps import rule, table, transitions

from rlkit.agents.tabular import planning
from rlkit.agents.tabular.records import Model, Queue


def observed(*steps: Any, masks: Any = None, n_states: int = 3, capacity: int = 2) -> Any:
    """A model that saw these steps, each in a batch of its own."""
    model = Model.empty(n_states, 2, capacity)
    for i, step in enumerate(steps):
        model = model.with_room(1)
        planning.observe(model, transitions(step, masks=None if masks is None else [masks[i]]), 0)
    return model


def outcomes(model: Any, pair: Any) -> Any:
    """{successor: (times seen, mean reward)}."""
    found, x = {}, model.newest[pair]
    while x >= 0:
        found[int(model.successor[x])] = (int(model.times[x]), model.reward[x] / model.times[x])
        x = model.older[x]
    return found


STEPS = [
    (0, 1, 1.0, 1, ""),
    (0, 1, 2.0, 2, "truncated"),
    (0, 1, 3.0, 1, ""),
    (0, 1, 8.0, 1, "terminated"),
    (2, 0, 4.0, 1, ""),
]


def test_the_model_counts_outcomes() -> None:
    model = observed(*STEPS)
    assert outcomes(model, 1) == {1: (2, 2.0), 2: (1, 2.0), planning.TERMINAL: (1, 8.0)}
    assert outcomes(model, 4) == {1: (1, 4.0)}
    assert model.tries.tolist() == [0, 4, 0, 0, 1, 0]
    assert model.tried[: model.size[0]].tolist() == [1, 4]


def test_the_model_knows_which_pairs_lead_to_a_state() -> None:
    model = observed(*STEPS)
    into = []
    for s in range(3):
        x, pairs = model.newest_into[s], set()
        while x >= 0:
            pairs.add(int(model.pair[x]))
            x = model.older_into[x]
        into.append(pairs)
    assert into == [set(), {1, 4}, {1}]


def test_a_backup_is_the_expectation_over_what_was_seen() -> None:
    model = observed(*STEPS)
    it = table([[0, 0], [2, 6], [10, -1]])
    seen = (2 * (2 + 0.5 * 6) + (2 + 0.5 * 10) + 8) / 4
    assert planning.backup(it, model, 1, 0.5) == pytest.approx(seen)


def test_a_backup_keeps_to_legal_actions() -> None:
    model = observed((0, 0, 1.0, 1, ""), masks=[[1, 0]])
    assert planning.backup(table([[0, 0], [2, 6], [0, 0]]), model, 0, 0.5) == 1 + 0.5 * 2


def test_dyna_learns_from_the_step_and_from_imagined_ones() -> None:
    it, model = table([[0, 0], [0, 4], [0, 0]]), observed((2, 0, 2.0, 1, ""))
    model = model.with_room(1)
    u = np.array([[[0.0, 0.0], [0.99, 0.99]]])  # imagines the older pair, then the newer
    planning.dyna_q(it, transitions((1, 1, 8.0, 0, "terminated")), model, rule(), u)
    assert it.q[2, 0] == 0.5 * (2 + 0.5 * 6)  # after the real step had raised Q(1, 1) from 4 to 6
    assert it.q[1, 1] == 7
    assert it.visits.tolist() == [[0, 0], [0, 2], [1, 0]]


def test_dyna_imagines_outcomes_as_often_as_they_were_seen() -> None:
    """Three times reward 1 and once 5, each followed by the end: the average of many steps is 2."""
    steps = [(0, 0, 1.0, 1, "")] * 3
    model, it = observed(*steps, capacity=4), table([[0, 0], [0, 0], [0, 0]])
    u = np.random.default_rng(0).random((1, 20_000, 2))
    step = transitions((0, 0, 5.0, 0, "terminated"))
    planning.dyna_q(it, step, model, rule(gamma=0, alpha=1, omega=1), u)
    assert it.q[0, 0] == pytest.approx(2, abs=0.05)


def sweep(it: Any, model: Any, queue: Any, step: Any, *, theta: float = 0.01, backups: int = 10) -> Any:
    model = model.with_room(1)
    planning.prioritized_sweeping(it, transitions(step), model, queue, rule(alpha=1), theta, backups)
    return model


def test_sweeping_carries_a_reward_back_along_the_whole_chain() -> None:
    it, model, queue = table(np.zeros((3, 2))), Model.empty(3, 2, 8), Queue.empty(6)
    for s in (0, 1):
        model = sweep(it, model, queue, (s, 0, 0.0, s + 1, ""))
    assert not it.q.any()
    sweep(it, model, queue, (2, 1, 8.0, 0, "terminated"))
    assert it.q.tolist() == [[2, 0], [4, 0], [0, 8]]
    assert queue.size[0] == 0


@pytest.mark.parametrize(("backups", "theta"), [(2, 0.01), (10, 3.0)])
def test_sweeping_stops_after_its_backups_or_below_theta(backups: int, theta: float) -> None:
    it, model, queue = table(np.zeros((3, 2))), Model.empty(3, 2, 8), Queue.empty(6)
    for s in (0, 1):
        model = sweep(it, model, queue, (s, 0, 0.0, s + 1, ""))
    sweep(it, model, queue, (2, 1, 8.0, 0, "terminated"), backups=backups, theta=theta)
    assert it.q.tolist() == [[0, 0], [4, 0], [0, 8]]
    assert queue.size[0] == (theta < 1)  # the pair before waits its turn only if its change is worth it


def test_the_queue_is_a_heap_whose_entries_can_rise() -> None:
    rng = np.random.default_rng(1)
    queue = Queue.empty(40)
    waiting: dict[Any, Any] = {}
    for _ in range(3_000):
        if waiting and rng.random() < 0.4:
            pair = planning.pop(queue)
            assert waiting.pop(pair) == max([queue.priority[pair], *waiting.values()])
        else:
            pair, priority = int(rng.integers(40)), float(rng.random())
            planning.push(queue, pair, priority)
            waiting[pair] = max(priority, waiting.get(pair, 0.0))
    assert queue.size[0] == len(waiting)
    left = [planning.pop(queue) for _ in range(len(waiting))]
    assert left == heapq.nlargest(len(waiting), waiting, key=waiting.__getitem__)
    assert (queue.place == -1).all()
