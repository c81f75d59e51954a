"""Code in the documents runs, and does what they say."""

import re
from pathlib import Path

import gymnasium as gym
import pytest

import rlkit
from rlkit.catalogue import describe

DOCS = Path(__file__).parents[1] / "docs"


def test_the_model_of_the_architecture_page_is_an_environment_with_an_optimum():
    (code,) = re.findall(r"```python\n(.*?)```", (DOCS / "architecture.md").read_text(), flags=re.S)
    names = {"__name__": "architecture"}
    exec(code, names)
    rlkit.check_env(gym.make("Ladder-v0"))
    rlkit.check_model(names["Ladder"]())
    solution = rlkit.solve(rlkit.exact("Ladder-v0"))
    assert solution.initial.value == pytest.approx(0.7**3 * 3), (
        "three steps, then stop: 0.7 * 4 is less than 3"
    )
    assert describe("Ladder-v0")["doc"] == [names["Ladder"].__doc__]
