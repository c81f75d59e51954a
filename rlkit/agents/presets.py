"""Settings tuned for single environments, used where the caller gives no configuration of its own.

An agent's config.json holds the resulting values, so a run does not depend on this table later.
"""

PRESETS: dict[tuple[str, str], dict[str, object]] = {}


def preset(agent: str, env_id: str | None) -> dict[str, object]:
    """The tuned fields of `agent` on `env_id`, or none."""
    return PRESETS.get((agent, env_id or ""), {})
