"""Acting on observations as a user has them: one or a batch, with masks and memory."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn

from . import Discrete, Encoder, Head, State
from .actions import Array, BoolArray, as_given, legal_actions
from .devices import torch_defaults


class Acting(ABC):
    """What acts by scores of packed observations, of which a head makes actions."""

    action_space: spaces.Space[Any]
    device: torch.device
    encoder: Encoder
    head: Head
    _acting: torch.Generator

    @abstractmethod
    def _scores(self, obs: Tensor, state: State, reset: Tensor) -> tuple[Tensor, State]:
        """What `head` makes actions of, [B, n_params] of packed observations, and the next state."""

    @abstractmethod
    def initial_state(self, batch: int) -> State:
        """The network's state at the start of episodes."""

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
        by default nowhere but where `state` is None. Greedy unless `stochastic`. Raises ObservationError,
        MaskError or ValueError for an observation outside its space, for a mask that does not fit the actions
        or allows none, and for a state of another batch.
        """
        packed, batched = self.encoder.pack_any(obs)
        n, legal = len(packed), None
        if mask is not None:
            masks = mask if batched else [mask]
            legal = self._tensor(legal_actions(masks, self.action_space, batch=n))
        first = np.full(n, state is None) if reset is None else np.array(reset, np.bool_).reshape(n)
        state = self.initial_state(n) if state is None else state
        if any(len(part) != n for part in state):
            raise ValueError(f"the state is that of {len(state[0])} observations, not of {n}")
        drawn = self._acting if stochastic else None
        action, state = self.choose(self._tensor(packed), state, self._tensor(first), legal, drawn)
        given = as_given(action, self.action_space)
        return given if batched else given[0], state

    @torch.inference_mode()
    def choose(
        self,
        obs: Tensor,
        state: State,
        reset: Tensor,
        mask: Tensor | None,
        generator: torch.Generator | None,
    ) -> tuple[Tensor, State]:
        """(actions [B, ...], next state) for packed observations: drawn with `generator`, or greedy."""
        scores, state = self._scores(obs, state, reset)
        noise = None if generator is None else self.head.noise((len(obs),), generator)
        return self.head.act(scores, noise, mask), state

    @torch_defaults()
    @torch.inference_mode()
    def policy(
        self, obs: Tensor, state: State, reset: Tensor, mask: Tensor | None, *, stochastic: bool
    ) -> tuple[Tensor, State]:
        """Action probabilities [B, A] for packed observations; greedy ones are 0 or 1."""
        assert isinstance(self.head, Discrete)
        scores, state = self._scores(obs, state, reset)
        if stochastic:
            return self.head.probabilities(scores, mask).double(), state
        best = self.head.act(scores, None, mask)
        return nn.functional.one_hot(best, self.head.n_params).double(), state

    def _tensor(self, array: Array) -> Tensor:
        """On the agent's device; on the CPU they share memory."""
        return torch.from_numpy(array).to(self.device)
