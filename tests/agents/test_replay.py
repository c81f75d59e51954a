"""The replay memory against a plain record of what happened, kept beside it."""

import copy
from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from replay_world import GAMMA, World, embed, generator, priorities, world

from rlkit.agents.returns import n_step_rows
from rlkit.experience.priorities import search
from rlkit.experience.replay import Replay
from rlkit.nn import Attention, Backbone
from rlkit.nn.recurrent import GRU


def test_the_ring_keeps_the_newest() -> None:
    w = world(capacity=60).turns(200)
    for b in range(2):
        stored = sorted(w.replay.obs[w.replay.start].tolist())
        own = [obs for obs in stored if (obs >= 1000) == (b == 1)]
        assert own == [t.obs for t in w.record[b][-len(own) :]]
        assert len(own) >= 20  # of 30 rows, some of which hold final observations


def test_every_start_is_drawn_alike() -> None:
    w = world().turns(200, dropped=(190, 191, 195))
    starts = w.replay.start.nonzero().squeeze(1).tolist()
    drawn = Counter(w.replay.draw(100_000, generator=generator()).first.tolist())
    assert sorted(drawn) == starts
    counts = torch.tensor([drawn[first] for first in starts], dtype=torch.float64)
    expected = 100_000 / len(starts)
    chi_squared = ((counts - expected) ** 2 / expected).sum().item()
    assert chi_squared < len(starts) + 4 * (2 * len(starts)) ** 0.5


def mismatches(w: World, n: int) -> int:
    """How many of the stored n-step returns differ from those of the record."""
    replay = w.replay
    first = replay.draw(500, generator=generator()).first
    rows = replay.rows(first, 1 + n)
    reward, discount, after = (
        x[0]
        for x in n_step_rows(
            reward=replay.reward[rows[:-1]],
            discount=GAMMA * replay.discount[rows[:-1]],
            start=replay.start[rows[1:]],
            n=n,
        )
    )
    following = rows.gather(0, after[None])[0]
    assert replay.mask is not None
    found = zip(
        replay.obs[first].tolist(),
        replay.action[first].tolist(),
        reward.tolist(),
        discount.tolist(),
        replay.obs[following].tolist(),
        replay.mask[following].tolist(),
        strict=True,
    )
    wrong = 0
    for obs, *got in found:
        transitions = w.record[obs >= 1000]
        i = [t.obs for t in transitions].index(obs)
        r, d = 0.0, 1.0
        for t in transitions[i : i + n]:
            r, d, end = r + d * t.reward, d * GAMMA * t.discount, t.next_obs
            if not t.goes_on:
                break
        wrong += got != [transitions[i].action, r, d, end, [end % 3 != a for a in range(3)]]
    return wrong


@pytest.mark.parametrize("n", [1, 3, 40])
@pytest.mark.parametrize("turns", [1, 5, 27, 100, 203])
def test_returns_follow_one_environment_and_stop_at_ends_gaps_and_the_newest(n: int, turns: int) -> None:
    assert mismatches(world().turns(turns, dropped=(3, 80, 81, 97, 190, 202)), n) == 0


def test_a_final_observation_that_is_not_stored_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    right = Replay._advance
    monkeypatch.setattr(Replay, "_advance", lambda self, rows: right(self, rows.clamp(max=1)))
    assert mismatches(world().turns(100), 1) > 0


def test_a_gap_that_is_not_marked_would_be_noticed() -> None:
    w = world().turns(100, dropped=(90,))
    dropped = (w.replay.start.logical_not() & w.replay.obs.eq(w.record[0][-9].obs - 1)).nonzero()
    assert mismatches(w, 3) == 0
    w.replay.start[dropped[0]] = True
    with pytest.raises(ValueError, match="is not in list"):
        mismatches(w, 3)


def test_a_head_that_is_not_marked_would_be_noticed() -> None:
    w = world().turns(100)
    w.replay.start[w.replay.present * 2 + torch.arange(2)] = True
    with pytest.raises(ValueError, match="is not in list"):
        mismatches(w, 3)


def test_after_a_cut_the_next_step_does_not_follow_on() -> None:
    w = world().turns(51)
    for b in range(2):
        w.record[b][-1] = w.record[b][-1]._replace(goes_on=False)
    head = w.replay.present.clone()
    w.replay.cut(torch.tensor([True, True]))
    moved = (w.replay.present - head) % w.replay.length
    ended = [not t[-1].goes_on and t[-1].next_obs != w.obs[b] for b, t in enumerate(w.record)]
    assert moved.tolist() == [0 if just else 1 for just in ended]
    w.obs = [obs + 5 for obs in w.obs]  # somewhere else
    assert mismatches(w.turns(3), 3) == 0


@pytest.mark.parametrize("alpha", [0.0, 0.7])
@pytest.mark.parametrize("turns", [7, 100])
def test_state_round_trip(alpha: float, turns: int) -> None:
    gru = recurrent()
    a = world(backbone=gru, stride=3, span=4, alpha=alpha).turns(turns)
    b = world(backbone=gru, stride=3, span=4, alpha=alpha).turns(40)
    if alpha:
        drawn = a.replay.draw(8, generator=generator()).first
        priorities(a).set_errors(drawn, torch.linspace(0, 9, 8))
    b.replay.load_state_dict({name: tensor.clone() for name, tensor in a.replay.state_dict().items()})
    for name in ("obs", "reset", "state", "episode", "time", "ended"):
        setattr(b, name, copy.deepcopy(getattr(a, name)))
    b.record = [list(record) for record in a.record]
    for w in (a, b):
        w.turns(5)
    columns = zip(a.replay.state_dict().items(), b.replay.state_dict().items(), strict=True)
    assert all(n == m and x.equal(y) for (n, x), (m, y) in columns)
    first = [w.replay.draw(64, generator=generator(1)).first for w in (a, b)]
    assert first[0].equal(first[1])


# Sequences


def recurrent() -> Backbone:
    return GRU(4, 6, generator=generator(3))


def attention() -> Backbone:
    x = Attention(4, context=5, heads=2, blocks=2, generator=generator(4))
    with torch.no_grad():
        for parameter in x.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator(5))
    return x


def largest_difference(w: World) -> float:
    """Between features of stored sequences and those that were met step by step, over all that counts."""
    replay, backbone = w.replay, w.backbone
    assert backbone is not None
    first = replay.draw(60, generator=generator()).first
    rows = replay.rows(first, replay.span + 3)
    with torch.no_grad():
        x, _ = backbone(embed(replay.obs[rows]), replay.state_at(first), replay.reset[rows])
    worst, compared = 0.0, 0
    head = replay.present[first % 2]
    for j in range(60):
        begun = bool(replay.start[first[j]])  # a sequence may begin with the end of an episode
        for k in range(int((head[j] - first[j] // 2) % replay.length)):
            if k == len(rows):
                break
            begun |= bool(replay.reset[rows[k, j]])
            if begun:
                expected = w.features[int(replay.obs[rows[k, j]])]
                worst = max(worst, (x[k, j] - expected).abs().max().item())
                compared += 1
    assert compared > 300
    return worst


@pytest.mark.parametrize("backbone", [recurrent, attention])
@pytest.mark.parametrize(("stride", "span"), [(1, 5), (3, 7), (4, 4)])
def test_sequences_give_the_features_of_single_steps(backbone: Any, stride: int, span: int) -> None:
    w = world(90, backbone=backbone(), stride=stride, span=span).turns(203, dropped=(180, 195))
    assert largest_difference(w) < 1e-5


@pytest.mark.parametrize("backbone", [recurrent, attention])
def test_states_stored_a_row_too_late_would_be_noticed(backbone: Any) -> None:
    w = world(90, backbone=backbone(), stride=4, span=8)
    right = w.replay.add
    w.replay.add = lambda *, state, **rest: right(state=w.state, **rest)  # type: ignore[method-assign]
    assert largest_difference(w.turns(203)) > 1e-2


def test_every_row_is_learned_from_whatever_the_length_of_episodes() -> None:
    w = world(96, backbone=recurrent(), stride=4, span=6).turns(203)
    rows = w.replay.rows(w.replay.draw(5_000, generator=generator()).first, 6)[2:]
    learned = set(rows[w.replay.start[rows]].tolist())
    age = (
        w.replay.present[torch.arange(2 * w.replay.length) % 2] - torch.arange(2 * w.replay.length) // 2
    ) % 48
    inner = w.replay.start & (age > 4) & (age < 48 - 8)
    assert learned >= set(inner.nonzero().squeeze(1).tolist())


# Priorities


def test_new_transitions_have_the_highest_priority_and_what_starts_nothing_none() -> None:
    w = world(alpha=0.6).turns(9)
    starts = w.replay.start
    first = starts.nonzero().squeeze(1)
    priorities(w).set_errors(first, torch.linspace(0.1, 3, len(first)))
    w.turns(3)
    new = w.replay.start.clone()
    new[first] = False
    priority = priorities(w).weight[: len(new)]
    assert new.sum() > 3
    assert priority[new].numpy() == pytest.approx(3**0.6, rel=1e-5)
    assert priority[first].numpy() == pytest.approx(np.linspace(0.1, 3, len(first)) ** 0.6, rel=1e-4)
    assert (priority[~w.replay.start] == 0).all()


def test_draws_are_in_proportion_to_priorities() -> None:
    w = world(alpha=0.5).turns(100)
    first = w.replay.start.nonzero().squeeze(1)
    priority = torch.linspace(1, 4, len(first), dtype=torch.float64)
    priorities(w).set_errors(first, priority**2)
    drawn, weight = w.replay.draw(20_000, generator=generator(), beta=0.4)
    share = torch.bincount(drawn, minlength=w.replay.size)[first] / 20_000
    assert (share - priority / priority.sum()).abs().max() < 1e-4
    assert weight is not None
    expected = priority[torch.searchsorted(first, drawn)] ** -0.4  # that of the smallest priority is 1
    assert (weight - expected).abs().max() < 1e-6


def test_only_sequences_that_are_stored_in_full_are_drawn() -> None:
    w = world(60, backbone=recurrent(), stride=4, span=8, alpha=1.0)
    assert not w.turns(5).replay.ready
    for _ in range(60):
        w.turn()
        if not w.replay.ready:
            continue
        first = w.replay.draw(64, generator=generator()).first
        age = (w.replay.present[first % 2] - first // 2) % w.replay.length
        assert (first // 2 % 4 == 0).all()
        assert (age >= 8).all()
        assert (age <= w.replay.stored[first % 2]).all()


def test_the_row_that_an_invalid_step_wrote_over_begins_no_sequence() -> None:
    """A step writes its successor behind the newest row, and where it is not valid no row is added."""
    w, written_over = world(48, backbone=recurrent(), stride=1, span=8).turns(60), 0
    for _ in range(200):
        head = w.replay.present.clone()
        w.turn()
        after = (w.replay.present + 1) % w.replay.length
        stood = w.replay.present == head
        for b in stood.nonzero().squeeze(1).tolist():
            row = 2 * int(after[b]) + b
            assert int(w.replay.obs[row]) not in [t.obs for t in w.record[b][-24:-20]], "the oldest is gone"
            assert row not in w.replay.draw(200, generator=generator()).first
            written_over += 1
    assert written_over > 2


def test_what_had_no_error_can_still_be_drawn() -> None:
    w = world(alpha=0.6).turns(9)
    first = w.replay.start.nonzero().squeeze(1)
    priorities(w).set_errors(first, torch.zeros(len(first)))
    assert set(w.replay.draw(2_000, generator=generator()).first.tolist()) == set(first.tolist())


def test_nothing_of_weight_zero_is_found() -> None:
    weight = torch.tensor([0, 0, 0.5, 0, 1.5, 0, 0], dtype=torch.float64)
    part = torch.tensor([0, 0.2, 0.25, 0.5, np.nextafter(1, 0), 1], dtype=torch.float64)
    assert search(weight, part).tolist() == [2, 2, 4, 4, 4, 4]
    rng = np.random.default_rng(0)
    weight = torch.from_numpy(rng.random(5_000) * (rng.random(5_000) < 0.3))
    found = search(weight, torch.linspace(0, 1, 50_001, dtype=torch.float64))
    assert (weight[found] > 0).all()
    share = torch.bincount(found, minlength=5_000) / 50_001
    assert (share - weight / weight.sum()).abs().max() < 2 / 50_000
