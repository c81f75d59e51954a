"""Make docs/terminal.svg, the picture in the README, from what the commands really print.

python docs/picture.py RUN      # RUN: a folder that `rlkit train` made
"""

import io
import json
import subprocess
import sys
from pathlib import Path

from rich.terminal_theme import MONOKAI
from rich.text import Text

from rlkit import report
from rlkit.report.terminal import Terminal

CLI = Path(__file__).parents[1] / "cli.py"


def ask(*command: str) -> dict:
    out = subprocess.run([sys.executable, CLI, *command, "--json"], capture_output=True, check=True)
    return json.loads(out.stdout)


def main(run: str) -> None:
    console = Terminal(record=True, width=84, force_terminal=True, file=io.StringIO())
    for line, show in (
        (("solve", "exam"), report.solution),
        (("solve", "FrozenLake-v1", "--horizon", "100"), report.solution),
        (("eval", run), report.grade),
    ):
        console.print(Text.assemble(("$ ", "green"), ("rlkit " + " ".join(line), "bold")))
        console.show(show(ask(*line)))
        console.print()
    console.save_svg(str(Path(__file__).with_name("terminal.svg")), title="rlkit", theme=MONOKAI)


if __name__ == "__main__":
    main(*sys.argv[1:])
