"""Options of environments and spaces as JSON, from which the same come back."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from rlkit.errors import UnsupportedError
from rlkit.nn.encoders import is_text

Space: TypeAlias = spaces.Space[Any]
Json: TypeAlias = Any

TUPLE, ITEMS = "__tuple__", "__items__"  # what JSON has no form for: tuples, and keys that are not text
MOST_NUMBERS = 2**26  # of an observation or an action


def options_to_json(options: Mapping[str, Any]) -> Json:
    """Options by name; UnsupportedError names the one of which JSON would give back another."""
    found = {}
    for name, value in options.items():
        try:
            found[name] = _encode(value)
        except (TypeError, RecursionError) as error:
            why = "nested too deeply" if isinstance(error, RecursionError) else f"{error}, which is not JSON"
            raise UnsupportedError(
                f"the agent cannot be saved: its env_kwargs hold {name!r}, {why}"
            ) from None
    return found


def options_from_json(options: Json) -> dict[str, Any]:
    """Undo `options_to_json`."""
    return {name: _decode(value) for name, value in options.items()}


def _encode(value: object) -> Json:
    if value is None or type(value) in (bool, int, float, str):
        return value
    if type(value) is list:
        return [_encode(entry) for entry in value]
    if type(value) is tuple:
        return {TUPLE: [_encode(entry) for entry in value]}
    if type(value) is dict:
        if all(type(key) is str for key in value) and not value.keys() & {TUPLE, ITEMS}:
            return {key: _encode(entry) for key, entry in value.items()}
        return {ITEMS: [[_encode(key), _encode(entry)] for key, entry in value.items()]}
    raise TypeError(f"a {type(value).__name__}")


def _decode(value: Json) -> Any:
    match value:
        case list():
            return [_decode(entry) for entry in value]
        case {"__tuple__": list(entries)}:
            return tuple(map(_decode, entries))
        case {"__items__": list(pairs)}:
            return {_decode(key): _decode(entry) for key, entry in pairs}
        case dict():
            return {key: _decode(entry) for key, entry in value.items()}
    return value


def space_to_json(space: Space) -> Json:
    """A space as data, its bounds exact; two spaces are the same to an agent if these are equal."""
    match space:
        case spaces.Discrete():
            return {"kind": "Discrete", "n": int(space.n), "start": int(space.start)}
        case spaces.MultiDiscrete():
            nvec, start = space.nvec.tolist(), space.start.tolist()
            return {"kind": "MultiDiscrete", "nvec": nvec, "start": start, "dtype": str(space.dtype)}
        case spaces.MultiBinary():
            n = space.n if isinstance(space.n, int) else [int(entry) for entry in space.n]
            return {"kind": "MultiBinary", "n": n}
        case spaces.Box():
            shape, low, high = list(space.shape), _bounds(space.low), _bounds(space.high)
            return {"kind": "Box", "shape": shape, "dtype": str(space.dtype), "low": low, "high": high}
        case spaces.Dict():
            named = [[_encode(key), space_to_json(child)] for key, child in space.spaces.items()]
            return {"kind": "Dict", "spaces": named}
        case spaces.Tuple():
            return {"kind": "Tuple", "spaces": [space_to_json(child) for child in space.spaces]}
        case _ if is_text(space):  # words are counted, whatever texts there may be
            return {"kind": "Text"}
    raise UnsupportedError(f"the agent cannot be saved: {space} has no form in JSON")


def space_from_json(data: Json) -> Space:
    """Undo `space_to_json`; LookupError, TypeError or ValueError for what it never gives."""
    match data["kind"]:
        case "Discrete":
            return spaces.Discrete(data["n"], start=data["start"])
        case "MultiDiscrete":
            nvec, start = np.array(data["nvec"]), np.array(data["start"])
            return spaces.MultiDiscrete(nvec, start=start, dtype=np.dtype(data["dtype"]).type)
        case "MultiBinary":
            n = data["n"]
            return spaces.MultiBinary(_shape([n])[0] if isinstance(n, int) else _shape(n))
        case "Box":
            shape, dtype = _shape(data["shape"]), np.dtype(data["dtype"])
            if dtype.kind not in "biuf":
                raise ValueError(f"a Box of {dtype}")
            low, high = (np.broadcast_to(np.array(data[side], dtype), shape) for side in ("low", "high"))
            return spaces.Box(low, high, dtype=dtype.type)
        case "Dict":
            return spaces.Dict(
                [(_decode(key), space_from_json(child)) for key, child in data["spaces"]], sort_keys=False
            )
        case "Tuple":
            return spaces.Tuple([space_from_json(child) for child in data["spaces"]])
        case "Text":
            return spaces.Text(2**16)
    raise ValueError(f"no kind of space {data['kind']!r}")


def _bounds(bounds: NDArray[Any]) -> Json:
    """One number where all are the same."""
    same = bounds.size and (bounds == bounds.flat[0]).all()
    return bounds.flat[0].item() if same else bounds.tolist()


def _shape(entries: Json) -> tuple[int, ...]:
    shape = tuple(int(entry) for entry in entries)
    if min(shape, default=0) < 0 or np.prod(shape, dtype=object) > MOST_NUMBERS:
        raise ValueError(f"a space of shape {shape}")
    return shape
