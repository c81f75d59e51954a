"""Early stopping (Def 6.17): the best parameters are kept, and training ends when none better are found."""

from dataclasses import dataclass, field
from typing import Any

from torch import Tensor


@dataclass
class EarlyStopping:
    """The highest mean return that evaluations have found, and the parameters that earned it.

    Training has `stopped` after `patience` evaluations in a row without a higher one; never if that is 0.
    """

    patience: int
    best_return: float | None = None
    best_step: int = 0
    waited: int = 0  # evaluations since the best one
    best: dict[str, Tensor] = field(default_factory=dict)

    @property
    def stopped(self) -> bool:
        """Whether the training has been given up."""
        return 0 < self.patience <= self.waited

    def judge(self, mean_return: float, parameters: dict[str, Tensor], *, step: int) -> None:
        """Take note of an evaluation, and keep a copy of the parameters if they are the best so far."""
        if self.best_return is not None and mean_return <= self.best_return:
            self.waited += 1
            return
        self.best_return, self.best_step, self.waited = mean_return, step, 0
        self.best = {name: tensor.detach().clone() for name, tensor in parameters.items()}

    def to_json(self) -> dict[str, Any]:
        """All but the parameters."""
        return {
            "best_return": self.best_return,
            "best_step": self.best_step,
            "waited": self.waited,
            "stopped": self.stopped,
        }

    def load(self, saved: dict[str, Any], best: dict[str, Tensor]) -> None:
        """Undo `to_json`."""
        score = saved["best_return"]
        self.best_return = None if score is None else float(score)
        self.best_step, self.waited, self.best = int(saved["best_step"]), int(saved["waited"]), best
