"""Metrics as lines of JSON and as events of TensorBoard."""

from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from rlkit.run import log
from rlkit.run.log import LogError, MetricsLog


def scalars(run: Path, name: str) -> list[tuple[int, float]]:
    """The steps and values of a metric as TensorBoard shows it."""
    events = EventAccumulator(str(run / "tensorboard")).Reload()
    return [(event.step, event.value) for event in events.Scalars(name)]


def test_resumed_run_shows_each_step_once(tmp_path: Path) -> None:
    with log.MetricsLog(tmp_path, step=0) as metrics:
        for step in (10, 20, 30):
            metrics.write({"step": step, "loss": 1.0, "mean_return": None})
    with log.MetricsLog(tmp_path, step=20) as metrics:
        metrics.write({"step": 30, "loss": 2.0})
    assert [(r["step"], r["loss"]) for r in log.read(tmp_path)] == [(10, 1.0), (20, 1.0), (30, 2.0)]
    assert scalars(tmp_path, "loss") == [(10, 1.0), (20, 1.0), (30, 2.0)]


def test_metrics_that_are_far_too_large_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rlkit.run.log.MOST_BYTES", 100)
    (tmp_path / "metrics.jsonl").write_text('{"step": 1}\n' * 9)
    with pytest.raises(LogError, match=r"has 108 bytes, more than 100; move it away"):
        MetricsLog(tmp_path, step=5)


def test_what_is_not_finite_is_no_json(tmp_path: Path) -> None:
    with log.MetricsLog(tmp_path, step=0) as metrics:
        metrics.write({"step": 10, "mean_return": float("inf"), "loss": float("nan")})
    assert (tmp_path / log.METRICS).read_text() == '{"step": 10, "mean_return": null, "loss": null}\n'


@pytest.mark.parametrize("value", ["NaN", "1e400", "1" + "0" * 400, "true", '"x"', "[1]"])
def test_a_field_that_is_no_number_leaves_the_line_out(tmp_path: Path, value: str) -> None:
    (tmp_path / "metrics.jsonl").write_text(
        f'{{"step": 1, "seconds": 2.5}}\n{{"step": 2, "seconds": {value}}}\n'
    )
    with pytest.warns(UserWarning, match="line 2: a field is no number"), MetricsLog(tmp_path, step=5) as log:
        assert log.seconds == 2.5


@pytest.mark.parametrize("line", ["{", "[]", "{}", '{"step": "x"}'])
def test_a_damaged_record_is_named(line: str, tmp_path: Path) -> None:
    (tmp_path / log.METRICS).write_text('{"step": 1}\n' + line + "\n")
    with pytest.raises(log.LogError, match=r"metrics\.jsonl, line 2: no record"):
        log.read(tmp_path)
