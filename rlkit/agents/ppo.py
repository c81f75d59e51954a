"""Proximal policy optimisation (Schulman et al. 2017) with exact treatment of time limits.

Rollouts of T steps in B environments; advantages by GAE; several epochs of minibatches on

    L = L_clip + c_v L_value - c_e H

where L_clip is the clipped surrogate, L_value half the squared error to the lambda-return, H the entropy.
"""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ..nn import MLP, Encoder, State, entropy, linear, mask_logits
from ..nn.heads import gumbel
from .base import Agent, Metrics
from .config import AgentConfig
from .losses import kl_estimate, ppo_clip, value_loss
from .returns import gae
from .stepper import Array, Stepper


@dataclass(frozen=True, kw_only=True)
class PPOConfig(AgentConfig):
    """A rollout has `num_envs * rollout_steps` steps, whatever number of environments it is spread over."""

    rollout_steps: int = 128
    epochs: int = 4
    minibatches: int = 4
    gae_lambda: float = 0.95
    clip: float = 0.2
    value_coef: float = 0.5
    entropy_coef: float = 0.0
    anneal: bool = True  # the learning rate, linearly to 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self._at_least(1, "rollout_steps", "epochs", "minibatches")
        self._at_least(0, "value_coef", "entropy_coef")
        self._within(0, 1, "gae_lambda")
        self._positive("clip")


class ActorCritic(nn.Module):
    """Policy logits and a state value, from two backbones over one encoding."""

    def __init__(
        self, encoder: Encoder, n_actions: int, config: PPOConfig, generator: torch.Generator
    ) -> None:
        super().__init__()
        n, hidden, activation = encoder.n_features, config.hidden, config.activation
        self.encoder = encoder
        self.actor = MLP(n, hidden, activation=activation, generator=generator)
        self.critic = MLP(n, hidden, activation=activation, generator=generator)
        self.policy_head = linear(self.actor.n_features, n_actions, gain=0.01, generator=generator)
        self.value_head = linear(self.critic.n_features, 1, gain=1.0, generator=generator)

    def logits(self, obs: Tensor, state: State, reset: Tensor | None) -> tuple[Tensor, State]:
        """Policy logits [..., A] of packed observations."""
        features, state = self.actor(self.encoder(obs), state, reset)
        return self.policy_head(features), state

    def value(self, obs: Tensor, state: State, reset: Tensor | None) -> tuple[Tensor, State]:
        """V [...] of packed observations."""
        features, state = self.critic(self.encoder(obs), state, reset)
        return self.value_head(features).squeeze(-1), state


class Rollout:
    """T steps of B environments, allocated once and written row by row."""

    def __init__(self, t: int, stepper: Stepper, encoder: Encoder) -> None:
        b, a = stepper.num_envs, stepper.n_actions
        self.obs = np.empty(
            (t + 1, b, *encoder.shape), dtype=encoder.dtype
        )  # the last row: where it stands after
        self.mask = None if stepper.mask is None else np.empty((t, b, a), dtype=np.bool_)
        self.logits = torch.empty((t, b, a))  # of the policy that acted, masked
        self.action = np.empty((t, b), dtype=np.int64)
        self.reward = np.empty((t, b), dtype=np.float32)
        self.discount = np.empty((t, b), dtype=np.float32)  # 0 at termination, else 1
        self.cut = np.empty((t, b), dtype=np.bool_)
        self.valid = np.empty((t, b), dtype=np.bool_)
        self.time_limits: list[tuple[int, int, Array]] = []  # (t, b, final observation)


class Batch(NamedTuple):
    """N steps to learn from, in no order."""

    obs: Tensor  # [N, ...] packed
    mask: Tensor | None  # [N, A]
    action: Tensor  # [N]
    log_prob: Tensor  # [N] under the policy that acted
    advantage: Tensor  # [N]
    target: Tensor  # [N] lambda-returns


class PPO(Agent):
    """Proximal policy optimisation for discrete actions."""

    name: ClassVar[str] = "ppo"
    Config: ClassVar[type[AgentConfig]] = PPOConfig
    config: PPOConfig
    network: ActorCritic

    def _build(self, generator: torch.Generator) -> None:
        self.network = ActorCritic(self.encoder, self.n_actions, self.config, generator).to(self.device)
        self.optimizer = torch.optim.Adam(
            self.network.parameters(), lr=self.config.learning_rate, eps=1e-5, fused=True
        )

    def _begin(self) -> None:
        rows = max(1, self.config.num_envs * self.config.rollout_steps // self.stepper.num_envs)
        self.rollout = Rollout(rows, self.stepper, self.encoder)

    def _iterate(self, budget: int) -> Metrics:
        if self.config.anneal:
            self.optimizer.param_groups[0]["lr"] = self.config.learning_rate * (1 - self.progress)
        rows = self._collect(budget)
        return self._update(self._batch(rows))

    @torch.inference_mode()
    def _collect(self, budget: int) -> int:
        """Fill the rollout with at most `budget` valid steps; how many rows that took."""
        r, stepper, taken = self.rollout, self.stepper, 0
        noise = gumbel(tuple(r.logits.shape), generator=self.generator)
        r.time_limits.clear()
        for t in range(len(r.action)):
            logits, _ = self.network.logits(self._tensor(stepper.obs), (), None)
            if r.mask is not None and stepper.mask is not None:
                r.mask[t] = stepper.mask
                logits = mask_logits(logits, self._tensor(stepper.mask))
            action = (logits + noise[t]).argmax(-1).cpu().numpy()
            r.obs[t], r.logits[t], r.action[t] = stepper.obs, logits, action

            step = stepper.step(action)
            r.reward[t], r.discount[t], r.cut[t] = step.reward, step.discount, step.done
            # Steps beyond the budget, which drifted environments can make, are dropped.
            r.valid[t] = step.valid & (taken + step.valid.cumsum() <= budget)
            if t > 0:
                r.cut[t - 1] |= step.valid & ~r.valid[t]
            if step.done.any():
                for b in np.flatnonzero(step.done & (step.discount > 0)):
                    r.time_limits.append((t, int(b), step.next_obs[b]))
            taken += int(r.valid[t].sum())
            if taken == budget:
                break
        self.steps += taken
        r.obs[t + 1] = stepper.obs
        return t + 1

    @torch.no_grad()
    def _batch(self, rows: int) -> Batch:
        """The valid steps of the rollout with their advantages, in one row each."""
        c, r, value_of = self.config, self.rollout, self.network.value
        obs, action, reward = (self._tensor(x) for x in (r.obs[: rows + 1], r.action[:rows], r.reward[:rows]))
        discount, cut, valid = (self._tensor(x[:rows]) for x in (r.discount, r.cut, r.valid))
        value, _ = value_of(obs, (), None)
        value, next_value = value[:-1], value[1:].clone()
        if r.time_limits:
            ts, bs, finals = zip(*r.time_limits, strict=True)
            next_value[ts, bs], _ = value_of(self._tensor(np.stack(finals)), (), None)
        advantage = gae(
            reward=reward,
            discount=c.gamma * discount,
            value=value,
            next_value=next_value,
            cut=cut,
            lambda_=c.gae_lambda,
        )
        log_probs = r.logits[:rows].to(self.device).log_softmax(-1)
        return Batch(
            obs=obs[:-1][valid],
            mask=None if r.mask is None else self._tensor(r.mask[:rows])[valid],
            action=action[valid],
            log_prob=log_probs[valid].gather(-1, action[valid].unsqueeze(-1)).squeeze(-1),
            advantage=advantage[valid],
            target=(advantage + value)[valid],
        )

    def _update(self, batch: Batch) -> Metrics:
        c, net, parameters, n = self.config, self.network, list(self.network.parameters()), len(batch.action)
        for _ in range(c.epochs):
            order = torch.randperm(n, generator=self.generator, device=self.device)
            for i in order.tensor_split(min(c.minibatches, n)):
                logits, _ = net.logits(batch.obs[i], (), None)
                log_probs = mask_logits(logits, None if batch.mask is None else batch.mask[i]).log_softmax(-1)
                log_prob = log_probs.gather(-1, batch.action[i].unsqueeze(-1)).squeeze(-1)
                old_log_prob, advantage = batch.log_prob[i], normalise(batch.advantage[i])
                value, _ = net.value(batch.obs[i], (), None)

                l_clip = ppo_clip(
                    log_prob=log_prob, old_log_prob=old_log_prob, advantage=advantage, clip=c.clip
                )
                l_value, h = value_loss(value, batch.target[i]), entropy(log_probs).mean()
                loss = l_clip + c.value_coef * l_value - c.entropy_coef * h

                self.optimizer.zero_grad()
                torch.autograd.backward(loss)
                grad_norm = nn.utils.clip_grad_norm_(parameters, c.max_grad_norm)
                self.optimizer.step()

        kl = kl_estimate(log_prob=log_prob, old_log_prob=old_log_prob)
        return {
            "loss": loss.item(),
            "policy_loss": l_clip.item(),
            "value_loss": l_value.item(),
            "entropy": h.item(),
            "kl": kl.item(),
            "grad_norm": grad_norm.item(),
            "learning_rate": self.optimizer.param_groups[0]["lr"],
        }

    def initial_state(self, batch: int) -> State:
        """The actor's state at the start of episodes."""
        return self.network.actor.initial_state(batch)

    def _scores(self, obs: Tensor, state: State, reset: Tensor) -> tuple[Tensor, State]:
        return self.network.logits(obs, state, reset)

    def _probabilities(self, scores: Tensor, mask: Tensor | None) -> Tensor:
        return mask_logits(scores, mask).softmax(-1)


def normalise(advantage: Tensor) -> Tensor:
    """Mean 0 and standard deviation 1; a single advantage, or equal ones, become 0."""
    return (advantage - advantage.mean()) / (advantage.std(correction=0) + 1e-8)
