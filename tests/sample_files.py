"""Small files of every format that rlkit reads, for the tests of reading them and of damaging them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rlkit.core import MDP

TRA = """3 4 6
0 0 1 0.5
0 0 2 0.5
0 1 0 0.9
0 1 2 0.1
1 0 2 1
2 0 2 1
"""
LAB = '0="init" 1="goal"\n0: 0\n2: 1\n'
DRN = """@type: MDP
@parameters

@reward_models
cost gain
@nr_states
2
@nr_choices
3
@model
state 0 [1, 10] init
	action go [0, 1]
		0 : 1/3
		1 : 2/3
	action stay [0, 2]
		0 : 1
state 1 [0, 0] "the end" done
	action __NOLABEL__ [0, 0]
		1 : 1
"""
POMDP = """discount: 0.9
values: reward
states: left right
actions: wait switch
observations: low high
start: left
T: wait identity
T: switch
uniform
O: * : left
0.75 0.25
O: * : right : low 0.5
O: * : right : high 0.5
R: * : * : * : * 1
R: switch : * : right : high 5
"""
TIGER = """discount: 0.95
values: reward
states: tiger-left tiger-right
actions: listen open-left open-right
observations: hear-left hear-right
T: listen identity
T: open-left uniform
T: open-right uniform
O: listen
0.85 0.15
0.15 0.85
O: open-left uniform
O: open-right uniform
R: listen : * : * : * -1
R: open-left : tiger-left : * : * -100
R: open-left : tiger-right : * : * 10
R: open-right : tiger-left : * : * 10
R: open-right : tiger-right : * : * -100
"""  # Kaelbling, Littman and Cassandra 1998, section 5.1


def put(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def assert_equal(a: MDP, b: MDP) -> None:
    for name in ("state_ptr", "choice_ptr", "successor", "probability", "reward", "action", "initial"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)
    assert (a.transition_reward is None) == (b.transition_reward is None)
    if a.transition_reward is not None:
        np.testing.assert_array_equal(a.transition_reward, b.transition_reward)
    assert a.discount == b.discount
    assert a.state_names == b.state_names
    assert a.action_names == b.action_names
    assert {k: v.tolist() for k, v in a.labels.items()} == {k: v.tolist() for k, v in b.labels.items()}
