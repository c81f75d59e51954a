"""Metrics of a run, as one JSON object a line and as TensorBoard events."""

import json
import math
import warnings
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from torch.utils.tensorboard import FileWriter

from rlkit.errors import RlkitError
from rlkit.run.checkpoint import BOARD, METRICS
from rlkit.storage import replace_text

Record: TypeAlias = dict[str, float | int | None]

MOST_BYTES = 2**28
TIMED = ("seconds", "steps_per_second")  # fields that differ between runs with the same seed


class LogError(RlkitError):
    """A file of metrics is damaged."""


class MetricsLog:
    """Writes records to `metrics.jsonl` and to TensorBoard; every record has a field `step`.

    Records after `step` that an interrupted run left behind are dropped, so that a resumed run leaves the
    lines of one that was never stopped; so are damaged lines, with a warning.
    """

    def __init__(self, run_dir: Path, *, step: int) -> None:
        path = run_dir / METRICS
        kept = []
        for number, line in enumerate(_lines(path), 1):
            try:
                record = _record(path, number, line)
            except LogError as error:
                warnings.warn(f"{error}; the line is left out", stacklevel=2)
                continue
            if (record["step"] or 0) <= step:
                kept.append(record)
        replace_text(path, "".join(json.dumps(record) + "\n" for record in kept))
        seconds = kept[-1].get("seconds") if kept else None
        self.seconds = float(seconds) if isinstance(seconds, int | float) else 0.0
        try:
            self._board = FileWriter(str(run_dir / BOARD))
        except UnicodeEncodeError as error:
            raise LogError(
                f"{run_dir} has letters that this locale lacks, and TensorBoard cannot write there; "
                "choose another folder, or set PYTHONUTF8=1"
            ) from error
        self._file = path.open("a")
        self._board.add_event(Event(session_log=SessionLog(status=SessionLog.START)), step + 1)

    def write(self, record: Record) -> None:
        """Append a record, with None for what is not finite; values of None are left out of TensorBoard."""
        record = {name: value if _is_number(value) else None for name, value in record.items()}
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
        for file in (self._file, self._board):
            with suppress(OSError):  # of what could not be written, which was said then
                file.close()

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
    return [_record(path, number, line) for number, line in enumerate(_lines(path), 1)]


def _lines(path: Path) -> list[str]:
    if not path.exists():
        return []
    if (size := path.stat().st_size) > MOST_BYTES:
        raise LogError(f"{path} has {size:,} bytes, more than {MOST_BYTES:,}; move it away to resume the run")
    return path.read_text(errors="replace").split("\n")[:-1]


def _record(path: Path, number: int, line: str) -> Record:
    try:
        record: Record = json.loads(line)
    except (ValueError, RecursionError):
        record = {}
    step = record.get("step") if isinstance(record, dict) else None
    if isinstance(step, bool) or not isinstance(step, int):
        raise LogError(f"{path}, line {number}: no record with a step: {line[:40]!r}")
    if not all(value is None or _is_number(value) for value in record.values()):
        raise LogError(f"{path}, line {number}: a field is no number: {line[:40]!r}")
    return record


def _is_number(value: object) -> bool:
    whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63
    return whole or (isinstance(value, float) and math.isfinite(value))
