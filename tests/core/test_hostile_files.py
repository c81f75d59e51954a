"""Small files that ask for much: time and memory are bounded by what was sent, and errors have a name."""

from __future__ import annotations

import gzip
import io
import json
import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from sample_files import TRA, put

from rlkit.core import ModelError, from_triplets
from rlkit.core.files import read_model, text, write_model
from rlkit.core.files.text import suffix
from rlkit.registry import find, names

MDP = from_triplets([0, 0], [0, 1], [1, 0], [1.0, 1.0], n_states=2, labels={"a": [1]})


@pytest.fixture
def small_allowance(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a compressed file might expand to ten times its size only."""
    monkeypatch.setattr(text, "FREE_BYTES", 0)
    monkeypatch.setattr(text, "EXPANSION", 10)


BOMBS = {
    "m.json.gz": b'{"a": [' + b"0," * 500_000,
    "m.tra.gz": b"1 1 100000\n" + b"0 0 0 1\n" * 100_000,
    "m.drn.gz": b"@type: MDP\n@nr_states\n1\n@model\nstate 0\naction a\n" + b"0 : 1\n" * 100_000,
    "m.POMDP.gz": b"discount: 1\nstates: 1000\nactions: 1\nT: 0\n" + b"0 " * 500_000,
    "m.npz.gz": bytes(1_000_000),
}


def test_there_is_a_bomb_for_every_reader() -> None:
    read = {find("file", suffix(Path(name))).read for name in BOMBS}
    assert read == {find("file", kind).read for kind in names("file")}


@pytest.mark.parametrize("name", BOMBS)
def test_what_expands_without_end_is_refused(tmp_path: Path, small_allowance: None, name: str) -> None:
    with pytest.raises(ModelError, match=rf"^{name}: the compressed data expands to more than [\d,]+ bytes"):
        read_model(put(tmp_path, name, gzip.compress(BOMBS[name])))


def test_labels_and_rewards_that_expand_are_refused(tmp_path: Path, small_allowance: None) -> None:
    model = put(tmp_path, "m.tra", TRA)
    for name, kind in (("m.lab.gz", "labels"), ("m.srew.gz", "rewards")):
        path = put(tmp_path, name, gzip.compress(b"# nothing\n" * 100_000))
        with pytest.raises(ModelError, match=rf"^{name}: the compressed data expands"):
            read_model(model, **{kind: path if kind == "labels" else [path]})


def test_without_the_bound_a_bomb_would_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path, "m.tra.gz", gzip.compress(BOMBS["m.tra.gz"]))
    monkeypatch.setattr(text, "EXPANSION", 10**9)
    with pytest.raises(ModelError, match="0 0 0 appears twice"):
        read_model(path)


def test_models_compress_far_less_than_the_bound(tmp_path: Path) -> None:
    """A long line whose arrays are as regular as arrays get stays within a third of it."""
    n = 50_000
    here = np.arange(n)
    mdp = from_triplets(here, 0 * here, np.minimum(here + 1, n - 1), np.ones(n), n_states=n)
    for name in ("m.json", "m.npz", "m.tra", "m.drn"):
        write_model(mdp, tmp_path / name)
        write_model(mdp, tmp_path / f"{name}.gz")
        ratio = (tmp_path / name).stat().st_size / (tmp_path / f"{name}.gz").stat().st_size
        assert ratio < text.EXPANSION / 2


@pytest.mark.parametrize("name", [f"m{kind}{end}" for kind in names("file") for end in ("", ".gz")])
@pytest.mark.parametrize("head", [b"", b"1 1 1\n0 0 0 1\n"])
def test_sparse_files_of_10_gb(tmp_path: Path, name: str, head: bytes) -> None:
    path = put(tmp_path, name, head)
    os.truncate(path, 10 * 2**30)
    what = "zero byte|compressed data is damaged|archive is damaged"
    with pytest.raises(ModelError, match=rf"^{name}(:\d+)?: .*({what})"):
        read_model(path)


def archive(members: dict[str, bytes], **how: int) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", **how) as zipped:
        for name, content in members.items():
            zipped.writestr(name, content)
    return stream.getvalue()


def array(values: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, values, version=(1, 0))
    return stream.getvalue()


def header(content: bytes) -> dict[str, bytes]:
    return {"header.npy": array(np.frombuffer(content, np.uint8))}


def flagged(place: int, value: int) -> bytes:
    """A good archive but for one field of its first member, in the directory and before the data."""
    data = bytearray(archive(header(b'{"labels": []}')))
    entry = data.index(b"PK\x01\x02")
    for start in (place - 2, entry + place):
        struct.pack_into("<H", data, start, value)
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (flagged(8, 0x01), "is encrypted, or compressed in an unknown way"),
        (flagged(8, 0x20), "is encrypted, or compressed in an unknown way"),
        (flagged(8, 0x40), "is encrypted, or compressed in an unknown way"),
        (flagged(10, 99), "is encrypted, or compressed in an unknown way"),
        (flagged(6, 200), "archive is damaged"),
        (
            archive(header(b"x"), compression=zipfile.ZIP_LZMA),
            "is encrypted, or compressed in an unknown way",
        ),
        (archive(header(b"[" * 100_000)), "not an rlkit archive"),
        (archive(header(b'{"labels": [[1]]}')), "its header is invalid"),
        (archive(header(b'{"labels": {"a": 1}}')), "its header is invalid"),
        (archive({"header.npy": array(np.zeros(3, "V0"))}), "not an rlkit archive"),
        (archive({"header.npy": b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 65_535}), "not an rlkit archive"),
    ],
)
def test_odd_archives(tmp_path: Path, data: bytes, what: str) -> None:
    with pytest.raises(ModelError, match=rf"^m\.npz: .*{what}"):
        read_model(put(tmp_path, "m.npz", data))


def test_archives_that_expand(tmp_path: Path, small_allowance: None) -> None:
    zeros = {"header.npy": array(np.zeros(1_000_000, np.uint8))}
    data = archive(zeros, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(ModelError, match=r"^m\.npz: its fields claim 1,000,128 bytes"):
        read_model(put(tmp_path, "m.npz", data))


def test_lists_in_lists(tmp_path: Path) -> None:
    """Deep, or many: an empty list of two characters takes 64 bytes."""
    for content in ("[" * 500, "[" * 1_000_000, '{"a": [' + "[]," * 100_000 + "0]}", '{"a":' * 900):
        with pytest.raises(ModelError, match=r"^m\.json(:1)?: (not JSON|not readable|more lists)"):
            read_model(put(tmp_path, "m.json", content))
    with pytest.raises(ModelError, match="more lists than a model has"):
        read_model(put(tmp_path, "m.json", "[]" * 10_000))


def test_many_labels_are_no_attack(tmp_path: Path) -> None:
    many = from_triplets([0], [0], [0], [1.0], n_states=1, labels={str(i): [] for i in range(5_000)})
    write_model(many, tmp_path / "m.json")
    assert len(read_model(tmp_path / "m.json").labels) == 5_000


@pytest.mark.parametrize("field", ["format", "version", "discount"])
def test_long_values_are_not_quoted_in_full(tmp_path: Path, field: str) -> None:
    write_model(MDP, tmp_path / "m.json")
    fields = json.loads((tmp_path / "m.json").read_text()) | {field: list(range(100_000))}
    with pytest.raises(ModelError, match=r"^m\.json") as caught:
        read_model(put(tmp_path, "m.json", json.dumps(fields)))
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("size", ["18446744073709551616", "9223372036854775807", "4294967296"])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("m.tra", "{} 1 1\n0 0 0 1\n"),
        ("m.tra", "2 {} 1\n0 0 0 1\n"),
        ("m.tra", "2 1 {}\n0 0 0 1\n"),
        ("m.tra", "2 1 1\n0 0 {} 1\n"),
        ("m.tra", "mdp\n0 0 {} 1\n"),
        ("m.drn", "@type: MDP\n@nr_states\n{}\n@model\nstate 0\naction a\n0 : 1\n"),
        ("m.drn", "@type: MDP\n@nr_states\n{0}\n@model\nstate 0\naction a\n{0} : 1\n"),
        ("m.drn", "@type: MDP\n@nr_states\n1\n@nr_choices\n{}\n@model\nstate 0\naction a\n0 : 1\n"),
        ("m.MDP", "discount: 1\nstates: {}\nactions: 1\nT: 0 identity\n"),
        ("m.MDP", "discount: 1\nstates: 1\nactions: {}\nT: * identity\n"),
        ("m.MDP", "discount: 1\nstates: 1\nactions: 1\nobservations: {}\nT: 0 identity\nO: * uniform\n"),
        ("m.MDP", "discount: 1\nstates: 1\nactions: 1\nT: 0 : 0 : {} 1\n"),
    ],
)
def test_huge_numbers_in_headers_and_lines(tmp_path: Path, name: str, content: str, size: str) -> None:
    with pytest.raises(ModelError, match=rf"^{name}:\d+: "):
        read_model(put(tmp_path, name, content.format(size)))


def test_blanks_that_a_pattern_could_share_in_many_ways(tmp_path: Path) -> None:
    """Two million blanks: a pattern that tried every way to share them out would take days."""
    blanks = " " * 2_000_000
    for line in (f"action a{blanks}x", f"action a [0]{blanks}x"):
        with pytest.raises(ModelError, match=r"^m\.drn:6: expected action NAME"):
            read_model(put(tmp_path, "m.drn", f"@type: MDP\n@nr_states\n1\n@model\nstate 0\n{line}\n0 : 1\n"))
    with pytest.raises(ModelError, match=r"^m\.lab:1: expected declarations"):
        read_model(put(tmp_path, "m.tra", TRA), labels=put(tmp_path, "m.lab", "1" * 1_000_000))
