"""Observation spaces as tensors.

Two steps. `pack` turns what an environment returns into one array per batch, in the space's own data type:
that array is what buffers store. `forward` turns packed observations into flat float features: numbers as
they are, categories as one-hot vectors, texts as the counts of their hashed words.

Dict and Tuple spaces are packed side by side, in the smallest type which holds all of their numbers.
"""

import math
import re
import reprlib
import zlib
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from torch import Tensor, nn

from rlkit.errors import NonFiniteError, RlkitError

Space: TypeAlias = spaces.Space[Any]
Array: TypeAlias = NDArray[Any]
Path: TypeAlias = tuple[str | int, ...]

N_WORDS = 32  # numbers that a text becomes


class UnsupportedSpaceError(RlkitError, TypeError):
    """The space has no encoding."""


class ObservationError(RlkitError, ValueError):
    """An observation is not in its space; `row` is its place in the batch, None if all of it is wrong."""

    def __init__(self, message: str, row: int | None = None) -> None:
        super().__init__(message)
        self.row = row


class NonFiniteObservation(ObservationError, NonFiniteError):
    """An observation holds NaN or an infinity."""


class Encoder(nn.Module):
    """From observations of `space` to `n_features` floats; `shape`, `dtype`: one packed observation.

    `leaves` are the spaces within it that hold numbers, in the order in which they are packed. It learns
    nothing: all that is trained stands in the backbones.
    """

    def __init__(self, space: Space) -> None:
        super().__init__()
        self.space = space
        found = list(_leaves(space, ()))
        self.leaves: list[Space] = [leaf for _, leaf in found]
        self._paths: list[Path] = [path for path, _ in found]
        self._single = self._paths == [()]
        parts = [LeafEncoder(leaf) for leaf in self.leaves]
        self._parts = nn.ModuleList(parts)
        self.n_features = sum(part.n_features for part in parts)
        self._shapes = [_packed_shape(leaf) for leaf in self.leaves]
        self._ranges = [_category_range(leaf) for leaf in self.leaves]
        self._widths = [math.prod(shape) for shape in self._shapes]
        self.shape: tuple[int, ...] = self._shapes[0] if self._single else (sum(self._widths),)
        self.dtype: np.dtype[Any] = _packed_dtype(self.leaves[0]) if self._single else _common(self.leaves)
        self._torch_dtype = torch.from_numpy(np.empty(0, self.dtype)).dtype

    def pack(self, obs: Any) -> Any:
        """A batch of observations as a vector environment returns it, as one array [B, *shape].

        A new numpy array; or, if the observations are torch tensors, a tensor on their device, which is
        theirs where nothing has to be joined or converted. Raises ObservationError, or
        NonFiniteObservation, for an array that is not a batch of the space; tensors are not looked at.
        """
        values = self._values(obs)
        if isinstance(values[0], Tensor):
            if self._single:
                return values[0].to(self._torch_dtype)
            return torch.cat([v.reshape(len(v), -1).to(self._torch_dtype) for v in values], 1)
        arrays = self._arrays(values)
        self._check_batch(arrays)
        return self._joined(arrays)

    def pack_one(self, obs: Any) -> Array:
        """One observation [*shape]; raises as `pack` does."""
        packed, batched = self.pack_any(obs)
        if batched:
            raise ObservationError(f"a batch of {len(packed)} observations stands for one of {self.space}")
        one: Array = packed[0]
        return one

    def pack_any(self, obs: Any) -> tuple[Array, bool]:
        """One observation or a batch of them, packed [B, *shape], and whether it was a batch.

        Raises ObservationError, or NonFiniteObservation, for what is neither.
        """
        values = [v.numpy(force=True) if isinstance(v, Tensor) else v for v in self._values(obs)]
        arrays = self._arrays(values)
        batched = [a.shape for a in arrays] != self._shapes
        arrays = arrays if batched else [a[None] for a in arrays]
        self._check_batch(arrays)
        return self._joined(arrays), batched

    def first_tensor(self, obs: Any) -> Tensor | None:
        """The first part of an observation that is a torch tensor."""
        return next((value for value in self._values(obs) if isinstance(value, Tensor)), None)

    def aliased(self, first: Any, second: Any) -> bool:
        """Whether some part of two observations is one and the same buffer."""
        pairs = zip(self._values(first), self._values(second), strict=True)
        return any(isinstance(a, np.ndarray) and np.may_share_memory(a, b) for a, b in pairs)

    def _arrays(self, values: list[Any]) -> list[Array]:
        """What stands at each leaf, as an array that loses nothing in the leaf's own type."""
        arrays = []
        for leaf, path, value in zip(self.leaves, self._paths, values, strict=True):
            try:
                given = np.asarray(value)
                own = given if _is_text(leaf) or given.dtype == leaf.dtype else _converted(given, leaf)
            except (TypeError, ValueError, OverflowError):
                raise ObservationError(f"{_named(path, value)} is not in {leaf}") from None
            if own is None:
                raise ObservationError(f"{_named(path, value)} is not in {leaf}")
            arrays.append(own)
        return arrays

    def _check_batch(self, arrays: list[Array]) -> None:
        """ObservationError unless these are batches [B, ...] of the leaves, with categories they have."""
        shapes = [a.shape for a in arrays]
        if shapes != [(*shapes[0][:1], *own) for own in self._shapes]:
            got, expected = (", ".join(map(str, sizes)) for sizes in (shapes, self._shapes))
            raise ObservationError(
                f"observation of shape {got} fits neither {expected} nor a batch of it, of {self.space}"
            )
        for known, path, leaf, a in zip(self._ranges, self._paths, self.leaves, arrays, strict=True):
            if known is not None and (wrong := known.first_outside(a)) is not None:
                raise ObservationError(f"{_named(path, a[wrong])} is not in {leaf}", int(wrong[0]))

    def _joined(self, arrays: list[Array]) -> Array:
        """The leaves side by side, a new array."""
        if self._single:
            packed = np.array(arrays[0], dtype=self.dtype)
        else:
            rows = [a.reshape(len(a), -1) for a in arrays]
            packed = np.concatenate(rows, axis=1, dtype=self.dtype, casting="unsafe")
        if self.dtype.kind == "f" and not np.isfinite(packed.sum()):
            bad = np.argwhere(~np.isfinite(packed))
            if len(bad):
                row, *entry = bad[0].tolist()
                raise NonFiniteObservation(f"observation is not finite at entry {entry}", row)
        return packed

    def _values(self, obs: Any) -> list[Any]:
        """What `obs` holds at each leaf; texts as counts of words. Raises ObservationError."""
        try:
            values = [_at(obs, path) for path in self._paths]
            for i, leaf in enumerate(self.leaves):
                if _is_text(leaf):
                    text = values[i]
                    one = isinstance(text, str)
                    values[i] = count_words(text) if one else np.stack([*map(count_words, text)])
        except (TypeError, LookupError, AttributeError, ValueError):
            raise ObservationError(f"observation {reprlib.repr(obs)} is not in {self.space}") from None
        return values

    def split(self, packed: Tensor) -> list[Tensor]:
        """The packed observations of every leaf, each [..., *its own shape]."""
        if self._single:
            return [packed]
        columns = torch.split_with_sizes(packed, self._widths, dim=-1)
        return [
            x.unflatten(-1, shape) if len(shape) > 1 else x if shape else x.squeeze(-1)
            for x, shape in zip(columns, self._shapes, strict=True)
        ]

    def forward(self, packed: Tensor) -> Tensor:
        """Packed observations [..., *shape] -> features [..., n_features]."""
        if self._single:
            features: Tensor = self._parts[0](*self.split(packed))
            return features
        return torch.cat([part(x) for part, x in zip(self._parts, self.split(packed), strict=True)], -1)


class LeafEncoder(nn.Module):
    """Numbers flattened to float, or categories as one-hot vectors side by side."""

    def __init__(self, space: Space) -> None:
        super().__init__()
        shape = _packed_shape(space)
        self._n_axes = len(shape)
        self._sizes = _categories(space)
        if self._sizes is None:
            self.n_features = math.prod(shape)
            return
        # Category c of entry i is place offset_i + c of the one-hot vectors side by side.
        self.n_features = int(self._sizes.sum())
        starts = np.asarray(getattr(space, "start", 0)).reshape(-1)
        offsets = np.concatenate([[0], np.cumsum(self._sizes)[:-1]]) - starts
        self.register_buffer("_offsets", torch.as_tensor(offsets), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """[..., *packed shape] -> [..., n_features]."""
        if self._sizes is None and self._n_axes == 1:
            return x.float()
        batch = x.shape[: x.dim() - self._n_axes]
        if self._sizes is None:
            return x.float().reshape(*batch, self.n_features)
        places = x.reshape(*batch, -1).long() + self.get_buffer("_offsets")
        return torch.zeros((*batch, self.n_features), device=x.device).scatter_(-1, places, 1.0)


def _categories(space: Space) -> NDArray[np.int64] | None:
    """The number of categories of each entry of a leaf, flattened, or None if its entries are numbers."""
    if isinstance(space, spaces.Discrete):
        return np.array([space.n], dtype=np.int64)
    if isinstance(space, spaces.MultiDiscrete):
        return space.nvec.reshape(-1).astype(np.int64)
    return None


class CategoryRange:
    """Which whole numbers a leaf of categories holds at each entry: from `start` up, `sizes` of them."""

    def __init__(self, sizes: NDArray[np.int64], start: NDArray[np.int64]) -> None:
        self.sizes, self.start = sizes, start
        self._least, self._from_zero = int(sizes.min(initial=np.iinfo(np.int64).max)), not start.any()

    def first_outside(self, values: Array) -> tuple[int, ...] | None:
        """Where in a batch [B, ...] of integers the first lies outside; None if none does."""
        counted = values if self._from_zero else values - self.start
        places = counted.view(f"u{counted.itemsize}")  # a negative number becomes a large one
        if places.max(initial=0) < self._least:
            return None
        outside = np.argwhere(places >= self.sizes)
        return tuple(outside[0].tolist()) if len(outside) else None


def _category_range(space: Space) -> CategoryRange | None:
    """The categories of a leaf, or None if its entries are numbers of other kinds."""
    sizes = np.full(space.shape or (), 2) if isinstance(space, spaces.MultiBinary) else _categories(space)
    if sizes is None:
        return None
    start = np.asarray(getattr(space, "start", 0), np.int64)
    return CategoryRange(sizes.reshape(space.shape), np.broadcast_to(start, space.shape or ()))


def _converted(given: Array, leaf: Space) -> Array | None:
    """The array in the type of a leaf, or None where its whole numbers cannot hold it."""
    dtype = np.dtype(leaf.dtype)
    if np.can_cast(given.dtype, dtype):
        return given.astype(dtype)
    with np.errstate(invalid="ignore"):
        own = given.astype(dtype)
    return own if dtype.kind == "f" or (own == given).all() else None


def _named(path: Path, value: Any) -> str:
    """An observation, or the part of it at `path`, for an error."""
    return f"observation{''.join(f'[{key!r}]' for key in path)} {reprlib.repr(np.asarray(value).tolist())}"


def _leaves(space: Space, path: Path) -> Iterator[tuple[Path, Space]]:
    match space:
        case spaces.Dict():
            for key, child in space.spaces.items():
                yield from _leaves(child, (*path, key))
        case spaces.Tuple():
            for i, child in enumerate(space.spaces):
                yield from _leaves(child, (*path, i))
        case spaces.Box() | spaces.Discrete() | spaces.MultiDiscrete() | spaces.MultiBinary():
            yield path, space
        case _ if _is_text(space):
            yield path, space
        case _:
            where = f" at {'.'.join(map(str, path))}" if path else ""
            raise UnsupportedSpaceError(
                f"observation space {space}{where} is not supported; "
                "use Box, Discrete, MultiDiscrete, MultiBinary, Text, or a Dict or Tuple of these"
            )


def _is_text(space: Space) -> bool:
    """Whether its observations are strings: Text, and spaces of others such as MiniGrid's missions."""
    return space.dtype is not None and space.dtype.kind == "U"


@lru_cache(maxsize=4096)
def count_words(text: str) -> NDArray[np.uint8]:
    """How many words of `text` hash to each of 32 numbers, up to 255 (Weinberger et al. 2009); read-only."""
    words = re.findall(r"\w+", text.lower())
    counts = np.bincount([zlib.crc32(word.encode()) % N_WORDS for word in words], minlength=N_WORDS)
    counted = counts.clip(max=255).astype(np.uint8)
    counted.flags.writeable = False
    return counted


def _packed_shape(space: Space) -> tuple[int, ...]:
    return (N_WORDS,) if _is_text(space) else space.shape or ()


def _packed_dtype(space: Space) -> np.dtype[Any]:
    return np.dtype(np.uint8) if _is_text(space) else _stored(np.dtype(space.dtype))


def _stored(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """`dtype`, or, as torch cannot index unsigned integers other than bytes, a signed one that holds it."""
    if dtype.kind == "u" and dtype.itemsize > 1:
        return np.dtype(f"i{min(2 * dtype.itemsize, 8)}")
    return dtype


def _at(obs: Any, path: Path) -> Any:
    for key in path:
        obs = obs[key]
    return obs


def _common(leaves: list[Space]) -> np.dtype[Any]:
    """The smallest type for all leaves: an integer type which holds their bounds, float32 or float64."""
    types = []
    for leaf in leaves:
        match leaf:
            case spaces.Discrete():
                types += [
                    np.min_scalar_type(int(leaf.start)),
                    np.min_scalar_type(int(leaf.start + leaf.n - 1)),
                ]
            case spaces.MultiDiscrete():
                types += [
                    np.min_scalar_type(int(leaf.start.min())),
                    np.min_scalar_type(int((leaf.start + leaf.nvec).max())),
                ]
            case spaces.MultiBinary():
                types.append(np.dtype(np.uint8))
            case _:
                types.append(_packed_dtype(leaf))
    common = np.result_type(*types)
    if np.issubdtype(common, np.integer):
        return _stored(common)
    return np.dtype(np.float64 if np.dtype(np.float64) in types else np.float32)
