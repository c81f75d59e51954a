"""Whole networks, from packed observations of every kind to features."""

import math
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector.utils import batch_space
from tensors import seeded
from torch import Tensor, nn

from rlkit import registry
from rlkit.errors import ConfigError
from rlkit.nn import (
    CNN,
    MLP,
    Attention,
    Backbone,
    Encoder,
    Grid,
    NetworkConfig,
    UnsupportedSpaceError,
    build,
    grid_of,
    reader_of,
    resolve,
)

KINDS = registry.names("backbone")
VECTOR = spaces.Box(-1, 1, (4,))
ROOM = spaces.Dict(direction=spaces.Discrete(4), image=spaces.MultiBinary((7, 7, 16)))
SYMBOLS = spaces.Dict(
    direction=spaces.Discrete(4), image=spaces.Box(0, 255, (7, 7, 3), np.uint8), mission=spaces.Text(9)
)
BOARD = spaces.MultiBinary((2, 3, 3))
PICTURE = spaces.Box(0, 255, (40, 36, 3), np.uint8)
SPACES = {"vector": VECTOR, "room": ROOM, "symbols": SYMBOLS, "board": BOARD, "picture": PICTURE}


def sample(encoder: Encoder, *shape: int) -> Tensor:
    """Random packed observations [*shape, *encoder.shape], bytes below 11 as MiniGrid's are.

    Sums of larger ones have not five digits behind the point in float32.
    """
    batched = batch_space(encoder.space, math.prod(shape))
    batched.seed(0)
    packed = torch.from_numpy(encoder.pack(batched.sample())).reshape(*shape, *encoder.shape)
    return packed % 11 if packed.dtype == torch.uint8 else packed


def config(**fields: Any) -> NetworkConfig:
    return NetworkConfig(**{"hidden": (16, 12), "channels": (8, 6), "context": 4} | fields)


@pytest.mark.parametrize(
    ("space", "kind"),
    [(space, kind) for space in SPACES for kind in KINDS if (space, kind) != ("vector", "cnn")],
)
def test_a_sequence_is_its_steps_and_trains_every_weight(space: str, kind: str) -> None:
    encoder = Encoder(SPACES[space])
    network = build(encoder, config(backbone=kind), generator=seeded())
    packed = sample(encoder, 12, 3)
    reset = torch.rand(12, 3, generator=seeded()) < 0.2
    features, end = network(packed, network.initial_state(3), reset)
    assert features.shape == (12, 3, network.n_features) == (12, 3, 12)
    state = network.initial_state(3)
    for t in range(12):
        y, state = network(packed[t], state, reset[t])
        torch.testing.assert_close(y, features[t], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(state, end, atol=1e-5, rtol=1e-5)

    (features * torch.randn(features.shape, generator=seeded(1))).sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


@pytest.mark.parametrize("kind", KINDS)
def test_networks_come_from_the_generator_and_are_saved_by_their_weights(kind: str) -> None:
    before = torch.get_rng_state()
    a, b, c = (build(Encoder(ROOM), config(backbone=kind), generator=seeded(s)) for s in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    packed, state, reset = (
        sample(Encoder(ROOM), 5, 3),
        a.initial_state(3),
        torch.zeros(5, 3, dtype=torch.bool),
    )
    assert torch.equal(a(packed, state, reset)[0], b(packed, state, reset)[0])
    assert not torch.equal(a(packed, state, reset)[0], c(packed, state, reset)[0])
    assert set(a.state_dict()) == {name for name, _ in a.named_parameters()}
    c.load_state_dict(a.state_dict())
    assert torch.equal(a(packed, state, reset)[0], c(packed, state, reset)[0])


@pytest.mark.parametrize("kind", ["attention", "gru"])
def test_a_network_is_its_parts(kind: str) -> None:
    """All settings reach the parts that they are for."""
    fields: dict[str, Any] = {"activation": "relu", "init": "kaiming"}
    layers: dict[str, Any] = {"norm": "layer", "skip": True}
    past: dict[str, Any] = {"context": 5, "heads": 3, "blocks": 2}
    network = build(
        Encoder(BOARD),
        config(backbone=kind, hidden=(12, 12), **fields, **layers, **past),
        generator=seeded(),
    )
    generator = seeded()
    cnn = cnn_of(BOARD, channels=(8, 6), **fields, generator=generator)
    mlp = MLP(cnn.n_features, (12, 12), **fields, **layers, generator=generator)
    memory: Backbone
    if kind == "attention":
        memory = Attention(12, **past, init="kaiming", generator=generator)
    else:
        memory = registry.find("backbone", kind)(12, 12, init="kaiming", generator=generator)
    packed = sample(Encoder(BOARD), 20, 3)
    reset = torch.rand(20, 3, generator=seeded()) < 0.1
    features, state = network(packed, network.initial_state(3), reset)
    expected, expected_state = memory(mlp(cnn(packed), (), None)[0], memory.initial_state(3), reset)
    assert torch.equal(features, expected)
    torch.testing.assert_close(state, expected_state, atol=0, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_all_but_an_mlp_read_grids_by_convolutions(kind: str) -> None:
    network = build(Encoder(ROOM), config(backbone=kind), generator=seeded())
    assert any(isinstance(module, nn.Conv2d) for module in network.modules()) is (kind != "mlp")


@pytest.mark.parametrize("norm", ["none", "layer", "batch"])
@pytest.mark.parametrize("activation", ["maxout", "prelu"])
def test_options_reach_the_network(activation: str, norm: str) -> None:
    fields = {"activation": activation, "norm": norm, "skip": True, "dropout": 0.5, "init": "kaiming"}
    network = build(Encoder(BOARD), config(hidden=(12, 12), **fields), generator=seeded())
    packed = sample(Encoder(BOARD), 9)
    features, _ = network(packed, (), None)
    assert features.shape == (9, 12)
    assert not torch.equal(features, network(packed, (), None)[0])
    network.eval()
    assert torch.equal(network(packed, (), None)[0], network(packed, (), None)[0])


@pytest.mark.parametrize(
    ("backbone", "space", "kind", "why"),
    [
        ("auto", VECTOR, "mlp", "mlp: the observation holds no grid"),
        ("auto", spaces.Discrete(3), "mlp", "mlp: the observation holds no grid"),
        ("auto", spaces.Box(0, 1, (2, 9, 2)), "mlp", "mlp: the observation holds no grid"),
        ("auto", ROOM, "cnn", "cnn: the observation holds a grid of 7x7x16"),
        ("auto", BOARD, "cnn", "cnn: the observation holds a grid of 2x3x3"),
        ("auto", PICTURE, "cnn", "cnn: the observation holds a grid of 40x36x3"),
        ("mlp", ROOM, "mlp", "mlp: as configured"),
        ("gru", VECTOR, "gru", "gru: as configured"),
    ],
)
def test_what_auto_chooses(backbone: str, space: Any, kind: str, why: str) -> None:
    assert resolve(backbone, Encoder(space)) == (kind, why)


def test_a_space_without_a_leaf_is_refused() -> None:
    with pytest.raises(UnsupportedSpaceError, match=r"Dict\(\) holds nothing to observe"):
        Encoder(spaces.Dict())


def test_a_cnn_needs_a_grid() -> None:
    with pytest.raises(
        UnsupportedSpaceError, match=r"cnn needs an observation with three axes.*Discrete\(3\)"
    ):
        build(Encoder(spaces.Discrete(3)), config(backbone="cnn"), generator=seeded())


@pytest.mark.parametrize(
    ("space", "sides", "channels", "scale", "symbols"),
    [
        (spaces.MultiBinary((7, 7, 16)), (7, 7), 16, 1, (0, 0)),
        (spaces.MultiBinary((2, 3, 3)), (3, 3), 2, 1, (0, 0)),
        (spaces.MultiBinary((2, 6, 7)), (6, 7), 2, 1, (0, 0)),
        (spaces.MultiBinary((6, 7, 2)), (6, 7), 2, 1, (0, 0)),
        (spaces.MultiBinary((5, 5, 5)), (5, 5), 5, 1, (0, 0)),
        (spaces.MultiBinary((4, 7, 4)), (4, 7), 4, 1, (0, 0)),
        (spaces.Box(0, 1, (84, 84, 4)), (84, 84), 4, 1, (0, 0)),
        (spaces.Box(0, 255, (7, 7, 3), np.uint8), (7, 7), 3, 1, (0, 256)),
        (spaces.Box(0, 255, (210, 160, 3), np.uint8), (210, 160), 3, 1 / 255, (0, 0)),
        (spaces.Box(0, 255, (4, 84, 84), np.uint8), (84, 84), 4, 1 / 255, (0, 0)),
        (spaces.Box(0, 255, (84, 35, 3), np.uint8), (84, 35), 3, 1, (0, 256)),
        (spaces.Box(-1, 1, (3, 3, 1), np.int8), (3, 3), 1, 1, (-1, 3)),
        (spaces.Box(0, 1, (3, 3, 1), np.int8), (3, 3), 1, 1, (0, 0)),
        (spaces.Box(0, 10**6, (3, 3, 1), np.int64), (3, 3), 1, 1, (0, 0)),
        (spaces.MultiDiscrete(np.full((3, 3, 1), 4), start=np.full((3, 3, 1), 2)), (3, 3), 1, 1, (2, 4)),
    ],
)
def test_how_grids_are_read(
    space: Any, sides: tuple[int, int], channels: int, scale: float, symbols: tuple[int, int]
) -> None:
    grid = grid_of(space)
    assert grid is not None
    assert (grid.sides, grid.channels, grid.scale) == (sides, channels, scale)
    assert (grid.low, grid.n_symbols) == symbols


def test_what_is_no_grid() -> None:
    for space in (
        spaces.MultiBinary((2, 2, 3)),
        spaces.Box(0, 1, (9, 9)),
        spaces.Discrete(9),
        spaces.Text(9),
    ):
        assert grid_of(space) is None


def cnn_of(space: Any, **options: Any) -> CNN:
    grid = grid_of(space)
    assert grid is not None
    return CNN(grid, **{"generator": seeded()} | options)


def test_channels_may_stand_first_or_last() -> None:
    first, last = cnn_of(spaces.MultiBinary((2, 3, 4))), cnn_of(spaces.MultiBinary((3, 4, 2)))
    x = torch.randint(2, (5, 6, 2, 3, 4), generator=seeded())
    torch.testing.assert_close(first(x), last(x.movedim(-3, -1)))
    assert not torch.allclose(first(x), last(x.reshape(5, 6, 3, 4, 2)))


def test_a_convolution_against_a_loop() -> None:
    network = cnn_of(spaces.MultiBinary((7, 6, 2)), channels=(3,), activation="tanh")
    conv = network.layers[0]
    assert isinstance(conv, nn.Conv2d)
    x = torch.randint(2, (7, 6, 2), generator=seeded()).float()
    expected = torch.empty(3, 5, 4)
    for m in range(3):
        for i in range(5):
            for j in range(4):
                window = x[i : i + 3, j : j + 3].permute(2, 0, 1)
                expected[m, i, j] = (window * conv.weight[m]).sum().tanh()
    torch.testing.assert_close(network(x), expected.flatten())


def test_symbols_are_embedded_per_channel_and_added_up() -> None:
    network = cnn_of(spaces.Box(-1, 3, (3, 3, 2), np.int8), channels=(4, 5))
    assert network.embedding is not None
    x = torch.randint(-1, 4, (6, 3, 3, 2), generator=seeded())
    one_hot = nn.functional.one_hot(x + 1, 5).flatten(-2).float()  # channel 0, then channel 1
    cells = one_hot @ network.embedding.weight
    expected = network.layers(cells.permute(0, 3, 1, 2))
    torch.testing.assert_close(network(x), expected)
    gradient, expected_gradient = (
        torch.autograd.grad(y.square().sum(), network.embedding.weight)[0] for y in (network(x), expected)
    )
    torch.testing.assert_close(gradient, expected_gradient)
    norms = network.embedding.weight.square().sum(-1)
    assert norms.mean().item() == pytest.approx(1, abs=0.3)  # that of an indicator


@pytest.mark.parametrize(
    ("space", "scale"),
    [(PICTURE, 1 / 255), (spaces.MultiBinary((7, 6, 2)), 1), (spaces.Box(-1, 3, (5, 4, 2), np.int8), None)],
)
def test_without_channels_the_cells_lie_side_by_side(space: Any, scale: float | None) -> None:
    """An mlp reads a grid so: pictures from 0 to 1, bits as they are, symbols embedded."""
    x = sample(Encoder(space), 6)
    network = cnn_of(space, channels=())
    if network.embedding is None:
        cells = x * scale
    else:
        cells = network.embedding(x + 1 + torch.tensor([0, 5])).sum(-2)
    torch.testing.assert_close(network(x), cells.flatten(1).float())
    read = reader_of(Encoder(space), config(), convolve=False, generator=seeded())
    torch.testing.assert_close(read(x), network(x))


def test_pictures_are_scaled_and_go_through_the_layers_of_the_nature_paper() -> None:
    network = cnn_of(spaces.Box(0, 255, (84, 84, 4), np.uint8))
    convs = [layer for layer in network.layers if isinstance(layer, nn.Conv2d)]
    assert [(c.out_channels, c.kernel_size[0], c.stride[0]) for c in convs] == [
        (32, 8, 4),
        (64, 4, 2),
        (64, 3, 1),
    ]
    assert network.n_features == 3136
    x = torch.randint(256, (2, 84, 84, 4), dtype=torch.uint8, generator=seeded())
    torch.testing.assert_close(network(x), network.layers(x.permute(0, 3, 1, 2) / 255))


@pytest.mark.parametrize(
    ("side", "after"), [(3, (3, 3)), (5, (3, 3)), (7, (5, 3)), (9, (7, 5)), (13, (6, 4)), (25, (12, 5))]
)
def test_small_grids_shrink_gently(side: int, after: tuple[int, int]) -> None:
    for n, last in enumerate(after, 1):
        network = cnn_of(spaces.MultiBinary((side, side, 2)), channels=(4,) * n)
        assert network.n_features == 4 * last**2
        assert network(torch.ones(1, side, side, 2)).shape == (1, network.n_features)


def test_a_grid_needs_no_space() -> None:
    network = CNN(Grid(shape=(3, 4, 2), channels_last=True), activation="maxout", generator=seeded())
    assert network(torch.randn(5, 3, 4, 2)).shape == (5, 32 * 3 * 4)


def test_states_are_made_on_the_device_of_the_parameters() -> None:
    for kind in KINDS:
        network = build(Encoder(BOARD), config(backbone=kind), generator=seeded()).to("meta")
        assert {part.device.type for part in network.initial_state(2)} <= {"meta"}


@pytest.mark.parametrize("kind", ["mlp", "cnn", "gru"])
def test_observations_of_minigrid(kind: str) -> None:
    pytest.importorskip("minigrid")
    env = gym.make_vec("MiniGrid-Empty-5x5-v0", num_envs=2, vectorization_mode="sync")
    encoder = Encoder(env.single_observation_space)
    network = build(encoder, config(backbone=kind), generator=seeded())
    env.reset(seed=0)
    state = network.initial_state(2)
    seen = []
    for action in (0, 0, 1):  # left, left, right: it looks where it looked before
        obs, *_ = env.step(np.full(2, action))
        features, state = network(torch.from_numpy(encoder.pack(obs)), state, None)
        seen.append(features)
    assert not torch.allclose(seen[0], seen[1])
    assert torch.allclose(seen[0], seen[2]) is (kind != "gru")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"backbone": "tnn"}, "no backbone 'tnn'; did you mean 'rnn'"),
        ({"hidden": (8, 0)}, "hidden must be layer widths"),
        ({"backbone": "attention", "hidden": ()}, "attention is as wide as the last layer of hidden"),
        ({"channels": (8, 0)}, "channels must be layer widths"),
        ({"activation": "step"}, "activation must be one of .*maxout; got 'step'"),
        ({"norm": "group"}, "norm must be one of none, layer, batch; got 'group'"),
        ({"init": "ones"}, "init must be one of orthogonal, xavier, kaiming, zero; got 'ones'"),
        ({"dropout": 1.0}, r"dropout must be at least 0 and below 1, got 1\.0"),
        ({"dropout": float("nan")}, "dropout must be at least 0"),
        ({"context": 0}, "context must be at least 1"),
        ({"heads": 0}, "heads must be at least 1"),
        ({"blocks": 0}, "blocks must be at least 1"),
        ({"backbone": "attention", "heads": 5}, r"heads must divide the last width of hidden \(12\), got 5"),
    ],
)
def test_settings_that_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config(**fields)


def test_heads_matter_to_attention_only() -> None:
    assert config(backbone="gru", heads=5).heads == 5


@pytest.mark.parametrize("kind", ["mlp", "gru"])
def test_without_hidden_layers_features_are_what_is_read(kind: str) -> None:
    encoder = Encoder(spaces.Discrete(7))
    network = build(encoder, config(backbone=kind, hidden=()), generator=seeded())
    features, _ = network(torch.from_numpy(encoder.pack(np.array([4, 0]))), network.initial_state(2), None)
    assert network.n_features == features.shape[1] == 7
    assert torch.equal(features, torch.eye(7)[[4, 0]]) is (kind == "mlp")


@pytest.mark.parametrize(
    ("obs", "message"),
    [([0, 3], "observation 3 is not in MultiDiscrete"), ([1, 1, 1], r"shape \(3,\) fits neither \(2,\)")],
)
def test_what_is_no_row_of_categories_is_named(obs: list[int], message: str) -> None:
    encoder = Encoder(spaces.MultiDiscrete([2, 3]))
    assert [encoder.pack_any(np.array(x))[1] for x in ([1, 2], [[1, 2], [0, 0]])] == [False, True]
    with pytest.raises(ValueError, match=message):
        encoder.pack_any(np.array(obs))
