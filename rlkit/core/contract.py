"""What a model promises: looked at where it is made, enumerated and checked, never where it is stepped."""

from numbers import Integral
from typing import Any

import numpy as np
from gymnasium import spaces

from rlkit.core.errors import ModelError
from rlkit.core.model import Model, Step, batch_size, leaves


def check_attributes(model: Model[Any]) -> None:
    """Raise `ModelError` for what is no `Model`, and for attributes that do not fit."""
    kind = type(model).__name__
    if not isinstance(model, Model):
        raise ModelError(f"an environment is made of a Model, not of {model!r}")
    for name in ("n_actions", "n_events", "n_starts", "max_episode_steps"):
        given = getattr(model, name, None)
        unlimited = given is None and name == "max_episode_steps"
        if not unlimited and not (isinstance(given, Integral) and int(given) > 0):
            raise ModelError(f"{kind}.{name} must be a whole number of at least 1, not {given!r}")
    if not isinstance(getattr(model, "observation_space", None), spaces.Space):
        raise ModelError(f"{kind} needs an observation_space, one of gymnasium.spaces")
    names, space = model.action_names, model.action_space
    if names is not None and len(names) != model.n_actions:
        raise ModelError(f"{kind}.action_names has {len(names)} names for {model.n_actions} actions")
    if isinstance(space, spaces.MultiDiscrete) and space.nvec.prod() != model.n_actions:
        raise ModelError(f"{kind}.action_space {space} does not have {model.n_actions} actions")


def asked(model: Model[Any], method: str, *batch: Any) -> Any:
    """What a method of a model returns for a batch; raises `ModelError` for another shape or type."""
    given, what = getattr(model, method)(*batch), f"{type(model).__name__}.{method}"
    if method == "transition" and not isinstance(given, Step):
        raise ModelError(f"{what} must return Step(state, reward, terminated), not a {type(given).__name__}")
    size = len(batch[0]) if method == "initial" else batch_size(batch[0]) if batch else model.n_starts
    rows = {"legal": (model.n_actions,), "event_probs": (model.n_events,)}
    for name, part in vars(given).items() if method == "transition" else [(method, given)]:
        is_state, is_flag = name in ("initial", "state"), name in ("legal", "terminated")
        for array in map(np.asarray, leaves(part) if is_state else [part]):
            shape = (size, *(array.shape[1:] if is_state else rows.get(name, ())))
            if array.shape != shape or array.dtype.kind not in ("b" if is_flag else "biuf"):
                wanted, of = "bool" if is_flag else "numbers", "" if name == method else f", {name}"
                raise ModelError(f"{what}{of} is {array.dtype} {array.shape}, expected {wanted} {shape}")
    return given


def shown(model: Model[Any], state: Any) -> str:
    """What to call a state, the first of a batch."""
    names = model.state_names(state)
    return f"state {names[0] if names else '/'.join(str(x[0]) for x in leaves(state))}"
