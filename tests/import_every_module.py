"""Import every module of the installed rlkit, which must not be the one of a checkout."""

import importlib
import pkgutil
from pathlib import Path

import rlkit

home = Path(rlkit.__file__).parent
assert home.parent.name == "site-packages", f"rlkit was imported from {home}"
for name in (
    "py.typed",
    "figures.json",
    "agents/presets.toml",
    "check/probes.toml",
    "envs/suite.toml",
    "report/style.css",
    "run/tasks.toml",
):
    assert (home / name).exists(), f"{name} is missing from the wheel"
for module in pkgutil.walk_packages([str(home)], prefix="rlkit."):
    importlib.import_module(module.name)
