"""Errors that a user of the agents can meet, each with a message that says what to do."""

from rlkit.errors import NonFiniteError, RlkitError
from rlkit.settings import ConfigError

__all__ = [
    "AgentError",
    "EnvironmentFault",
    "LoadError",
    "MisplacedArgument",
    "NonFiniteError",
    "NothingLearned",
    "StepsError",
    "UnsupportedError",
    "one_line",
]


class AgentError(RlkitError):
    """Base of all errors of this package."""


class UnsupportedError(AgentError, TypeError):
    """The environment asks for something the agent does not offer."""


class MisplacedArgument(ConfigError, TypeError):
    """More than the environment was given to an agent by position, as where a policy class comes first."""

    def __init__(self, kind: str, name: str, count: int) -> None:
        super().__init__(
            f"{kind} takes the environment alone by position, an id or a VectorEnv, and {count} more "
            f"{'was' if count == 1 else 'were'} given; all else is named: {kind}(env, seed=0, gamma=0.99), "
            f"and settings that `rlkit agents {name}` lists"
        )


class StepsError(AgentError, ValueError):
    """The number of steps does not fit the number of environments."""


class EnvironmentFault(AgentError, RuntimeError):
    """The environment broke a promise of its spaces or of Gymnasium's interface, or raised an error."""


class LoadError(AgentError):
    """A saved agent is missing, damaged, or belongs to something else."""


class DamagedError(LoadError):
    """A saved agent is not what was written, or not in full."""


class NothingLearned(UserWarning):
    """A training ended without a single update."""


def one_line(error: BaseException) -> str:
    """What an error of another library says, on one line; its kind too where the text alone says little."""
    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    text = " ".join(text.split())
    return f"{type(error).__name__}: {text}" if isinstance(error, LookupError) or not text else text
