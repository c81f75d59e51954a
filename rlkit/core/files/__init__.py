"""Models in files: rlkit's own JSON and NPZ, PRISM's explicit files, Storm's DRN, Cassandra's format."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from rlkit.core.files.cassandra import read_cassandra
from rlkit.core.files.drn import read_drn, write_drn
from rlkit.core.files.native import read_json, read_npz, write_json, write_npz
from rlkit.core.files.prism import read_prism, write_prism
from rlkit.core.files.text import fail, suffix
from rlkit.core.mdp import MDP
from rlkit.core.pomdp import POMDP

__all__ = ["read_model", "write_model"]

READERS = {".json": read_json, ".npz": read_npz, ".mdp": read_cassandra, ".pomdp": read_cassandra}
LANGUAGES = {
    **dict.fromkeys((".prism", ".pm", ".nm", ".sm", ".pctl"), "PRISM's language"),
    ".jani": "JANI",
    ".pomdpx": "PomdpX",
    ".umb": "UMB",
}
WRITERS = {".json": write_json, ".npz": write_npz, ".tra": write_prism, ".drn": write_drn}


def read_model(
    path: str | os.PathLike[str],
    *,
    labels: str | os.PathLike[str] | None = None,
    rewards: Sequence[str | os.PathLike[str]] = (),
    reward_model: str | None = None,
) -> MDP | POMDP:
    """Read a model from .json, .npz, .tra, .drn, .MDP or .POMDP, each with .gz behind it or not.

    It is a `POMDP` where the file says what is observed. `labels` (.lab) and `rewards` (.srew, .trew, added
    up) belong to a .tra file, `reward_model` names one of those in a .drn file. Raises `ModelError` for a
    malformed file, its message beginning with the file's name and the line, and `OSError` for a file that
    cannot be opened.
    """
    file = Path(path)
    kind = suffix(file)
    if kind != ".tra" and (labels is not None or len(rewards)):
        raise fail(file, None, "files of labels and rewards belong to a .tra file")
    if kind != ".drn" and reward_model is not None:
        raise fail(
            file, None, f"there is no reward model {reward_model!r}: only a .drn file names its rewards"
        )
    if kind == ".tra":
        return read_prism(
            file, labels=None if labels is None else Path(labels), rewards=[Path(x) for x in rewards]
        )
    if kind == ".drn":
        return read_drn(file, reward_model=reward_model)
    if kind in LANGUAGES:
        raise fail(file, None, f"{LANGUAGES[kind]} is not read: export the model to a .tra or .drn file")
    if kind not in READERS:
        raise fail(
            file, None, f"the suffix {kind!r} is unknown (known: {', '.join([*READERS, '.tra', '.drn'])})"
        )
    return READERS[kind](file)


def write_model(mdp: MDP, path: str | os.PathLike[str]) -> None:
    """Write a model as .json, .npz, .tra or .drn, each with .gz behind it or not.

    .json and .npz keep every field exactly. .tra is accompanied by a .lab and a .trew file. .tra and .drn
    leave out the discount and the names of states. Raises `ModelError` for an unknown suffix and for what
    the format cannot express.
    """
    file = Path(path)
    kind = suffix(file)
    if isinstance(mdp, POMDP):
        raise fail(file, None, "a POMDP cannot be written, but its MDP can: pomdp.full_information")
    if kind not in WRITERS:
        raise fail(file, None, f"the suffix {kind!r} is unknown (known: {', '.join(WRITERS)})")
    if mdp.fade and kind not in (".json", ".npz"):
        raise fail(file, None, "rewards that fade with time can only be written as .json or .npz")
    if mdp.zero_sum and kind not in (".json", ".npz"):
        raise fail(file, None, "a game of two players can only be written as .json or .npz")
    WRITERS[kind](mdp, file)
