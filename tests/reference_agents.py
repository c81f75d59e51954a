"""A reference agent written apart from rlkit's: Q-learning in a dictionary; and the same, one rule broken.

It knows the three autoreset modes, masks and time limits, and one kind of it remembers what it saw.
"""

from collections import defaultdict
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode

STEP_SIZE, EPSILON = 0.2, 0.4


def key(obs: Any) -> Any:
    """An observation as something that a dictionary takes."""
    parts = obs.values() if isinstance(obs, dict) else [obs]
    return repr([np.asarray(part).tolist() for part in parts])


SIGNS = {key(0), key(1)}


class QLearning:
    """Tabular Q-learning on a gymnasium VectorEnv, following the protocol of rlkit.check.agents."""

    def __init__(self, env: Any, *, seed: int = 0, gamma: float = 0.9) -> None:
        space = env.single_action_space
        if isinstance(space, spaces.Box):
            raise NotImplementedError("a table has no continuous actions")
        self.env, self.gamma, self.seed = env, gamma, seed
        self.sizes = space.nvec if isinstance(space, spaces.MultiDiscrete) else (space.n,)
        self.n_actions = int(np.prod(self.sizes))
        self.multi = isinstance(space, spaces.MultiDiscrete)
        self.rng = np.random.default_rng(seed)
        self.q: Any = defaultdict(lambda: np.zeros(self.n_actions))
        self.legal: Any = defaultdict(lambda: np.ones(self.n_actions, dtype=bool))
        self.mode = env.metadata["autoreset_mode"]

    # Rules, one a method, for the sabotaged ones below to break.

    def remember(self, keys: Any, memory: Any, first: Any) -> Any:
        """What is added to the observations, [B]: nothing."""
        return [""] * len(keys)

    def state(self, memory: Any) -> None:
        """What `act` hands back."""
        return None

    def discount(self, terminated: Any, truncated: Any) -> Any:
        return 0.0 if terminated else self.gamma

    def is_a_step(self, ended: Any) -> Any:
        return not ended

    def successor(self, obs: Any, info: Any, i: Any) -> Any:
        """The key of the observation that followed, the final one where the episode ended."""
        if self.mode is AutoresetMode.SAME_STEP and "final_obs" in info and info["_final_obs"][i]:
            return key(info["final_obs"][i])
        return obs[i]

    def choosable(self, mask: Any) -> Any:
        return mask

    def targeted(self, where: Any) -> Any:
        return self.legal[where]

    # Acting

    def keys(self, obs: Any) -> Any:
        space = self.env.single_observation_space
        n = len(next(iter(obs.values()))) if isinstance(obs, dict) else len(obs)
        parts = {k: np.asarray(v) for k, v in obs.items()} if isinstance(obs, dict) else np.asarray(obs)
        if isinstance(space, spaces.Dict):
            return [key({k: v[i] for k, v in parts.items()}) for i in range(n)]
        return [key(parts[i]) for i in range(n)]

    def greedy(self, where: Any, mask: Any) -> Any:
        q = np.array([self.q[w] for w in where])
        return (np.where(mask, q, -np.inf) + 1e-6 * self.rng.random(q.shape)).argmax(-1)

    def as_actions(self, choice: Any) -> Any:
        return np.stack(np.unravel_index(choice, self.sizes), -1) if self.multi else choice

    def act(self, obs: Any, state: Any = None, *, mask: Any = None, reset: Any = None) -> Any:
        keys = self.keys(obs)
        first = np.ones(len(keys), bool) if state is None else reset
        memory = self.remember(keys, state, first)
        legal = np.ones((len(keys), self.n_actions), bool) if mask is None else self.choosable(mask)
        where = list(zip(memory, keys, strict=True))
        return self.as_actions(self.greedy(where, legal)), self.state(memory)

    def q_values(self, obs: Any) -> Any:
        keys = self.keys(obs)
        memory = self.remember(keys, None, np.ones(len(keys), bool))
        return np.array([self.q[w] for w in zip(memory, keys, strict=True)])

    def value(self, obs: Any) -> Any:
        keys = self.keys(obs)
        where = zip(self.remember(keys, None, np.ones(len(keys), bool)), keys, strict=True)
        return np.array([self.q[w][self.legal[w]].max() for w in where])

    # Learning

    def train(self, steps: Any) -> None:
        env, n = self.env, self.env.num_envs
        raw, info = env.reset(seed=self.seed)
        obs, first, ended = self.keys(raw), np.ones(n, bool), np.zeros(n, bool)
        memory, taken = None, 0
        while taken < steps:
            memory = self.remember(obs, memory, first)
            mask = np.asarray(info.get("action_mask", np.ones((n, self.n_actions))), bool)
            where = list(zip(memory, obs, strict=True))
            for w, legal in zip(where, mask, strict=True):
                if legal.any():  # there is nothing to do at the end of an episode
                    self.legal[w] = legal
            noise = (self.rng.random(mask.shape) * self.choosable(mask)).argmax(-1)
            choice = np.where(self.rng.random(n) < EPSILON, noise, self.greedy(where, self.choosable(mask)))
            raw, reward, terminated, truncated, info = env.step(self.as_actions(choice))
            obs, done = self.keys(raw), terminated | truncated
            then = [self.successor(obs, info, i) for i in range(n)]
            later = self.remember(then, memory, np.zeros(n, bool))
            for i, a in enumerate(choice):
                if not self.is_a_step(ended[i]):
                    continue
                taken += 1
                where_next = later[i], then[i]
                best = self.q[where_next][self.targeted(where_next)].max()
                target = reward[i] + self.discount(terminated[i], truncated[i]) * best
                self.q[where[i]][a] += STEP_SIZE * (target - self.q[where[i]][a])
            first = done
            if self.mode is AutoresetMode.NEXT_STEP:
                first, ended = ended, done
            elif self.mode is AutoresetMode.DISABLED and done.any():
                raw, fresh = env.reset(options={"reset_mask": done})
                obs, info = self.keys(raw), info | fresh


class Remembering(QLearning):
    """Adds the last sign of the episode, which is an observation 0 or 1, to the present observation."""

    def kept(self, memory: Any, first: Any) -> Any:
        """What is still remembered when an observation comes."""
        return "" if first else memory

    def remember(self, keys: Any, memory: Any, first: Any) -> Any:
        memory = [""] * len(keys) if memory is None else memory
        old = [self.kept(m, new) for m, new in zip(memory, first, strict=True)]
        return [k if k in SIGNS else m for k, m in zip(keys, old, strict=True)]

    def state(self, memory: Any) -> Any:
        return memory


# One rule broken each.


class TimeLimitIsTermination(QLearning):
    def discount(self, terminated: Any, truncated: Any) -> Any:
        return 0.0 if terminated or truncated else self.gamma


class IgnoresMask(QLearning):
    def choosable(self, mask: Any) -> Any:
        return np.ones_like(mask)


class IgnoresMaskInTargets(QLearning):
    def targeted(self, where: Any) -> Any:
        return np.ones(self.n_actions, bool)


class BootstrapsFromTheResetObservation(QLearning):
    def successor(self, obs: Any, info: Any, i: Any) -> Any:
        return obs[i]


class CountsTheResetStep(QLearning):
    def is_a_step(self, ended: Any) -> Any:
        return True


class NeverForgets(Remembering):
    def kept(self, memory: Any, first: Any) -> Any:
        return memory


class ForgetsAtEveryStep(Remembering):
    def kept(self, memory: Any, first: Any) -> Any:
        return ""


class Random(QLearning):
    def train(self, steps: Any) -> None:
        pass

    def q_values(self, obs: Any) -> Any:
        return self.rng.normal(size=(len(self.keys(obs)), self.n_actions))

    def value(self, obs: Any) -> Any:
        return self.rng.normal(size=len(self.keys(obs)))
