"""What proves bounds: one backup of each, and a policy that ends."""

import numpy as np
import pytest

from rlkit.core import from_successors
from rlkit.solvers.undiscounted import certificate
from rlkit.solvers.undiscounted.certificate import encloses


def test_bounds_by_a_policy_that_never_ends_are_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    """In exact numbers no lower bound rises there and no upper one falls; in floats a huge one does rise."""
    mdp = from_successors(
        lambda s: {0: [(0.1, t, -1.0) for t in range(10)], 1: [(1.0, 10, -1.0)]} if s < 10 else {}, 0
    )
    circling = np.array([c for c in range(mdp.n_choices) if mdp.action[c] == 0])
    choice = np.full(mdp.n_states, -1)
    choice[~mdp.terminal] = circling
    high = np.zeros(mdp.n_states)
    huge = [np.where(mdp.terminal, 0.0, 2.0**62 + k * 2.0**13) for k in range(200)]
    assert not any(encloses(mdp, choice, low, high) for low in huge)
    monkeypatch.setattr(certificate, "ends_surely", lambda *given: True)
    assert any(encloses(mdp, choice, low, high) for low in huge), "without the policy's end they count"


def test_bounds_by_a_policy_that_ends_are_a_proof() -> None:
    mdp = from_successors(lambda s: {0: [(0.5, 0, -1.0), (0.5, 1, -1.0)]} if s == 0 else {}, 0)
    choice = np.array([0, -1])
    assert encloses(mdp, choice, np.array([-2.1, 0.0]), np.array([-1.9, 0.0]))
    assert not encloses(mdp, choice, np.array([-1.9, 0.0]), np.array([-1.9, 0.0]))
    assert not encloses(mdp, choice, np.array([-2.1, 0.0]), np.array([-2.1, 0.0]))
