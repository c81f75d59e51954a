"""Options that an id does not take, refused in the words that other libraries look for."""

from gymnasium.error import MissingArgument

from ..registry import RegistryError


class UnknownOption(RegistryError, TypeError):
    """The id has no such option; a TypeError, as of a function, which some libraries catch to try again."""

    def __init__(self, message: str) -> None:
        # `gymnasium.make` raises a TypeError anew, with the call behind it.
        super().__init__(message.partition(" was raised from the environment creator")[0])


class MissingOption(RegistryError, MissingArgument):
    """The id cannot be made without an option."""
