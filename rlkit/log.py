"""Metrics of a run, as one JSON object a line and as TensorBoard events."""

import json
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from torch.utils.tensorboard import FileWriter

from rlkit.errors import RlkitError

Record: TypeAlias = dict[str, float | int | None]

METRICS = "metrics.jsonl"
TIMED = ("seconds", "steps_per_second")  # fields that differ between runs with the same seed


class LogError(RlkitError):
    """A file of metrics is damaged."""


class MetricsLog:
    """Writes records to `metrics.jsonl` and to TensorBoard; every record has a field `step`.

    Records after `step` that an interrupted run left behind are dropped, so that a resumed run leaves the
    lines of one that was never stopped.
    """

    def __init__(self, run_dir: Path, *, step: int) -> None:
        path = run_dir / METRICS
        kept = [record for record in read(run_dir) if (record["step"] or 0) <= step]
        path.write_text("".join(json.dumps(record) + "\n" for record in kept))
        self.seconds = float(kept[-1].get("seconds") or 0.0) if kept else 0.0
        self._file = path.open("a")
        self._board = FileWriter(str(run_dir / "tensorboard"))
        self._board.add_event(Event(session_log=SessionLog(status=SessionLog.START)), step + 1)

    def write(self, record: Record) -> None:
        """Append a record; values of None are left out of TensorBoard."""
        self._file.write(json.dumps(record) + "\n")
        self._file.flush()
        values = [
            Summary.Value(tag=name, simple_value=value)
            for name, value in record.items()
            if name != "step" and value is not None
        ]
        self._board.add_summary(Summary(value=values), int(record["step"] or 0))

    def close(self) -> None:
        """Flush and close both files."""
        self._file.close()
        self._board.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read(run_dir: Path) -> list[Record]:
    """The records of a run; a last line cut short by a kill is left out.

    Raises LogError for any other line that is no record.
    """
    path = run_dir / METRICS
    if not path.exists():
        return []
    lines = path.read_text().split("\n")[:-1]
    return [_record(path, number, line) for number, line in enumerate(lines, 1)]


def _record(path: Path, number: int, line: str) -> Record:
    try:
        record: Record = json.loads(line)
    except ValueError:
        record = {}
    if not isinstance(record, dict) or not isinstance(record.get("step"), int):
        raise LogError(f"{path}, line {number}: no record with a step: {line[:40]!r}")
    return record
