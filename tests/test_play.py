"""Play by keyboard, through a pseudo-terminal as a person would."""

import os
import pty
import threading

import pytest

from rlkit.play import PlayError, bindings, play


@pytest.fixture
def keyboard():
    """A terminal to play in, and a function that types."""
    person, machine = pty.openpty()
    stdin = os.fdopen(machine, "r")

    def type(keys):
        threading.Thread(target=os.write, args=(person, keys)).start()

    yield stdin, type
    stdin.close()
    os.close(person)


def test_arrows_move_and_q_quits(keyboard, capsys):
    stdin, type = keyboard
    type(b"\x1b[C\x1b[Bq")  # right, down into a hole, and away
    play("FrozenLake", stdin=stdin, slip=0.0)
    out = capsys.readouterr().out
    assert "S@.." in out
    assert "(down ↓)" in out
    assert "the end; any key begins anew" in out


def test_an_illegal_action_is_said_and_nothing_lost(keyboard, capsys):
    stdin, type = keyboard
    type(b"aaq")  # the same square twice
    play("TicTacToe", stdin=stdin)
    out = capsys.readouterr().out
    assert "is not legal here" in out
    assert "(a3)" in out


def test_keys_are_arrows_then_letters_then_what_is_free():
    assert bindings(["left", "down", "right", "up"]) == {"\x1b[D": 0, "\x1b[B": 1, "\x1b[C": 2, "\x1b[A": 3}
    assert bindings(["study", "party"]) == {"s": 0, "p": 1}
    assert bindings(["quit", "run", "run"]) == {"u": 0, "n": 1, "1": 2}
    assert bindings([str(a) for a in range(100)]) == {}


def test_without_a_terminal_there_is_no_play(tmp_path):
    with open(os.devnull) as stdin, pytest.raises(PlayError, match="needs a terminal"):
        play("exam", stdin=stdin)


def test_others_environments_are_not_played(keyboard):
    stdin, _ = keyboard
    with pytest.raises(PlayError, match="CartPole-v1 is not one of rlkit's"):
        play("CartPole-v1", stdin=stdin)
