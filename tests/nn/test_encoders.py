import zlib
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector.utils import batch_space

from rlkit.nn import Encoder, ObservationError, UnsupportedSpaceError
from rlkit.nn.encoders import NonFiniteObservation

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
        (spaces.Box(0, 9, (2,), np.uint16), [1, 9], [1, 9], np.int32),
        (
            spaces.Tuple((spaces.Discrete(2), spaces.Box(0, 9, (1,), np.uint32))),
            (1, [9]),
            [0, 1, 9],
            np.int64,
        ),
        (
            NESTED,
            {"direction": 3, "image": [[9, 8], [7, 6]], "pair": ([1, 0], [0, 1])},
            [0, 0, 0, 1, 9, 8, 7, 6, 1, 0, 1, 0, 0, 1, 0],
            np.uint8,
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
        (spaces.Sequence(spaces.Discrete(2)), r"Sequence\(.*\) is not supported"),
        (spaces.Graph(spaces.Discrete(2), None), r"Graph\(.*\) is not supported"),
        (spaces.OneOf((spaces.Discrete(2), spaces.Discrete(3))), r"OneOf\(.*\) is not supported"),
        (
            spaces.Dict({"a": spaces.Box(0, 2**64 - 1, (), np.uint64)}),
            r"uint64\) has numbers of 2\^63 and more",
        ),
        (spaces.Dict({"a": spaces.Tuple((spaces.Sequence(spaces.Discrete(2)),))}), "at a.0 is not supported"),
    ],
)
def test_unsupported_spaces_are_named(space: Any, where: str) -> None:
    with pytest.raises(UnsupportedSpaceError, match=where):
        Encoder(space)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("value", [1e39, -1e200, np.inf, np.nan])
def test_numbers_beyond_what_networks_read_are_named(value: float, dtype: Any) -> None:
    encoder, obs = Encoder(spaces.Box(-np.inf, np.inf, (2,), dtype)), np.ones((3, 2), dtype)
    assert (encoder.pack(obs * 6e4) == 6e4).all()
    with np.errstate(over="ignore"):
        obs[1, 1] = value
    with pytest.raises(NonFiniteObservation, match=r"is not finite in float32, at entry \[1\]") as caught:
        encoder.pack(obs)
    assert caught.value.row == 1


def bag(*words: bytes) -> list[int]:
    """How often each remainder modulo 32 comes up among the checksums of `words`."""
    return [sum(zlib.crc32(word) % 32 == i for word in words) for i in range(32)]


def test_texts_are_bags_of_hashed_words() -> None:
    encoder = Encoder(spaces.Text(50))
    assert (encoder.shape, encoder.dtype, encoder.n_features) == ((32,), np.uint8, 32)
    expected = bag(b"go", b"to", b"the", b"red", b"ball", b"the", b"ball")
    assert sum(expected) == 7
    assert encoder.pack_one("Go to the RED ball, the ball!").tolist() == expected
    assert encoder.pack(("", "go")).tolist() == [bag(), bag(b"go")]
    assert encoder.pack(np.array(["", "go"])).tolist() == [bag(), bag(b"go")]
    assert encoder(torch.from_numpy(encoder.pack(["go"]))).tolist() == [bag(b"go")]
    assert encoder.pack_one("a " * 300).max() == 255
    assert [encoder.pack_any(obs)[1] for obs in ("go", ("go", "to"))] == [False, True]


def test_texts_stand_beside_other_observations() -> None:
    space = spaces.Dict(mission=spaces.Text(50), pair=spaces.MultiDiscrete([3, 300]))
    encoder = Encoder(space)
    packed = encoder.pack({"mission": ("red", "blue"), "pair": np.array([[1, 299], [0, 7]])})
    assert packed.dtype == np.int32
    assert packed.tolist() == [[*bag(b"red"), 1, 299], [*bag(b"blue"), 0, 7]]
    assert encoder.pack_one({"mission": "blue", "pair": [0, 7]}).tolist() == packed[1].tolist()
    features = encoder(torch.from_numpy(packed))
    assert features[1].nonzero().flatten().tolist() == [int(np.argmax(bag(b"blue"))), 32, 35 + 7]


def test_a_packed_text_is_a_copy() -> None:
    encoder = Encoder(spaces.Text(5))
    encoder.pack_one("go")[:] = 0
    assert encoder.pack_one("go").tolist() == bag(b"go")


TENSOR_SPACES = [
    spaces.Discrete(5),
    spaces.MultiDiscrete([3, 2]),
    spaces.Box(0, 1, (2, 3)),
    spaces.MultiBinary((2, 3, 3)),
    NESTED,
]


def as_tensors(obs: Any, device: str = "cpu") -> Any:
    match obs:
        case dict():
            return {key: as_tensors(value, device) for key, value in obs.items()}
        case tuple():
            return tuple(as_tensors(value, device) for value in obs)
        case _:
            return torch.as_tensor(obs, device=device)


@pytest.mark.parametrize("space", TENSOR_SPACES)
def test_tensors_are_packed_as_arrays_are(space: Any) -> None:
    encoder, batched = Encoder(space), batch_space(space, 6)
    batched.seed(0)
    obs = batched.sample()
    packed = encoder.pack(as_tensors(obs))
    torch.testing.assert_close(packed, torch.from_numpy(encoder.pack(obs)))
    meta = encoder.pack(as_tensors(obs, "meta"))
    assert (meta.device.type, meta.shape, meta.dtype) == ("meta", packed.shape, packed.dtype)
    again, batched = encoder.pack_any(as_tensors(obs))
    assert batched
    assert again.tolist() == packed.tolist()


def test_a_tensor_that_fits_is_not_copied() -> None:
    encoder = Encoder(spaces.Box(-1, 1, (3,)))
    obs = torch.zeros(2, 3)
    assert encoder.pack(obs) is obs
    assert encoder.pack(obs.double()).dtype == torch.float32
    board = torch.ones(2, 3, dtype=torch.bool)
    assert Encoder(spaces.MultiBinary(3)).pack(board).dtype == torch.int8


def test_a_batch_is_not_one_observation() -> None:
    with pytest.raises(ObservationError, match="a batch of 3 observations stands for one of Discrete"):
        Encoder(spaces.Discrete(4)).pack_one(np.arange(3))


@pytest.mark.parametrize(
    "packed",
    [np.zeros((2, 3), np.int64), np.zeros((2, 2), np.float32), np.zeros((3, 2), np.int64), [[0, 7], [0, 0]]],
    ids=["wide", "type", "batch", "category"],
)
def test_what_stands_for_packed_observations_is_held_to_the_space(packed: Any) -> None:
    encoder = Encoder(spaces.MultiDiscrete([2, 7]))
    assert encoder.check_packed(np.array([[1, 6], [0, 0]]), 2) is None
    with pytest.raises(ObservationError):
        encoder.check_packed(np.asarray(packed), 2)
