"""An environment played by keyboard, in a terminal."""

from __future__ import annotations

import os
import string
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, TextIO

from gymnasium.error import InvalidAction

from rlkit.envs.registry import make, resolve
from rlkit.envs.suite import ENTRIES
from rlkit.errors import RlkitError
from rlkit.plain import plain

ARROWS = {"up": "\x1b[A", "down": "\x1b[B", "right": "\x1b[C", "left": "\x1b[D", "forward": "\x1b[A"}
SHOWN = {"\x1b[A": "↑", "\x1b[B": "↓", "\x1b[C": "→", "\x1b[D": "←", " ": "space"}
RESERVED = "qr"  # quit, begin anew
MOST_KEYS = 30  # actions that one key each can tell apart


class PlayError(RlkitError, ValueError):
    """What cannot be played here; the message says why."""


def play(name: str, *, seed: int = 0, stdin: TextIO = sys.stdin, **knobs: Any) -> None:
    """Play an environment until q is pressed; raises `PlayError` without a terminal."""
    if not stdin.isatty():
        raise PlayError("play needs a terminal to read keys from")
    id = resolve(name)
    if id not in {entry.id for entry in ENTRIES}:
        raise PlayError(f"{id} is not one of rlkit's environments; only they can be played")
    env: Any = make(id, render_mode="ansi", **knobs)
    names = env.unwrapped.model.action_names or [str(a) for a in range(env.unwrapped.model.n_actions)]
    keys = bindings(names)
    with _one_key_at_a_time(stdin) if keys else nullcontext():
        _loop(id, env, names, keys, seed, stdin)


def _loop(id: str, env: Any, names: Sequence[str], keys: dict[str, int], seed: int, stdin: TextIO) -> None:
    env.reset(seed=seed)
    earned, over, note = 0.0, False, ""
    while True:
        print(f"\x1b[2J\x1b[H{id}\n\n{plain(env.render())}\nreturn {earned:.4g}   {plain(note)}", flush=True)
        if keys:
            print("  ".join(plain(f"{SHOWN.get(key, key)} {names[a]}") for key, a in keys.items()), end="   ")
        print("r again   q quit", flush=True)
        key = _key(stdin) if keys else _word(stdin, names)
        if key == "q":
            return
        if key == "r" or over:
            env.reset()
            earned, over, note = 0.0, False, ""
            continue
        action = keys.get(key) if keys else (names.index(key) if key in names else None)
        if action is None:
            continue
        try:
            _, reward, terminated, truncated, _ = env.step(action)
        except InvalidAction as error:
            note = str(error)
            continue
        earned, over = earned + float(reward), terminated or truncated
        note = "the end; any key begins anew" if terminated else "time is over" if truncated else ""


def bindings(names: Sequence[str]) -> dict[str, int]:
    """A key for each action: an arrow, a letter of its name, or the next free one; none for too many."""
    if len(names) > MOST_KEYS:
        return {}
    keys: dict[str, int] = {}
    for action, name in enumerate(names):
        arrow = ARROWS.get(name, "")
        wanted = [*([arrow] if arrow else []), *name.lower(), *string.digits[1:], *string.ascii_lowercase]
        key = next(k for k in wanted if k not in keys and k not in RESERVED and k.strip())
        keys[key] = action
    return keys


def _word(stdin: TextIO, names: Sequence[str]) -> str:
    print(plain(f"action ({names[0]} ... {names[-1]}): "), end="", flush=True)
    return stdin.readline().strip() or "r"


def _key(stdin: TextIO) -> str:
    """One key, an arrow as its escape sequence; Ctrl-C and the end of input are q."""
    key = os.read(stdin.fileno(), 1).decode(errors="ignore")
    if key == "\x1b":
        key += os.read(stdin.fileno(), 2).decode(errors="ignore")
    return "q" if key in ("", "\x03", "\x04") else key


@contextmanager
def _one_key_at_a_time(stdin: TextIO) -> Iterator[None]:
    import termios
    import tty

    before = termios.tcgetattr(stdin)
    try:
        tty.setcbreak(stdin, termios.TCSADRAIN)
        yield
    finally:
        termios.tcsetattr(stdin, termios.TCSADRAIN, before)
