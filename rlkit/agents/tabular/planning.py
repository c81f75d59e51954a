"""Learning from a model that is learned on the way, compiled by numba (Sutton and Barto 2018, chapter 8)."""

from rlkit.machine_code import machine_code

from .kernels import expected_value, update
from .records import FloatArray, Model, Queue, Rule, Table, Transitions

TERMINAL = -1


@machine_code()
def observe(model: Model, t: Transitions, i: int) -> int:
    """Count the step of environment i; returns its pair. The model must have room for one outcome more."""
    pair: int = t.state[i] * model.legal.shape[1] + t.action[i]
    successor = t.next_state[i] if t.discount[i] > 0 else TERMINAL
    if successor != TERMINAL:
        model.legal[successor] = t.next_mask[i]
    if model.tries[pair] == 0:
        model.tried[model.size[0]] = pair
        model.size[0] += 1
    model.tries[pair] += 1
    x = model.newest[pair]
    while x >= 0 and model.successor[x] != successor:
        x = model.older[x]
    if x < 0:
        x = model.size[1]
        model.size[1] += 1
        model.pair[x], model.successor[x] = pair, successor
        model.times[x], model.reward[x] = 0, 0.0
        model.older[x] = model.newest[pair]
        model.newest[pair] = x
        if successor != TERMINAL:
            model.older_into[x] = model.newest_into[successor]
            model.newest_into[successor] = x
    model.times[x] += 1
    model.reward[x] += t.reward[i]
    return pair


@machine_code()
def outcome_target(table: Table, model: Model, x: int, gamma: float) -> float:
    """r + gamma max_a Q(s', a) of one outcome, r being its mean reward."""
    s = model.successor[x]
    value = 0.0 if s == TERMINAL else expected_value(table.q[s], model.legal[s], 0.0)
    target: float = model.reward[x] / model.times[x] + gamma * value
    return target


@machine_code()
def backup(table: Table, model: Model, pair: int, gamma: float) -> float:
    """The expectation of r + gamma max_a Q(s', a) over the outcomes of a pair, as often as they were seen."""
    total, x = 0.0, model.newest[pair]
    while x >= 0:
        total += model.times[x] * outcome_target(table, model, x, gamma)
        x = model.older[x]
    mean: float = total / model.tries[pair]
    return mean


@machine_code()
def dyna_q(table: Table, t: Transitions, model: Model, rule: Rule, u: FloatArray) -> float:
    """Q-learning from each step, then from imagined ones (S&B 8.2): `u` [B, planning steps, 2] decides which.

    An imagined step is that of a pair drawn evenly among those tried, with an outcome of it drawn as often
    as it was seen. Returns the absolute errors of the real steps.
    """
    errors = 0.0
    n_actions = table.q.shape[1]
    for i in range(len(t.state)):
        if not t.valid[i]:
            continue
        observe(model, t, i)
        value = expected_value(table.q[t.next_state[i]], t.next_mask[i], 0.0)
        target = t.reward[i] + rule.gamma * t.discount[i] * value
        errors += abs(update(table, t.state[i], t.action[i], target, rule))
        for k in range(u.shape[1]):
            pair = model.tried[int(u[i, k, 0] * model.size[0])]
            rank, x = int(u[i, k, 1] * model.tries[pair]), model.newest[pair]
            while rank >= model.times[x]:
                rank -= model.times[x]
                x = model.older[x]
            target = outcome_target(table, model, x, rule.gamma)
            update(table, pair // n_actions, pair % n_actions, target, rule)
    return errors


@machine_code()
def prioritized_sweeping(
    table: Table, t: Transitions, model: Model, queue: Queue, rule: Rule, theta: float, backups: int
) -> float:
    """After each step up to `backups` expected updates, where they change most first (S&B 8.4).

    The pair just tried, and the pairs that led to a state whose value changed, queue with the size of the
    change that awaits them, if it is above `theta` (Moore and Atkeson 1993). Returns the absolute errors of
    the pairs tried.
    """
    errors = 0.0
    n_actions = table.q.shape[1]
    q = table.q.reshape(-1)
    for i in range(len(t.state)):
        if not t.valid[i]:
            continue
        pair = observe(model, t, i)
        error = abs(backup(table, model, pair, rule.gamma) - q[pair])
        errors += error
        if error > theta:
            push(queue, pair, error)
        for _ in range(backups):
            if queue.size[0] == 0:
                break
            pair = pop(queue)
            s = pair // n_actions
            update(table, s, pair % n_actions, backup(table, model, pair, rule.gamma), rule)
            x = model.newest_into[s]
            while x >= 0:
                before = model.pair[x]
                error = abs(backup(table, model, before, rule.gamma) - q[before])
                if error > theta:
                    push(queue, before, error)
                x = model.older_into[x]
    return errors


# A binary heap: no entry is below those at 2k + 1 and 2k + 2.


@machine_code()
def push(queue: Queue, pair: int, priority: float) -> None:
    """Queue a pair, or move up one that waits with a lower priority."""
    k = queue.place[pair]
    if k < 0:
        k = queue.size[0]
        queue.size[0] += 1
    elif priority <= queue.priority[pair]:
        return
    queue.priority[pair] = priority
    while k > 0 and queue.priority[queue.heap[(k - 1) // 2]] < priority:
        _put(queue, k, queue.heap[(k - 1) // 2])
        k = (k - 1) // 2
    _put(queue, k, pair)


@machine_code()
def pop(queue: Queue) -> int:
    """Take out the pair of the highest priority."""
    top: int = queue.heap[0]
    queue.place[top] = -1
    queue.size[0] -= 1
    size = queue.size[0]
    last = queue.heap[size]
    if last == top:
        return top
    k = 0
    while 2 * k + 1 < size:
        child = 2 * k + 1
        if child + 1 < size and queue.priority[queue.heap[child + 1]] > queue.priority[queue.heap[child]]:
            child += 1
        if queue.priority[queue.heap[child]] <= queue.priority[last]:
            break
        _put(queue, k, queue.heap[child])
        k = child
    _put(queue, k, last)
    return top


@machine_code()
def _put(queue: Queue, k: int, pair: int) -> None:
    queue.heap[k] = pair
    queue.place[pair] = k
