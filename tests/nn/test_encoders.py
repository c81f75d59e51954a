from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector.utils import batch_space

from rlkit.nn import Encoder, UnsupportedSpaceError

NESTED = spaces.Dict(
    {
        "direction": spaces.Discrete(4),
        "image": spaces.Box(0, 255, (2, 2), np.uint8),
        "pair": spaces.Tuple((spaces.MultiBinary(2), spaces.MultiDiscrete([2, 3]))),
    }
)


@pytest.mark.parametrize(
    ("space", "obs", "features", "dtype"),
    [
        (spaces.Discrete(4), 2, [0, 0, 1, 0], np.int64),
        (spaces.Discrete(3, start=-1), -1, [1, 0, 0], np.int64),
        (spaces.Box(-1, 1, (2, 2), np.float64), [[1, 2], [3, 4]], [1, 2, 3, 4], np.float64),
        (spaces.Box(0, 255, (3,), np.uint8), [0, 7, 255], [0, 7, 255], np.uint8),
        (spaces.Box(-1, 1, (), np.float32), 0.5, [0.5], np.float32),
        (spaces.MultiDiscrete([2, 3]), [1, 2], [0, 1, 0, 0, 1], np.int64),
        (spaces.MultiDiscrete([2, 3], start=[5, 0]), [5, 1], [1, 0, 0, 1, 0], np.int64),
        (spaces.MultiDiscrete([[2], [2]]), [[0], [1]], [1, 0, 0, 1], np.int64),
        (spaces.MultiBinary(3), [1, 0, 1], [1, 0, 1], np.int8),
        (
            NESTED,
            {"direction": 3, "image": [[9, 8], [7, 6]], "pair": ([1, 0], [0, 1])},
            [0, 0, 0, 1, 9, 8, 7, 6, 1, 0, 1, 0, 0, 1, 0],
            np.int16,
        ),
        (
            spaces.Tuple((spaces.Discrete(2), spaces.Box(-1, 1, (1,), np.float32))),
            (1, [0.25]),
            [0, 1, 0.25],
            np.float32,
        ),
    ],
)
def test_features(space: Any, obs: Any, features: list[float], dtype: type) -> None:
    encoder = Encoder(space)
    packed = encoder.pack_one(obs)
    assert (packed.shape, packed.dtype) == (encoder.shape, encoder.dtype)
    assert encoder.dtype == dtype
    assert encoder(torch.from_numpy(packed[None])).tolist() == [features]
    assert encoder.n_features == len(features)


@pytest.mark.parametrize(
    "space", [spaces.Discrete(5), spaces.MultiDiscrete([3, 2]), spaces.Box(0, 1, (2, 3)), NESTED]
)
def test_batches_and_sequences_are_encoded_entry_by_entry(space: Any) -> None:
    encoder = Encoder(space)
    batched = batch_space(space, 6)
    batched.seed(0)
    packed = encoder.pack(batched.sample())
    assert packed.shape == (6, *encoder.shape)
    one_by_one = torch.cat([encoder(torch.from_numpy(row[None])) for row in packed])
    torch.testing.assert_close(encoder(torch.from_numpy(packed)), one_by_one)
    sequence = torch.from_numpy(packed).reshape(2, 3, *encoder.shape)
    torch.testing.assert_close(encoder(sequence), one_by_one.reshape(2, 3, -1))


def test_packing_copies() -> None:
    obs = np.zeros((2, 3), np.float32)
    packed = Encoder(spaces.Box(-1, 1, (3,))).pack(obs)
    obs += 1
    assert (packed == 0).all()


@pytest.mark.parametrize(
    ("space", "where"),
    [
        (spaces.Text(5), r"Text\(.*\) is not supported"),
        (spaces.Dict({"a": spaces.Tuple((spaces.Sequence(spaces.Discrete(2)),))}), "at a.0 is not supported"),
    ],
)
def test_unsupported_spaces_are_named(space: Any, where: str) -> None:
    with pytest.raises(UnsupportedSpaceError, match=where):
        Encoder(space)
