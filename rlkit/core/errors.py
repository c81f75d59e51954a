"""What can be wrong with a model."""

from rlkit.errors import RlkitError


class ModelError(RlkitError, ValueError):
    """A model that is not a Markov decision process; the message names state and action.

    `state` and `action` hold the indices where they are known.
    """

    def __init__(self, message: str, *, state: int | None = None, action: int | None = None) -> None:
        super().__init__(message)
        self.state = state
        self.action = action


class ModelWarning(UserWarning):
    """Something odd in a model that rlkit can still solve."""


class NoExactModel(ModelError):
    """The environment has no finite exact model within the size allowed."""


class NoTable(NoExactModel, AttributeError):
    """The environment has no table of Gymnasium's form; to `hasattr` it is one that lacks it."""
