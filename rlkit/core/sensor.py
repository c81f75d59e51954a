"""A POMDP as textbooks and files give it: after each action something is observed with some probability."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from rlkit.core.errors import ModelError, NoExactModel
from rlkit.core.mdp import MDP, IntArray
from rlkit.core.pomdp import POMDP, named_state
from rlkit.core.rows import ROW_TOLERANCE, pointers, ranges

MOST_TRANSITIONS = 10_000_000  # between states and what was observed on entering them


@dataclass(frozen=True, eq=False, kw_only=True)
class SensorPOMDP(POMDP):
    """A POMDP whose states are those of another MDP, each with what was observed on entering it.

    The first observation is made after the first action: until then there is class O, nothing observed yet.
    """

    hidden: MDP  # without the observations, S states
    state: IntArray  # [S'] the hidden state of each state
    sensor: csr_array  # [A S, O] probability of what is observed after action a led to state s, row a S + s
    observation_names: tuple[str, ...]  # of classes 0..O

    @property
    def full_information(self) -> MDP:
        """The hidden MDP."""
        return self.hidden

    def state_name(self, state: int) -> str:
        """Name of the hidden state."""
        return named_state(self.hidden.state_name(int(self.state[state])))

    def observation_name(self, observation: int) -> str:
        """Name of a class."""
        return self.observation_names[observation]


def from_sensor(
    mdp: MDP, sensor: npt.ArrayLike | csr_array, *, observation_names: Sequence[str] | None = None
) -> SensorPOMDP:
    """Build a POMDP from an MDP and the probability of each observation.

    Row a S + s of `sensor`, [A S, O], dense or sparse, says what is observed after action a has led to state
    s. Only rows of what can happen are read. Raises `ModelError` for a wrong shape and for rows that do not
    sum to 1, and `NoExactModel` where states and observations together are too many. Source: Kaelbling,
    Littman and Cassandra 1998, section 3.1.
    """
    sensor = csr_array(sensor)
    n, n_sights = mdp.n_states, sensor.shape[-1]
    if sensor.shape[0] != mdp.n_actions * n:
        raise ModelError(f"sensor has {sensor.shape[0]} rows, expected {mdp.n_actions} actions x {n} states")
    if observation_names is not None and len(observation_names) != n_sights:
        raise ModelError(f"{len(observation_names)} names for {n_sights} observations")
    row = mdp.per_transition(mdp.action).astype(np.int64) * n + mdp.successor  # [T]
    total, used = sensor.sum(axis=1), np.unique(row)
    off = (np.abs(total[used] - 1) > ROW_TOLERANCE) | ~np.isfinite(total[used])
    negative = np.repeat(np.arange(len(total)), np.diff(sensor.indptr))[sensor.data < 0]
    if off.any() or len(negative):
        a, s = divmod(int(negative[0] if len(negative) else used[np.argmax(off)]), n)
        wrong = f"probabilities that sum to {total[a * n + s]:.9g}"
        wrong = "a negative probability" if len(negative) else wrong
        where = f"after action {mdp.action_name(a)} in state {mdp.state_name(s)}"
        raise ModelError(f"the observations {where} have {wrong}", state=s, action=a)
    # every transition [T] with every observation of it: J outcomes
    count = np.diff(sensor.indptr)[row]
    _check_size(count.sum())
    place = ranges(sensor.indptr[row], count)
    ptr = pointers(count)[mdp.choice_ptr]  # [C+1] first outcome of each choice
    pair, number = np.unique(
        np.repeat(mdp.successor, count) * np.int64(n_sights) + sensor.indices[place], return_inverse=True
    )
    names = observation_names or [f"observation {o}" for o in range(n_sights)]
    starts = np.flatnonzero(mdp.initial)
    state = np.concatenate([starts, pair // n_sights])
    seen = np.concatenate([np.full(len(starts), n_sights), pair % n_sights])
    choices = np.diff(mdp.state_ptr)[state]
    choice = ranges(mdp.state_ptr[state], choices)
    sizes = np.diff(ptr)[choice]
    _check_size(sizes.sum())
    outcome = ranges(ptr[choice], sizes)
    probability = np.repeat(mdp.probability / total[row], count) * sensor.data[place]
    paid = mdp.transition_reward
    initial = np.zeros(len(state))
    initial[: len(starts)] = mdp.initial[starts]
    return SensorPOMDP(
        mdp=replace(
            mdp,
            state_ptr=pointers(choices),
            choice_ptr=pointers(sizes),
            successor=len(starts) + number[outcome],
            probability=probability[outcome],
            reward=mdp.reward[choice],
            transition_reward=None if paid is None else np.repeat(paid, count)[outcome],
            action=mdp.action[choice],
            initial=initial,
            labels={name: np.flatnonzero(np.isin(state, states)) for name, states in mdp.labels.items()},
            state_names=None,
        ),
        observation=seen,
        hidden=mdp,
        sensor=sensor,
        state=state,
        observation_names=(*names, "nothing yet"),
    )


def _check_size(transitions: int) -> None:
    if transitions > MOST_TRANSITIONS:
        raise NoExactModel(
            f"states and observations together have {transitions:,} transitions (at most "
            f"{MOST_TRANSITIONS:,}); with full observability (full_information) none are needed"
        )
