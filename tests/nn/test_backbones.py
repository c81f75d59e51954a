import pytest
import torch

from rlkit.nn import ACTIVATIONS, MLP, linear
from rlkit.nn.heads import gumbel


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_mlp_is_memoryless(activation: str) -> None:
    mlp = MLP(3, (5, 4), activation=activation, generator=torch.Generator().manual_seed(0))
    x = torch.randn(7, 2, 3)
    reset = torch.zeros(7, 2, dtype=torch.bool)
    features, state = mlp(x, mlp.initial_state(2), reset)
    assert (features.shape, mlp.n_features, state) == ((7, 2, 4), 4, ())
    torch.testing.assert_close(features[3], mlp(x[3], (), reset[3])[0])


def test_initial_weights_come_from_the_generator() -> None:
    layers = [linear(6, 4, gain=2.0, generator=torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    assert torch.equal(layers[0].weight, layers[1].weight)
    assert not torch.equal(layers[0].weight, layers[2].weight)
    torch.testing.assert_close(layers[0].weight @ layers[0].weight.T, 4 * torch.eye(4))
    assert not layers[0].bias.any()


def test_gumbel_noise_samples_the_softmax() -> None:
    logits = torch.tensor([0.0, 1.0, -1.0])
    noise = gumbel((50_000, 3), generator=torch.Generator().manual_seed(0))
    counts = (logits + noise).argmax(-1).bincount(minlength=3) / 50_000
    torch.testing.assert_close(counts, logits.softmax(-1), atol=0.01, rtol=0)
