"""Imports point one way, and the light entry points stay light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "rlkit"

ABOVE = {"train", "evaluate", "checkpoint", "log", "catalogue", "check", "play", "plot", "record"}
BELOW = {"agents", "core", "solvers", "envs", "nn", "__init__"} | {
    *("errors", "plain", "registry", "settings", "signals")
}
INTERNAL = {  # which parts of rlkit each part may import, besides itself
    "errors": set(),
    "plain": set(),
    "registry": {"errors"},
    "settings": {"errors"},
    "signals": set(),
    "machine_code": set(),
    "core": {"errors", "registry"},
    "solvers": {"core", "errors", "machine_code", "registry"},
    "envs": {"core", "errors", "machine_code", "plain", "registry"},
    "nn": {"errors", "machine_code", "registry", "settings"},
    "agents": {"core", "envs", "errors", "machine_code", "nn", "registry", "settings"},
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
    "report": HEAVY,
    "cli": HEAVY,
    "errors": HEAVY,
    "registry": HEAVY,
    "plain": HEAVY,
    "signals": HEAVY,
}


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


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
def test_imports_point_one_way(path):
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
def test_a_wrong_import_is_found(source, where):
    assert violations(source, PACKAGE / where)


@pytest.mark.parametrize("statement", ["import rlkit", "import rlkit.cli"])
def test_light_imports(statement):
    code = f"import sys; {statement}; print(*sorted({HEAVY!r} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""


def test_a_compiler_is_loaded_where_it_is_needed():
    code = "import sys, rlkit.agents; assert 'numba' not in sys.modules; print(len(rlkit.agents.AGENTS))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(result.stdout) > 10


@pytest.mark.parametrize("order", ["import rlkit, gymnasium", "import gymnasium, rlkit"])
def test_ids_are_registered_in_either_order(order):
    code = f"{order}; print('rlkit/Exam-v0' in gymnasium.registry)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "True"


def test_public_names():
    import rlkit

    assert rlkit.__all__ == [
        *("MDP", "__version__", "check_env", "check_model", "check_vector_env", "exact", "solve")
    ]
    assert all(getattr(rlkit, name) is not None for name in rlkit.__all__)
