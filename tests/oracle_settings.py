"""What the grid expects of rlkit's agents: which of them are made for which probes, and with which memory.

The options with which they learn the probes are their own `probe_options`.
"""

from rlkit import registry
from rlkit.agents import AGENTS, TABULAR

# An agent that is not named here must solve every probe.
REFUSED: dict[str, set[str]] = {
    "dqn": {"combination", "box"},
    "pqn": {"combination", "box"},
    "rainbow": {"combination", "box"},
    "sac": {"combination"},
    **{name: {"combination", "box", "parts"} for name in TABULAR},
}
WITHOUT_VALUES = {"sac"}  # its values have an entropy bonus, so that it shows none
# Full returns, and noise in the network, often settle on one answer before attention has found the sign. That
# attention forgets is tested with the other agents.
NOT_LEARNED = {(agent, "forgetting", "attention") for agent in ("rainbow", "reinforce")}
MEMORYLESS = ("mlp", "cnn")
ON_PICTURES = "cnn"  # needs an observation that it can be laid over

MEMORY = tuple(name for name in registry.names("backbone") if name not in MEMORYLESS)


def has_backbone(agent: str) -> bool:
    """Whether an agent has a network that can be chosen."""
    return "backbone" in AGENTS[agent].Config.__dataclass_fields__


def backbones(agent: str, probe: str, *, needs_memory: bool) -> tuple[str | None, ...]:
    """The backbones with which an agent must solve a probe."""
    if not has_backbone(agent):
        return () if needs_memory else (None,)
    pictures = (ON_PICTURES,) if probe == "picture" else ()
    possible = MEMORY if needs_memory else ("mlp", *pictures, *MEMORY)
    return tuple(name for name in possible if (agent, probe, name) not in NOT_LEARNED)
