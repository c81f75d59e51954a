"""The compiled, the parallel, the torch and the plain form of the same loops agree."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from rlkit import exact
from rlkit.core import MDP, from_triplets
from rlkit.solvers import SolveError, best_stationary, evaluate_policy, evaluation, solve
from rlkit.solvers.backends import backups, gpu, kernels
from rlkit.solvers.backends.backups import CompiledBackup, NumpyBackup
from rlkit.solvers.backends.gpu import DeviceBackup
from rlkit.solvers.evaluation import krylov_solve
from rlkit.solvers.graph import components, one_component
from rlkit.solvers.methods import prioritized_sweeping
from rlkit.solvers.methods.value_iteration import sweep_in_place
from rlkit.solvers.operators import chosen_weights, policy_kernel


def random_mdp(states: int, seed: int, *, stay: float = 0.3, ends: float = 0.1) -> MDP:
    """A few choices a state, of few successors each, often itself among them; some states end."""
    rng = np.random.default_rng(seed)
    rows = []
    for s in range(states):
        for a in range(0 if rng.random() < ends else rng.integers(1, 4)):
            successors = rng.choice(states, size=rng.integers(1, 4))
            if rng.random() < stay:
                successors[0] = s
            weights = rng.random(len(successors)) + 0.01
            reward = rng.normal()
            rows += [(s, a, t, p, reward) for t, p in zip(successors, weights / weights.sum(), strict=True)]
    s, a, t, p, r = zip(*rows, strict=True)
    return from_triplets(s, a, t, p, n_states=states, reward=r, initial=np.full(states, 1 / states))


@pytest.mark.filterwarnings("ignore::rlkit.core.ModelWarning")
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("cores", [1, 2, 3])
def test_every_form_of_a_backup_is_the_same(monkeypatch: pytest.MonkeyPatch, seed: int, cores: int) -> None:
    monkeypatch.setattr(backups, "PARALLEL_FROM", 0)
    monkeypatch.setattr(backups, "available_cores", lambda: cores)
    mdp = random_mdp(50, seed)
    v = np.random.default_rng(seed).normal(size=mdp.n_states)
    plain = NumpyBackup(mdp, 0.9)(v)
    fused = CompiledBackup(mdp.state_ptr, mdp.matrix, mdp.reward, 0.9)
    torch = DeviceBackup(mdp, 0.9, "cpu")(v)
    for other in (fused(v), torch._replace(value=torch.value.numpy(), choice=plain.choice)):
        np.testing.assert_allclose(other.value, plain.value, atol=1e-14)
        np.testing.assert_array_equal(other.choice, plain.choice)
        assert (other.low, other.high) == pytest.approx((plain.low, plain.high), abs=1e-14)
    followed = [x.following(plain.choice)(v).value for x in (fused, NumpyBackup(mdp, 0.9))]
    transition, reward = policy_kernel(mdp, chosen_weights(mdp, plain.choice))
    for value in followed:
        np.testing.assert_allclose(value, reward + 0.9 * (transition @ v), atol=1e-14)


@pytest.mark.filterwarnings("ignore::rlkit.core.ModelWarning")
@pytest.mark.parametrize("form", [lambda f: f, kernels.compiled], ids=["python", "compiled"])
@pytest.mark.parametrize("seed", range(20))
def test_components_are_those_of_scipy_and_in_order(form: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 40))
    node_ptr = np.append(0, np.cumsum(rng.integers(0, 4, size=n))).astype(np.uint32)
    successor = rng.integers(n, size=node_ptr[-1]).astype(np.uint32)
    source = np.repeat(np.arange(n), np.diff(node_ptr))
    for allowed in (None, rng.random(len(successor)) < 0.7):
        edges = slice(None) if allowed is None else allowed
        order, ptr, cyclic = form(kernels.strong_components)(node_ptr, successor, allowed)
        graph = csr_array((np.ones(len(source[edges])), (source[edges], successor[edges])), shape=(n, n))
        count, label = connected_components(graph, directed=True, connection="strong")
        mine = np.empty(n, dtype=int)
        mine[order] = np.repeat(np.arange(len(ptr) - 1), np.diff(ptr))
        assert len(ptr) - 1 == count == len(set(zip(label, mine, strict=True)))
        assert (mine[source[edges]] >= mine[successor[edges]]).all()
        inner = mine[source[edges]] == mine[successor[edges]]
        assert set(np.flatnonzero(cyclic)) == set(mine[source[edges]][inner])


def test_states_that_mostly_stay_are_solved_in_few_sweeps() -> None:
    """Each place of a line is left with probability 0.05; sweeps that count the stays take hundreds."""
    places, gamma = 200, 0.99
    rows = [
        (s, 0, t, p, 0.05 * (s + 1 == places)) for s in range(places) for t, p in ((s, 0.95), (s + 1, 0.05))
    ]
    rows += [(s, 1, max(s - 1, 0), 1.0, 0.0) for s in range(places)]
    s, a, t, p, r = zip(*rows, strict=True)
    mdp = from_triplets(s, a, t, p, n_states=places + 1, reward=r)
    v, sweeps = sweep_in_place(
        mdp, gamma=gamma, tolerance=1e-9, order=components(mdp), limits=(10_000, 10_000)
    )
    assert sweeps <= 5
    passing = 0.05 * gamma / (1 - 0.95 * gamma)
    np.testing.assert_allclose(v[:-1], passing ** np.arange(places, 0, -1) / gamma, atol=1e-8)
    assert solve(mdp, gamma=gamma, method="synchronous").sweeps > 200


@pytest.mark.parametrize("form", [0, 10**12], ids=["compiled", "python"])
@pytest.mark.parametrize("method", ["value-iteration", "prioritized"])
def test_sweeping_in_place_compiled_and_not(monkeypatch: pytest.MonkeyPatch, method: str, form: int) -> None:
    monkeypatch.setattr(kernels, "COMPILE_FROM", form)
    mdp = random_mdp(60, 3)
    exact = solve(mdp, gamma=0.95, method="policy-iteration")
    swept = solve(mdp, gamma=0.95, method=method)
    assert swept.converged
    np.testing.assert_allclose(swept.value, exact.value, atol=1e-6)


def test_prioritized_sweeping_works_where_something_changes() -> None:
    """A reward far away: sweeps in the wrong order back up every state many times over."""
    places = 300
    rows = [
        (s, a, min(max(s + step, 0), places), 1.0, float(s + step == places))
        for s in range(places)
        for a, step in ((0, -1), (1, 1))
    ]
    s, a, t, p, r = zip(*rows, strict=True)
    mdp = from_triplets(s, a, t, p, n_states=places + 1, reward=r)
    v, backups_a_state = prioritized_sweeping(mdp, gamma=0.99, epsilon=4e-10, max_sweeps=1000)
    np.testing.assert_allclose(v[:-1], 0.99 ** np.arange(places - 1, -1, -1), rtol=1e-9)
    assert backups_a_state <= 4
    assert solve(mdp, gamma=0.99, method="synchronous").sweeps >= places


def test_value_iteration_gives_up_where_it_would_take_too_long() -> None:
    """A random walk of 1,000 places needs about a million sweeps; half a trial more says so."""
    places = 1000
    rows = [(s, 0, t, 0.5, -1.0) for s in range(1, places) for t in (s - 1, s + 1)]
    rows += [(0, 0, 1, 1.0, -1.0)]
    s, a, t, p, r = zip(*rows, strict=True)
    mdp = from_triplets(s, a, t, p, n_states=places + 1, reward=r)
    common = {"gamma": 1.0, "tolerance": 1e-9, "order": one_component(mdp)}
    _, judged = sweep_in_place(mdp, limits=(300, 50), **common)
    _, carried_through = sweep_in_place(mdp, limits=(300, 300), **common)
    assert judged <= 100 < carried_through


@pytest.mark.filterwarnings("ignore::rlkit.core.ModelWarning")
def test_backups_of_all_states_are_for_models_that_mix() -> None:
    rng, states, actions, successors = np.random.default_rng(0), 2500, 3, 5
    choices = np.repeat(np.arange(states * actions), successors)
    to, weights = rng.integers(states, size=len(choices)), rng.random(len(choices))
    shares = weights / np.bincount(choices, weights)[choices]
    reward = rng.random(states * actions)[choices]
    mixing = solve(
        from_triplets(choices // actions, choices % actions, to, shares, n_states=states, reward=reward),
        gamma=0.99,
    )
    assert mixing.converged
    assert mixing.method == "modified-policy-iteration"
    assert mixing.sweeps < 100
    rows = [
        (s, 0, max(s + step, 0), 0.5, float(s + step == states)) for s in range(states) for step in (-1, 1)
    ]
    s, a, t, p, r = zip(*rows, strict=True)
    line = from_triplets(s, a, t, p, n_states=states + 1, reward=r)
    assert solve(line, gamma=0.99).method != "modified-policy-iteration"


def test_a_policy_of_a_large_chain_is_valued_without_factorisation(monkeypatch: pytest.MonkeyPatch) -> None:
    mdp = random_mdp(400, 1)
    policy = np.where(mdp.terminal, -1, 0)
    factorised = evaluate_policy(mdp, policy, gamma=0.99)
    monkeypatch.setattr(evaluation, "LARGE", 100)
    monkeypatch.setattr(evaluation, "factorised_solve", None)  # would raise if it were called
    np.testing.assert_allclose(evaluate_policy(mdp, policy, gamma=0.99), factorised, rtol=1e-12)


def test_a_krylov_method_that_does_not_get_there_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    places = 2000
    line = csr_array(
        (np.ones(places - 1), (np.arange(places - 1), np.arange(1, places))), shape=(places,) * 2
    )
    monkeypatch.setattr(evaluation, "LARGE", 100)
    value = evaluation.linear_solve(line, np.ones(places), 0.9999)
    assert krylov_solve(evaluation.eye_array(places) - 0.9999 * line, np.ones(places)) is None
    np.testing.assert_allclose(value, line * 0.9999 @ value + 1, rtol=1e-12)


@pytest.mark.filterwarnings("ignore::rlkit.core.ModelWarning")
@pytest.mark.parametrize("minimize", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_the_best_stationary_policy_is_found_among_all(seed: int, minimize: bool) -> None:
    mdp = random_mdp(5, seed, ends=0.2)
    horizon, gamma = 7, 0.95
    values = []
    for choice in itertools.product(*(range(a, max(b, a + 1)) for a, b in itertools.pairwise(mdp.state_ptr))):
        policy = np.where(mdp.terminal, -1, np.append(mdp.action, -1)[np.array(choice)])
        values.append(mdp.expectation(evaluate_policy(mdp, policy, gamma=gamma, horizon=horizon)))
    truth = min(values) if minimize else max(values)
    found = best_stationary(mdp, horizon=horizon, gamma=gamma, minimize=minimize)
    assert found.value.value == pytest.approx(truth, abs=1e-9)
    assert found.value.lower - 1e-12 <= truth <= found.value.upper + 1e-12
    earned = evaluate_policy(mdp, found.policy, gamma=gamma, horizon=horizon)
    assert mdp.expectation(earned) == pytest.approx(truth, abs=1e-9)
    stopped = best_stationary(mdp, horizon=horizon, gamma=gamma, minimize=minimize, max_nodes=1)
    assert stopped.value.lower - 1e-12 <= truth <= stopped.value.upper + 1e-12


def test_the_best_stationary_policy_of_frozen_lake() -> None:
    """Below what a policy that counts its steps can do, and certified."""
    mdp = exact("FrozenLake-v1")
    found = best_stationary(mdp, horizon=100)
    assert found.value.upper - found.value.lower < 1e-8
    assert found.value.value == pytest.approx(0.740165, abs=1e-6)
    assert found.value.upper < solve(mdp, horizon=100).initial.lower


def test_a_search_cut_short_still_bounds_the_best_stationary_policy() -> None:
    mdp, best = exact("FrozenLake8x8-v1"), 0.893568385974862
    stopped = best_stationary(mdp, horizon=200, max_nodes=2)
    assert stopped.nodes == 2
    assert stopped.value.value < best - 1e-6
    assert stopped.value.upper >= best


@pytest.mark.parametrize(("wrong", "message"), [({"horizon": -1}, "horizon"), ({"gamma": 1.5}, "gamma")])
def test_a_stationary_policy_of_nothing(wrong: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        best_stationary(random_mdp(3, 0), **{"horizon": 3, **wrong})


def test_a_gpu_is_refused_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SolveError, match="torch finds no GPU"):
        solve(random_mdp(5, 0), gamma=0.9, device="cuda")
    with pytest.raises(SolveError, match="device 'tpu' is none of cpu, cuda"):
        solve(random_mdp(5, 0), gamma=0.9, device="tpu")


@pytest.mark.filterwarnings("ignore::rlkit.core.ModelWarning")
@pytest.mark.parametrize("gamma", [0.95, 1.0])
def test_sweeps_in_torch_get_the_same_certificate(monkeypatch: pytest.MonkeyPatch, gamma: float) -> None:
    """The backend of the GPU, run on the processor."""
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(gpu, "backup_on", lambda device, mdp, gamma: DeviceBackup(mdp, gamma, "cpu"))
    mdp = random_mdp(40, 2)
    mdp = mdp.with_reward(-np.abs(mdp.reward))
    plain, swept = (solve(mdp, gamma=gamma, device=where) for where in ("cpu", "cuda"))
    assert swept.method == "synchronous"
    assert swept.converged
    np.testing.assert_allclose(swept.value, plain.value, atol=2e-6)
