"""Soft actor-critic (Haarnoja et al. 2018; for discrete actions Christodoulou 2019).

Two critics and a policy for the return with its entropy H as a bonus of weight alpha. With

    V(x) = E_{a ~ pi}[min_i Q_i(x, a)] + alpha H(pi(x))

the critics lower (Q_i(x, a) - [r + gamma V_target(x')])^2, the policy raises V, and alpha rises while the
entropy is below what is asked for. Discrete policies are summed over; of others one action is drawn. What
reads the observation is one network, which learns from the critics' loss alone.
"""

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn

from rlkit.errors import UnsupportedError
from rlkit.experience.experience import Experience, Figures, StateDict
from rlkit.experience.memory import Due, ReplayMemory, burnt_in
from rlkit.experience.stepper import Stepper
from rlkit.nn import (
    MLP,
    Backbone,
    Categorical,
    Encoder,
    GridReader,
    Head,
    SquashedGaussian,
    State,
    build,
    entropy,
    linear,
    mask_logits,
    reader_of,
    resolve,
)
from rlkit.nn.actions import bounded
from rlkit.settings import option

from .agent import Agent
from .config import OFTEN, OffPolicyConfig
from .learner import NeuralLearner


@dataclass(frozen=True, kw_only=True)
class SACConfig(OffPolicyConfig):
    """The entropy asked for is `entropy` times that of the uniform policy; for a Box, -1 nat a number."""

    probe_options: ClassVar = {**OFTEN, "target_rate": 0.05}

    activation: str = "relu"
    hidden: tuple[int, ...] = (128, 128)
    max_grad_norm: float = 10.0
    target_rate: float = option(
        0.005,
        "Part of the way that the target network goes in an update",
        positive=True,
        most=1,
        search=(0.002, 0.05),
    )
    entropy: float = option(
        0.05, "Target entropy as a part of the uniform policy's", least=0, most=1, search=(0.01, 0.5)
    )
    alpha: float = option(0.2, "Weight of the entropy at the start", positive=True)


class Flat(Backbone):
    """A reader alone, where the networks on top read what it gives themselves."""

    def __init__(self, reader: Encoder | GridReader) -> None:
        super().__init__()
        self.reader, self.n_features = reader, reader.n_features

    def initial_state(self, batch: int) -> State:
        """The empty tuple."""
        return ()

    def forward(self, x: Tensor, state: State, reset: Tensor | None) -> tuple[Tensor, State]:
        """[..., *shape] -> [..., n_features]."""
        return self.reader(x), state


class SoftNetwork(nn.Module):
    """What reads observations; on top of it two critics and a policy, each fully connected.

    Critics of discrete actions give a value for each, others read the action beside the features.
    """

    def __init__(
        self,
        encoder: Encoder,
        head: Categorical | SquashedGaussian,
        config: SACConfig,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        plain = resolve(config.backbone, encoder)[0] == "mlp"
        self.reader: Backbone = (
            Flat(reader_of(encoder, config, convolve=False, generator=generator))
            if plain
            else build(encoder, config, generator=generator)
        )
        n = self.reader.n_features
        discrete = isinstance(head, Categorical)
        n_in, n_values = (n, head.n_params) if discrete else (n + math.prod(head.shape), 1)
        self.critics = nn.ModuleList([tower(n_in, n_values, 1.0, config, generator) for _ in range(2)])
        self.policy = tower(n, head.n_params, 0.01, config, generator)
        self.log_alpha = nn.Parameter(torch.tensor(math.log(config.alpha)))

    def initial_state(self, batch: int) -> State:
        """The reader's state at the start of episodes."""
        return self.reader.initial_state(batch)

    def scores(self, obs: Tensor, state: State, reset: Tensor | None) -> tuple[Tensor, State]:
        """The parameters of the policy [..., P] at packed observations."""
        x, state = self.reader(obs, state, reset)
        return self.policy(x), state

    def values(self, x: Tensor) -> Tensor:
        """Both critics' values [2, ..., n_values]."""
        return torch.stack([critic(x) for critic in self.critics])


def tower(n_in: int, n_out: int, gain: float, config: SACConfig, generator: torch.Generator) -> nn.Sequential:
    """Fully connected layers and an output layer whose weights are `gain` at first."""
    mlp = MLP.of(n_in, config, generator=generator)
    return nn.Sequential(mlp.layers, linear(mlp.n_features, n_out, gain=gain, generator=generator))


class SACLearner(NeuralLearner):
    """Updates of critics, policy and alpha from a replay memory, towards a target network."""

    config: SACConfig
    network: SoftNetwork
    head: Categorical | SquashedGaussian

    def check_actions(self, space: spaces.Space[Any]) -> None:
        """Discrete and bounded Box."""
        finite = isinstance(space, spaces.Box) and bool(np.all(bounded(space)))
        if not finite and not isinstance(space, spaces.Discrete):
            raise UnsupportedError(f"SAC needs a Discrete or a bounded Box action space, got {space}")

    def build(self, encoder: Encoder, generator: torch.Generator) -> tuple[nn.Module, Head]:
        """A reader with two critics and a policy on top."""
        space = self.action_space
        head: Categorical | SquashedGaussian
        if isinstance(space, spaces.Discrete):
            head = Categorical(int(space.n))
        else:
            head = SquashedGaussian(space.shape or ())
        return SoftNetwork(encoder, head, self.config, generator), head

    def prepare(self) -> None:
        """Make the target network, too."""
        self.target = copy.deepcopy(self.network).requires_grad_(requires_grad=False)
        super().prepare()

    def experience(self, stepper: Stepper) -> Experience:
        """A replay memory."""
        return ReplayMemory(stepper, self)

    def parameters(self) -> dict[str, list[nn.Parameter]]:
        """Those of critics and reader, of the policy, and alpha."""
        network = self.network
        return {
            "critics": [*network.reader.parameters(), *network.critics.parameters()],
            "policy": list(network.policy.parameters()),
            "alpha": [network.log_alpha],
        }

    def update(self, batch: Due) -> Figures:
        """As many updates as are due."""
        figures = Figures()
        for _ in range(batch.times):
            figures = self._update_once(batch.memory)
        return figures

    def _update_once(self, m: ReplayMemory) -> Figures:
        c, replay, network = self.config, m.replay, self.network
        first, _ = replay.draw(max(1, c.batch_size // m.sequence), generator=self.generator)
        rows = replay.rows(first, m.burn_in + m.sequence + 1)
        steps = rows[m.burn_in :]  # [T + 1, N]
        now, learned = steps[:-1], replay.start[steps[:-1]]
        mask = None if replay.mask is None else replay.mask[steps]
        alpha = network.log_alpha.exp().detach()

        x, x_target = self._read(m, rows)  # [T + 1, N, F]
        with torch.no_grad():
            q, h = self._soft(self.target, x[1:], x_target[1:], None if mask is None else mask[1:])
            reward = self.statistics.scaled(replay.reward[now])
            target = reward + c.gamma * replay.discount[now] * (q + alpha * h)
        error = (self._taken(x[:-1], replay.action[now]) - target)[:, learned]
        l_critics = 0.5 * error.square().sum(0).mean()
        grad_norm = self.descend(l_critics, "critics")

        x = x[:-1].detach()
        q, h = (y[learned] for y in self._soft(network, x, x, None if mask is None else mask[:-1]))
        l_policy = -(q + alpha * h).mean()
        self.descend(l_policy, "policy")

        wanted = self._wanted(None if mask is None else mask[:-1][learned])
        h = h.detach()
        self.descend(network.log_alpha * (h - wanted).mean(), "alpha")
        for slow, fast in zip(self.target.parameters(), network.parameters(), strict=True):
            slow.data.lerp_(fast.data, c.target_rate)
        for kept, running in zip(self.target.buffers(), network.buffers(), strict=True):
            kept.copy_(running)
        return {
            "critic_loss": l_critics.detach(),
            "policy_loss": l_policy.detach(),
            "q": q.detach().mean(),
            "entropy": h.mean(),
            "alpha": alpha,
            "grad_norm": grad_norm,
        }

    def _read(self, m: ReplayMemory, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Features of the rows after the burn-in, by the network and by its target."""
        seen = m.sequences(rows)
        own, other = (burnt_in(net.reader, *seen, rows=m.burn_in) for net in (self.network, self.target))
        with torch.no_grad():
            x_target, _ = self.target.reader(*other)
        x, _ = self.network.reader(*own)
        return x, x_target

    def _taken(self, x: Tensor, action: Tensor) -> Tensor:
        """Both critics' values [2, ...] of actions that were taken."""
        if isinstance(self.head, Categorical):
            return (
                self.network.values(x).gather(-1, action.expand(2, *action.shape).unsqueeze(-1)).squeeze(-1)
            )
        return self.network.values(torch.cat([x, action.reshape(*x.shape[:-1], -1)], -1)).squeeze(-1)

    def _soft(
        self, network: SoftNetwork, x: Tensor, x_critics: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """E_pi[min_i Q_i] by the critics of `network`, and the policy's entropy, [...]."""
        params = self.network.policy(x)
        if isinstance(self.head, Categorical):
            log_probs = mask_logits(params, mask).log_softmax(-1)
            lowest = network.values(x_critics).amin(0)
            return (log_probs.exp() * lowest).sum(-1), entropy(log_probs)
        action, log_prob = self.head.sample(params, self.head.noise(params.shape[:-1], self.generator))
        lowest = network.values(torch.cat([x_critics, action], -1)).amin(0)
        return lowest.squeeze(-1), -log_prob

    def _wanted(self, mask: Tensor | None) -> float | Tensor:
        """The entropy asked for: of actions that are legal, or of a Box."""
        if not isinstance(self.head, Categorical):
            return -float(math.prod(self.head.shape))
        if mask is None:
            return self.config.entropy * math.log(self.head.n_params)
        return self.config.entropy * mask.sum(-1).log()

    def state_dict(self) -> StateDict:
        """As of every learner, with the target network."""
        return super().state_dict() | {"target": self.target.state_dict()}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Undo `state_dict`."""
        super().load_state_dict(saved)
        self.target.load_state_dict(saved["target"])


class SAC(Agent):
    """Soft actor-critic for Discrete and bounded Box actions."""

    name = "sac"
    Config = SACConfig
    Learner = SACLearner
