"""Reports as text."""

import io
from collections.abc import Iterable

from rlkit.report.blocks import Block
from rlkit.report.terminal import Terminal


def shown(blocks: Iterable[Block], width: int) -> str:
    """The blocks on a terminal of this width."""
    out = io.StringIO()
    Terminal(file=out, width=width).show(blocks)
    return out.getvalue()
