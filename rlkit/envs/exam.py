"""The study/party exam: when to study before an exam (Problem 6.36, Figure 6.35)."""

from __future__ import annotations

from collections.abc import Mapping

from ..core import TableModel, from_successors

STUDY_REWARD, PARTY_REWARD = -1.0, 1.0
END_REWARD = {"pass": 10.0, "fail": -10.0}
LEARNED_WHEN_STUDYING, LEARNED_WHEN_PARTYING = 0.7, 0.3
BRANCHES = {  # state: where one gets having learned something, and where otherwise
    "u0": ("u1", "u2"),
    "u1": ("u3", "u2"),
    "u2": ("u3", "fail"),
    "u3": ("pass", "fail"),
}


def exam() -> TableModel:
    """The exam MDP: states u0 to u3, fail and pass; actions study and party."""
    return TableModel(from_successors(_outcomes, "u0", action_names=("study", "party")))


def _outcomes(state: str) -> Mapping[str, list[tuple[float, str, float]]]:
    if state not in BRANCHES:
        return {}
    learned, otherwise = BRANCHES[state]
    return {
        action: [
            (chance, learned, reward + END_REWARD.get(learned, 0.0)),
            (1 - chance, otherwise, reward + END_REWARD.get(otherwise, 0.0)),
        ]
        for action, reward, chance in (
            ("study", STUDY_REWARD, LEARNED_WHEN_STUDYING),
            ("party", PARTY_REWARD, LEARNED_WHEN_PARTYING),
        )
    }
