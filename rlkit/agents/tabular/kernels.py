"""Updates of a table of action values, each formula once, compiled by numba; S&B is Sutton and Barto (2018).

A kernel takes one step of B environments, and goes through them in order: what one of them teaches, the next
one knows. It changes its tables in place and returns the sum of the absolute errors by which they were off.
"""

import numpy as np

from rlkit.machine_code import machine_code

from .records import BoolArray, FloatArray, IntArray, Rule, Table, Trace, Transitions, Window

# Policies


@machine_code()
def greedy(q: FloatArray, legal: BoolArray) -> int:
    """The best legal action of a row [A], the lowest among equals; 0 where none is legal, as in the end."""
    best = 0
    for a in range(1, len(q)):
        if legal[a] and (not legal[best] or q[a] > q[best]):
            best = a
    return best


@machine_code()
def epsilon_greedy(q: FloatArray, legal: BoolArray, epsilon: float, u: float) -> int:
    """An action of the epsilon-greedy policy: `u`, uniform in [0, 1), decides, and breaks ties evenly too."""
    if u < epsilon:
        least, v = -np.inf, u / epsilon
    else:
        least, v = q[greedy(q, legal)], (u - epsilon) / (1 - epsilon)
    candidates = 0
    for a in range(len(q)):
        candidates += legal[a] and q[a] >= least
    rank = min(int(v * candidates), candidates - 1)
    for a in range(len(q)):
        if legal[a] and q[a] >= least:
            if rank == 0:
                return a
            rank -= 1
    return 0


@machine_code()
def expected_value(q: FloatArray, legal: BoolArray, epsilon: float) -> float:
    """Sum over a of pi(a) q(a) for the epsilon-greedy policy: the maximum where epsilon is 0."""
    best: float = q[greedy(q, legal)]
    if epsilon == 0:
        return best
    total, n = 0.0, 0
    for a in range(len(q)):
        if legal[a]:
            total += q[a]
            n += 1
    mean = total / max(n, 1)
    return (1 - epsilon) * best + epsilon * mean


@machine_code()
def act(
    q: FloatArray,
    state: IntArray,
    mask: BoolArray,
    epsilon: float,
    u: FloatArray,
    chosen: BoolArray,
    action: IntArray,
) -> None:
    """Write epsilon-greedy actions [B] where none is `chosen` yet."""
    for i in range(len(state)):
        if not chosen[i]:
            action[i] = epsilon_greedy(q[state[i]], mask[i], epsilon, u[i])


# Updates of one entry


@machine_code()
def step_size(rule: Rule, visits: int) -> float:
    """alpha / N^omega (Even-Dar and Mansour 2003): constant for omega = 0, the sample average for 1."""
    return rule.alpha if rule.omega == 0 else rule.alpha / visits**rule.omega


@machine_code()
def update(table: Table, s: int, a: int, target: float, rule: Rule) -> float:
    """Q(s, a) += alpha_N [target - Q(s, a)]; returns the error in brackets."""
    table.visits[s, a] += 1
    error: float = target - table.q[s, a]
    table.q[s, a] += step_size(rule, table.visits[s, a]) * error
    return error


# One step


@machine_code()
def expected_sarsa(table: Table, t: Transitions, rule: Rule, epsilon: float) -> float:
    """r + gamma sum_a pi(a | s') Q(s', a) (S&B 6.9); with epsilon 0 it is Q-learning (S&B 6.8)."""
    errors = 0.0
    for i in range(len(t.state)):
        if t.valid[i]:
            value = expected_value(table.q[t.next_state[i]], t.next_mask[i], epsilon)
            target = t.reward[i] + rule.gamma * t.discount[i] * value
            errors += abs(update(table, t.state[i], t.action[i], target, rule))
    return errors


@machine_code()
def double_q(
    mean: FloatArray, q: FloatArray, visits: IntArray, t: Transitions, rule: Rule, u: FloatArray
) -> float:
    """r + gamma Q_2(s', argmax_a Q_1(s', a)) for Q_1, or with both exchanged (S&B 6.10): `u` [B] decides.

    `q` and `visits` [2, S, A] belong to both, and `mean` [S, A] is kept at their mean.
    """
    errors = 0.0
    for i in range(len(t.state)):
        if t.valid[i]:
            one = 0 if u[i] < 0.5 else 1
            best = greedy(q[one, t.next_state[i]], t.next_mask[i])
            target = t.reward[i] + rule.gamma * t.discount[i] * q[1 - one, t.next_state[i], best]
            s, a = t.state[i], t.action[i]
            errors += abs(update(Table(q[one], visits[one]), s, a, target, rule))
            mean[s, a] = (q[0, s, a] + q[1, s, a]) / 2
    return errors


# Many steps


@machine_code()
def n_step_sarsa(
    table: Table, t: Transitions, next_action: IntArray, window: Window, first: IntArray, rule: Rule, n: int
) -> float:
    """G = r_0 + gamma r_1 + ... + gamma^n Q(s_n, a_n) for the pair n steps ago (S&B 7.4); Sarsa for n = 1.

    The end of an episode completes the returns of all steps in the window, the newest first. A time limit
    bootstraps them from the final observation, termination does not. With n beyond the length of every
    episode this is Monte Carlo (S&B 5.4). `first` [S * A], if not empty, is scratch, and asks for first
    visits only: where a pair occurs twice in the window, its earlier return alone counts.
    """
    errors = 0.0
    n_actions, capacity = table.q.shape[1], window.pair.shape[1]
    for i in range(len(t.state)):
        if not t.valid[i]:
            window.length[i] = 0
            continue
        pair, reward = window.pair[i], window.reward[i]
        start, length = window.start[i], window.length[i] + 1
        newest = (start + length - 1) % capacity
        pair[newest] = t.state[i] * n_actions + t.action[i]
        reward[newest] = t.reward[i]
        window.length[i] = length
        if length < n and not t.done[i]:
            continue
        if len(first) and t.done[i]:
            for k in range(length - 1, -1, -1):
                first[pair[(start + k) % capacity]] = k
        g = t.discount[i] * table.q[t.next_state[i], next_action[i]]
        for k in range(length - 1, -1, -1):
            at = (start + k) % capacity
            g = reward[at] + rule.gamma * g
            counts = k == 0 or (t.done[i] and (len(first) == 0 or first[pair[at]] == k))
            if counts:
                errors += abs(update(table, pair[at] // n_actions, pair[at] % n_actions, g, rule))
        window.length[i] = 0 if t.done[i] else length - 1
        window.start[i] = 0 if t.done[i] else (start + 1) % capacity
    return errors


@machine_code()
def lambda_step(
    table: Table,
    t: Transitions,
    next_action: IntArray,
    trace: Trace,
    rule: Rule,
    lambda_: float,
    cutoff: float,
    replacing: bool,
    watkins: bool,
) -> float:
    """Q(x) += alpha delta e(x) for every pair x, whose trace e(x) decays by gamma lambda a step (S&B 12.7).

    delta = r + gamma Q(s', a') - Q(s, a), or for Watkins's Q(lambda) with max_a Q(s', a) in place of
    Q(s', a') (Watkins 1989; S&B 12.10). Traces end with the episode, whichever way it ends, and for Watkins
    also where a' is not greedy. A pair that is visited again begins a second trace, which adds to the first
    (accumulating), or takes its place (replacing; Singh and Sutton 1996). A trace not above `cutoff` is
    dropped.
    """
    errors = 0.0
    n_actions = table.q.shape[1]
    q, visits = table.q.reshape(-1), table.visits.reshape(-1)
    for i in range(len(t.state)):
        if not t.valid[i]:
            trace.length[i] = 0
            continue
        next_q = table.q[t.next_state[i]]
        taken = next_q[next_action[i]]
        value = next_q[greedy(next_q, t.next_mask[i])] if watkins else taken
        now = t.state[i] * n_actions + t.action[i]
        delta = t.reward[i] + rule.gamma * t.discount[i] * value - q[now]
        visits[now] += 1
        pair, weight, kept = trace.pair[i], trace.weight[i], 0
        for k in range(trace.length[i]):
            x, e = pair[k], weight[k] * rule.gamma * lambda_
            if e > cutoff and not (replacing and x == now):
                q[x] += step_size(rule, visits[x]) * delta * e
                pair[kept], weight[kept] = x, e
                kept += 1
        q[now] += step_size(rule, visits[now]) * delta
        pair[kept], weight[kept] = now, 1.0
        trace.length[i] = 0 if t.done[i] or taken < value else kept + 1
        errors += abs(delta)
    return errors
