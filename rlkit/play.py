"""An environment played by keyboard, in a terminal."""

import os
import re
import shutil
import string
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, TextIO

from gymnasium.error import InvalidAction

from rlkit.envs.adapters.gym import ModelEnv
from rlkit.envs.registry import make, resolve
from rlkit.envs.rendering.frames import text
from rlkit.envs.wrappers.base import Wrapper
from rlkit.errors import RlkitError
from rlkit.plain import plain

UP, DOWN, RIGHT, LEFT = (f"\x1b[{letter}" for letter in "ABCD")
ARROWS = {"up": UP, "down": DOWN, "right": RIGHT, "left": LEFT, "forward": UP}
ARROWS |= {"north": UP, "south": DOWN, "east": RIGHT, "west": LEFT}
SHOWN = {UP: "↑", DOWN: "↓", RIGHT: "→", LEFT: "←", " ": "space"}
RESERVED = "qr"  # quit, restart
MOST_KEYS = 30  # actions up to which each has a key
MOST_NAMED = 12  # actions listed in a message
NO_BREAK = "\xa0"
CELL = re.compile(r"[a-zA-Z]\d+")


class PlayError(RlkitError, ValueError):
    """The environment cannot be played here; the message says why."""


def play(name: str, *, seed: int = 0, stdin: TextIO = sys.stdin, **options: Any) -> None:
    """Play a `Model` until q is pressed; raises `PlayError` for anything else, and without a terminal."""
    if not stdin.isatty():
        raise PlayError("play needs a terminal to read keys from")
    id = resolve(name)
    env: Any = make(id, **options)
    if not isinstance(env.unwrapped, ModelEnv):
        raise PlayError(f"{id} is not a model of rlkit, and only those can be played")
    names = env.unwrapped.model.action_names or [str(a) for a in range(env.unwrapped.model.n_actions)]
    keys = bindings(names)
    with _one_key_at_a_time(stdin) if keys else nullcontext():
        _loop(id, env, names, keys, seed, stdin)


def _loop(id: str, env: Any, names: Sequence[str], keys: dict[str, int], seed: int, stdin: TextIO) -> None:
    env.reset(seed=seed)
    earned, over, note = 0.0, False, ""
    while True:
        base, width = env.unwrapped, shutil.get_terminal_size().columns
        shown = text(base.model, base.state, base.last_action)
        cut = "\n".join(line if len(line) <= width else f"{line[: width - 1]}…" for line in shown.split("\n"))
        print(f"\x1b[2J\x1b[H{id}\n\n{plain(cut)}{plain(_legend(env, shown, width))}", flush=True)
        print(textwrap.fill(f"return {earned:.6g}   {plain(note)}", width), flush=True)
        if keys:
            print(_fill([plain(_key_and_name(key, names[a])) for key, a in keys.items()], width))
        print("r restart  q quit", flush=True)
        key = _key(stdin) if keys else _word(stdin, names)
        if key == "q":
            return
        if key == "r" or over:
            env.reset()
            earned, over, note = 0.0, False, ""
            continue
        action = keys.get(key) if keys else _named(key, names)
        if action is None:
            note = "" if key == "" or keys else f"no action {key!r}; {_legal(env, names)}"
            continue
        try:
            _, reward, terminated, truncated, _ = env.step(action)
        except InvalidAction:
            note = f"{names[action]} is not legal here; {_legal(env, names)}"
            continue
        earned, over = earned + float(reward), terminated or truncated
        again = "any key" if keys else "Enter"
        note = f"episode over; press {again} for the next" if terminated else ""
        note = note or (f"time limit reached; press {again} for the next" if truncated else "")


def _key_and_name(key: str, name: str) -> str:
    return name if key == name else f"{SHOWN.get(key, key)} {name}"


def _fill(parts: Sequence[str], width: int) -> str:
    """The parts in lines, none of them broken."""
    text = "  ".join(part.replace(" ", NO_BREAK) for part in parts)
    return textwrap.fill(text, width, break_long_words=False).replace(NO_BREAK, " ")


def _legend(env: Any, shown: str, width: int) -> str:
    """What the signs on a map stand for; empty without a map."""
    model = env.unwrapped.model
    while isinstance(model, Wrapper):
        model = model.inner
    met = [f"{sign} {name}" for sign, name in model.signs.items() if sign in shown and sign not in ". "]
    return f"\n{_fill(met, width)}\n" if met else ""


def _named(word: str, names: Sequence[str]) -> int | None:
    """The action with that name, in either case, or with that last word (`stake 3`)."""
    lower = [name.lower() for name in names]
    short = [name.split()[-1] for name in lower]
    for known in (lower, short):
        if known.count(word.lower()) == 1:
            return known.index(word.lower())
    return None


def _legal(env: Any, names: Sequence[str]) -> str:
    """The legal actions by name, the first few of many."""
    legal = [name for name, allowed in zip(names, env.unwrapped.action_masks(), strict=True) if allowed]
    return f"legal: {', '.join(legal[:MOST_NAMED])}{' …' if len(legal) > MOST_NAMED else ''}"


def bindings(names: Sequence[str]) -> dict[str, int]:
    """A key for each action: an arrow, a letter of its name, or the next free one.

    Empty where names are typed: if there are many actions, or if they are coordinates of cells.
    """
    if len(names) > MOST_KEYS or any(CELL.fullmatch(name) for name in names):
        return {}
    keys: dict[str, int] = {}
    for action, name in enumerate(names):
        arrow = ARROWS.get(name, "")
        wanted = [*([arrow] if arrow else []), *name.lower(), *string.digits[1:], *string.ascii_lowercase]
        key = next(k for k in wanted if k not in keys and k not in RESERVED and k.strip())
        keys[key] = action
    return keys


def _word(stdin: TextIO, names: Sequence[str]) -> str:
    """A typed line; the end of input is q."""
    print(plain(f"action ({names[0]} ... {names[-1]}): "), end="", flush=True)
    line = stdin.readline()
    return line.strip() if line else "q"


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
