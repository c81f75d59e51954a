"""What the package says of its environments is what the solvers find."""

import json
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest

from rlkit import catalogue, exact
from rlkit.catalogue import FIGURE_NAMES, FIGURES, describe, ids, listed
from rlkit.cli.learning import _landmarks
from rlkit.core import POMDP, from_successors
from rlkit.envs import MDPEnv
from rlkit.evaluate import scale
from rlkit.solvers import belief_mdp, optima

KEPT = json.loads(FIGURES.read_text())
SEARCHED = ("memoryless",)  # found by a search of many steps, whose last digits the machine decides


def is_quick(id: Any) -> Any:
    states, observations = (KEPT.get(id, {}).get(name) or 0 for name in ("states", "observations"))
    return states <= (100 if observations else 10_000)


def differences(id: Any) -> Any:
    found, kept = describe(id, anew=True), KEPT.get(id) or dict.fromkeys(FIGURE_NAMES)
    wrong = [name for name in kept if name not in FIGURE_NAMES and found[name] != kept[name]]
    for name in FIGURE_NAMES:
        tolerance = 1e-2 if name in SEARCHED else 1e-9
        if found[name] != kept[name] and found[name] != pytest.approx(kept[name], rel=tolerance, abs=1e-12):
            wrong.append(name)
    return wrong


@pytest.mark.parametrize("id", [id for id in ids() if is_quick(id)])
def test_figures(id: Any) -> None:
    assert differences(id) == []


@pytest.mark.slow
@pytest.mark.parametrize("id", [id for id in ids() if not is_quick(id)])
def test_figures_of_large_models(id: Any) -> None:
    assert differences(id) == []


def test_a_wrong_figure_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KEPT, "rlkit/Exam-v0", KEPT["rlkit/Exam-v0"] | {"optimum": -0.16})
    assert differences("rlkit/Exam-v0") == ["optimum"]


def test_figures_that_were_not_kept_are_computed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As of an id that is new in the suite."""
    kept = describe("exam")
    listing = listed()
    (tmp_path / "figures.json").write_text(json.dumps({id: r for id, r in KEPT.items() if "Exam" not in id}))
    monkeypatch.setattr(catalogue, "FIGURES", tmp_path / "figures.json")
    assert describe("exam") == kept
    assert [record["id"] for record in listed()] == ids()
    assert {name: listed()[0][name] for name in listing[0]} == listing[0]


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The models whose figures were computed, where every figure is kept in an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(catalogue, "SLOW", 0.0)
    models = []

    def figures(model: Any, limit: Any) -> Any:
        models.append(model)
        return compute(model, limit)

    compute = catalogue.figures
    monkeypatch.setattr(catalogue, "figures", figures)
    return models


def walk(chance: Any) -> Any:
    """A walk from 1 up to 4, each step of which pays -1 and fails with a chance."""
    return from_successors(
        lambda s: {"on": [(1 - chance, s + 1, -1.0), (chance, s, -1.0)]} if s < 4 else {}, 1
    )


def test_figures_are_computed_once_for_the_same_model(computed: Any, request: pytest.FixtureRequest) -> None:
    request.addfinalizer(lambda: gym.registry.pop("CataloguedWalk-v0"))
    chance = 0.5
    gym.register("CataloguedWalk-v0", entry_point=lambda **options: MDPEnv(walk(chance), **options))
    first, again = describe("CataloguedWalk-v0"), describe("CataloguedWalk-v0")
    assert first == again
    assert first["optimum"] == pytest.approx(-6)
    assert len(computed) == 1
    chance = 0.75
    assert describe("CataloguedWalk-v0")["optimum"] == pytest.approx(-12), (
        "of another model, not the old ones"
    )
    assert describe("CataloguedWalk-v0", anew=True)["optimum"] == pytest.approx(-12)
    assert len(computed) == 3


@pytest.mark.parametrize("limit", [None, 3, 4])
def test_figures_depend_on_what_they_are_kept_by(limit: int | None, computed: Any) -> None:
    tiger, seen = exact("rlkit/Tiger-v0"), exact("rlkit/Tiger-v0").full_information
    models = (tiger, seen, exact("rlkit/Tiger-v0", accuracy=0.6))
    kept = [[catalogue._cached_figures(model, 3) for model in models] for _ in range(2)]
    assert kept[0] == kept[1]
    assert len({json.dumps(record) for record in kept[0]}) == 3
    assert len(computed) == 3
    other = catalogue._cached_figures(tiger, limit)
    assert (other == kept[0][0]) is (limit == 3)


def test_a_damaged_cache_and_one_that_cannot_be_written_are_passed_over(
    computed: Any, tmp_path: Path
) -> None:
    once = catalogue._cached_figures(walk(0.5), None)
    (path,) = (tmp_path / "cache" / "rlkit" / "figures").iterdir()
    path.write_text("{")
    assert catalogue._cached_figures(walk(0.5), None) == once
    path.unlink()
    path.parent.rmdir()
    path.parent.write_text("no folder")
    assert catalogue._cached_figures(walk(0.5), None) == once
    assert len(computed) == 3


def test_every_id_is_listed_with_its_family() -> None:
    assert [record["id"] for record in listed()] == ids()
    assert {record["family"] for record in listed()} == {"chains", "grids", "rooms", "memory", "games"}


@pytest.mark.parametrize("record", listed(), ids=lambda r: r["id"])
def test_no_policy_beats_the_optimum(record: Any) -> None:
    best = record["optimum_in_limit"]
    best = record["optimum"] if best is None else best
    if best is None:
        return
    assert record["random"] <= best
    if record["memoryless"] is not None:
        assert record["memoryless"] <= best + 1e-9
        assert best <= record["full_information"] + 1e-9


def grade_differs(id: Any) -> Any:
    """Whether the grade of an id holds agents to another optimum than the one listed."""
    kept = KEPT[id]
    limit = kept["max_episode_steps"]
    model = exact(id, **kept["exact_options"])
    mdp = model.mdp if isinstance(model, POMDP) else model
    if limit is None and mdp.discount < 1:
        return False
    found = scale(model, objective="", gamma=1.0, horizon=limit).score(0.0)
    known = found.optimum if found.sees != "hidden states" else None
    listed_as = kept["optimum" if limit is None else "optimum_in_limit"]
    return known != listed_as and known != pytest.approx(listed_as, rel=1e-6)


@pytest.mark.parametrize("id", [id for id in ids() if is_quick(id) and KEPT[id]["states"]])
def test_an_id_has_one_optimum(id: Any) -> None:
    assert not grade_differs(id)


def test_another_bound_on_beliefs_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """With fewer of them than NoisyMaze needs, its grade is that of an agent who sees the hidden states."""
    assert not grade_differs("rlkit/NoisyMaze-v0")
    monkeypatch.setattr(
        optima, "belief_mdp", lambda pomdp, **how: belief_mdp(pomdp, **how | {"max_beliefs": 1_000})
    )
    assert grade_differs("rlkit/NoisyMaze-v0")


def test_a_run_is_compared_with_the_optimum_of_its_own_problem() -> None:
    """Within the limit, undiscounted; figures for other options are those of another problem."""
    assert _landmarks("rlkit/RiverSwim-v0")["optimum"] == pytest.approx(59337.878, abs=1e-3)
    assert _landmarks("rlkit/Exam-v0")["optimum"] == pytest.approx(-0.159)
    assert KEPT["rlkit/ConnectFour-v0"]["exact_options"] == {"width": 4, "height": 4}
    assert _landmarks("rlkit/ConnectFour-v0") == {}
