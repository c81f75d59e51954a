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
from collections.abc import Iterator, Sequence
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

UNSIGNED = {n: np.dtype(f"u{n}") for n in (1, 2, 4, 8)}
N_WORDS = 32  # numbers that a text becomes
LARGEST = np.finfo(np.float32).max  # networks read float32


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
        if not (found := list(_leaves(space, ()))):
            raise UnsupportedSpaceError(f"observation space {space} holds nothing to observe")
        self.leaves: list[Space] = [leaf for _, leaf in found]
        self._paths: list[Path] = [path for path, _ in found]
        self._single = self._paths == [()]
        parts = [LeafEncoder(leaf) for leaf in self.leaves]
        self._parts = nn.ModuleList(parts)
        self.n_features = sum(part.n_features for part in parts)
        self._shapes = [_packed_shape(leaf) for leaf in self.leaves]
        self._leaves = [Leaf(leaf, path) for path, leaf in found]
        self._texts = [i for i, leaf in enumerate(self.leaves) if is_text(leaf)]
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
        return self._joined(self._batches(values))

    def pack_one(self, obs: Any) -> Array:
        """One observation [*shape]; raises as `pack` does."""
        packed, batched = self.pack_any(obs)
        if batched:
            raise ObservationError(f"a batch of {len(packed)} observations stands for one of {self.space}")
        one: Array = packed[0]
        return one

    def pack_all(self, observations: Sequence[Any]) -> Array:
        """Some observations that came one by one, packed [N, *shape]; raises as `pack` does."""
        values: list[Any] = [observations]
        if not self._single or self._texts:
            values = [*map(list, zip(*map(self._values, observations), strict=True))]
        return self._joined(self._batches(values))

    def pack_any(self, obs: Any) -> tuple[Array, bool]:
        """One observation or a batch of them, packed [B, *shape], and whether it was a batch.

        Raises ObservationError, or NonFiniteObservation, for what is neither.
        """
        values = [v.numpy(force=True) if isinstance(v, Tensor) else v for v in self._values(obs)]
        arrays = [leaf.array(value) for leaf, value in zip(self._leaves, values, strict=True)]
        batched = [a.shape for a in arrays] != self._shapes
        return self._joined(self._checked(arrays if batched else [a[None] for a in arrays])), batched

    def check_packed(self, packed: Array, batch: int) -> None:
        """ObservationError unless this is what `pack` makes of so many observations."""
        if (packed.shape, packed.dtype) != ((batch, *self.shape), self.dtype):
            raise ObservationError(f"{packed.dtype} {packed.shape} is no packed batch of {self.space}")
        columns = [packed] if self._single else np.split(packed, np.cumsum(self._widths)[:-1], axis=1)
        for leaf, column in zip(self._leaves, columns, strict=True):
            leaf.check(leaf.array(column.reshape(batch, *leaf.shape)))

    def first_tensor(self, obs: Any) -> Tensor | None:
        """The first part of an observation that is a torch tensor."""
        return next((value for value in self._values(obs) if isinstance(value, Tensor)), None)

    def aliased(self, first: Any, second: Any) -> bool:
        """Whether some part of two observations is one and the same buffer."""
        pairs = zip(self._values(first), self._values(second), strict=True)
        return any(isinstance(a, np.ndarray) and np.may_share_memory(a, b) for a, b in pairs)

    def _batches(self, values: list[Any]) -> list[Array]:
        """What stands at each leaf, as arrays [B, ...] that lie in it."""
        return self._checked([leaf.array(value) for leaf, value in zip(self._leaves, values, strict=True)])

    def _checked(self, arrays: list[Array]) -> list[Array]:
        lead = arrays[0].shape[:1]
        for leaf, a in zip(self._leaves, arrays, strict=True):
            if a.shape[1:] != leaf.shape or a.shape[:1] != lead or not lead:
                shapes = [a.shape for a in arrays], [leaf.shape for leaf in self._leaves]
                got, expected = (", ".join(map(str, sizes)) for sizes in shapes)
                raise ObservationError(
                    f"observation of shape {got} fits neither {expected} nor a batch of it, of {self.space}"
                )
            leaf.check(a)
        return arrays

    def _joined(self, arrays: list[Array]) -> Array:
        """The leaves side by side, a new array."""
        if self._single:
            packed = np.array(arrays[0], dtype=self.dtype)
        else:
            rows = [a.reshape(len(a), width) for a, width in zip(arrays, self._widths, strict=True)]
            packed = np.concatenate(rows, axis=1, dtype=self.dtype, casting="unsafe")
        if self.dtype.kind == "f" and not np.vdot(packed, packed) < LARGEST:
            bad = np.argwhere(~(abs(packed) <= LARGEST))
            if len(bad):
                row, *entry = bad[0].tolist()
                raise NonFiniteObservation(f"observation is not finite in float32, at entry {entry}", row)
        return packed

    def _values(self, obs: Any) -> list[Any]:
        """What `obs` holds at each leaf; texts as counts of words. Raises ObservationError."""
        try:
            values = [_at(obs, path) for path in self._paths]
            for i in self._texts:
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
        places = x.reshape(*batch, len(self._sizes)).long() + self.get_buffer("_offsets")
        return torch.zeros((*batch, self.n_features), device=x.device).scatter_(-1, places, 1.0)


def _categories(space: Space) -> NDArray[np.int64] | None:
    """The number of categories of each entry of a leaf, flattened, or None if its entries are numbers."""
    if isinstance(space, spaces.Discrete):
        return np.array([space.n], dtype=np.int64)
    if isinstance(space, spaces.MultiDiscrete):
        return space.nvec.reshape(-1).astype(np.int64)
    return None


class Leaf:
    """A space within an observation that holds numbers or categories, and what may stand there."""

    def __init__(self, space: Space, path: Path) -> None:
        self.space, self._path = space, path
        self.shape = _packed_shape(space)
        self.dtype = np.dtype(np.uint8 if is_text(space) else space.dtype)
        sizes = np.full(self.shape, 2) if isinstance(space, spaces.MultiBinary) else _categories(space)
        self._sizes = None if sizes is None else sizes.reshape(self.shape)
        self._fewest = 0 if sizes is None else int(sizes.min(initial=np.iinfo(np.int64).max))
        start = np.asarray(getattr(space, "start", 0), np.int64)
        self._start = start if start.any() else None

    def array(self, value: Any) -> Array:
        """What stands there, in the leaf's own type; ObservationError if that cannot hold it."""
        if isinstance(value, np.ndarray) and value.dtype == self.dtype:
            return value
        try:
            given = np.asarray(value)
            with np.errstate(invalid="ignore"):
                own = given.astype(self.dtype)
            same = self.dtype.kind == "f" or np.can_cast(given.dtype, self.dtype) or (own == given).all()
        except (TypeError, ValueError, OverflowError):
            same = False
        if not same:
            raise self._refusal(value)
        return own

    def check(self, values: Array) -> None:
        """ObservationError for a category in a batch [B, ...] that the space does not have."""
        if self._sizes is None:
            return
        counted = values if self._start is None else values - self._start
        places = counted.view(UNSIGNED[counted.itemsize])  # a negative number becomes a large one
        if places.max(initial=0) < self._fewest:
            return
        outside = places >= self._sizes
        if outside.any():
            first = tuple(np.argwhere(outside)[0].tolist())
            raise self._refusal(values[first], first[0])

    def _refusal(self, value: Any, row: int | None = None) -> ObservationError:
        where = "".join(f"[{key!r}]" for key in self._path)
        given = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
        return ObservationError(f"observation{where} {reprlib.repr(given)} is not in {self.space}", row)


def _leaves(space: Space, path: Path) -> Iterator[tuple[Path, Space]]:
    match space:
        case spaces.Dict():
            for key, child in space.spaces.items():
                yield from _leaves(child, (*path, key))
        case spaces.Tuple():
            for i, child in enumerate(space.spaces):
                yield from _leaves(child, (*path, i))
        case spaces.Box(dtype=np.uint64) if space.high.max(initial=0) >= 2**63:  # torch has no such numbers
            raise UnsupportedSpaceError(f"observation space {space} has numbers of 2^63 and more")
        case spaces.Box() | spaces.Discrete() | spaces.MultiDiscrete() | spaces.MultiBinary():
            yield path, space
        case _ if is_text(space):
            yield path, space
        case _:
            where = f" at {'.'.join(map(str, path))}" if path else ""
            raise UnsupportedSpaceError(
                f"observation space {space}{where} is not supported; "
                "use Box, Discrete, MultiDiscrete, MultiBinary, Text, or a Dict or Tuple of these"
            )


def is_text(space: Space) -> bool:
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
    return (N_WORDS,) if is_text(space) else space.shape or ()


def _packed_dtype(space: Space) -> np.dtype[Any]:
    return np.dtype(np.uint8) if is_text(space) else _stored(np.dtype(space.dtype))


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
    types: list[np.dtype[Any]] = []
    for leaf in leaves:
        match leaf:
            case spaces.Discrete():
                types += map(np.min_scalar_type, (int(leaf.start), int(leaf.start + leaf.n - 1)))
            case spaces.MultiDiscrete():
                bounds = int(leaf.start.min()), int((leaf.start + leaf.nvec).max())
                types += map(np.min_scalar_type, bounds)
            case spaces.MultiBinary():
                types.append(np.dtype(np.uint8))
            case _:
                types.append(_packed_dtype(leaf))
    common = np.result_type(*types)
    if np.issubdtype(common, np.integer):
        return _stored(common)
    return np.dtype(np.float64 if np.dtype(np.float64) in types else np.float32)
