"""Records, as `--json` prints them, become blocks of plain data; `terminal` and `html` show those."""

from rlkit.report.agents import agents, options
from rlkit.report.environments import environment, environments, findings
from rlkit.report.grades import grade
from rlkit.report.numbers import number
from rlkit.report.probes import verdicts
from rlkit.report.solutions import solution, sought

__all__ = [
    "agents",
    "environment",
    "environments",
    "findings",
    "grade",
    "number",
    "options",
    "solution",
    "sought",
    "verdicts",
]
