"""What the command line shows, made from plain records: tables, heat maps, a live view of training."""

from rlkit.report.environments import Environments, environment, findings
from rlkit.report.learning import agents, grade, settings
from rlkit.report.parts import number
from rlkit.report.solving import solution, sought
from rlkit.report.terminal import Terminal
from rlkit.report.training import TrainingView

__all__ = [
    "Environments",
    "Terminal",
    "TrainingView",
    "agents",
    "environment",
    "findings",
    "grade",
    "number",
    "settings",
    "solution",
    "sought",
]
