"""The base of every error that the user can fix, and the name that was likely meant."""

import difflib
from collections.abc import Collection, Iterable


class RlkitError(Exception):
    """Something a user gave cannot be used; the message alone says what and how to fix it."""


FAILURES = (Exception, SystemExit)  # what code that is not rlkit's may end with


class NonFiniteError(RlkitError, ArithmeticError):
    """An observation, a reward, a loss or a parameter is NaN or infinite."""


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The likeliest of `names`, in whatever case: by its initials, by likeness, or by a part of it."""
    lower, known = name.lower(), {other.lower(): other for other in names}
    words = set(lower.split("_"))
    for found in (
        [other for other in known if lower == "".join(word[:1] for word in other.split("_"))],
        difflib.get_close_matches(lower, known, n=1),
        [other for other in known if (lower and lower in other) or words & set(other.split("_"))],
        difflib.get_close_matches(lower, known, n=1, cutoff=0.5),
    ):
        if found:
            return known[found[0]]
    return None


def none_of(what: str, given: object, names: Collection[str]) -> str:
    """The message of an error about something that must be one of `names`."""
    return f"{what} {given!r} is none of {', '.join(names)}{did_you_mean(given, names)}"


def did_you_mean(given: object, names: Iterable[str]) -> str:
    """The end of an error about a name that is none of `names`; empty where nothing is near."""
    near = nearest(str(given), names)
    return "" if near is None else f"; did you mean {near!r}?"
