"""What is wrong with an environment, in words that name it."""

from collections.abc import Callable
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv

from rlkit.envs.foreign import name_of
from rlkit.errors import FAILURES, UnsupportedError
from rlkit.nn import Encoder


def overwritten(env: VectorEnv[Any, Any, Any]) -> UnsupportedError:
    """For an environment in SAME_STEP mode whose episodes would seem to end where the next ones begin."""
    return UnsupportedError(
        f"{name_of(env)} returns every observation, or every mask, in the same buffer, so that in SAME_STEP "
        "mode a reset overwrites an episode's final one; use NEXT_STEP or DISABLED, or copy it"
    )


def reset_overwrites(make: Callable[[], Any], encoder: Encoder) -> bool:
    """Whether a reset writes into the observation or the mask that the last step returned."""
    env = None
    try:
        env = make()
        _, info = env.reset(seed=0)
        last, *_, info = env.step(env.action_space.sample(info.get("action_mask")))
        fresh, fresh_info = env.reset()
        masks = [told["action_mask"] for told in (info, fresh_info) if "action_mask" in told]
        both = len(masks) == 2 and all(isinstance(mask, np.ndarray) for mask in masks)
        return encoder.aliased(last, fresh) or (both and np.may_share_memory(*masks))
    except FAILURES:
        return False  # what is wrong is said when the environment is stepped
    finally:
        if env is not None:
            env.close()


def autoreset_mode(env: VectorEnv[Any, Any, Any]) -> AutoresetMode:
    """The environment's autoreset mode; UnsupportedError if its metadata does not say."""
    mode = env.metadata.get("autoreset_mode")
    try:
        return AutoresetMode(mode)
    except ValueError:
        modes = ", ".join(str(m.name) for m in AutoresetMode)
        raise UnsupportedError(
            f"metadata['autoreset_mode'] of {env} must be one of {modes}, got {mode!r}"
        ) from None
