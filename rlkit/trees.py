"""Nested dictionaries, as `state_dict` gives them, and the same with one name for each leaf."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any


def flat(tree: Mapping[str, Any]) -> dict[str, Any]:
    """{"a": {"b": x}} -> {"a/b": x}; names hold no slash, and an empty dictionary leaves nothing."""
    found: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            found |= {f"{name}/{rest}": leaf for rest, leaf in flat(value).items()}
        else:
            found[name] = value
    return found


def nested(leaves: Mapping[str, Any]) -> dict[str, Any]:
    """Undo `flat`; KeyError where a leaf has leaves below it."""
    tree: dict[str, Any] = {}
    for path, leaf in leaves.items():
        *above, name = path.split("/")
        place = tree
        for part in above:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise KeyError(f"{path} lies below a leaf")
        if name in place:
            raise KeyError(f"{path} is no leaf alone")
        place[name] = leaf
    return tree


def cloned(tree: Mapping[str, Any]) -> dict[str, Any]:
    """The same tree of copies; a tensor is copied without the rest of the memory that it is a part of."""
    return nested({k: x.clone() if hasattr(x, "clone") else deepcopy(x) for k, x in flat(tree).items()})
