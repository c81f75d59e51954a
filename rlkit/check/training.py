"""What agents say of an environment when they are trained on it: the same code looks at every step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import VectorEnv

from rlkit.check.playing import described, draw
from rlkit.errors import RlkitError


def training_findings(env: VectorEnv[Any, Any, Any], steps: int, seed: int) -> Iterator[str]:
    """The error that ends a training which acts at random; none for spaces that no agent has."""
    import torch

    from rlkit.agents.actions import parts
    from rlkit.agents.torch_stepper import stepper_for
    from rlkit.nn import Encoder, UnsupportedSpaceError

    space = env.single_action_space
    try:
        encoder = Encoder(env.single_observation_space)
    except UnsupportedSpaceError:
        return
    sizes = parts(space)
    if not sizes and not isinstance(space, spaces.Box):
        return
    counted = spaces.Discrete(int(space.n)) if isinstance(space, spaces.Discrete) else space  # from 0 on
    rng = np.random.default_rng(seed)
    try:
        stepper = stepper_for(env, encoder, seed=seed, device=torch.device("cpu"))
        for _ in range(steps):
            if not sizes:
                action = rng.uniform(-1, 1, (env.num_envs, *(space.shape or ()))).astype(np.float32)
            else:
                everything = np.ones((env.num_envs, sum(sizes)), dtype=np.bool_)
                mask = everything if stepper.mask is None else stepper.mask.numpy(force=True)
                action = draw(counted, mask, rng)
            stepper.step(torch.as_tensor(action))
    except RlkitError as error:
        yield f"training: {' '.join(str(error).split())}"
    except Exception as error:
        yield f"training: {described(error)}"
