"""Everything that is chosen by name, as strings: a thing is imported when it is asked for.

A user's own needs no line here: `register` names it, and "module:Name" is found without a name.
"""

import re
import sys
from collections.abc import Iterable
from importlib import import_module
from typing import Any

from .errors import RlkitError, blamed, did_you_mean, none_of

_HOMES: dict[str, dict[str, Any]] = {
    "agent": {
        "a2c": "rlkit.agents.a2c:A2C",
        "dqn": "rlkit.agents.dqn:DQN",
        "ppo": "rlkit.agents.ppo:PPO",
        "pqn": "rlkit.agents.pqn:PQN",
        "rainbow": "rlkit.agents.dqn:Rainbow",
        "reinforce": "rlkit.agents.a2c:REINFORCE",
        "sac": "rlkit.agents.sac:SAC",
        "double_q": "rlkit.agents.tabular.learners:DoubleQ",
        "dyna_q": "rlkit.agents.tabular.learners:DynaQ",
        "expected_sarsa": "rlkit.agents.tabular.learners:ExpectedSarsa",
        "mc": "rlkit.agents.tabular.learners:MC",
        "n_step_sarsa": "rlkit.agents.tabular.learners:NStepSarsa",
        "prioritized_sweeping": "rlkit.agents.tabular.learners:PrioritizedSweeping",
        "q_lambda": "rlkit.agents.tabular.learners:QLambda",
        "q_learning": "rlkit.agents.tabular.learners:QLearning",
        "sarsa": "rlkit.agents.tabular.learners:Sarsa",
        "td_lambda": "rlkit.agents.tabular.learners:TDLambda",
    },
    "backbone": {
        "mlp": "rlkit.nn.network:FullyConnected",
        "cnn": "rlkit.nn.network:Convolutional",
        "rnn": "rlkit.nn.recurrent:RNN",
        "gru": "rlkit.nn.recurrent:GRU",
        "lstm": "rlkit.nn.recurrent:LSTM",
        "attention": "rlkit.nn.attention:Attention",
    },
    "method": {
        "value-iteration": "rlkit.solvers.methods:value_iteration",
        "synchronous": "rlkit.solvers.methods:synchronous",
        "gauss-seidel": "rlkit.solvers.methods:gauss_seidel",
        "prioritized": "rlkit.solvers.methods:prioritized_sweeping",
        "policy-iteration": "rlkit.solvers.methods:policy_iteration",
        "modified-policy-iteration": "rlkit.solvers.methods:modified_policy_iteration",
        "linear-programming": "rlkit.solvers.methods:linear_programming",
        "exact": "rlkit.solvers.methods:solve_in_fractions",
    },
    "file": {
        ".json": "rlkit.core.files.native:JSON",
        ".npz": "rlkit.core.files.native:NPZ",
        ".mdp": "rlkit.core.files.cassandra:CASSANDRA",
        ".pomdp": "rlkit.core.files.cassandra:CASSANDRA",
        ".tra": "rlkit.core.files.prism:PRISM",
        ".drn": "rlkit.core.files.drn:DRN",
    },
}

_WANTED = {  # of each kind, in words, and the classes of rlkit that it and its parts are below
    "agent": (
        "a subclass of rlkit.agents.Agent with Config and Learner; `rlkit check-agent {}` tests any class",
        {
            "": "agents.agent:Agent",
            "Config": "agents.config:AgentConfig",
            "Learner": "agents.learner:Learner",
        },
    ),
    "backbone": ("a subclass of rlkit.nn.Backbone", {"": "nn.backbones:Backbone"}),
    "method": ("a function", {}),
    "file": ("an rlkit.core.files.Format", {"__class__": "core.files.format:Format"}),
}


class RegistryError(RlkitError, ValueError):
    """No such name, or what it stands for cannot be imported or made."""


def kinds() -> tuple[str, ...]:
    """What can be chosen by name."""
    return tuple(_HOMES)


def names(kind: str) -> tuple[str, ...]:
    """The names of a kind, in the order in which they were registered."""
    return tuple(_HOMES[kind])


def register(kind: str, name: str, thing: Any) -> None:
    """Let `name` stand for `thing`, which may be given as "module:Name"; RegistryError if it is taken.

    To register the same thing again changes nothing, so that a module can be imported twice.
    """
    if kind not in _HOMES:
        raise RegistryError(none_of("kind", kind, kinds()))
    known = _HOMES[kind]
    form, words = r"(?!auto$)[^:]+", "text other than auto, without a colon"
    if kind == "file":
        form, words = r"\.(?!gz$)[^.:A-Z]+", "a suffix other than .gz, such as .csv, in lower case"
    if not isinstance(name, str) or not re.fullmatch(form, name):
        raise RegistryError(f"the {kind}'s name must be {words}, got {name!r}")
    if name in known and not _same(known[name], thing):
        raise RegistryError(f"{kind} {name!r} is registered already: {known[name]}")
    if not isinstance(thing, str):
        _check(kind, name, thing)
    known[name] = thing


def find(kind: str, name: str) -> Any:
    """What a name stands for, or "module:Name".

    RegistryError, with the nearest name, if there is none, and for what is nothing of this kind.
    """
    found = locate(kind, name)
    _check(kind, name, found)
    return found


def _check(kind: str, name: str, thing: Any) -> None:
    """RegistryError unless a thing is what its kind must be, which is known without importing anything."""
    wanted, bases = _WANTED[kind]
    for part, base in bases.items():
        below = getattr(getattr(thing, part, None) if part else thing, "__mro__", ())
        if f"rlkit.{base}" not in map(home_of, below):
            raise RegistryError(f"{kind} {name!r} must be {wanted.format(name)}")
    if kind == "method" and not callable(thing):
        raise RegistryError(f"{kind} {name!r} must be {wanted}")


def locate(kind: str, name: str) -> Any:
    """As `find`, whatever the thing is."""
    home = _HOMES[kind].get(name, name)
    if not isinstance(home, str):
        return home
    module, colon, attribute = home.partition(":")
    if not colon:
        raise RegistryError(f"no {kind} {name!r}{_hint(kind, name)}")
    with blamed(RegistryError, f"{kind} {name!r} cannot be imported"):
        found: Any = import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    return found


def _hint(kind: str, name: str) -> str:
    """What was likely meant: the same name of another kind, the nearest of this one, or any."""
    other = name.lower().replace("_", "-")
    for elsewhere in kinds():
        if elsewhere != kind and other in names(elsewhere):
            return f"; {other!r} is one of the {elsewhere}s"
    known = f"; the {kind}s are {', '.join(sorted(names(kind)))}, or module:Name of your own"
    return did_you_mean(name, names(kind)) or known


def _same(known: Any, thing: Any) -> bool:
    return known is thing or known == thing or known == home_of(thing)


def name_of(kind: str, thing: Any) -> str:
    """The name under which a thing is registered, else its "module:Name"."""
    return next((name for name, known in _HOMES[kind].items() if _same(known, thing)), home_of(thing))


def modules_of(names: Iterable[Any]) -> list[str]:
    """The modules, but for rlkit's own, that are behind these: "module:Name"s, or names of things in them."""
    known = {name: home_of(thing) for things in _HOMES.values() for name, thing in things.items()}
    homes = (known.get(name, name) for name in names if isinstance(name, str))
    modules = dict.fromkeys(home.partition(":")[0] for home in homes if ":" in home)
    return [module for module in modules if module.partition(".")[0] != "rlkit"]


def check_imported(values: Iterable[Any]) -> None:
    """Raise RegistryError for a "module:Name" whose module nobody has imported: files choose no code."""
    for value in values:
        module, colon, _ = value.partition(":") if isinstance(value, str) else ("", "", "")
        if colon and module not in sys.modules:
            raise RegistryError(
                f"it needs the module {module!r}; if you trust it, "
                f"add --trust-env {module} (trust_env={module!r} in Python)"
            )


def home_of(thing: Any) -> str:
    """The "module:Name" by which a class or a function is found again; text, which is one, as it is."""
    if isinstance(thing, str):
        return thing
    return f"{thing.__module__}:{thing.__qualname__}" if hasattr(thing, "__qualname__") else ""
