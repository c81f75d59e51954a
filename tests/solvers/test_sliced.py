"""Models in slices, as a kernel on a GPU reads them, and that kernel where there is one."""

from importlib.util import find_spec

import numpy as np
import pytest
import torch

from rlkit import exact, solve
from rlkit.core import MDP, from_triplets
from rlkit.solvers.backends import gpu, sliced
from rlkit.solvers.backends.backups import NumpyBackup
from rlkit.solvers.backends.gpu import backup_on
from rlkit.solvers.backends.sliced import LANES, Slices, filled, slices_of

GPU = torch.cuda.is_available() and find_spec("triton") is not None
MODELS = {
    "a terminal state alone in its slice": ("rlkit/GridWorld-v0", {"map": "S" + "." * (LANES - 1) + "G"}),
    "as many choices everywhere": ("rlkit/Garnet-v0", {}),
    "one choice, and many": ("rlkit/Inventory-v0", {"capacity": 40, "demand": [0.2] * 5}),
    "a few states": ("rlkit/Exam-v0", {}),
}


def backed_up(slices: Slices, v: np.ndarray, gamma: float) -> np.ndarray:
    """What the kernel computes, slice by slice."""
    found = []
    for begin, end in zip(slices.first_row[:-1], slices.first_row[1:], strict=True):
        best = np.full(LANES, -np.inf)
        for row in range(begin, end):
            steps = slice(slices.first_step[row], slices.first_step[row + 1])
            q = (slices.probability[steps] * v[slices.successor[steps]]).sum(0)
            best = np.maximum(best, q * gamma + slices.reward[row])
        found.append(best)
    return np.concatenate(found)[: len(v)]


@pytest.fixture(params=MODELS)
def mdp(request: pytest.FixtureRequest) -> MDP:
    env_id, options = MODELS[request.param]
    found = exact(env_id, **options)
    assert isinstance(found, MDP)
    return found


def test_slices_hold_the_model(mdp: MDP) -> None:
    v = np.random.default_rng(0).normal(size=mdp.n_states)
    found, expected = backed_up(slices_of(mdp), v, 0.9), NumpyBackup(mdp, 0.9)(v).value
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-13)


def test_a_slice_is_as_wide_as_its_widest_state() -> None:
    """What is added are zeros: 40 orders in the empty store, 1 in the full one."""
    env_id, options = MODELS["one choice, and many"]
    found = exact(env_id, **options)
    slices = slices_of(found)
    assert slices.first_row.tolist() == [0, found.legal.sum(1).max()]
    assert np.isfinite(slices.reward).sum() == found.n_choices
    assert (slices.probability > 0).sum() == found.n_transitions


def test_a_model_that_would_be_mostly_zeros_is_not_cut_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """One state in each slice that leads everywhere, and others that lead to one."""
    n = 4 * LANES
    triplets = [(s, 0, t, 1 / n) for s in range(0, n, LANES) for t in range(n)]
    triplets += [(s, 0, 0, 1.0) for s in range(n) if s % LANES]
    uneven = from_triplets(*zip(*triplets, strict=True), n_states=n, reward=1.0)
    assert filled(uneven) < 0.05
    even = exact("rlkit/Garnet-v0")
    assert isinstance(even, MDP)
    monkeypatch.setattr(gpu, "find_spec", lambda name: object())
    monkeypatch.setattr(gpu, "which", lambda name: name)
    monkeypatch.setattr(sliced, "SlicedBackup", lambda *given: "slices")
    monkeypatch.setattr(gpu, "DeviceBackup", lambda *given: "rows")
    assert [backup_on("cuda", mdp, 0.9) for mdp in (uneven, even)] == ["rows", "slices"]
    assert backup_on("cpu", even, 0.9) == "rows"
    monkeypatch.setattr(gpu, "which", lambda name: None)
    assert backup_on("cuda", even, 0.9) == "rows"


@pytest.mark.skipif(not GPU, reason="no GPU, or no Triton")
def test_the_kernel_backs_up_as_the_plain_operator_does(mdp: MDP) -> None:
    v = np.random.default_rng(0).normal(size=mdp.n_states)
    plain, fused = NumpyBackup(mdp, 0.9)(v), backup_on("cuda", mdp, 0.9)(v)
    np.testing.assert_allclose(fused.value.cpu().numpy(), plain.value, rtol=1e-13, atol=1e-13)
    assert (fused.low, fused.high) == pytest.approx((plain.low, plain.high), abs=1e-13)


@pytest.mark.skipif(not GPU, reason="no GPU, or no Triton")
def test_a_solution_by_the_kernel_has_the_same_certificate(mdp: MDP) -> None:
    plain, swept = (solve(mdp, gamma=0.95, device=where) for where in ("cpu", "cuda"))
    assert swept.converged
    np.testing.assert_allclose(swept.value, plain.value, atol=2e-6)
