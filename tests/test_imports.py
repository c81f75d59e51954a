"""Imports point one way, and the light entry points stay light."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

PACKAGE = Path(__file__).parents[1] / "rlkit"

ABOVE = {"run", "evaluate", "catalogue", "check", "play", "plot", "films"}
BELOW = {"agents", "experience", "storage", "core", "solvers", "envs", "nn", "__init__"} | {
    *("errors", "plain", "registry", "settings", "signals", "trees")
}
INTERNAL = {  # which parts of rlkit each part may import, besides itself
    "errors": set(),
    "trees": set(),
    "plain": set(),
    "registry": {"errors"},
    "settings": {"errors"},
    "signals": set(),
    "machine_code": set(),
    "core": {"errors", "registry"},
    "solvers": {"core", "errors", "machine_code", "registry"},
    "envs": {"core", "errors", "machine_code", "plain", "registry"},
    "storage": {"errors", "settings", "trees"},
    "experience": {"core", "envs", "errors", "machine_code", "nn", "registry", "settings", "trees"},
    "nn": {"errors", "machine_code", "registry", "settings"},
    "agents": {
        "core",
        "envs",
        "errors",
        "experience",
        "storage",
        "machine_code",
        "nn",
        "registry",
        "settings",
        "trees",
    },
    **dict.fromkeys(ABOVE, BELOW | ABOVE),
    "report": {"plain", "signals"},
    "cli": BELOW | ABOVE | {"report"},
    "__main__": {"cli"},
    "__init__": {"check", "core", "envs", "solvers"},
}
HEAVY = {"torch", "numba", "matplotlib", "gymnasium", "numpy", "scipy"}
FORBIDDEN = {  # libraries that a part must not use
    "core": {"torch", "numba", "matplotlib", "stable_baselines3"},
    "solvers": {"matplotlib", "gymnasium", "stable_baselines3"},
    "envs": {"stable_baselines3"},
    "nn": {"scipy", "matplotlib", "stable_baselines3"},
    "agents": {"scipy", "matplotlib", "stable_baselines3"},
    "experience": {"scipy", "matplotlib", "stable_baselines3"},
    "report": HEAVY,
    "cli": HEAVY,
    "errors": HEAVY,
    "registry": HEAVY,
    "plain": HEAVY,
    "signals": HEAVY,
}


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@cache
def imported(source: str, path: Path) -> set[str]:
    """Full dotted names of everything a module imports, wherever in it; relative ones resolved."""
    package = ("rlkit", *path.relative_to(PACKAGE).parts[:-1])
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            names |= {f"{module}.{alias.name}" for alias in node.names}
    return names


def violations(source: str, path: Path) -> list[str]:
    part = part_of(path)
    found = []
    for name in imported(source, path):
        top, _, rest = name.partition(".")
        target = rest.split(".")[0]
        if top == "rlkit":
            is_part = target and ((PACKAGE / target).is_dir() or (PACKAGE / f"{target}.py").exists())
            known = target if is_part else "__init__"
            if known != part and known not in INTERNAL[part]:
                found.append(f"{path.relative_to(PACKAGE)} imports {name}")
        elif top in FORBIDDEN.get(part, set()):
            found.append(f"{path.relative_to(PACKAGE)} imports {name}")
    return found


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_one_way(path: Any) -> None:
    assert violations(path.read_text(), path) == []


@pytest.mark.parametrize(
    ("source", "where"),
    [
        ("from rlkit.solvers import solve", "core/mdp.py"),
        ("from ..solvers import solve", "agents/dqn.py"),
        ("def f():\n    import torch", "core/model.py"),
        ("import rlkit.agents", "report.py"),
    ],
)
def test_a_wrong_import_is_found(source: str, where: str) -> None:
    assert violations(source, PACKAGE / where)


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix("__init__").rstrip(".")


def circles(sources: dict[Path, str]) -> set[frozenset[str]]:
    """Sets of modules of which each imports, directly or through others, every other."""
    known = {module_of(path) for path in sources}
    direct: dict[str, set[str]] = {}
    for path, source in sources.items():
        own = (name for name in imported(source, path) if name.split(".")[0] == "rlkit")
        names = {name.removeprefix("rlkit").lstrip(".") for name in own}
        met = {name if name in known else name.rpartition(".")[0] for name in names}
        direct[module_of(path)] = (met & known) - {module_of(path)}
    reached = {module: set(met) for module, met in direct.items()}
    for between in known:
        for met in reached.values():
            if between in met:
                met |= reached[between]
    return {
        frozenset(other for other in met if module in reached[other])
        for module, met in reached.items()
        if module in met
    }


def test_there_is_no_circle_of_modules() -> None:
    """An import is an edge wherever it is written: in a function, and under TYPE_CHECKING, too.

    It leads to the module that is named: `from .core import MDP` to the package's `__init__`, `from .core
    import mdp` to the module. That Python runs the `__init__` of every package above a module on the way is
    no edge, else each package that re-exports its modules would be a circle.
    """
    sources = {path: path.read_text() for path in PACKAGE.rglob("*.py")}
    assert circles(sources) == set()


@pytest.mark.parametrize(
    ("statement", "circle"),
    [
        ("from rlkit.core.build import from_triplets", {"core.mdp", "core.build", "core.graph"}),
        ("if TYPE_CHECKING:\n    from .pomdp import POMDP", {"core.mdp", "core.pomdp"}),
        ("def f():\n    from . import table", {"core.mdp", "core.table"}),
        ("from ..core import POMDP", {"core", "core.mdp"}),
    ],
)
def test_a_circle_is_found(statement: str, circle: Any) -> None:
    sources = {path: path.read_text() for path in PACKAGE.rglob("*.py")}
    sources[PACKAGE / "core/mdp.py"] += f"\n{statement}\n"
    (found,) = circles(sources)
    assert circle <= found


@pytest.mark.parametrize("statement", ["import rlkit", "import rlkit.cli"])
def test_light_imports(statement: str) -> None:
    code = f"import sys; {statement}; print(*sorted({HEAVY!r} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""


def test_a_compiler_is_loaded_where_it_is_needed() -> None:
    code = "import sys, rlkit.agents; assert 'numba' not in sys.modules; print(len(rlkit.agents.AGENTS))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(result.stdout) > 10


@pytest.mark.parametrize("order", ["import rlkit, gymnasium", "import gymnasium, rlkit"])
def test_ids_are_registered_in_either_order(order: str) -> None:
    code = f"{order}; print('rlkit/Exam-v0' in gymnasium.registry)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "True"


def test_public_names() -> None:
    import rlkit

    assert rlkit.__all__ == [
        *("MDP", "__version__", "check_env", "check_model", "check_vector_env", "exact", "solve")
    ]
    assert all(getattr(rlkit, name) is not None for name in rlkit.__all__)
