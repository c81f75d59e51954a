"""Records, as `--json` prints them, become blocks of plain data; `terminal` and `html` show those."""

from rlkit.report.agents import agents as agents, options as options
from rlkit.report.environments import (
    environment as environment,
    environments as environments,
    findings as findings,
)
from rlkit.report.grades import grade as grade
from rlkit.report.numbers import number as number
from rlkit.report.probes import verdicts as verdicts
from rlkit.report.solutions import solution as solution, sought as sought
