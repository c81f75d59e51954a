"""Other people's programs on rlkit's environments: python -m benchmarks.clients [NAME ...].

Each client is installed into an environment of its own below build/clients, on top of the packages that run
this, and tries one id of every kind. The table is printed, and written into docs/clients.md if all were run.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import venv
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from itertools import groupby
from pathlib import Path
from sysconfig import get_path
from typing import Any

from . import learners, solvers

ROOT = Path(__file__).parents[2]
PAGE, START, END = ROOT / "docs" / "clients.md", "<!-- table -->\n", "<!-- end of the table -->\n"
KEPT = ("torch", "numpy", "scipy", "numba", "llvmlite")  # which no client may replace
SECONDS = 600

KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "numbers": ("rlkit/FrozenLake-v0", {}),
    "arrays of numbers": ("rlkit/Blackjack-v0", {}),
    "vectors": ("rlkit/SignalFilter-v0", {}),
    "grids": ("rlkit/PushBox-v0", {}),
    "rooms": ("rlkit/DoorKey5x5-v0", {}),
    'games with `illegal="random"`': ("rlkit/TicTacToe-v0", {"illegal": "random"}),
    "games with masks": ("rlkit/TicTacToe-v0", {}),
}
MASKS = {"games with masks": KINDS["games with masks"], "numbers with masks": ("rlkit/Inventory-v0", {})}
MODELS = {
    "states": KINDS["numbers"],
    "states with illegal actions": ("rlkit/Inventory-v0", {}),
    "games": ("rlkit/TicTacToe-v0", {"opponent": "random"}),
    "hidden states": ("rlkit/Tiger-v0", {}),
}


@dataclass(frozen=True)
class Client:
    """A package, what has to be installed for it, what it does with one id, and the kinds of ids it tries."""

    name: str
    package: str
    run: Callable[..., None]
    kinds: dict[str, tuple[str, dict[str, Any]]]
    requires: tuple[str, ...] = ()  # nothing for what is among the developers' tools


CLIENTS = (
    Client("CleanRL's loop, Gymnasium", "gymnasium", learners.cleanrl, KINDS),
    Client("Stable-Baselines3", "stable_baselines3", learners.stable_baselines3, KINDS),
    Client("sb3-contrib", "sb3_contrib", learners.sb3_contrib, MASKS),
    Client("TorchRL", "torchrl", learners.torchrl, KINDS),
    Client("TorchRL", "torchrl", learners.torchrl_masks, MASKS),
    Client("Tianshou", "tianshou", learners.tianshou, KINDS, ("tianshou>=2",)),
    Client("Tianshou", "tianshou", learners.tianshou_masks, MASKS, ("tianshou>=2",)),
    Client("skrl", "skrl", learners.skrl, KINDS, ("skrl",)),
    Client("RLlib", "ray", learners.rllib, KINDS, ("ray[rllib]>=2.40",)),
    Client("d3rlpy", "d3rlpy", learners.d3rlpy, KINDS, ("d3rlpy",)),
    Client("Minari", "minari", learners.minari, KINDS, ("minari[create,hdf5]",)),
    Client("QuantEcon", "quantecon", solvers.quantecon, MODELS, ("quantecon",)),
    Client("pymdptoolbox", "pymdptoolbox", solvers.pymdptoolbox, MODELS, ("pymdptoolbox",)),
)


def interpreter(client: Client) -> str:
    """A Python that has the client; CalledProcessError, with pip's words, where there can be none."""
    if not client.requires:
        return sys.executable
    place = ROOT / "build" / "clients" / client.package
    python = place / "bin" / "python"
    if not python.exists():
        venv.create(place, with_pip=True)
    (library,) = place.glob("lib/python*/site-packages")
    (library / "below.pth").write_text(f"{get_path('purelib')}\n{ROOT}\n")
    kept = [line for line in (ROOT / "constraints.txt").read_text().split() if line.split("==")[0] in KEPT]
    constraints = place / "constraints.txt"
    constraints.write_text("\n".join(kept) + "\n")
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "-c", str(constraints), *client.requires], check=True, capture_output=True, text=True
    )
    return str(python)


def tried(client: Client) -> dict[str, Any]:
    """What became of each kind of id, and the version, in this interpreter; None where it works."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    warnings.simplefilter("ignore")
    found: dict[str, str | None] = {}
    for kind, (id, options) in client.kinds.items():
        try:
            client.run(id, **options)
            found[kind] = None
        except Exception as error:  # of whatever kind: it is what the table is for
            found[kind] = one_line(error)
    return {"version": metadata.version(client.package), "found": found}


def one_line(error: BaseException) -> str:
    """The kind of an error, or of what caused it, and its first sentence."""
    error = error.__cause__ or error
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {re.split(r'(?<=[a-z)])[.;] ', text)[0][:160]}"


def row(client: Client) -> str:
    """The row of a client, tried in an interpreter that has it."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "found.json"
        quiet = {"RAY_DEDUP_LOGS": "0", "MINARI_DATASETS_PATH": folder, "CUDA_VISIBLE_DEVICES": ""}
        try:
            here = [interpreter(client), "-m", "benchmarks.clients", "--here", str(out), client.run.__name__]
            told = subprocess.run(
                here, cwd=ROOT, env=os.environ | quiet, timeout=SECONDS, capture_output=True, text=True
            )
            record = json.loads(out.read_text()) if out.exists() else None
            why = (told.stderr.strip().splitlines() or ["it was killed"])[-1]
        except subprocess.CalledProcessError as error:
            record, why = None, f"pip: {(error.stderr.strip().splitlines() or ['failed'])[-1]}"
        except subprocess.TimeoutExpired:
            record, why = None, f"no answer in {SECONDS} seconds"
    what = client.run.__doc__
    if record is None:
        return f"| {client.name} | – | {what} | – | everything: {escaped(why)} |"
    found = record["found"]
    works = ", ".join(kind for kind, error in found.items() if error is None)
    failed = sorted((error, kind) for kind, error in found.items() if error is not None)
    said = [
        f"{', '.join(kind for _, kind in group)}: {escaped(error)}"
        for error, group in groupby(failed, key=lambda pair: pair[0])
    ]
    return f"| {client.name} | {record['version']} | {what} | {works or '–'} | {'; '.join(said) or '–'} |"


def escaped(text: str) -> str:
    """Text as code in a cell of a table."""
    return f"`{text.replace('|', '/').replace('`', '')}`"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="packages, as pip knows them; all without")
    parser.add_argument(
        "--here", metavar="FILE", help="try one in this interpreter, and write what was found"
    )
    given = parser.parse_args()
    if given.here:
        client = next(client for client in CLIENTS if [client.run.__name__] == given.names)
        Path(given.here).write_text(json.dumps(tried(client)))
        return
    table = ["| client | version | what it does | works on | does not, and why |", "|---|---|---|---|---|"]
    for client in CLIENTS:
        if not given.names or client.package in given.names:
            table.append(row(client))
            print(table[-1], flush=True)
    if not given.names:
        before, rest = PAGE.read_text().split(START)
        _, after = rest.split(END)
        PAGE.write_text(before + START + "\n".join(["", *table, "", ""]) + END + after)


if __name__ == "__main__":
    main()
