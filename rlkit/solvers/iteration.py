"""Value iteration and policy iteration, which maximise; `certificate` says how good their answers are.

The model must be one in which the Bellman equation has one solution: gamma < 1, or the core that
`reduction` makes of an undiscounted problem.
"""

from __future__ import annotations

from math import ceil, log
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_array

from rlkit.core.mdp import MDP, BoolArray, FloatArray, IntArray
from rlkit.solvers.backups import Backup, CompiledBackup, NumpyBackup, backup_of
from rlkit.solvers.evaluation import linear_solve
from rlkit.solvers.graph import SEARCH, Components, one_component, surely_reaching
from rlkit.solvers.kernels import arrays, kernel, prioritised, settle, stretches, unsigned
from rlkit.solvers.operators import best, greedy, q_values
from rlkit.solvers.options import Options, SolveError


def iterate(
    mdp: MDP, method: str, choice: IntArray, *, gamma: float, order: Components, options: Options
) -> tuple[FloatArray, int]:
    """Values near the optimal ones by the method of that name, and the sweeps or rounds it took.

    `choice` [S] is where policy iteration begins, `order` the components of the model.
    """
    tolerance = options.epsilon * (0.25 * (1 - gamma) if gamma < 1 else 1e-4)
    limits = options.limits(mdp.n_states)
    if method in ("synchronous", "modified-policy-iteration"):
        return successive_approximation(mdp, gamma=gamma, options=options, modified=method != "synchronous")
    if method in ("value-iteration", "gauss-seidel"):
        order = order if method == "value-iteration" else one_component(mdp)
        return value_iteration(mdp, gamma=gamma, tolerance=tolerance, limits=limits, order=order)
    if method == "prioritised":
        return prioritised_sweeping(mdp, gamma=gamma, tolerance=tolerance, max_sweeps=limits[0])
    if method == "linear-programming":
        choice = greedy(mdp, q_values(mdp, linear_program(mdp, gamma=gamma), gamma))
    policy = policy_iteration(mdp, evaluated(mdp, choice, gamma), gamma=gamma, max_rounds=options.max_sweeps)
    return policy.value, policy.rounds


def value_iteration(
    mdp: MDP, *, gamma: float, tolerance: float, limits: tuple[int, int], order: Components
) -> tuple[FloatArray, int]:
    """Values by Algorithm 6.41, component after component, and the backups made per state.

    On a DAG every state is backed up once and the values are exact (Lemma 6.42). Elsewhere sweeping ends
    when no value of a component changes by more than `tolerance`; that does not mean a small error, so
    certify before use. `limits` are the most sweeps of a component, and those after which it is judged
    whether they will be enough.
    """
    v = np.zeros(mdp.n_states)
    run = kernel(settle, mdp.n_transitions * (1 if order.acyclic else limits[0]))
    listing = (unsigned(order.order), unsigned(order.ptr), order.cyclic)
    stretch = np.ones(mdp.n_choices) if order.acyclic else _stretch(mdp, gamma)
    backups = run(*arrays(mdp), gamma, stretch, v, *listing, tolerance, *limits)
    return v, _per_state(mdp, backups)


def prioritised_sweeping(
    mdp: MDP, *, gamma: float, tolerance: float, max_sweeps: int
) -> tuple[FloatArray, int]:
    """Values by backing up the state next that may change most, and the backups made per state."""
    v, into = np.zeros(mdp.n_states), mdp.incoming
    run = kernel(prioritised, mdp.n_transitions * max_sweeps)
    edges = (mdp.state_of_choice, into.indptr, into.indices, into.data)
    backups = run(*arrays(mdp), gamma, _stretch(mdp, gamma), v, *edges, tolerance, max_sweeps * mdp.n_states)
    return v, _per_state(mdp, backups)


def _stretch(mdp: MDP, gamma: float) -> FloatArray:
    return kernel(stretches, SEARCH * mdp.n_transitions)(*arrays(mdp)[:4], gamma)


def _per_state(mdp: MDP, backups: int) -> int:
    return -(-backups // max(mdp.n_states - int(mdp.terminal.sum()), 1))


PARTIAL = 20  # sweeps of one policy at most
MIXING = 300  # sweeps in which a model that mixes is solved
JUDGED = 20  # sweeps after which it is judged whether a model does


def successive_approximation(
    mdp: MDP, *, gamma: float, options: Options, modified: bool
) -> tuple[FloatArray, int]:
    """Values by backups of all states at once, and how many.

    The bounds close as fast as the changes become alike, which on a model that mixes is far sooner than
    they vanish (Puterman 1994, section 6.6). When the method was chosen automatically, one that does not
    mix is given up. If `modified`, each backup is followed by cheaper ones of its greedy policy alone,
    until their changes are ten times more alike than those of the backup (Puterman and Shin 1978).
    """
    backup: Backup = (on_host := backup_of(mdp, gamma, sweeps=MIXING))
    partial = PARTIAL if modified else 0
    if options.device != "cpu":
        from rlkit.solvers.device import backup_on

        backup, partial = backup_on(options.device, mdp, gamma), 0
    limit, judged = (MIXING, JUDGED) if options.gives_up else (options.max_sweeps, options.max_sweeps)
    scale = gamma / (1 - gamma) if gamma < 1 else 1e4
    v: Any = np.zeros(mdp.n_states)
    sweeps = 0.0
    history: list[tuple[float, float]] = []
    while sweeps < limit:
        v, choice, low, high = backup(v)
        sweeps += 1
        gap = scale * (high - low)
        if gap <= 0.5 * options.epsilon:
            break
        history.append((sweeps, gap))
        if sweeps >= judged and not _will_close(history, options.epsilon, limit):
            break
        if partial:
            v, share = _follow(on_host, choice, v, partial, 0.1 * gap / scale)
            sweeps += share
    return v if isinstance(v, np.ndarray) else v.cpu().numpy(), ceil(sweeps)


def _follow(
    backup: NumpyBackup | CompiledBackup, choice: IntArray, v: FloatArray, sweeps: int, spread: float
) -> tuple[FloatArray, float]:
    """Back up one policy until its changes are within `spread` of each other; how many sweeps that cost."""
    policy = backup.following(choice)
    done, low, high = 0, -np.inf, np.inf
    while done < sweeps and high - low > spread:
        v, _, low, high = policy(v)
        done += 1
    return v, done * policy.transitions / backup.transitions


def _will_close(history: list[tuple[float, float]], epsilon: float, limit: int) -> bool:
    """Whether the gap, shrinking as over the last half of the sweeps so far, reaches epsilon in time."""
    now, gap = history[-1]
    then, before = next(entry for entry in history if entry[0] >= now / 2)
    return before > gap and now + (now - then) * log(gap / epsilon) / log(before / gap) <= limit


class Policy(NamedTuple):
    """A deterministic policy and what it is worth."""

    choice: IntArray  # [S] -1 for none
    value: FloatArray  # [S]
    steps: FloatArray  # [S] expected steps to the end at gamma = 1, which is what a bonus a step adds
    rounds: int = 0


def evaluated(mdp: MDP, choice: IntArray, gamma: float) -> Policy:
    """A policy with its value, from one factorisation; raises `SingularChain` if it never ends."""
    alive = np.flatnonzero(choice >= 0)
    rows = mdp.matrix[choice[alive]][:, alive]
    right = np.ones((len(alive), 2 if gamma == 1 else 1))
    right[:, 0] = mdp.reward[choice[alive]]
    worth = np.zeros((mdp.n_states, 2))
    worth[alive, : right.shape[1]] = linear_solve(rows, right, gamma)
    return Policy(choice, worth[:, 0], worth[:, 1])


def policy_iteration(
    mdp: MDP, policy: Policy, *, gamma: float, max_rounds: int, bonus: float = 0.0
) -> Policy:
    """The best policy by Howard's improvements of one that is evaluated.

    `bonus` is added to every reward, but not to the value returned. At gamma = 1 the first policy must end
    with probability 1; all later ones then do. It ends when a policy comes again, which
    rounding can cause. Source: Puterman 1994, section 6.4.
    """
    alive, seen = ~mdp.terminal, {hash(policy.choice.tobytes())}
    for rounds in range(1, max_rounds + 1):
        v = policy.value + bonus * policy.steps
        q = q_values(mdp, v, gamma) + bonus
        inexact = np.abs(q[policy.choice[alive]] - v[alive]).max(initial=0.0)
        slack = np.minimum(1e-12 * np.maximum(1.0, np.abs(v)), bonus / 4 if bonus > 0 else np.inf)
        better = alive & (best(mdp, q) - v > slack + 2 * inexact)
        policy = policy._replace(rounds=rounds)
        choice = np.where(better, greedy(mdp, q), policy.choice)
        if (key := hash(choice.tobytes())) in seen:
            break
        seen.add(key)
        policy = evaluated(mdp, choice, gamma)
    return policy


def linear_program(mdp: MDP, *, gamma: float) -> FloatArray:
    """Values as the smallest v with v >= r + gamma P v for every choice (Puterman 1994, section 6.9).

    They exist wherever a policy ends; raises `SolveError` where HiGHS is too coarse to find them.
    """
    from scipy.optimize import linprog  # slow to import, and seldom needed

    alive = np.flatnonzero(~mdp.terminal)
    rows = np.arange(mdp.n_choices)
    own = csr_array((np.ones(mdp.n_choices), (rows, mdp.state_of_choice)), shape=mdp.matrix.shape)
    above = (own - gamma * mdp.matrix)[:, alive]
    v = np.zeros(mdp.n_states)
    if len(alive):
        found = linprog(
            np.ones(len(alive)), A_ub=-above, b_ub=-mdp.reward, bounds=(None, None), method="highs"
        )
        if found.x is None:
            raise SolveError(
                "HiGHS did not solve the linear program, take another method "
                "(auto, policy-iteration or exact): its tolerance of 1e-7 is too coarse for this model, "
                f"whose smallest probability is {mdp.probability.min():.3g}"
            )
        v[alive] = found.x
    return v


def proper_greedy(mdp: MDP, v: FloatArray, fallback: IntArray) -> IntArray:
    """Near-greedy choices [S] that end with probability 1, from values near V*; else the fallback.

    A plain argmax can pick, among ties, choices that circle for ever.
    """
    sure, choice = surely_reaching(mdp, mdp.terminal, near_greedy(mdp, v))
    return choice if sure.all() else fallback


def near_greedy(mdp: MDP, v: FloatArray) -> BoolArray:
    """Choices [C] whose value is the best of their state, up to a little more than v is off."""
    q = q_values(mdp, v, 1.0)
    top = best(mdp, q)
    slack = 1e-9 * np.maximum(1.0, np.abs(v)) + 4 * np.abs(top - v)
    close: BoolArray = q >= (top - slack)[mdp.state_of_choice]
    return close
