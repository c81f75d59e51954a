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

from rlkit.errors import RlkitError

Space: TypeAlias = spaces.Space[Any]
Array: TypeAlias = NDArray[Any]
Path: TypeAlias = tuple[str | int, ...]

N_WORDS = 32  # numbers that a text becomes


class UnsupportedSpaceError(RlkitError, TypeError):
    """The space has no encoding."""


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
        self._widths = [math.prod(shape) for shape in self._shapes]
        self.shape: tuple[int, ...] = self._shapes[0] if self._single else (sum(self._widths),)
        self.dtype: np.dtype[Any] = _packed_dtype(self.leaves[0]) if self._single else _common(self.leaves)
        self._torch_dtype = torch.from_numpy(np.empty(0, self.dtype)).dtype

    def pack(self, obs: Any) -> Any:
        """A batch of observations as a vector environment returns it, as one array [B, *shape].

        A new numpy array; or, if the observations are torch tensors, a tensor on their device, which is
        theirs where nothing has to be joined or converted.
        """
        values = self._values(obs)
        if isinstance(values[0], Tensor):
            if self._single:
                return values[0].to(self._torch_dtype)
            return torch.cat([v.reshape(len(v), -1).to(self._torch_dtype) for v in values], 1)
        if self._single:
            return np.array(values[0], dtype=self.dtype)
        arrays = [np.asarray(value) for value in values]
        return np.concatenate(
            [a.reshape(len(a), -1) for a in arrays], axis=1, dtype=self.dtype, casting="unsafe"
        )

    def pack_one(self, obs: Any) -> Array:
        """One observation [*shape]."""
        values = self._values(obs)
        if self._single:
            return np.array(values[0], dtype=self.dtype)
        arrays = [np.asarray(value).reshape(-1) for value in values]
        return np.concatenate(arrays, dtype=self.dtype, casting="unsafe")

    def is_batch(self, obs: Any) -> bool:
        """Whether `obs` has a leading batch axis; a ValueError says why it is no observation of the space."""
        try:
            values = self._values(obs)
            shapes = [tuple(np.shape(value)) for value in values]
            if shapes in (self._shapes, [(*shapes[0][:1], *own) for own in self._shapes]):
                for leaf, value in zip(self.leaves, values, strict=True):
                    _check_categories(leaf, value)
                return shapes != self._shapes
        except (TypeError, LookupError):
            raise ValueError(f"observation {reprlib.repr(obs)} is none of {self.space}") from None
        got, expected = (", ".join(map(str, sizes)) for sizes in (shapes, self._shapes))
        raise ValueError(
            f"observation of shape {got} fits neither {expected} nor a batch of it, of {self.space}"
        )

    def _values(self, obs: Any) -> list[Any]:
        """What `obs` holds at each leaf; texts as counts of words."""
        values = [_at(obs, path) for path in self._paths]
        for i, leaf in enumerate(self.leaves):
            if _is_text(leaf):
                text = values[i]
                values[i] = (
                    count_words(text) if isinstance(text, str) else np.stack([*map(count_words, text)])
                )
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


def _check_categories(space: Space, value: Any) -> None:
    """ValueError for a category that `space` does not have."""
    sizes = _categories(space)
    if sizes is None:
        return
    given = np.asarray(value.cpu() if isinstance(value, Tensor) else value)
    start = np.asarray(getattr(space, "start", 0))
    wrong = (given < start) | (given >= start + sizes.reshape(start.shape))
    if wrong.any():
        raise ValueError(f"observation {reprlib.repr(given[wrong].tolist()[0])} is none of {space}")


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
    """The smallest type for all leaves: an integer type which holds their bounds, or float32."""
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
    return _stored(common) if np.issubdtype(common, np.integer) else np.dtype(np.float32)
