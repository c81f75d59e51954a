"""Models in files, each format a module: rlkit's own JSON and NPZ, PRISM's, Storm's DRN, Cassandra's."""

import os
from collections.abc import Iterable
from inspect import signature
from pathlib import Path
from typing import Any

from rlkit.core.errors import ModelError
from rlkit.core.files.format import Format as Format
from rlkit.core.files.text import fail, suffix
from rlkit.core.mdp import MDP
from rlkit.core.pomdp import POMDP
from rlkit.errors import blamed
from rlkit.registry import find, names

LANGUAGES = {
    **dict.fromkeys((".prism", ".pm", ".nm", ".sm", ".pctl"), "PRISM's language"),
    ".jani": "JANI",
    ".pomdpx": "PomdpX",
    ".umb": "UMB",
}


def read_model(path: str | os.PathLike[str], **options: Any) -> MDP | POMDP:
    """Read a model from .json, .npz, .tra, .drn, .MDP or .POMDP, each with .gz behind it or not.

    It is a `POMDP` where the file says what is observed. `options` are those of the format: `labels` (.lab)
    and `rewards` (.srew, .trew, added up) for a .tra file, `reward_model`, the name of one, for a .drn file.
    Raises `ModelError` for a malformed file, its message beginning with the file's name and the line, and
    `OSError` for a file that cannot be opened.
    """
    file = Path(path)
    kind = suffix(file)
    if kind not in names("file") and kind in LANGUAGES:
        raise fail(file, None, f"{LANGUAGES[kind]} is not read: export the model to a .tra or .drn file")
    if kind not in names("file"):
        raise _unknown(file, names("file"))
    given = {name: x for name, x in options.items() if x is not None and x != [] and x != ()}
    read = _format(kind).read
    for name in given:
        if name not in _options(kind):
            kinds = " and ".join(known for known in names("file") if name in _options(known))
            message = f"the option {name!r} is for {kinds} files" if kinds else f"no option {name!r}"
            raise fail(file, None, message)
    with blamed(ModelError, f"{file.name}: what reads {kind} files failed", OSError):
        model = read(file, **given)
    if not isinstance(model, MDP | POMDP):
        raise fail(file, None, f"what reads {kind} files returned no model, but {model!r}")
    return model


def write_model(mdp: MDP, path: str | os.PathLike[str]) -> None:
    """Write a model as .json, .npz, .tra or .drn, each with .gz behind it or not.

    .json and .npz keep every field exactly. .tra is accompanied by a .lab and a .trew file. .tra and .drn
    leave out the discount and the names of states. Raises `ModelError` for an unknown suffix and for what
    the format cannot express.
    """
    file = Path(path)
    if isinstance(mdp, POMDP):
        raise fail(file, None, "a POMDP cannot be written, but its MDP can: pomdp.full_information")
    chosen = _format(suffix(file)) if suffix(file) in names("file") else None
    if chosen is None or chosen.write is None:
        raise _unknown(file, (kind for kind in names("file") if _format(kind).write is not None))
    for what, needed in (
        ("rewards that decay with time", mdp.reward_decay),
        ("a game of two players", mdp.zero_sum),
    ):
        if needed and not chosen.exact:
            exact = " or ".join(known for known in names("file") if _format(known).exact)
            raise fail(file, None, f"{what} can only be written as {exact}")
    with blamed(ModelError, f"{file.name}: what writes {suffix(file)} files failed", OSError):
        chosen.write(mdp, file)


def _format(kind: str) -> Format:
    found: Format = find("file", kind)
    return found


def _options(kind: str) -> tuple[str, ...]:
    return tuple(signature(_format(kind).read).parameters)[1:]


def _unknown(file: Path, known: Iterable[str]) -> ModelError:
    return fail(file, None, f"the suffix {suffix(file)!r} is unknown (known: {', '.join(known)})")
