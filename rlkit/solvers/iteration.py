"""Value iteration and policy iteration, which maximise; `certificate` says how good their answers are.

The model must be one in which the Bellman equation has one solution: gamma < 1, or the core that
`reduction` makes of an undiscounted problem.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from rlkit.core.mdp import MDP, BoolArray, FloatArray, IntArray
from rlkit.solvers.evaluation import linear_solve
from rlkit.solvers.graph import Components, components, one_component, surely_reaching
from rlkit.solvers.kernels import backup, kernel, sweep, unsigned
from rlkit.solvers.operators import best, chosen_weights, greedy, policy_kernel, q_values
from rlkit.solvers.options import Options


def iterate(
    mdp: MDP, method: str, choice: IntArray, *, gamma: float, options: Options
) -> tuple[FloatArray, int]:
    """Values near the optimal ones by the method of that name, and the sweeps or rounds it took.

    `choice` [S] is where policy iteration begins.
    """
    tolerance = options.epsilon * (0.25 * (1 - gamma) if gamma < 1 else 1e-4)
    patience = options.patience
    if method in ("value-iteration", "gauss-seidel"):
        order = components(mdp) if method == "value-iteration" else one_component(mdp)
        return value_iteration(mdp, gamma=gamma, tolerance=tolerance, max_sweeps=patience, order=order)
    if method == "synchronous":
        limit = MIXING if options.method == "auto" else patience
        return synchronous_iteration(mdp, gamma=gamma, epsilon=options.epsilon, max_sweeps=limit)
    if method == "modified-policy-iteration":
        return modified_policy_iteration(mdp, gamma=gamma, tolerance=tolerance, max_sweeps=patience)
    if method == "linear-programming":
        choice = greedy(mdp, q_values(mdp, linear_program(mdp, gamma=gamma), gamma))
    value, _, rounds = policy_iteration(mdp, choice, gamma=gamma, max_rounds=options.max_sweeps)
    return value, rounds


def value_iteration(
    mdp: MDP, *, gamma: float, tolerance: float, max_sweeps: int, order: Components
) -> tuple[FloatArray, int]:
    """Values by Algorithm 6.41, component after component, and the backups made per state.

    On a DAG every state is backed up once and the values are exact (Lemma 6.42). Elsewhere sweeping ends
    when no value of a component changes by more than `tolerance`; that does not mean a small error, so
    certify before use.
    """
    v = np.zeros(mdp.n_states)
    visits = mdp.n_transitions * (1 if order.acyclic else max_sweeps)
    run = kernel(sweep, visits)
    backups, _, _ = run(*backup(mdp), gamma, v, v, *listing(order), tolerance, max_sweeps)
    alive = mdp.n_states - int(mdp.terminal.sum())
    return v, -(-backups // max(alive, 1))


def synchronous_iteration(
    mdp: MDP, *, gamma: float, epsilon: float, max_sweeps: int
) -> tuple[FloatArray, int]:
    """Values by sweeps over all states at once, and how many.

    The bounds close as fast as the changes become alike, which on a model that mixes is far sooner than
    they vanish (Puterman 1994, section 6.6). On one that does not this is given up: where the progress of
    the last sweeps promises more than `max_sweeps`.
    """
    run, arrays, together = (
        kernel(sweep, MIXING * mdp.n_transitions),
        backup(mdp),
        listing(one_component(mdp)),
    )
    v, out = np.zeros(mdp.n_states), np.zeros(mdp.n_states)
    scale = gamma / (1 - gamma) if gamma < 1 else 1e4
    gaps: list[float] = []
    while len(gaps) < max_sweeps:
        _, low, high = run(*arrays, gamma, v, out, *together, 0.0, 1)
        v, out = out, v
        gaps.append(scale * (high - low))
        if gaps[-1] <= 0.5 * epsilon:
            break
        if len(gaps) % TRIAL == 0 and not _will_close(gaps, epsilon, max_sweeps):
            break
    return v, len(gaps)


def listing(order: Components) -> tuple[IntArray, IntArray, BoolArray]:
    """Components in the form in which `sweep` takes them."""
    return unsigned(order.order), unsigned(order.ptr), order.cyclic


MIXING = 300  # synchronous sweeps in which a model that mixes is solved
TRIAL = 20  # sweeps after which the progress of the bounds is judged


def _will_close(gaps: list[float], epsilon: float, max_sweeps: int) -> bool:
    """Whether the gap, shrinking as over the last half trial, falls below epsilon within `max_sweeps`."""
    before, now = gaps[-TRIAL // 2], gaps[-1]
    if now >= before:
        return max_sweeps > MIXING
    per_sweep = np.log(before / now) / (TRIAL // 2 - 1)
    return bool(len(gaps) + np.log(now / epsilon) / per_sweep <= max_sweeps)


def policy_iteration(
    mdp: MDP, choice: IntArray, *, gamma: float, max_rounds: int, bonus: float = 0.0
) -> tuple[FloatArray, IntArray, int]:
    """Values and choices of Howard's policy iteration from the given choices [S], and the rounds it took.

    `bonus` is added to every reward. At gamma = 1 the first policy must end with probability 1; all later
    ones then do. Source: Puterman 1994, section 6.4.
    """
    rounds = 0
    while True:
        rounds += 1
        v = value_of(mdp, choice, gamma=gamma, bonus=bonus)
        q = q_values(mdp, v, gamma) + bonus
        gain = best(mdp, q) - v
        better = ~mdp.terminal & (gain > 1e-12 * np.maximum(1.0, np.abs(v)))
        if not better.any() or rounds >= max_rounds:
            return v, choice, rounds
        choice = np.where(better, greedy(mdp, q), choice)


def modified_policy_iteration(
    mdp: MDP, *, gamma: float, tolerance: float, max_sweeps: int, partial: int = 20
) -> tuple[FloatArray, int]:
    """Values by greedy steps, each followed by `partial` sweeps of its policy alone, and all the sweeps made.

    It ends when a greedy step changes no value by more than `tolerance`. Source: Puterman and Shin 1978.
    """
    v, sweeps = np.zeros(mdp.n_states), 0
    while sweeps < max_sweeps:
        q = q_values(mdp, v, gamma)
        improved = best(mdp, q)
        change = np.abs(improved - v).max(initial=0.0)
        v, sweeps = improved, sweeps + 1
        if change <= tolerance:
            break
        transition, reward = policy_kernel(mdp, chosen_weights(mdp, greedy(mdp, q)))
        for _ in range(partial):
            v = reward + gamma * (transition @ v)
        sweeps += partial
    return v, sweeps


def linear_program(mdp: MDP, *, gamma: float) -> FloatArray:
    """Values as the smallest v with v >= r + gamma P v for every choice (Puterman 1994, section 6.9).

    Raises `RuntimeError` with the words of the linear programming solver if it finds none.
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
            raise RuntimeError(f"the linear program was not solved: {found.message}")
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


def value_of(
    mdp: MDP, choice: IntArray, *, gamma: float, bonus: float = 0.0, reward: FloatArray | None = None
) -> FloatArray:
    """Value [S] of always taking `choice`, with a bonus on every reward, or with other rewards [C]."""
    alive = np.flatnonzero(choice >= 0)
    rows = mdp.matrix[choice[alive]][:, alive]
    v = np.zeros(mdp.n_states)
    v[alive] = linear_solve(rows, (mdp.reward if reward is None else reward)[choice[alive]] + bonus, gamma)
    return v
