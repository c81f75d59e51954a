"""What the agents can deal with, and what their settings mean, found out from the agents themselves."""

import dataclasses
import inspect
from typing import Any, get_origin, get_type_hints

import numpy as np
import torch
from gymnasium import spaces

from rlkit.errors import RlkitError
from rlkit.experience.experience import Clock
from rlkit.settings import options_of

from ..nn import Discrete
from .agent import Agent
from .learner import Learner

ACTIONS: dict[str, spaces.Space[Any]] = {
    "Discrete": spaces.Discrete(2),
    "MultiDiscrete": spaces.MultiDiscrete([2, 3]),
    "Box": spaces.Box(-1, 1, (2,), np.float32),
}
OBSERVATIONS: dict[str, spaces.Space[Any]] = {
    "categories": spaces.Discrete(2),
    "numbers": spaces.Box(-1, 1, (2,), np.float32),
    "grids": spaces.Box(0, 255, (36, 36, 3), np.uint8),
}


def abilities(agent: type[Agent]) -> dict[str, Any]:
    """What it can act in and observe, whether with memory, and whether it heeds masks of legal actions."""
    actions = [name for name in ACTIONS if _made(agent, action=name)]
    observations = [name for name in OBSERVATIONS if _made(agent, observation=name, action=actions[0])]
    like = {"observation": observations[0], "action": actions[0]}
    found = _made(agent, **like)
    return {
        "agent": agent.name,
        "summary": summary(agent),
        "actions": actions,
        "observations": observations,
        "memory": _made(agent, **like, backbone="gru", hidden=(8,)) is not None,
        "masks": found is not None and isinstance(found.policy.head, Discrete),
    }


def settings(agent: type[Agent]) -> list[dict[str, Any]]:
    """Name, type, default and meaning of every option of the agent, and the values that it takes."""
    types, known = get_type_hints(agent.Config), options_of(agent.Config)
    return [
        {
            "name": field.name,
            "type": "ints" if get_origin(types[field.name]) is tuple else types[field.name].__name__,
            "default": ",".join(map(str, d)) if isinstance(d := field.default, tuple) else str(d),
            "meaning": known[field.name].help,
            "allowed": known[field.name].allowed,
            "choices": list(known[field.name].choices),
            "search": list(known[field.name].search),
        }
        for field in dataclasses.fields(agent.Config)
    ]


def summary(agent: type[Agent]) -> str:
    """The first sentence on the agent."""
    return inspect.cleandoc(agent.__doc__ or "").split("\n")[0]


def _made(
    agent: type[Agent], *, observation: str = "categories", action: str, **overrides: Any
) -> Learner | None:
    """A learner for these spaces, or None if it refuses them."""
    both, device = (OBSERVATIONS[observation], ACTIONS[action]), torch.device("cpu")
    try:
        config = agent.Config().replace(overrides)
        return agent.Learner(*both, config, name=agent.name, clock=Clock(), seed=0, device=device)
    except RlkitError:
        return None
