"""The study/party exam: when to study before an exam (Problem 6.36, Figure 6.35)."""

from collections.abc import Mapping

from ...core import TableModel, from_successors
from ..options import number

BRANCHES = {  # state: where one gets having learned something, and where otherwise
    "u0": ("u1", "u2"),
    "u1": ("u3", "u2"),
    "u2": ("u3", "fail"),
    "u3": ("pass", "fail"),
}


def exam(
    *,
    study_reward: float = -1.0,
    party_reward: float = 1.0,
    pass_reward: float = 10.0,
    fail_reward: float = -10.0,
    p_study: float = 0.7,
    p_party: float = 0.3,
) -> TableModel:
    """The exam MDP: states u0 to u3, fail and pass; actions study and party.

    One learns something by studying with probability `p_study`, by partying with `p_party`, and passes if so
    in u3. Each step pays the reward of its action, the last one that of its end as well. Raises
    `OptionError`.
    """
    ends = {"pass": number("pass_reward", pass_reward), "fail": number("fail_reward", fail_reward)}
    actions = {
        "study": (number("p_study", p_study, 0, 1), number("study_reward", study_reward)),
        "party": (number("p_party", p_party, 0, 1), number("party_reward", party_reward)),
    }

    def outcomes(state: str) -> Mapping[str, list[tuple[float, str, float]]]:
        if state not in BRANCHES:
            return {}
        learned, otherwise = BRANCHES[state]
        return {
            action: [
                (chance, learned, reward + ends.get(learned, 0.0)),
                (1 - chance, otherwise, reward + ends.get(otherwise, 0.0)),
            ]
            for action, (chance, reward) in actions.items()
        }

    return TableModel(from_successors(outcomes, "u0", action_names=tuple(actions)))
