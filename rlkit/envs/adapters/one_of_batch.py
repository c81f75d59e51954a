"""One environment of a batch as a `gymnasium.Env`, for a package whose batches are another problem."""

from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.vector import VectorEnv

from .episode import first

WIDE = 320  # pixels that a picture has at least


class OneOfBatch(gym.Env[Any, Any]):
    """The environment of a batch of one, whatever its autoreset mode; its pictures are what it observes."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 15}
    render_mode = "rgb_array"

    def __init__(self, envs: VectorEnv[Any, Any, Any]) -> None:
        self.envs = envs
        self.observation_space, self.action_space = envs.single_observation_space, envs.single_action_space
        self._seen: Any = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, Any]:
        """Begin an episode."""
        observation, info = self.envs.reset(seed=seed, options=options)
        self._seen = first(observation)
        return self._seen, _own(info)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Take one action; the last observation of an episode is its own, not the first of the next."""
        given = np.asarray(action, self.action_space.dtype)[None]
        observation, reward, terminated, truncated, info = self.envs.step(given)
        self._seen = first(info.get("final_obs", observation))
        return self._seen, float(reward[0]), bool(terminated[0]), bool(truncated[0]), _own(info)

    def render(self) -> Any:
        """What was observed last, [H, W, 3] uint8; None where that is no picture."""
        return picture_of(self._seen, self.observation_space)

    def close(self) -> None:
        """Close the batch."""
        self.envs.close()


def picture_of(observation: Any, space: spaces.Space[Any]) -> npt.NDArray[np.uint8] | None:
    """An observation of bytes as a picture: [H, W], [H, W, 3], or the newest of a stack of either."""
    if not isinstance(space, spaces.Box) or space.dtype != np.uint8 or len(space.shape) not in (2, 3, 4):
        return None
    seen = np.asarray(observation)
    if seen.ndim == 4 or (seen.ndim == 3 and seen.shape[-1] != 3):
        seen = seen[-1]
    if seen.ndim == 2:
        seen = np.repeat(seen[..., None], 3, axis=-1)
    factor = -(-WIDE // seen.shape[1])
    return np.repeat(np.repeat(seen, factor, axis=0), factor, axis=1)


def _own(info: dict[str, Any]) -> dict[str, Any]:
    """What an info says of the one environment."""
    return {name: value[0] for name, value in info.items() if isinstance(value, np.ndarray)}
