"""Cassandra's format as pomdp.org, POMDPFiles.jl and AI-Toolbox write it, and what is refused."""

from __future__ import annotations

import tracemalloc
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sample_files import TIGER, put

from rlkit.core import MDP, ModelError, ModelWarning, SensorPOMDP
from rlkit.core.files import read_model, words
from rlkit.solvers import optimum, solve

HEAD = "discount: 0.9\nvalues: reward\nstates: a b\nactions: x y\n"


def read(tmp_path: Path, text: str, name: str = "m.MDP") -> MDP | SensorPOMDP:
    return read_model(put(tmp_path, name, text))


def test_tiger_is_a_pomdp_with_the_published_value(tmp_path: Path) -> None:
    pomdp = read(tmp_path, TIGER, "tiger.POMDP")
    assert isinstance(pomdp, SensorPOMDP)
    assert pomdp.observation_names == ("hear-left", "hear-right", "nothing yet")
    found = optimum(pomdp)
    assert found.converged
    assert found.initial.value == pytest.approx(19.3714, abs=1e-4)
    assert solve(pomdp.full_information).initial.value == pytest.approx(200)
    assert found.beliefs is not None
    assert found.beliefs.state_name(1) == "hear-left: tiger-left 0.85, tiger-right 0.15"


def test_sensors_that_see_all_or_nothing(tmp_path: Path) -> None:
    """Hearing the tiger surely is worth one listening less than seeing it, at first; hearing nothing, -20."""
    surely = read(tmp_path, TIGER.replace("0.85", "1").replace("0.15", "0"), "m.POMDP")
    assert optimum(surely).initial.value == pytest.approx((-1 + 0.95 * 10) / (1 - 0.95**2))
    deaf = read(tmp_path, TIGER.replace("0.85", "0.5").replace("0.15", "0.5"), "m.POMDP")
    assert optimum(deaf).initial.value == pytest.approx(-20)


def test_without_a_discount_it_is_said(tmp_path: Path) -> None:
    with pytest.warns(ModelWarning, match=r"^m\.POMDP: there is no discount"):
        pomdp = read(tmp_path, TIGER.replace("discount: 0.95\n", ""), "m.POMDP")
    assert pomdp.mdp.discount == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read(tmp_path, TIGER, "m.POMDP")


def test_a_colon_before_the_number(tmp_path: Path) -> None:
    entries = "T: x identity\nT: y : a : b : 1.0\nT: y : b : b : 1\nR: * : a : b : 7\n"
    plain = "T: x identity\nT: y : a : b 1.0\nT: y : b : b 1\nR: * : a : b 7\n"
    one, other = (read(tmp_path, HEAD + text) for text in (entries, plain))
    assert (
        one.matrix.toarray().tolist() == other.matrix.toarray().tolist() == [[1, 0], [0, 1], [0, 1], [0, 1]]
    )
    assert one.reward.tolist() == other.reward.tolist() == [0, 7, 0, 0]


@pytest.mark.parametrize(("word", "sign"), [("rewards", 1), ("costs", -1), ("cost", -1)])
def test_rewards_with_an_observation_where_there_are_none(tmp_path: Path, word: str, sign: int) -> None:
    text = HEAD.replace("values: reward", f"values: {word}") + "T: * uniform\nR: x : a : b : * 4\n"
    assert read(tmp_path, text).reward.tolist() == [2 * sign, 0, 0, 0]


@pytest.mark.parametrize(
    ("start", "expected"),
    [("a", [1, 0]), ("b", [0, 1]), ("a b", [0.5, 0.5]), ("1", [0, 1]), ("0.25 0.75", [0.25, 0.75])],
)
def test_start_by_names(tmp_path: Path, start: str, expected: Any) -> None:
    assert read(tmp_path, f"{HEAD}start: {start}\nT: * uniform\n").initial.tolist() == expected


def test_rows_that_share_memory_are_changed_one_by_one(tmp_path: Path) -> None:
    text = "T: * uniform\nT: x : a : a 1\nT: x : a : b 0\nT: y : * : * 0.5\nT: y : b : a 0.25\n"
    text += "T: y : b : b 0.75\n"
    assert read(tmp_path, HEAD + text).matrix.toarray().tolist() == [
        [1, 0],
        [0.5, 0.5],
        [0.5, 0.5],
        [0.25, 0.75],
    ]


def test_rewards_by_observation(tmp_path: Path) -> None:
    """Hearing left pays 8: 0.85 of the time on the left, 0.15 on the right; the last line wins."""
    text = (
        TIGER + "R: * : * : * : * 1\nR: listen : * : * : hear-left 8\nR: open-left : tiger-left : * : * 5\n"
    )
    reward = read(tmp_path, text, "m.POMDP").full_information.reward
    assert reward == pytest.approx([0.85 * 8 + 0.15, 5, 1, 0.15 * 8 + 0.85, 1, 1])


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        (HEAD + "T: * uniform\nR: x : a : b : a 4\n", 6, "'a' is no number"),
        (HEAD + "T: 00000000000000000000009 uniform\n", 5, "is none of the actions"),
        (HEAD.replace("states: a b", "states: ²"), 4, "state ², action x has no transition"),
        (HEAD.replace("states: a b", f"states: {'9' * 5000}") + "T: * uniform", 3, "states: this format is"),
        (TIGER.replace("O: open-left uniform", "O: open-left reset"), 12, "reset stands for the start"),
        (TIGER.replace("open-left uniform\nO", "open-left : * identity\nO"), 12, "a square matrix"),
        (HEAD + "T: x", 5, "ends too early"),
    ],
)
def test_bad_lines(tmp_path: Path, text: Any, line: int, what: str) -> None:
    with pytest.raises(ModelError) as caught:
        read(tmp_path, text, "m.POMDP")
    assert what in str(caught.value)
    assert str(caught.value).startswith(f"m.POMDP:{line}: ")


def test_short_lines_that_stand_for_much(tmp_path: Path) -> None:
    """A matrix of 4 million alike rows is kept once; one with a state each is refused before it is made."""
    size = 1000
    text = f"discount: 1\nstates: {size}\nactions: 1\nT: 0 uniform\n"
    tracemalloc.start()
    read(tmp_path, text)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 120 * size**2, "bytes"
    for line in ("T: * identity", "T: * uniform", "T: * : * : * 0.1"):
        with pytest.raises(ModelError, match=r"^m\.MDP:4: the file expands to more than"):
            read(tmp_path, f"discount: 1\nstates: 1000000\nactions: 1000000\n{line}\n")


def test_more_words_than_the_format_is_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "MOST_WORDS", 30)
    with pytest.raises(ModelError, match=r"^m\.POMDP:\d+: more than 30 words"):
        read(tmp_path, TIGER, "m.POMDP")


def test_action_names_that_are_numbers_keep_their_order(tmp_path: Path) -> None:
    text = (
        "discount: 0.5\nstates: 2\nactions: 1 0\nobservations: 2\nT: * uniform\nO: 1 identity\nO: 0 uniform\n"
    )
    pomdp = read(tmp_path, text, "m.POMDP")
    assert pomdp.mdp.action_names == ("1", "0")
    seen = pomdp.mdp.matrix[: pomdp.mdp.n_actions].toarray()
    assert (np.count_nonzero(seen, axis=1) == [2, 4]).all(), (
        "the first action sees the state, the second does not"
    )
