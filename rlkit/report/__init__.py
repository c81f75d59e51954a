"""What the command line shows, made from plain records: tables, heat maps, a live view of training."""

from rlkit.report.environments import Environments, environment, findings
from rlkit.report.learning import TrainingView, grade
from rlkit.report.parts import number
from rlkit.report.solving import solution

__all__ = ["Environments", "TrainingView", "environment", "findings", "grade", "number", "solution"]
