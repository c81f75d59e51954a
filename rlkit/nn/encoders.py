"""Observation spaces as tensors.

Two steps. `pack` turns what an environment returns into one numpy array per batch, in the space's own data
type: that array is what buffers store. `forward` turns packed observations into the float features which a
backbone reads: numbers as they are, categories as one-hot vectors.

Dict and Tuple spaces are packed side by side, in the smallest type which holds all of their numbers.
"""

import math
from collections.abc import Iterator
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


class UnsupportedSpaceError(RlkitError, TypeError):
    """The space has no encoding."""


class Encoder(nn.Module):
    """From observations of `space` to `n_features` floats; `shape`, `dtype`: one packed observation."""

    def __init__(self, space: Space) -> None:
        super().__init__()
        self.space = space
        self._leaves = list(_leaves(space, ()))
        self._single = len(self._leaves) == 1 and not self._leaves[0][0]
        parts = [_LeafEncoder(leaf) for _, leaf in self._leaves]
        self.parts = nn.ModuleList(parts)
        self.n_features = sum(part.n_features for part in parts)
        self._shapes: list[tuple[int, ...]] = [leaf.shape or () for _, leaf in self._leaves]
        self._widths = [math.prod(shape) for shape in self._shapes]
        self.shape: tuple[int, ...] = (sum(self._widths),)
        self.dtype: np.dtype[Any] = _common_dtype([leaf for _, leaf in self._leaves])
        if self._single:
            self.shape = self._shapes[0]
            self.dtype = np.dtype(self._leaves[0][1].dtype)

    def pack(self, obs: Any) -> Array:
        """A new array [B, *shape] of a batch of observations as a vector environment returns it."""
        if self._single:
            return np.array(obs, dtype=self.dtype)
        arrays = [np.asarray(_at(obs, path)) for path, _ in self._leaves]
        return np.concatenate(
            [a.reshape(len(a), -1) for a in arrays], axis=1, dtype=self.dtype, casting="unsafe"
        )

    def pack_one(self, obs: Any) -> Array:
        """One observation [*shape]."""
        if self._single:
            return np.array(obs, dtype=self.dtype)
        arrays = [np.asarray(_at(obs, path)).reshape(-1) for path, _ in self._leaves]
        return np.concatenate(arrays, dtype=self.dtype, casting="unsafe")

    def is_batch(self, obs: Any) -> bool:
        """Whether `obs` has a leading batch axis; a ValueError names a shape that fits neither way."""
        path, leaf = self._leaves[0]
        shape = np.shape(_at(obs, path))
        if shape == leaf.shape:
            return False
        if shape[1:] == leaf.shape:
            return True
        raise ValueError(
            f"observation of shape {shape} fits neither {leaf.shape} nor a batch of it, of {self.space}"
        )

    def forward(self, packed: Tensor) -> Tensor:
        """Packed observations [..., *shape] -> features [..., n_features]."""
        if self._single:
            features: Tensor = self.parts[0](packed)
            return features
        columns = torch.split_with_sizes(packed, self._widths, dim=-1)
        parts = zip(self.parts, columns, self._shapes, strict=True)
        return torch.cat([part(x.reshape(*x.shape[:-1], *shape)) for part, x, shape in parts], -1)


class _LeafEncoder(nn.Module):
    """A Box or MultiBinary flattened to float, or categories as one-hot vectors side by side."""

    def __init__(self, space: Space) -> None:
        super().__init__()
        self._n_axes = len(space.shape or ())
        self._sizes = _categories(space)
        if self._sizes is None:
            self.n_features = math.prod(space.shape or ())
            return
        # Category c of entry i is row offset_i + c of the identity matrix; adding up the rows of all entries
        # gives their one-hot vectors side by side.
        self.n_features = int(self._sizes.sum())
        starts = np.asarray(getattr(space, "start", 0)).reshape(-1)
        offsets = np.concatenate([[0], np.cumsum(self._sizes)[:-1]]) - starts
        self.register_buffer("_offsets", torch.as_tensor(offsets), persistent=False)
        self.register_buffer("_one_hot", torch.eye(self.n_features), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        batch = x.shape[: x.dim() - self._n_axes]
        if self._sizes is None:
            return x.float().reshape(*batch, self.n_features) if self._n_axes != 1 else x.float()
        rows = x.reshape(*batch, -1).long() + self.get_buffer("_offsets")
        one_hot: Tensor = self.get_buffer("_one_hot")[rows].sum(-2)
        return one_hot


def _categories(space: Space) -> NDArray[np.int64] | None:
    """The number of categories of each entry of a leaf, flattened, or None if its entries are numbers."""
    if isinstance(space, spaces.Discrete):
        return np.array([space.n], dtype=np.int64)
    if isinstance(space, spaces.MultiDiscrete):
        return space.nvec.reshape(-1).astype(np.int64)
    return None


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
        case _:
            where = f" at {'.'.join(map(str, path))}" if path else ""
            raise UnsupportedSpaceError(
                f"observation space {space}{where} is not supported; "
                "use Box, Discrete, MultiDiscrete, MultiBinary, or a Dict or Tuple of these"
            )


def _at(obs: Any, path: Path) -> Any:
    for key in path:
        obs = obs[key]
    return obs


def _common_dtype(leaves: list[Space]) -> np.dtype[Any]:
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
            case _:
                types.append(np.dtype(leaf.dtype))
    common = np.result_type(*types)
    return common if np.issubdtype(common, np.integer) else np.dtype(np.float32)
