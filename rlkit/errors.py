"""The base of every error that the user can fix, and the name that was likely meant."""

import difflib
import sys
import sysconfig
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from traceback import walk_tb


class RlkitError(Exception):
    """Something a user gave cannot be used; the message alone says what and how to fix it."""


class ConfigError(RlkitError, ValueError):
    """A setting is unknown or has a value outside its range."""


FAILURES = (Exception, SystemExit)  # what code that is not rlkit's may end with
INSTALLED = [Path(sysconfig.get_path(name)) for name in ("purelib", "platlib")]
# What a damaged file can make of code that takes it for a saved state.
DAMAGE = (ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)


class NonFiniteError(RlkitError, ArithmeticError):
    """An observation, a reward, a loss or a parameter is NaN or infinite."""


class AgentError(RlkitError):
    """Base of the errors that agents raise."""


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


def one_line(error: BaseException) -> str:
    """What an error of another library says, on one line; its kind too where the text alone says little."""
    text = str(error).partition(" was raised from the environment creator")[0]  # as Gymnasium goes on
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    text = " ".join(text.split())
    kind = type(error).__name__
    return f"{kind}: {text}" if isinstance(error, LookupError) and text else text or kind


def blame(error: BaseException) -> str:
    """What an error of code that is not rlkit's says, its kind, and its line, a user's own if any."""
    text, kind = one_line(error), type(error).__name__
    text = text if isinstance(error, ImportError) or text.startswith(kind) else f"{kind}: {text}"
    rank, file, line = _place(error)
    if rank == 1:  # it got what it cannot use
        text += "; what reset and step return is at fault, and `rlkit check` says more"
    return f"{text} ({file}:{line})" if rank else text


def is_users(error: BaseException) -> bool:
    """Whether an error comes from code that is neither rlkit's nor installed: the user's own."""
    return _place(error)[0] == 3


def _place(error: BaseException) -> tuple[int, str, int]:
    """Whose code an error comes from, 3 a user's own, 2 others', 1 a library's, 0 rlkit's; file and line."""
    found = 0, "", 0
    for frame, line in walk_tb(error.__traceback__):
        package, file = str(frame.f_globals.get("__name__")).partition(".")[0], Path(frame.f_code.co_filename)
        installed = package in sys.stdlib_module_names or any(map(file.is_relative_to, INSTALLED))
        others = 3 if file.is_file() and not installed else 2
        rank = {"rlkit": 0, "importlib": 0, "torch": 0, "gymnasium": 1, "numpy": 1}.get(package, others)
        if rank >= found[0]:
            found = rank, file.name, line
    return found


@contextmanager
def blamed(kind: type[RlkitError], what: str, *known: type[Exception]) -> Iterator[None]:
    """Turn what foreign code raises into one error of this kind, but for rlkit's own and the `known`."""
    try:
        yield
    except FAILURES as error:
        if isinstance(error, (RlkitError, *known)):
            raise
        raise kind(f"{what}: {blame(error)}") from error
