"""A checkpoint whose numbers point elsewhere is refused before a compiled loop follows them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rlkit import storage
from rlkit.agents import TABULAR, LoadError


def forge(path: Path, changes: dict[str, Any]) -> None:
    """Write a saved agent again with tensors changed, and with checksums that fit."""
    _, meta, tensors = storage.read(path)
    own = {name: value for name, value in meta.items() if name not in ("format", "tensors", "sha256")}
    changed = {name: changes[name](x.clone()) if name in changes else x for name, x in tensors.items()}
    storage.write(path, changed, own)


def first(value: int) -> Any:
    def change(x: torch.Tensor) -> torch.Tensor:
        x.view(-1)[0] = value
        return x

    return change


def doubled(x: torch.Tensor) -> torch.Tensor:
    return torch.cat([x, x])


CASES = [
    ("q_learning", "buffers/action", first(10**6), "action"),
    ("q_learning", "buffers/action", first(-1), "action"),
    ("q_learning", "buffers/chosen", doubled, "chosen"),
    ("q_learning", "stepper/obs", first(10**6), r"observation 1000000 is not in Discrete\(16\)"),
    ("q_learning", "stepper/obs", doubled, "is no packed batch"),
    ("n_step_sarsa", "buffers/window/pair", first(10**6), "pair points outside the table"),
    ("n_step_sarsa", "buffers/window/start", first(10**6), "start points outside the table"),
    ("n_step_sarsa", "buffers/window/length", first(10**6), "length points outside the table"),
    ("n_step_sarsa", "buffers/window/length", doubled, "length is int64"),
    ("td_lambda", "buffers/trace/pair", first(-1), "pair points outside the table"),
    ("td_lambda", "buffers/trace/length", first(10**6), "length points outside the table"),
    ("td_lambda", "buffers/trace/weight", lambda x: x.float(), "weight is float32"),
    ("dyna_q", "buffers/model/newest", first(10**6), "newest points outside the table"),
    ("dyna_q", "buffers/model/successor", first(-2), "successor points outside the table"),
    ("dyna_q", "buffers/model/older", first(0), "older points outside the table"),
    ("dyna_q", "buffers/model/size", first(10**6), "size points outside the table"),
    ("prioritized_sweeping", "buffers/queue/heap", first(10**6), "heap points outside the table"),
    ("prioritized_sweeping", "buffers/queue/size", first(10**6), "size points outside the table"),
]


@pytest.mark.parametrize(("name", "tensor", "change", "message"), CASES)
def test_numbers_that_point_elsewhere_are_refused(
    name: str, tensor: str, change: Any, message: str, tmp_path: Path
) -> None:
    agent = TABULAR[name]("rlkit/FrozenLake-v0", num_envs=4)
    agent.train(64).save(tmp_path / "saved")
    forge(tmp_path / "saved", {})
    assert type(agent).load(tmp_path / "saved").train(64).steps == 128  # as it was saved it is resumed
    forge(tmp_path / "saved", {tensor: change})
    with pytest.raises(LoadError, match=f"is damaged: .*{message}"):
        type(agent).load(tmp_path / "saved").train(64)


def test_a_model_may_hold_what_it_learned(tmp_path: Path) -> None:
    """With more room than a new one, and chains that lead back through what was seen."""
    agent = TABULAR["dyna_q"]("rlkit/Garnet-v0", num_envs=4, env_kwargs={"states": 200}).train(20_000)
    agent.save(tmp_path / "saved")
    again = type(agent).load(tmp_path / "saved")
    agent.train(400)
    again.train(400)
    assert np.array_equal(agent.table.q, again.table.q)
