"""Settings with which every tabular agent learns four small tasks to 99 % of the optimum and above.

An off-policy agent needs few: its policy is greedy, whatever it explores. One on the policy that acts learns
the best epsilon-greedy policy, which on slippery ice is the greedy one at gamma 0.97, but not at 0.99 where
epsilon is above 0.05. Returns of whole episodes vary most, and are averaged longest.
"""

from collections.abc import Mapping

EXAM, LAKE, CLIFF, TAXI = (f"rlkit/{name}-v0" for name in ("Exam", "FrozenLake", "CliffWalking", "Taxi"))

_ON_POLICY = ("sarsa", "expected_sarsa", "n_step_sarsa", "td_lambda")
_OFF_POLICY = ("q_learning", "double_q", "q_lambda", "dyna_q")
_WIDE = {"num_envs": 1024}
_ON_ICE = {**_WIDE, "gamma": 0.97, "learning_rate": 0.05, "epsilon_end": 0.2}
_AVERAGE = {"learning_rate": 1.0, "schedule": "constant", "omega": 0.8}

# (agent, environment id): (environment steps that suffice, fields that differ from the defaults)
PRESETS: dict[tuple[str, str], tuple[int, Mapping[str, object]]] = {
    **{(name, EXAM): (204_800, {}) for name in (*_ON_POLICY, *_OFF_POLICY, "mc")},
    ("prioritized_sweeping", EXAM): (51_200, {}),
    **{(name, LAKE): (2_048_000, _ON_ICE) for name in _ON_POLICY},
    **{
        (name, LAKE): (1_024_000, {**_WIDE, "learning_rate": 0.2, "epsilon_end": 0.1}) for name in _OFF_POLICY
    },
    ("mc", LAKE): (2_048_000, {**_WIDE, **_AVERAGE, "gamma": 0.97, "epsilon_end": 0.2}),
    ("prioritized_sweeping", LAKE): (512_000, {}),
    **{(name, CLIFF): (512_000, {}) for name in (*_ON_POLICY, *_OFF_POLICY, "prioritized_sweeping")},
    ("mc", CLIFF): (2_048_000, {**_AVERAGE, "omega": 0.6, "epsilon_end": 0.1, "epsilon_fraction": 1.0}),
    **{(name, TAXI): (1_024_000, _WIDE) for name in (*_ON_POLICY, *_OFF_POLICY)},
    ("mc", TAXI): (4_096_000, {**_WIDE, **_AVERAGE}),
    ("prioritized_sweeping", TAXI): (512_000, _WIDE),
}
