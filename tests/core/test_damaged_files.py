from __future__ import annotations

import gzip
import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from sample_files import DRN, LAB, POMDP, TRA, assert_equal, put

from rlkit.core import ModelError, ModelWarning, from_triplets
from rlkit.core.files import read_model, write_model
from rlkit.registry import names


def edited(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new)


BAD_TRA = {
    "count of transitions": (edited(TRA, "3 4 6", "3 4 9"), 1, "promises 9 lines, the file has 6"),
    "too many transitions": (edited(TRA, "3 4 6", "3 4 4"), 6, "promises 4 lines"),
    "count of choices": (edited(TRA, "3 4 6", "3 5 6"), 1, "promises 5 choices, the file has 4"),
    "header of words": (edited(TRA, "3 4 6", "3 many"), 1, "the header must hold 2 or 3 counts"),
    "another kind": (edited(TRA, "3 4 6", "ctmc"), 1, "ctmc models are not supported"),
    "PRISM's POMDP": (edited(TRA, "3 4 6", "3 4 6 2"), 1, "PRISM's files of POMDPs"),
    "interval": (edited(TRA, "0 0 1 0.5", "0 0 1 [0.4,0.6]"), 2, "[0.4,0.6] is an interval"),
    "spaced interval": (edited(TRA, "0 0 1 0.5", "0 0 1 [0.4, 0.6]"), 2, "is an interval"),
    "no states": ("0 0 0\n", 1, "at least one state"),
    "huge header": (
        edited(TRA, "3 4 6", "1000000000000 4 6"),
        1,
        "1000000000000 states are more than 6 transitions",
    ),
    "target": (edited(TRA, "1 0 2 1", "1 0 7 1"), 6, "there is no state 7"),
    "source": (edited(TRA, "2 0 2 1", "3 0 2 1"), 7, "there is no state 3"),
    "negative": (edited(TRA, "0 1 2 0.1", "0 1 2 -0.1"), 5, "-0.1 is negative"),
    "nan": (edited(TRA, "0 0 1 0.5", "0 0 1 nan"), 2, "'nan' is no probability"),
    "infinite": (edited(TRA, "0 0 1 0.5", "0 0 1 1e999"), 2, "'1e999' is no probability"),
    "a word": (edited(TRA, "0 0 1 0.5", "0 0 1 half"), 2, "'half' is no probability"),
    "two dots": (edited(TRA, "0 0 1 0.5", "0 0 1 0.5.1"), 2, "is no probability"),
    "underscore": (edited(TRA, "0 0 1 0.5", "0 0 1 0_5"), 2, "is no probability"),
    "fractional state": (edited(TRA, "0 0 1 0.5", "0 0 1.5 0.5"), 2, "'1.5' is no whole number"),
    "negative state": (edited(TRA, "0 0 1 0.5", "0 0 -1 0.5"), 2, "'-1' is no whole number"),
    "row sum": (edited(TRA, "0 1 2 0.1", "0 1 2 0.2"), 4, "sum to 1.1, not 1"),
    "short line": (edited(TRA, "0 1 2 0.1", "0 1 2"), 5, "expected 4 numbers"),
    "long line": (edited(TRA, "0 1 2 0.1", "0 1 2 0.1 a b"), 5, "expected 4 numbers"),
    "duplicate": (edited(TRA, "0 0 2 0.5", "0 0 1 0.5"), 3, "0 0 1 appears twice"),
    "gap": (
        edited(edited(TRA, "\n0 1 0", "\n0 2 0"), "\n0 1 2", "\n0 2 2"),
        4,
        "a choice 2, but no choice 1",
    ),
    "two actions": (edited(TRA, "0 0 1 0.5", "0 0 1 0.5 left"), 3, "another action"),
    "empty": ("", 1, "empty"),
    "only comments": ("# nothing\n", 1, "no header"),
    "not UTF-8": (TRA.encode() + b"# \xff\n", 8, "not UTF-8"),
}


@pytest.mark.parametrize("case", BAD_TRA)
def test_bad_tra(tmp_path: Path, case: str) -> None:
    text, line, what = BAD_TRA[case]
    with pytest.raises(ModelError) as caught:
        read_model(put(tmp_path, "m.tra", text))
    assert str(caught.value).startswith(f"m.tra:{line}: ")
    assert what in str(caught.value)


def test_error_lines_survive_comments_disorder_and_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bad row is given on line 8, behind a comment, a blank line and rows that are not in order."""
    text = "# top\n3 4 6\n2 0 2 1\n1 0 2 1\n\n# middle\n0 1 0 0.9\n0 0 1 0.4\n0 1 2 0.1\n0 0 2 0.5\n"
    path = put(tmp_path, "m.tra", text)
    for size in (1 << 20, 64, 7, 1):
        monkeypatch.setattr("rlkit.core.files.text.BLOCK", size)
        with pytest.raises(ModelError, match=r"^m\.tra:8: .*sum to 0.9"):
            read_model(path)
    drn = put(tmp_path, "m.drn", edited(DRN, "state 1 [0, 0]", "state 1 [0, zero]"))
    with pytest.raises(ModelError, match=r"^m\.drn:17: "):
        read_model(drn, reward_model="gain")


def test_small_blocks_read_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [
        put(tmp_path, "m.tra", TRA),
        put(tmp_path, "n.drn", DRN.replace("cost gain", "gain").replace("0, ", "")),
    ]
    text = paths[1].read_text().replace("[1, 10]", "[10]")
    put(tmp_path, "n.drn", text)
    whole = [read_model(path) for path in paths]
    head = text.index("@model") + len("@model\n")
    for size in (head, 300):
        monkeypatch.setattr("rlkit.core.files.text.BLOCK", size)
        for path, mdp in zip(paths, whole, strict=True):
            assert_equal(read_model(path), mdp)


@pytest.mark.parametrize(
    ("name", "text", "line", "what"),
    [
        ("m.lab", '0="init" 1="goal"\n0: 0\n9: 1\n', 3, "there is no state 9"),
        ("m.lab", '0="init"\n0: 0 4\n', 2, "label 4 is not declared (declared: 0)"),
        ("m.lab", '0="init" 0="goal"\n', 1, "declared twice"),
        ("m.lab", "init goal\n", 1, "expected declarations"),
        ("m.lab", '0="init"\n0 0\n', 2, "expected STATE: LABEL"),
        ("m.lab", '0="init"\n0: 0\n0: 0\n', 3, "state 0 appears twice"),
        ("m.srew", "3 1\n5 1\n", 2, "there is no state 5"),
        ("m.srew", "3 2\n0 1\n", 1, "promises 2 lines, the file has 1"),
        ("m.srew", "4 1\n0 1\n", 1, "says 4 states, the model has 3"),
        ("m.srew", "3 2\n1 1\n1 2\n", 3, "1 appears twice"),
        ("m.srew", "3 1\n1 inf\n", 2, "'inf' is no reward"),
        ("m.trew", "3 4 2\n0 0 1 1\n0 0 0 1\n", 3, "no transition 0 0 0"),
        ("m.trew", "3 4 1\n2 1 2 1\n", 2, "no transition 2 1 2"),
        ("m.trew", "3 4 1\n0 9 1\n", 2, "no transition 0 9"),
        ("m.trew", "3 4 1\n0 0 999999999999 1\n", 2, "no transition"),
        ("m.trew", "3 4 2\n0 0 1 1\n0 0 1 2\n", 3, "0 0 1 appears twice"),
    ],
)
def test_bad_labels_and_rewards(tmp_path: Path, name: str, text: str, line: int, what: str) -> None:
    model, path = put(tmp_path, "m.tra", TRA), put(tmp_path, name, text)
    kind = {"labels": path} if name.endswith(".lab") else {"rewards": [path]}
    with pytest.raises(ModelError) as caught:
        read_model(model, **kind)
    assert str(caught.value).startswith(f"{name}:{line}: ")
    assert what in str(caught.value)


BAD_DRN = {
    "type": (edited(DRN, "@type: MDP", "@type: CTMC"), 1, "CTMC models are not supported"),
    "parameters": (edited(DRN, "@parameters\n\n", "@parameters\np q\n"), 2, "p q"),
    "states": (edited(DRN, "@nr_states\n2", "@nr_states\n3"), 6, "promises 3 states, the file has 2"),
    "huge header": (edited(DRN, "@nr_states\n2", "@nr_states\n1000000000000"), 6, "the file has 2"),
    "choices": (edited(DRN, "@nr_choices\n3", "@nr_choices\n9"), 8, "promises 9 choices, the file has 3"),
    "too many states": (edited(DRN, "@nr_states\n2", "@nr_states\n1"), 17, "expected no more states"),
    "state twice": (edited(DRN, "state 1", "state 0"), 17, "expected state 1, found state 0"),
    "target": (edited(DRN, "1 : 2/3", "5 : 2/3"), 14, "there is no state 5"),
    "negative": (edited(DRN, "1 : 2/3", "1 : -2/3"), 14, "is negative"),
    "zero denominator": (edited(DRN, "1 : 2/3", "1 : 2/0"), 14, "'2/0' is no probability"),
    "no colon": (edited(DRN, "1 : 2/3", "1 2/3"), 14, "expected STATE : PROBABILITY"),
    "row sum": (edited(DRN, "1 : 2/3", "1 : 1/3"), 12, "sum to 0.666666667, not 1"),
    "duplicate": (edited(DRN, "1 : 2/3", "0 : 2/3"), 12, "names successor 0 twice"),
    "no successor": (edited(DRN, "\t\t0 : 1\n", ""), 15, "no successor"),
    "rewards": (edited(DRN, "action go [0, 1]", "action go [0]"), 12, "expected 2 rewards, found 1"),
    "action": (edited(DRN, "action go [0, 1]", "action go [0, 1"), 12, "expected action NAME"),
    "interval": (edited(DRN, "1 : 2/3", "1 : [0.5, 0.7]"), 14, "[0.5, 0.7] is an interval"),
    "tight interval": (edited(DRN, "1 : 2/3", "1 : [0.5,0.7]"), 14, "[0.5,0.7] is an interval"),
    "intervals": (
        edited(DRN, "@parameters", "@value_type: double-interval\n@parameters"),
        2,
        "double-interval: models of intervals",
    ),
    "line": (edited(DRN, "action go [0, 1]", "nonsense"), 12, "found 'nonsense'"),
    "early action": (edited(DRN, "state 0", "action a [0, 1]\n0 : 1\nstate 0"), 11, "before the first state"),
    "label twice": (edited(DRN, "init", "init init"), 11, "appears twice"),
    "rate": (edited(DRN, "state 0 [1, 10]", "state 0 !5 [1, 10]"), 11, "behind the state"),
    "no model": (edited(DRN, "@model", ""), 1, "no @model"),
    "not UTF-8": (DRN.encode() + b"// \xff\n", 20, "not UTF-8"),
}


@pytest.mark.parametrize("case", BAD_DRN)
def test_bad_drn(tmp_path: Path, case: str) -> None:
    text, line, what = BAD_DRN[case]
    with pytest.raises(ModelError) as caught:
        read_model(put(tmp_path, "m.drn", text), reward_model="gain")
    assert what in str(caught.value)
    assert str(caught.value).startswith(f"m.drn:{line}: ")


def test_unknown_reward_model_lists_the_known(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"^m\.drn:4: no reward model 'x'|^m\.drn:4: .*cost, gain"):
        read_model(put(tmp_path, "m.drn", DRN), reward_model="x")


BAD_POMDP = {
    "no number": (edited(POMDP, "0.75 0.25", "0.75 many"), 11, "'many' is no number"),
    "observations": (edited(POMDP, "0.75 0.25", "0.75 0.5"), 10, "sum to 1.25, not 1"),
    "no observation": (edited(POMDP, "O: * : right : high 0.5\n", ""), 12, "sum to 0.5, not 1"),
    "unknown state": (
        edited(POMDP, ": right : high 0.5", ": up : high 0.5"),
        13,
        "'up' is none of the states",
    ),
    "missing row": (edited(POMDP, "T: wait identity\n", ""), 14, "state left, action wait has no transition"),
    "row sum": (edited(POMDP, "T: wait identity", "T: wait : * : * 0.6"), 7, "sum to 1.2, not 1"),
    "probability": (edited(POMDP, "T: wait identity", "T: wait : * : * -1"), 7, "-1.0 is no probability"),
    "discount": (edited(POMDP, "discount: 0.9", "discount: 2"), 1, "discount must lie in [0, 1]"),
    "values": (edited(POMDP, "values: reward", "values: gold"), 2, "reward or cost, not 'gold'"),
    "twice": (edited(POMDP, "values: reward", "discount: 1"), 2, "discount appears twice"),
    "name twice": (edited(POMDP, "states: left right", "states: left left"), 3, "'left' appears twice"),
    "start": (edited(POMDP, "start: left", "start: 0.5 0.6"), 6, "sum to 1.1, not 1"),
    "start length": (edited(POMDP, "start: left", "start: 0.5 0.3 0.2"), 6, "expected 2 probabilities"),
    "section": (edited(POMDP, "T: wait", "X: wait"), 7, "expected one of discount, values"),
    "ends early": (edited(POMDP, ": right : high 5", ": right : high"), 15, "ends too early"),
    "huge": (edited(POMDP, "states: left right", "states: 1000000000000"), 3, "1000000000000 states"),
    "uniform": (
        "discount: 1\nvalues: cost\nstates: 1000000\nactions: 1000\nT: * uniform\n",
        5,
        "expands to more than",
    ),
    "empty": ("", 1, "empty"),
    "comment": ("# nothing\n", 1, "there are no states"),
}


@pytest.mark.parametrize("case", BAD_POMDP)
def test_bad_pomdp(tmp_path: Path, case: str) -> None:
    text, line, what = BAD_POMDP[case]
    with pytest.raises(ModelError) as caught:
        read_model(put(tmp_path, "m.POMDP", text))
    assert what in str(caught.value)
    assert str(caught.value).startswith(f"m.POMDP:{line}: ")


def own_json(tmp_path: Path, **changes: object) -> Path:
    write_model(read_model(put(tmp_path, "m.tra", TRA)), tmp_path / "m.json")
    fields = json.loads((tmp_path / "m.json").read_text()) | changes
    return put(tmp_path, "m.json", json.dumps(fields))


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"format": "other"}, "rlkit-mdp"),
        ({"version": 2}, "version 2 is unknown"),
        ({"discount": "1"}, "discount must be a number"),
        ({"discount": 7}, "discount must lie in"),
        ({"successor": [1, 2]}, "choice_ptr must rise"),
        ({"successor": ["a"]}, "successor must be a list of whole numbers"),
        ({"successor": [[1], [2, 3]]}, "successor must be a list of whole numbers"),
        ({"probability": None}, "probability must be a list of numbers"),
        ({"probability": [0.5, 0.5, 0.9, float("nan"), 1, 1]}, "not finite"),
        ({"labels": {"a": [2, 1]}}, "must ascend"),
        ({"labels": []}, "labels must map"),
        ({"state_names": "abc"}, "state_names must be a list"),
        ({"action": [0, 1, 0, 10**30]}, "action must be a list of whole numbers"),
    ],
)
def test_bad_json_fields(tmp_path: Path, changes: dict[str, object], what: str) -> None:
    with pytest.raises(ModelError, match=r"^m\.json:") as caught:
        read_model(own_json(tmp_path, **changes))
    assert what in str(caught.value)


@pytest.mark.parametrize(
    ("text", "line"),
    [("{\n\n nonsense", 3), ("[]", 1), ("", 1), ('{"a": 1,\n "a"', 2), ("[" * 100_000, None)],
)
def test_bad_json_text(tmp_path: Path, text: str, line: int | None) -> None:
    with pytest.raises(ModelError) as caught:
        read_model(put(tmp_path, "m.json", text))
    assert str(caught.value).startswith("m.json:" if line is None else f"m.json:{line}: ")


def test_json_field_given_twice(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"^m\.json: field 'a' appears twice"):
        read_model(put(tmp_path, "m.json", '{"a": 1, "a": 2}'))


def test_messages_are_short(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"^m\.tra:1: the header") as caught:
        read_model(put(tmp_path, "m.tra", "1" * 100_000))
    assert len(str(caught.value)) < 400


def test_npz_runs_no_code(tmp_path: Path) -> None:
    np.savez(tmp_path / "m.npz", header=np.array([print], dtype=object))
    with pytest.raises(ModelError, match=r"^m\.npz: "):
        read_model(tmp_path / "m.npz")


@pytest.mark.parametrize("keep", [0, 10, 200, -30])
def test_damaged_npz(tmp_path: Path, keep: int) -> None:
    write_model(read_model(put(tmp_path, "m.tra", TRA)), tmp_path / "m.npz")
    put(tmp_path, "m.npz", (tmp_path / "m.npz").read_bytes()[:keep])
    with pytest.raises(ModelError, match=r"^m\.npz: "):
        read_model(tmp_path / "m.npz")


@pytest.mark.parametrize("name", [f"m{kind}.gz" for kind in names("file")])
def test_damaged_gzip(tmp_path: Path, name: str) -> None:
    data = gzip.compress(TRA.encode() * 50)
    for bad in (data[:-12], data[:30], b"plain text", data[:40] + b"\0" * 20 + data[60:]):
        with pytest.raises(ModelError, match=rf"^{name}:"):
            read_model(put(tmp_path, name, bad))


@settings(max_examples=250, deadline=None)
@given(data=st.data())
def test_no_damage_escapes_as_another_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    good = {"m.tra": TRA, "m.lab": LAB, "m.drn": DRN, "m.POMDP": POMDP, "m.srew": "3 1\n0 2\n"}
    write_model(read_model(put(folder, "g.tra", TRA)), folder / "m.json")
    good["m.json"] = (folder / "m.json").read_text()
    name = data.draw(st.sampled_from(sorted(good)))
    text = good[name]
    place = data.draw(st.integers(0, len(text) - 1))
    length = data.draw(st.integers(0, 4))
    junk = data.draw(st.text('0129.-+e/:#[]*"{}, \t\nsaTOR\x00é', max_size=3))
    path = put(folder, name, text[:place] + junk + text[place + length :])
    tra = put(folder, "g.tra", TRA)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ModelWarning)
        try:
            if name == "m.lab":
                read_model(tra, labels=path)
            elif name == "m.srew":
                read_model(tra, rewards=[path])
            else:
                read_model(path)
            said = f"{name}:"
        except ModelError as error:
            said = str(error)
    assert said.startswith(f"{name}:")


def test_wrong_combinations(tmp_path: Path) -> None:
    tra, drn = put(tmp_path, "m.tra", TRA), put(tmp_path, "m.drn", DRN)
    with pytest.raises(ModelError, match=r"^m\.txt: the suffix '\.txt' is unknown \(known: \.json"):
        read_model(tmp_path / "m.txt")
    with pytest.raises(ModelError, match=r"^m\.txt: the suffix '\.txt' is unknown \(known: \.json"):
        write_model(read_model(tra), tmp_path / "m.txt")
    with pytest.raises(ModelError, match=r"^m\.drn: the option 'labels' is for \.tra files"):
        read_model(drn, labels=tra)
    with pytest.raises(ModelError, match=r"^m\.tra: the option 'reward_model' is for \.drn files"):
        read_model(tra, reward_model="x")
    with pytest.raises(ModelError, match=r"^m\.drn: rewards must be in"):
        read_model(tra, rewards=[drn])
    with pytest.raises(ModelError, match=r"^m\.tra: no option 'lables'"):
        read_model(tra, lables=tra)
    with pytest.raises(FileNotFoundError):
        read_model(tmp_path / "nowhere.tra")


def test_what_a_format_cannot_say_is_refused(tmp_path: Path) -> None:
    triplets = ([0, 1], [0, 0], [1, 0], [1, 1])
    uneven = from_triplets(*triplets, n_states=2, initial=[0.25, 0.75])
    spaced = from_triplets(*triplets, n_states=2, action_names=["go left", "go_left"])
    other = from_triplets(*triplets, n_states=2, labels={"init": [1]})
    for mdp, what in ((uneven, "equally likely"), (spaced, "'go left'"), (other, '"init"')):
        for name in ("m.tra", "m.drn"):
            with pytest.raises(ModelError, match=what):
                write_model(mdp, tmp_path / name)
