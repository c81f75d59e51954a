"""What a valid model is, and the one error that says how a model is not."""

from __future__ import annotations

import warnings
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from rlkit.errors import RlkitError

if TYPE_CHECKING:
    from rlkit.core.mdp import MDP

ROW_TOLERANCE = 1e-6  # rows further from 1 than this are refused
ROUNDING = 1e-12  # rows nearer to 1 than this are left as they are


class ModelError(RlkitError, ValueError):
    """A model that is not a Markov decision process; the message names state and action.

    `state` and `action` hold the indices where they are known.
    """

    def __init__(self, message: str, *, state: int | None = None, action: int | None = None) -> None:
        super().__init__(message)
        self.state = state
        self.action = action


class ModelWarning(UserWarning):
    """Something odd in a model that rlkit can still solve."""


class NoExactModel(ModelError):
    """The environment has no finite exact model within the size allowed."""


class NoTable(NoExactModel, AttributeError):
    """The environment has no table of Gymnasium's form; to `hasattr` it is one that lacks it."""


def one_player(mdp: MDP) -> None:
    """Raise `NoExactModel` for a game of two players: its value is not what one who makes all moves gets."""
    if mdp.zero_sum:
        raise NoExactModel(
            "the agent makes the moves of both players of this game, and one gains what the other loses, so "
            "that there is no optimum of one player: name an opponent, or use rlkit.solvers.minimax"
        )


def validate(mdp: MDP) -> None:
    """Raise `ModelError` for the first defect of a model; warn of states that cannot be reached."""
    _pointers(mdp)
    _names(mdp)
    choices = np.diff(mdp.choice_ptr)
    if not choices.all():
        raise _at_choice(mdp, int(np.argmin(choices != 0)), "has no successor")
    bad = (mdp.successor < 0) | (mdp.successor >= mdp.n_states)
    if bad.any():
        t = int(np.argmax(bad))
        raise _at_transition(
            mdp, t, f"leads to state {mdp.successor[t]}, but states are 0..{mdp.n_states - 1}"
        )
    for bad, what in (
        (~np.isfinite(mdp.probability), "is not finite"),
        (mdp.probability < 0, "is negative"),
        (mdp.probability > 1 + ROW_TOLERANCE, "is above 1"),
    ):
        if bad.any():
            t = int(np.argmax(bad))
            target = mdp.state_name(int(mdp.successor[t]))
            raise _at_transition(
                mdp, t, f"has probability {mdp.probability[t]} to state {target}, which {what}"
            )
    sums = np.add.reduceat(mdp.probability, mdp.choice_ptr[:-1]) if mdp.n_choices else np.ones(0)
    off = np.abs(sums - 1) > ROW_TOLERANCE
    if off.any():
        c = int(np.argmax(off))
        raise _at_choice(mdp, c, f"has probabilities that sum to {sums[c]:.9g}, not 1")
    if not np.isfinite(mdp.reward).all():
        c = int(np.argmin(np.isfinite(mdp.reward)))
        raise _at_choice(mdp, c, f"has reward {mdp.reward[c]}")
    if mdp.transition_reward is not None and not np.isfinite(mdp.transition_reward).all():
        t = int(np.argmin(np.isfinite(mdp.transition_reward)))
        raise _at_transition(mdp, t, f"has reward {mdp.transition_reward[t]}")
    _initial(mdp)


def normalised_rows(mdp: MDP) -> npt.NDArray[np.float64]:
    """Probabilities with every row scaled to sum to 1; reports rows that were off by more than rounding."""
    if not mdp.n_choices:
        return mdp.probability
    sums = np.add.reduceat(mdp.probability, mdp.choice_ptr[:-1])
    off = np.abs(sums - 1) > ROUNDING
    if not off.any():
        return mdp.probability
    worst = int(np.argmax(np.abs(sums - 1)))
    warnings.warn(
        f"{off.sum()} rows renormalised to sum to 1; the worst, {_place(mdp, worst)}, was off by "
        f"{sums[worst] - 1:.2g}",
        ModelWarning,
        stacklevel=4,
    )
    rescaled: npt.NDArray[np.float64] = mdp.probability / np.repeat(
        np.where(off, sums, 1.0), np.diff(mdp.choice_ptr)
    )
    return rescaled


def warn_unreachable(mdp: MDP, reachable: npt.NDArray[np.bool_]) -> None:
    """Warn when states cannot be reached from the initial distribution."""
    lost = np.flatnonzero(~reachable)
    if len(lost):
        names = ", ".join(mdp.state_name(int(s)) for s in lost[:3])
        more = f" and {len(lost) - 3} more" if len(lost) > 3 else ""
        warnings.warn(f"unreachable from the initial states: {names}{more}", ModelWarning, stacklevel=3)


def _pointers(mdp: MDP) -> None:
    if mdp.n_states < 1:
        raise ModelError("a model needs at least one state")
    for name, ptr, total, what in (
        ("state_ptr", mdp.state_ptr, mdp.n_choices, "choices"),
        ("choice_ptr", mdp.choice_ptr, mdp.n_transitions, "transitions"),
    ):
        if ptr.ndim != 1 or len(ptr) < 1 or ptr[0] != 0 or ptr[-1] != total or (np.diff(ptr) < 0).any():
            raise ModelError(f"{name} must rise from 0 to the number of {what}, {total}")
    sizes = {
        "probability": (mdp.probability, mdp.n_transitions),
        "reward": (mdp.reward, mdp.n_choices),
        "action": (mdp.action, mdp.n_choices),
        "initial": (mdp.initial, mdp.n_states),
    }
    if mdp.transition_reward is not None:
        sizes["transition_reward"] = (mdp.transition_reward, mdp.n_transitions)
    for name, (array, size) in sizes.items():
        if array.shape != (size,):
            raise ModelError(f"{name} has shape {array.shape}, expected ({size},)")
    if not (isinstance(mdp.discount, Real) and 0 <= mdp.discount <= 1):
        raise ModelError(f"discount must lie in [0, 1], not {mdp.discount!r}")
    if not (isinstance(mdp.fade, Real) and 0 <= mdp.fade < np.inf):
        raise ModelError(f"fade must be a finite number of at least 0, not {mdp.fade!r}")


def _names(mdp: MDP) -> None:
    if mdp.state_names is not None and len(mdp.state_names) != mdp.n_states:
        raise ModelError(f"{len(mdp.state_names)} state names for {mdp.n_states} states")
    if mdp.n_choices:
        bad = (mdp.action < 0) | (mdp.action >= mdp.n_actions)
        if bad.any():
            c = int(np.argmax(bad))
            raise _at_choice(
                mdp, c, f"has action index {mdp.action[c]}, but there are {mdp.n_actions} actions"
            )
        twice = (np.diff(mdp.state_of_choice) == 0) & (np.diff(mdp.action) <= 0)
        if twice.any():
            c = int(np.argmax(twice)) + 1
            raise _at_choice(mdp, c, "stands twice or out of order: the actions of a state must ascend")
    for label, states in mdp.labels.items():
        if len(states) and (np.min(states) < 0 or np.max(states) >= mdp.n_states):
            raise ModelError(
                f"label {label!r} names state {np.max(states)}, but states are 0..{mdp.n_states - 1}"
            )


def _initial(mdp: MDP) -> None:
    bad = ~np.isfinite(mdp.initial) | (mdp.initial < 0)
    if bad.any():
        s = int(np.argmax(bad))
        raise ModelError(f"initial probability of state {mdp.state_name(s)} is {mdp.initial[s]}", state=s)
    if abs(mdp.initial.sum() - 1) > ROW_TOLERANCE:
        raise ModelError(f"initial probabilities sum to {mdp.initial.sum():.9g}, not 1")


def _place(mdp: MDP, choice: int) -> str:
    state = int(np.searchsorted(mdp.state_ptr, choice, side="right")) - 1
    return f"state {mdp.state_name(state)}, action {mdp.action_name(int(mdp.action[choice]))}"


def _at_choice(mdp: MDP, choice: int, what: str) -> ModelError:
    state = int(np.searchsorted(mdp.state_ptr, choice, side="right")) - 1
    action = int(mdp.action[choice])
    named = mdp.action_names is None or 0 <= action < len(mdp.action_names)
    place = _place(mdp, choice) if named else f"state {mdp.state_name(state)}"
    return ModelError(f"{place} {what}", state=state, action=action)


def _at_transition(mdp: MDP, transition: int, what: str) -> ModelError:
    choice = int(np.searchsorted(mdp.choice_ptr, transition, side="right")) - 1
    return _at_choice(mdp, choice, what)
