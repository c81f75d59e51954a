import pytest
import torch

from rlkit.agents.returns import gae, n_step


def column(*numbers: float) -> torch.Tensor:
    return torch.tensor(numbers).unsqueeze(1)


# Three steps and gamma = lambda = 1/2: a time limit after the second (its successor is worth 16 and the next
# row belongs to another episode), and termination after the third.
EPISODES = {
    "reward": column(1.0, 2.0, 4.0),
    "discount": column(0.5, 0.5, 0.0),
    "value": column(2.0, 4.0, 8.0),
    "next_value": column(4.0, 16.0, 99.0),
    "cut": column(0, 1, 1).bool(),
}
# delta_2 = 4 - 8 = -4; delta_1 = 2 + 16/2 - 4 = 6, cut; delta_0 = 1 + 4/2 - 2 = 1, plus 1/4 of 6.
ADVANTAGES = [2.5, 6.0, -4.0]


def test_gae_by_hand() -> None:
    assert gae(**EPISODES, lambda_=0.5).squeeze(1).tolist() == ADVANTAGES


def test_gae_without_the_cut_leaks_the_next_episode() -> None:
    uncut = EPISODES | {"cut": torch.zeros(3, 1, dtype=torch.bool)}
    assert gae(**uncut, lambda_=0.5).squeeze(1).tolist() == [2.25, 5.0, -4.0]


def test_gae_with_lambda_1_is_the_discounted_return() -> None:
    reward, value = torch.randn(7, 3), torch.randn(8, 3)
    expected = value[-1]
    for t in reversed(range(7)):
        expected = reward[t] + 0.9 * expected
    advantage = gae(
        reward=reward,
        discount=torch.full((7, 3), 0.9),
        value=value[:-1],
        next_value=value[1:],
        cut=torch.zeros(7, 3, dtype=torch.bool),
        lambda_=1.0,
    )
    torch.testing.assert_close(advantage[0] + value[0], expected)


def test_gae_with_lambda_0_is_the_one_step_error() -> None:
    expected = EPISODES["reward"] + EPISODES["discount"] * EPISODES["next_value"] - EPISODES["value"]
    assert torch.equal(gae(**EPISODES, lambda_=0.0), expected)


@pytest.mark.parametrize(
    ("discount", "cut", "expected"),
    [
        ([0.5, 0.5, 0.5], [0, 0, 0], (1 + 1 + 1, 0.125, 2)),
        ([0.5, 0.5, 0.5], [0, 1, 0], (1 + 1, 0.25, 1)),  # a time limit after two steps: gamma^2 is left
        ([0.5, 0.0, 0.5], [0, 1, 0], (1 + 1, 0.0, 1)),  # a terminal state: nothing is left
        ([0.5, 0.5, 0.5], [1, 0, 0], (1, 0.5, 0)),
    ],
)
def test_n_step_by_hand(discount: list[float], cut: list[int], expected: tuple[float, float, int]) -> None:
    found = n_step(reward=column(1.0, 2.0, 4.0), discount=column(*discount), cut=column(*cut).bool())
    assert tuple(x.item() for x in found) == expected


def test_shapes_are_checked() -> None:
    with pytest.raises(ValueError, match="same shape"):
        gae(**EPISODES | {"cut": torch.zeros(2, 1, dtype=torch.bool)}, lambda_=0.5)
