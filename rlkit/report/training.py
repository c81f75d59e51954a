"""What the progress records of a training run add up to."""

import math
from collections.abc import Mapping

from rlkit.report.blocks import Curve, Facts
from rlkit.report.numbers import UNKNOWN, Record, number

IN_EVERY_RECORD = {
    *("step", "episodes", "mean_return", "mean_length", "seconds", "steps_per_second"),
    *("network", "device", "settings", "warnings"),
}
EVALUATIONS = {"eval_return", "best_return", "best_step", "stopped_early"}
MOST_POINTS = 2000


class Progress:
    """A training run of `steps` steps so far; `marks` are returns to compare with, such as the optimum."""

    def __init__(self, *, steps: int, marks: Mapping[str, float] | None = None) -> None:
        self.steps, self.marks = steps, dict(marks or {})
        self.record: Record = {}  # the newest
        self.returns: list[tuple[float, float]] = []
        self.latest: dict[str, float] = {}  # of everything that is not in every record

    def add(self, record: Record) -> None:
        """One more record."""
        self.record = record
        if record.get("mean_return") is not None:
            self.returns.append((record["step"], record["mean_return"]))
            if len(self.returns) > MOST_POINTS:
                self.returns = self.returns[::2]
        self.latest |= {k: v for k, v in record.items() if k not in IN_EVERY_RECORD and "/" not in k}

    @property
    def over(self) -> bool:
        """Whether the newest record is the last."""
        return bool(self.record["step"] >= self.steps or self.latest.get("stopped_early"))

    @property
    def seconds_left(self) -> float:
        """How long the rest takes at the present speed."""
        rate: float = self.record["steps_per_second"]
        return (self.steps - self.record["step"]) / rate if rate else math.inf

    def line(self) -> str:
        """The newest record in one line."""
        record = self.record
        evaluation = [f"evaluation {number(self.latest['eval_return'], 4)}"] if self._evaluated else []
        return "  ".join(
            (
                f"step {record['step']}/{self.steps}",
                f"return {number(record.get('mean_return'), 4)}",
                *evaluation,
                f"{number(record['steps_per_second'], 3)} steps/s",
            )
        )

    @property
    def _evaluated(self) -> bool:
        return "eval_return" in self.latest

    def curve(self) -> Curve:
        """The mean return over the steps."""
        return Curve(tuple(self.returns), self.steps, self.marks)

    def figures(self) -> Facts:
        """What is the same for every agent."""
        record = self.record
        evaluation = [("evaluation", number(self.latest["eval_return"], 4))] if self._evaluated else []
        return Facts(
            (
                ("return", number(record.get("mean_return"), 5)),
                *((name, number(value, 5)) for name, value in self.marks.items()),
                ("episode length", number(record.get("mean_length"), 4)),
                ("episodes", f"{record['episodes']:,}"),
                ("steps/s", f"{record['steps_per_second']:,.0f}"),
                *evaluation,
            )
        )

    def details(self) -> Facts:
        """What the agent says of its own."""
        best = [("best so far", number(self.latest["best_return"], 4))] if self._evaluated else []
        own = ((k.replace("_", " "), number(v, 4)) for k, v in self.latest.items() if k not in EVALUATIONS)
        return Facts((*best, *own))

    def about(self) -> Facts:
        """The network and the device that learn, and why these, and with which options."""
        shown = {"network": "network", "device": "device", "options": "settings"}
        return Facts(tuple((name, self.record.get(key, UNKNOWN)) for name, key in shown.items()))
