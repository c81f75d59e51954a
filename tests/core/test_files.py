from __future__ import annotations

import gzip
import itertools
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from sample_files import DRN, LAB, POMDP, TRA, assert_equal, put

from rlkit import core
from rlkit.core import MDP, ModelError, ModelWarning, from_triplets
from rlkit.core.files import read_model, write_model
from rlkit.core.files.text import split
from rlkit.registry import find, names
from rlkit.solvers import optimum, solve

FORMATS = {kind: find("file", kind) for kind in names("file")}
EXACT = [kind for kind, known in FORMATS.items() if known.write is not None and known.exact]
FOREIGN = [kind for kind, known in FORMATS.items() if known.write is not None and not known.exact]


@st.composite
def models(draw: st.DrawFn) -> MDP:
    """State-dependent actions, terminal and unreachable states, parallel transitions, odd names."""
    n = draw(st.integers(1, 5))
    rows = []
    numbers = st.floats(-1e6, 1e6, allow_nan=False)
    for s in range(n):
        for a in draw(st.sets(st.integers(0, 3), max_size=3)):
            targets = draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=4))
            weights = draw(st.lists(st.integers(1, 9), min_size=len(targets), max_size=len(targets)))
            for t, w in zip(targets, weights, strict=True):
                rows.append((s, a, t, w / sum(weights), draw(numbers)))
    columns = np.array(rows, dtype=float).reshape(-1, 5).T
    text = st.text(max_size=5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ModelWarning)
        return from_triplets(
            *(columns[i].astype(int) for i in range(3)),
            columns[3],
            n_states=n,
            reward=columns[4],
            initial=np.full(n, 1 / n),
            discount=draw(st.floats(0, 1)),
            state_names=draw(st.none() | st.lists(text, min_size=n, max_size=n)),
            action_names=draw(st.none() | st.lists(text, min_size=4, max_size=4)),
            labels=draw(st.dictionaries(text, st.lists(st.integers(0, n - 1)), max_size=3)),
        )


@settings(max_examples=60, deadline=None)
@given(mdp=models(), suffix=st.sampled_from([f"{k}{end}" for k in EXACT for end in ("", ".gz")]))
def test_own_formats_keep_every_field(
    tmp_path_factory: pytest.TempPathFactory, mdp: MDP, suffix: str
) -> None:
    path = tmp_path_factory.mktemp("own") / f"model{suffix}"
    write_model(mdp, path)
    assert_equal(read_model(path), mdp)


@settings(max_examples=60, deadline=None)
@given(mdp=models(), kind=st.sampled_from(FOREIGN), end=st.sampled_from(["", ".gz"]))
def test_foreign_formats_keep_the_problem(
    tmp_path_factory: pytest.TempPathFactory, mdp: MDP, kind: str, end: str
) -> None:
    """Compared as dense arrays, since parallel transitions are merged."""
    path = tmp_path_factory.mktemp("foreign") / f"model{kind}{end}"
    plain = MDP(
        **{k: getattr(mdp, k) for k in ("state_ptr", "choice_ptr", "successor", "probability", "reward")},
        **{k: getattr(mdp, k) for k in ("action", "initial", "transition_reward")},
        labels={"odd name": np.array([0])},
    )
    write_model(plain, path)
    side = {ext: path.with_name(f"model{ext}{end}") for ext in (".lab", ".trew")}
    beside = {"labels": side[".lab"], "rewards": [side[".trew"]]} if kind == ".tra" else {}
    again = read_model(path, **beside)
    assert again.n_states == plain.n_states
    np.testing.assert_array_equal(again.state_ptr, plain.state_ptr)
    np.testing.assert_array_equal(again.action, plain.action)
    np.testing.assert_allclose(again.matrix.toarray(), plain.matrix.toarray(), rtol=1e-12)
    np.testing.assert_allclose(again.reward, plain.reward, rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose(again.initial, plain.initial)
    assert again.labels["odd name"].tolist() == [0]


def test_equal_models_make_equal_compressed_files(tmp_path: Path) -> None:
    mdp = read_model(put(tmp_path, "a.tra", TRA))
    contents = []
    for _ in range(2):
        write_model(mdp, tmp_path / "b.npz.gz")
        contents.append((tmp_path / "b.npz.gz").read_bytes())
    assert contents[0] == contents[1]


@pytest.mark.parametrize("comment", ["", "# made by hand\n# twice\n"])
@pytest.mark.parametrize("end", ["", ".gz"])
def test_prism_files(tmp_path: Path, comment: str, end: str) -> None:
    def both(name: str, text: str) -> Path:
        data = (comment + text).encode()
        return put(tmp_path, name + end, gzip.compress(data) if end else data)

    mdp = read_model(
        both("m.tra", TRA),
        labels=both("m.lab", LAB),
        rewards=[both("m.srew", "3 1\n0 2\n"), both("m.trew", "3 4 2\n0 1 0 10\n1 0 2 7\n")],
    )
    assert (mdp.n_states, mdp.n_choices, mdp.n_transitions) == (3, 4, 6)
    assert mdp.states_with("goal").tolist() == [2]
    assert mdp.reward.tolist() == [2, 11, 7, 0]
    assert mdp.transition_reward is not None
    assert mdp.transition_reward.tolist() == [2, 2, 12, 2, 7, 0]
    assert not mdp.terminal.any(), "a state with a self loop is not terminal"
    assert mdp.action_names is None


def test_prism_chain_and_choice_rewards(tmp_path: Path) -> None:
    chain = put(tmp_path, "c.tra", "3 3\n0 1 0.25\n0 2 0.75\n1 2 1\n")
    mdp = read_model(chain, rewards=[put(tmp_path, "c.trew", "3 1\n0 2 4\n")])
    assert mdp.reward.tolist() == [3, 0]
    assert mdp.terminal.tolist() == [False, False, True]
    by_choice = read_model(put(tmp_path, "m.tra", TRA), rewards=[put(tmp_path, "m.trew", "3 4 1\n0 1 8\n")])
    assert by_choice.reward.tolist() == [0, 8, 0, 0]
    assert by_choice.transition_reward is None


def test_prism_lines_in_any_order_and_actions_by_name(tmp_path: Path) -> None:
    lines = ["0 0 1 1 b", "0 1 0 0.5 a", "0 1 1 0.5 a", "1 0 1 1 a", "1 1 0 1 b", "1 2 1 1"]
    expected = None
    for order in itertools.islice(itertools.permutations(lines), 0, 720, 97):
        mdp = read_model(put(tmp_path, "m.tra", "2 5 6\n" + "\n".join(order)))
        assert mdp.action_names is not None
        table = {
            (int(s), mdp.action_names[a]): mdp.matrix[[c]].toarray()[0].tolist()
            for c, (s, a) in enumerate(zip(mdp.state_of_choice, mdp.action, strict=True))
        }
        expected = expected or table
        assert table == expected
    assert set(expected or ()) == {(0, "b"), (0, "a"), (1, "a"), (1, "b"), (1, "2")}


def test_rewards_by_their_newer_names(tmp_path: Path) -> None:
    model = put(tmp_path, "m.tra", TRA)
    files = [put(tmp_path, "m.rews", "3 1\n0 2\n"), put(tmp_path, "m.rewt", "3 4 1\n0 1 8\n")]
    assert read_model(model, rewards=files).reward.tolist() == [2, 10, 0, 0]


def test_repeated_action_names_are_counted(tmp_path: Path) -> None:
    mdp = read_model(put(tmp_path, "m.tra", "2 4 4\n0 0 1 1 go\n0 1 0 1 go\n0 2 1 1 stop\n1 0 1 1 go\n"))
    assert mdp.action_names == ("go", "go#2", "stop")
    write_model(mdp, tmp_path / "again.tra")
    assert read_model(tmp_path / "again.tra").action_names == mdp.action_names


def test_drn(tmp_path: Path) -> None:
    path = put(tmp_path, "m.drn", "// by hand\n" + DRN)
    mdp = read_model(path, reward_model="gain")
    assert mdp.reward.tolist() == [11, 12, 0]
    assert mdp.action_names == ("go", "stay", "0")
    assert mdp.labels["the end"].tolist() == mdp.labels["done"].tolist() == [1]
    assert mdp.probability[:2].tolist() == [1 / 3, 2 / 3]
    assert read_model(path, reward_model="cost").reward.tolist() == [1, 1, 0]
    with pytest.warns(ModelWarning, match=r"m\.drn: .*cost, gain"):
        assert not read_model(path).reward.any()


def test_drn_variants(tmp_path: Path) -> None:
    """No count of choices, a nameless reward model, colons without blanks, comments, a chain."""
    text = (
        "@type: DTMC\r\n@value_type: rational\r\n@parameters\r\n\r\n"
        "@reward_models\r\n \r\n@nr_states\r\n2\r\n"
        "@model\r\nstate 0 [3] init\r\n//[x=0]\r\n\taction 0 [1/2]\r\n\t\t0:1/2\r\n\t\t1 :0.5\r\nstate 1\r\n"
    )
    mdp = read_model(put(tmp_path, "m.drn", text))
    assert mdp.reward.tolist() == [3.5]
    assert mdp.matrix.toarray().tolist() == [[0.5, 0.5]]
    assert mdp.terminal.tolist() == [False, True]
    assert read_model(tmp_path / "m.drn", reward_model="").reward.tolist() == [3.5]


def test_pomdp(tmp_path: Path) -> None:
    """Row sums of switching: 1 + (chance of high on the right) * 4 where it ends on the right."""
    mdp = read_model(put(tmp_path, "m.POMDP", POMDP)).full_information
    assert (mdp.discount, mdp.state_names, mdp.action_names) == (
        0.9,
        ("left", "right"),
        ("wait", "switch"),
    )
    assert mdp.initial.tolist() == [1, 0]
    assert mdp.matrix.toarray().tolist() == [[1, 0], [0.5, 0.5], [0, 1], [0.5, 0.5]]
    assert mdp.transition_reward is not None
    assert mdp.transition_reward.tolist() == [1, 1, 3, 1, 1, 3]
    with pytest.raises(ModelError, match=r"^m\.npz: a POMDP cannot be written, but its MDP can"):
        write_model(read_model(tmp_path / "m.POMDP"), tmp_path / "m.npz")
    costs = read_model(put(tmp_path, "c.POMDP", POMDP.replace("values: reward", "values: cost")))
    assert costs.full_information.reward.tolist() == (-mdp.reward).tolist()


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("start: 0.25 0.25 0.5", [0.25, 0.25, 0.5]),
        ("start: 2", [0, 0, 1]),
        ("start: uniform", [1 / 3] * 3),
        ("start include: 0 2", [0.5, 0, 0.5]),
        ("start exclude: 0", [0, 0.5, 0.5]),
        ("", [1 / 3] * 3),
    ],
)
def test_cassandra_start(tmp_path: Path, start: str, expected: list[float]) -> None:
    text = (
        f"discount: 1\nvalues: reward\nstates: 3\nactions: 1\n{start}\nT: 0 uniform\nR: * 1 2 3 4 5 6 7 8 9\n"
    )
    mdp = read_model(put(tmp_path, "m.MDP", text))
    np.testing.assert_allclose(mdp.initial, expected)
    np.testing.assert_allclose(mdp.reward, [2, 5, 8])


def test_cassandra_later_lines_override(tmp_path: Path) -> None:
    text = """discount: 0.5
values: reward
states: a b
actions: x y
T: * : * : * 0.5
T: y : b
0 1
T: x : a : a 1
T: x : a : b 0
R: * : a : * 3
R: x : a
1 2
R: * : b : b 7
R: y : b : * 0
"""
    mdp = read_model(put(tmp_path, "m.MDP", text))
    assert mdp.matrix.toarray().tolist() == [[1, 0], [0.5, 0.5], [0.5, 0.5], [0, 1]]
    assert mdp.reward.tolist() == [1, 3, 3.5, 0]


def test_six_digits_are_renormalised_with_a_warning(tmp_path: Path) -> None:
    path = put(tmp_path, "m.tra", "3 1 3\n0 0 0 0.333333\n0 0 1 0.333333\n0 0 2 0.333333\n")
    with pytest.warns(ModelWarning, match=r"m\.tra:2: 1 rows renormalised"):
        mdp = read_model(path)
    assert mdp.probability.tolist() == [1 / 3] * 3


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(
        st.floats(allow_nan=False, allow_infinity=False).map(repr),
        st.from_regex(r"-?\d{1,22}(\.\d{0,22})?", fullmatch=True),
        st.from_regex(r"[+-]?\.?\d{1,5}[eE]-?\d{1,2}", fullmatch=True),
        st.integers(2**53, 2**57).map(lambda i: str(2 * i + 1)),
    ).filter(str.isascii)
)
def test_numbers_are_rounded_as_python_rounds(word: str) -> None:
    block = split(Path("x"), 1, f"{word} {word}\n0 1\n".encode(), comment=b"#")
    assert block.decimals(0, what="number")[0] == float(word)
    assert block.decimals(1, what="number")[0] == float(word)


def test_fractions_are_rounded_once(tmp_path: Path) -> None:
    block = split(Path("x"), 1, b"1/3\n-22/7\n1000000000000000000000001/3\n", comment=b"#")
    assert block.decimals(0, what="number").tolist() == [1 / 3, -22 / 7, (10**24 + 1) / 3]


def test_storm_headers(tmp_path: Path) -> None:
    """A kind instead of counts, states in any order, a probability of 0."""
    plain = read_model(put(tmp_path, "m.tra", TRA))
    lines = TRA.splitlines()[1:]
    text = "\n".join(["MDP", *reversed(lines), "2 0 1 0"]) + "\n"
    assert_equal(read_model(put(tmp_path, "s.tra", text)), plain)
    chain = read_model(put(tmp_path, "c.tra", "dtmc\n0 1 0.25\n0 2 0.75\n2 2 1\n"))
    assert chain.matrix.toarray().tolist() == [[0, 0.25, 0.75], [0, 0, 1]]
    assert chain.terminal.tolist() == [False, True, False]


def test_storm_labels(tmp_path: Path) -> None:
    text = "#DECLARATION\ninit goal\n#END\n0 init\n1 goal\n2 goal init\n"
    mdp = read_model(put(tmp_path, "m.tra", TRA), labels=put(tmp_path, "m.lab", text))
    assert {name: states.tolist() for name, states in mdp.labels.items()} == {"init": [0, 2], "goal": [1, 2]}
    assert mdp.initial.tolist() == [0.5, 0, 0.5]
    for line, what in (("9 goal", "there is no state '9'"), ("0 x", "label 'x' is not declared")):
        with pytest.raises(ModelError, match=rf"^m\.lab:4: {what}"):
            read_model(tmp_path / "m.tra", labels=put(tmp_path, "m.lab", text.replace("0 init", line)))


def test_drn_of_a_pomdp(tmp_path: Path) -> None:
    """Observation numbers may be any; they stand before the rewards, or behind them."""
    text = (
        "@type: POMDP\n@reward_models\n\n@nr_states\n4\n@model\n"
        "state 0 {7} [0] init\n\taction a [0]\n\t\t1 : 0.5\n\t\t2 : 0.5\n"
        "state 1 {100} [0]\n\taction l [1]\n\t\t3 : 1\n\taction r [0]\n\t\t3 : 1\n"
        "state 2 [0] {100}\n\taction l [0]\n\t\t3 : 1\n\taction r [1]\n\t\t3 : 1\n"
        "state 3 {2}\n"
    )
    pomdp = read_model(put(tmp_path, "m.drn", text))
    assert isinstance(pomdp, core.POMDP)
    assert pomdp.observation.tolist() == [1, 2, 2, -1]
    assert optimum(pomdp).initial.value == pytest.approx(0.5)
    assert solve(pomdp.full_information).initial.value == pytest.approx(1)
    with pytest.raises(ModelError, match=r"^m\.drn:7: expected an observation"):
        read_model(put(tmp_path, "m.drn", text.replace("{7} ", "")))
    with pytest.raises(
        ModelError, match=r"^m\.drn: states 1 and 2 have the same observation, but offer different"
    ):
        read_model(put(tmp_path, "m.drn", text.replace("\taction r [1]\n\t\t3 : 1\n", "")))


@pytest.mark.parametrize(
    ("name", "what"), [("m.prism", "PRISM's language"), ("m.jani.gz", "JANI"), ("m.pomdpx", "PomdpX")]
)
def test_languages_are_named(tmp_path: Path, name: str, what: str) -> None:
    with pytest.raises(ModelError, match=rf"^{name}: {what} is not read"):
        read_model(put(tmp_path, name, "mdp"))
