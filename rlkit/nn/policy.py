"""Policies: what acts, apart from what it acts in and from what it learns by."""

from typing import Any, Protocol

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn

from rlkit.errors import ConfigError

from .actions import Array, BoolArray, as_given, legal_actions
from .backbones import State
from .devices import torch_defaults
from .distributions import Discrete, Head
from .encoders import Encoder


class Scorer(Protocol):
    """A network whose numbers a head makes actions of."""

    def initial_state(self, batch: int) -> State:
        """The network's state at the start of episodes."""

    def scores(self, obs: Tensor, state: State, reset: Tensor) -> tuple[Tensor, State]:
        """[B, n_params] of packed observations, and the next state."""


class Policy(nn.Module):
    """An encoder of observations, a network that scores actions, and a head that chooses one by the scores.

    It is what is saved to act, graded and played against; it knows no environment and no optimiser.
    `seed` is that of stochastic actions in `act`.
    """

    head: Head
    network: Any  # a Scorer and a Module

    def __init__(
        self,
        encoder: Encoder,
        network: nn.Module,
        head: Head,
        action_space: spaces.Space[Any],
        *,
        device: torch.device,
        seed: int,
    ) -> None:
        super().__init__()
        self.head, self.encoder, self.network = head, encoder, network
        self.action_space = action_space
        self.device = device
        self._generator = torch.Generator(device).manual_seed(seed)
        self.to(device).eval()

    def initial_state(self, batch: int) -> State:
        """The network's state at the start of episodes."""
        scorer: Scorer = self.network
        return scorer.initial_state(batch)

    def scores(self, obs: Tensor, state: State, reset: Tensor) -> tuple[Tensor, State]:
        """What the head reads, [B, n_params] of packed observations, and the next state."""
        scorer: Scorer = self.network
        return scorer.scores(obs, state, reset)

    @torch_defaults()
    def act(
        self,
        obs: Any,
        state: State | None = None,
        *,
        mask: Array | None = None,
        reset: BoolArray | None = None,
        stochastic: bool = False,
    ) -> tuple[Any, State]:
        """The action for one observation, or the actions for a batch, and the state to pass in next time.

        `mask` [A] or [B, A] says which actions are legal; `reset` [B] where `obs` is the first of an episode,
        by default nowhere but where `state` is None. Greedy unless `stochastic`. Raises ObservationError for
        an observation outside its space, MaskError for a mask that does not fit the actions or allows none,
        and ConfigError for a state that is not one of as many observations.
        """
        packed, batched = self.encoder.pack_any(obs)
        n, legal = len(packed), None
        if mask is not None:
            masks = mask if batched else [mask]
            legal = self._tensor(legal_actions(masks, self.action_space, batch=n))
        first = np.full(n, state is None) if reset is None else np.array(reset, np.bool_).reshape(n)
        state = self._state(state, n)
        if not n:
            return as_given(
                torch.empty((0, *self.head.shape), dtype=self.head.dtype), self.action_space
            ), state
        drawn = self._generator if stochastic else None
        action, state = self.choose(self._tensor(packed), state, self._tensor(first), legal, drawn)
        given = as_given(action, self.action_space)
        return given if batched else given[0], state

    @torch.inference_mode()
    def choose(
        self, obs: Tensor, state: State, reset: Tensor, mask: Tensor | None, generator: torch.Generator | None
    ) -> tuple[Tensor, State]:
        """(actions [B, ...], next state) for packed observations: drawn with `generator`, or greedy."""
        scores, state = self.scores(obs, state, reset)
        noise = None if generator is None else self.head.noise((len(obs),), generator)
        return self.head.act(scores, noise, mask), state

    @torch_defaults()
    @torch.inference_mode()
    def probabilities(
        self, obs: Tensor, state: State, reset: Tensor, mask: Tensor | None, *, stochastic: bool
    ) -> tuple[Tensor, State]:
        """Action probabilities [B, A] for packed observations; greedy ones are 0 or 1."""
        assert isinstance(self.head, Discrete)
        scores, state = self.scores(obs, state, reset)
        if stochastic:
            return self.head.probabilities(scores, mask).double(), state
        best = self.head.act(scores, None, mask)
        return nn.functional.one_hot(best, self.head.n_params).double(), state

    @torch_defaults()
    @torch.inference_mode()
    def ask(self, method: str, obs: Any, state: State | None = None) -> Array:
        """What a method of the network says of a batch of observations; without `state`, of first ones."""
        packed = self._tensor(self.encoder.pack_any(obs)[0])
        n, reset = len(packed), torch.full((len(packed),), state is None, device=self.device)
        found: Array = getattr(self.network, method)(packed, self._state(state, n), reset)[0].cpu().numpy()
        return found

    def _state(self, given: Any, n: int) -> State:
        """A state that was given with n observations, or that of first ones; ConfigError if it is none."""
        fresh = self.initial_state(n)
        if given is None:
            return fresh
        parts = given if isinstance(given, tuple | list) else (given,)
        forms = [
            [f"{x.dtype} {tuple(x.shape)}" if isinstance(x, Tensor) else type(x).__name__ for x in some]
            for some in (fresh, parts)
        ]
        needed, found = (", ".join(form) or "()" for form in forms)
        if found != needed:
            raise ConfigError(f"state must be {needed}, as act returned it for {n} observations, got {found}")
        return tuple(parts)

    def _tensor(self, array: Array) -> Tensor:
        """On the policy's device; on the CPU they share memory."""
        return torch.from_numpy(array).to(self.device)
