"""What the grid expects of rlkit's agents: which of them are made for which probes, and with which memory.

Settings with which they learn the probes are rlkit.check.tuning's, since `rlkit check-agent` uses them too.
"""

from rlkit.agents import AGENTS, ConfigError
from rlkit.check.tuning import TABULAR
from rlkit.nn.config import BACKBONES

# An agent that is not named here must solve every probe.
REFUSED: dict[str, set[str]] = {
    "dqn": {"combination", "box"},
    "pqn": {"combination", "box"},
    "rainbow": {"combination", "box"},
    "sac": {"combination"},
    **{name: {"combination", "box", "parts", "picture"} for name in TABULAR},
}
WITHOUT_VALUES = {"sac"}  # its values have an entropy bonus, so that it shows none
MEMORYLESS = ("mlp", "cnn")
ON_PICTURES = "cnn"  # needs an observation that it can be laid over

MEMORY = tuple(name for name in BACKBONES if name not in ("auto", *MEMORYLESS))


def has_backbone(agent: str) -> bool:
    """Whether an agent has a network that can be chosen."""
    try:
        AGENTS[agent].Config(backbone="mlp")
    except ConfigError:
        return False
    return True


def backbones(agent: str, probe: str, *, needs_memory: bool) -> tuple[str | None, ...]:
    """The backbones with which an agent must solve a probe."""
    if not has_backbone(agent):
        return () if needs_memory else (None,)
    pictures = (ON_PICTURES,) if probe == "picture" else ()
    return MEMORY if needs_memory else ("mlp", *pictures, *MEMORY)
