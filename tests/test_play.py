"""Play by keyboard, through a pseudo-terminal as a person would."""

import os
import pty
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest

from rlkit.core import from_successors
from rlkit.envs import MDPEnv
from rlkit.play import PlayError, bindings, play


@pytest.fixture
def keyboard() -> Iterator[Any]:
    """A terminal to play in, and a function that types."""
    person, machine = pty.openpty()
    stdin = os.fdopen(machine, "r")

    def type(keys: Any) -> None:
        threading.Thread(target=os.write, args=(person, keys)).start()

    yield stdin, type
    stdin.close()
    os.close(person)


def test_arrows_move_and_q_quits(keyboard: Any, capsys: pytest.CaptureFixture[str]) -> None:
    stdin, type = keyboard
    type(b"\x1b[C\x1b[Bq")  # right, down into a hole, and away
    play("FrozenLake", stdin=stdin, slip=0.0)
    out = capsys.readouterr().out
    assert "S@.." in out
    assert "(down ↓)" in out
    assert "episode over; press any key for the next" in out
    assert "@ you  # wall" not in out, "there is no wall on this map"
    assert "@ you  G goal  H hole" in out


def test_cells_are_typed_in_either_case_and_enter_ends_nothing(
    keyboard: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    stdin, type = keyboard
    type(b"B2\n\nb2\nz9\n\nq\n")
    play("TicTacToe", stdin=stdin)
    out = capsys.readouterr().out
    assert "(b2)" in out
    last = out.rpartition("rlkit/TicTacToe-v0")[2]
    assert " 2 " in last
    assert "X" in last.partition("to move")[0], "Enter restarts nothing"
    assert "b2 is not legal here; legal: " in out
    assert "no action 'z9'; legal: " in out
    assert "   a b c" in out


def test_enter_after_the_end_starts_the_next_episode(
    keyboard: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    stdin, type = keyboard
    type(b"1\n\nq\n")
    play("gambler", stdin=stdin, goal=80, capital=1, p_heads=0.0)
    out = capsys.readouterr().out
    assert "episode over; press Enter for the next" in out
    assert "capital 1 of 80" in out.rpartition("episode over")[2]


def test_a_typed_number_is_the_stake(keyboard: Any, capsys: pytest.CaptureFixture[str]) -> None:
    stdin, type = keyboard
    type(b"STAKE 2\n3\nq\n")
    play("gambler", stdin=stdin, goal=80, capital=30, p_heads=1.0)
    out = capsys.readouterr().out
    assert "(stake 2)" in out
    assert "capital 35 of 80" in out


def test_the_end_of_typed_input_quits(keyboard: Any, capsys: pytest.CaptureFixture[str]) -> None:
    stdin, type = keyboard
    type(b"\x04")  # Ctrl-D on an empty line
    play("gambler", stdin=stdin)
    assert capsys.readouterr().out.count("rlkit/Gambler-v0") == 1, "it is not asked again"


def test_keys_are_arrows_then_letters_then_what_is_free() -> None:
    assert bindings(["left", "down", "right", "up"]) == {"\x1b[D": 0, "\x1b[B": 1, "\x1b[C": 2, "\x1b[A": 3}
    assert bindings(["study", "party"]) == {"s": 0, "p": 1}
    assert bindings(["quit", "run", "run"]) == {"u": 0, "n": 1, "1": 2}
    assert bindings([str(a) for a in range(100)]) == {}
    assert bindings(["a1", "b1", "pass"]) == {}, "cells are typed"
    assert list(bindings(["south", "north", "east", "west", "pickup"])) == [
        *("\x1b[B", "\x1b[A", "\x1b[C", "\x1b[D", "p")
    ]


def test_without_a_terminal_there_is_no_play(tmp_path: Path) -> None:
    with open(os.devnull) as stdin, pytest.raises(PlayError, match="needs a terminal"):
        play("exam", stdin=stdin)


def test_others_environments_are_not_played(keyboard: Any) -> None:
    stdin, _ = keyboard
    with pytest.raises(PlayError, match="CartPole-v1 is not a model of rlkit"):
        play("CartPole-v1", stdin=stdin)


def test_nothing_is_wider_than_the_terminal(
    keyboard: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    stdin, type = keyboard
    type(b"q")
    play("DoorKey5x5", stdin=stdin)
    type(b"q")
    play("maze", stdin=stdin, size=61)
    out = capsys.readouterr().out
    lines = out.replace("\x1b[2J\x1b[H", "").split("\n")
    assert max(map(len, lines)) <= 40
    assert "r restart  q quit" in lines
    type(b"q")
    play("connectfour", stdin=stdin)
    assert "\n1  2  3  4  5  6  7\n" in capsys.readouterr().out, "a key that is the name stands once"
    assert any(line.endswith("…") for line in lines)


def test_an_own_model_is_played(keyboard: Any, capsys: pytest.CaptureFixture[str]) -> None:
    mdp = from_successors(lambda s: {"walk on": [(1.0, "end", 1.0)]} if s == "begin" else {}, "begin")
    gym.register("OwnWalk-v0", entry_point=lambda: MDPEnv(mdp))
    stdin, type = keyboard
    type(b"wq")
    play("OwnWalk-v0", stdin=stdin)
    out = capsys.readouterr().out
    assert "begin\n" in out
    assert "(walk on)\nend\n" in out
