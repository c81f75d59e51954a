"""What agents say of an environment when they are trained on it: the same code looks at every step."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector import VectorEnv

from rlkit.check.playing import described, draw
from rlkit.errors import FAILURES, RlkitError


def untrainable(env: VectorEnv[Any, Any, Any]) -> str | None:
    """Why no agent of rlkit can learn in an environment, if none can."""
    from rlkit.nn import Encoder, UnsupportedSpaceError
    from rlkit.nn.actions import parts

    space = env.single_action_space
    if not parts(space) and not isinstance(space, spaces.Box):
        return f"no agent of rlkit takes the actions {space}; they take Discrete, MultiDiscrete and Box"
    try:
        Encoder(env.single_observation_space)
    except UnsupportedSpaceError as error:
        return f"no agent of rlkit takes the observations: {error}"
    return None


def training_findings(env: VectorEnv[Any, Any, Any], steps: int, seed: int) -> Iterator[str]:
    """The error that ends a training which acts at random; none where no agent could act or see."""
    import torch

    from rlkit.experience.torch_stepper import stepper_for
    from rlkit.nn import Encoder
    from rlkit.nn.actions import parts

    if untrainable(env) is not None:
        return
    space, encoder = env.single_action_space, Encoder(env.single_observation_space)
    sizes = parts(space)
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
        yield " ".join(str(error).split())
    except FAILURES as error:
        yield described(error)
