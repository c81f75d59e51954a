"""The base of every error that is the user's to mend."""


class RlkitError(Exception):
    """Something a user gave cannot be used; the message alone says what and how to mend it."""
