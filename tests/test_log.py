"""Metrics as lines of JSON and as events of TensorBoard."""

from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from rlkit import log


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
