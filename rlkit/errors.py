"""The base of every error that the user can fix, and the one that every part of rlkit may raise."""


class RlkitError(Exception):
    """Something a user gave cannot be used; the message alone says what and how to fix it."""


FAILURES = (Exception, SystemExit)  # what code that is not rlkit's may end with


class NonFiniteError(RlkitError, ArithmeticError):
    """An observation, a reward, a loss or a parameter is NaN or infinite."""
