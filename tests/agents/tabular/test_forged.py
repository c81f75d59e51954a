"""A checkpoint whose numbers point elsewhere is refused before a compiled loop follows them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from saved_agents import forge

from rlkit import storage
from rlkit.agents import TABULAR, LoadError


def changed(path: Path, changes: dict[str, Any]) -> None:
    """Write a saved agent again with tensors changed, and with checksums that fit."""
    tensors = storage.read(path).tensors
    forge(
        path,
        lambda meta: None,
        {name: changes[name](x.clone()) if name in changes else x for name, x in tensors.items()},
    )


def first(value: int) -> Any:
    def change(x: torch.Tensor) -> torch.Tensor:
        x.view(-1)[0] = value
        return x

    return change


def doubled(x: torch.Tensor) -> torch.Tensor:
    return torch.cat([x, x])


CASES = [
    ("q_learning", "experience/action", first(10**6), "action"),
    ("q_learning", "experience/action", first(-1), "action"),
    ("q_learning", "experience/chosen", doubled, "chosen"),
    ("q_learning", "experience/stepper/obs", first(10**6), r"observation 1000000 is not in Discrete\(16\)"),
    ("q_learning", "experience/stepper/obs", doubled, "is no packed batch"),
    ("n_step_sarsa", "experience/running/pair", first(10**6), "pair points outside the table"),
    ("n_step_sarsa", "experience/running/start", first(10**6), "start points outside the table"),
    ("n_step_sarsa", "experience/running/length", first(10**6), "length points outside the table"),
    ("n_step_sarsa", "experience/running/length", doubled, "length is int64"),
    ("td_lambda", "experience/running/pair", first(-1), "pair points outside the table"),
    ("td_lambda", "experience/running/length", first(10**6), "length points outside the table"),
    ("td_lambda", "experience/running/weight", lambda x: x.float(), "weight is float32"),
    ("dyna_q", "learner/records/model/newest", first(10**6), "newest points outside the table"),
    ("dyna_q", "learner/records/model/successor", first(-2), "successor points outside the table"),
    ("dyna_q", "learner/records/model/older", first(0), "older points outside the table"),
    ("dyna_q", "learner/records/model/size", first(10**6), "size points outside the table"),
    ("prioritized_sweeping", "learner/records/queue/heap", first(10**6), "heap points outside the table"),
    ("prioritized_sweeping", "learner/records/queue/size", first(10**6), "size points outside the table"),
]


@pytest.mark.parametrize(("name", "tensor", "change", "message"), CASES)
def test_numbers_that_point_elsewhere_are_refused(
    name: str, tensor: str, change: Any, message: str, tmp_path: Path
) -> None:
    agent = TABULAR[name]("rlkit/FrozenLake-v0", num_envs=4)
    agent.train(64).save(tmp_path / "saved")
    changed(tmp_path / "saved", {})
    assert type(agent).load(tmp_path / "saved").train(64).steps == 128  # as it was saved it is resumed
    changed(tmp_path / "saved", {tensor: change})
    with pytest.raises(LoadError, match=f"is damaged: .*{message}"):
        type(agent).load(tmp_path / "saved").train(64)


def test_a_model_may_hold_what_it_learned(tmp_path: Path) -> None:
    """With more room than a new one, and chains that lead back through what was seen."""
    agent = TABULAR["dyna_q"]("rlkit/Garnet-v0", num_envs=4, env_kwargs={"states": 200}).train(20_000)
    agent.save(tmp_path / "saved")
    again = type(agent).load(tmp_path / "saved")
    agent.train(400)
    again.train(400)
    assert np.array_equal(agent.learner.table.q, again.learner.table.q)
