from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from itda_core.dictionaries import AtomDictionary, LabelsOnly, TrainConfig, read_labels, train, write_labels
from itda_core.dictionaries.labels_only import SUFFIX
from itda_core.errors import UserError
from itda_core.text import Corpus, Document
from tests.dictionaries.fake_model import FakeModel, fake_corpus
from tests.tolerance import rounding

Change = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return fake_corpus()


@pytest.fixture(scope="module")
def dictionary(corpus: Corpus) -> AtomDictionary:
    *_, last = train(FakeModel(), corpus, [1], TrainConfig(k=3, threshold=0.2, context=16, atoms=80))
    return last.dictionaries[0]


@pytest.fixture
def file(dictionary: AtomDictionary, tmp_path: Path) -> Path:
    return write_labels(dictionary, tmp_path / f"some{SUFFIX}")


def test_the_labels_come_back(dictionary: AtomDictionary, file: Path) -> None:
    labels = read_labels(file)
    assert (labels.spec, labels.config, len(labels)) == (dictionary.spec, dictionary.config, len(dictionary))
    told = dictionary.provenance
    for name in ("atom", "order", "document", "window_start", "position", "token_id", "char_start", "char_end"):
        assert labels.places[name].tolist() == told[name].tolist(), name
    assert labels.places["error"].to_numpy() == pytest.approx(told["error"].to_numpy(), abs=0.0005 + rounding(1))
    assert labels.stats["fvu"] == dictionary.stats["fvu"]
    assert labels.stats["windows"] == dictionary.stats["windows"]


def test_the_words_are_read_again_from_the_corpus(dictionary: AtomDictionary, file: Path, corpus: Corpus) -> None:
    again = read_labels(file).provenance(corpus)
    pd.testing.assert_frame_equal(again.drop(columns="error"), dictionary.provenance.drop(columns="error"))
    assert list(again.columns) == list(dictionary.provenance.columns)


def test_several_labels_of_an_atom_and_labels_in_any_order_come_back(corpus: Corpus, tmp_path: Path) -> None:
    config = TrainConfig(k=3, context=16, selection="consensus", atoms=20)
    *_, last = train(FakeModel(), corpus, [1], config)
    (dictionary,) = last.dictionaries
    assert len(dictionary.provenance) > 40
    again = read_labels(write_labels(dictionary, tmp_path / "x")).provenance(corpus)
    pd.testing.assert_frame_equal(again.drop(columns="error"), dictionary.provenance.drop(columns="error"))


def test_the_file_is_small_and_holds_no_text(file: Path, tmp_path: Path) -> None:
    bundled = Path(__file__).parents[2] / "assets" / "demo" / "dictionaries" / "demo-0-L3"
    dictionary = AtomDictionary.load(bundled)
    written = write_labels(dictionary, tmp_path / "real")
    assert written.stat().st_size < 10_000
    held = gzip.decompress(written.read_bytes()).decode()
    assert not any(token in held for token in set(dictionary.provenance["token"]) if len(token.strip()) > 7)


def test_equal_labels_make_equal_files(dictionary: AtomDictionary, file: Path, tmp_path: Path) -> None:
    assert write_labels(dictionary, tmp_path / "again").read_bytes() == file.read_bytes()
    assert write_labels(read_labels(file), tmp_path / "once more").read_bytes() == file.read_bytes()
    with pytest.raises(UserError, match="exists already"):
        write_labels(dictionary, file)


def test_another_text_is_refused(file: Path, corpus: Corpus) -> None:
    labels = read_labels(file)
    documents = list(corpus)
    with pytest.raises(UserError, match="not the one these labels come from"):
        labels.provenance(Corpus.from_documents("other", documents[:-1]))
    short = Corpus("fake", lambda: iter(documents[:1]), lambda: corpus.fingerprint)
    with pytest.raises(UserError, match="has no document"):
        labels.provenance(short)
    cut = Corpus("fake", lambda: (Document(d.id, d.text[:5]) for d in documents), lambda: corpus.fingerprint)
    with pytest.raises(UserError, match=r"which has\s+5"):
        labels.provenance(cut)


def _set(*path: str, to: Any) -> Change:
    def change(description: dict[str, Any]) -> None:
        for name in path[:-1]:
            description = description[name]
        description[path[-1]] = to

    return change


def _column(name: str, value: Any) -> Change:
    def change(description: dict[str, Any]) -> None:
        description["labels"][name][3] = value

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_set("format", to="other"), "does not hold the labels"),
        (_set("format_version", to=2), "format version 2"),
        (_set("spec", "d_model", to="many"), "spec.d_model"),
        (_set("spec", "more", to=1), "unknown keys"),
        (_set("config", "k", to=0), "k=0"),
        (_set("config", "nonsense", to=0), "nonsense"),
        (_set("stats", "windows", to="all"), "stats.windows"),
        (_set("stats", "fvu", to=[]), "stats.fvu"),
        (_set("documents", to=["d1", "d1"]), "twice the same"),
        (_set("documents", to=[1]), "document ids"),
        (_set("documents", to=["d1"]), "column document"),
        (_set("labels", "atom", to=[]), "columns of different lengths"),
        (_set("labels", "extra", to=[1]), "labels have columns"),
        (_set("labels", "position", to="0123"), "column position"),
        (_column("position", 1.5), "column position"),
        (_column("position", True), "column position"),
        (_column("position", None), "column position"),
        (_column("position", 2**70), "column position"),
        (_column("atom", -4), "column atom"),
        (_column("atom", 5), "column atom"),
        (_column("document", -500), "column document"),
        (_column("window_start", 10**6), "column window_start"),
        (_column("window_start", -1), "column window_start"),
        (_column("char_start", -1), "column char_start"),
        (_column("char_start", 10**6), "column char_start"),
        (_column("char_end", -(10**6)), "char_start"),
        (_column("token_id", -1), "column token_id"),
        (_column("error", 1001), "column error"),
    ],
)
def test_a_damaged_file_is_refused_in_a_sentence(file: Path, change: Change, said: str) -> None:
    description = json.loads(gzip.decompress(file.read_bytes()))
    change(description)
    file.write_bytes(gzip.compress(json.dumps(description).encode()))
    with pytest.raises(UserError, match=said):
        read_labels(file)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is damaged"),
        (b"PK\x03\x04 something else", "not packed by gzip"),
        (gzip.compress(b"{"), "not JSON"),
        (gzip.compress(b"[1, 2]"), "does not hold the labels"),
        (gzip.compress(b'{"format": NaN}'), "NaN is no JSON number"),
        (gzip.compress(b"\xff\xfe\xff"), "not JSON"),
        (gzip.compress(b"[" * 200_000), "not JSON"),
        (gzip.compress(b"1" * 5_000), "not JSON"),
        (gzip.compress(bytes(70 * 2**20)), "unpacks to over 64 MiB"),
    ],
    ids=["empty", "other", "no JSON", "a list", "NaN", "not UTF-8", "deep", "endless number", "bomb"],
)
def test_what_is_no_file_of_labels_is_refused_in_a_sentence(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(UserError, match=said):
        read_labels(tmp_path / "x")
    with pytest.raises(UserError, match="does not exist"):
        read_labels(tmp_path)


def test_bytes_cut_off_added_or_changed_never_give_other_labels(file: Path) -> None:
    """Whatever one byte of the file becomes: the very labels, or one clear sentence."""
    whole, own = file.read_bytes(), read_labels(file)
    draw = random.Random(0)
    changed = [whole[: len(whole) // 2], whole + b"x", whole + whole]
    for at in draw.sample(range(len(whole)), 60):
        changed.append(whole[:at] + bytes([whole[at] ^ (1 << draw.randrange(8))]) + whole[at + 1 :])
    refused = 0
    for content in changed:
        file.write_bytes(content)
        try:
            labels = read_labels(file)
        except UserError:
            refused += 1
        else:
            assert np.array_equal(labels.places.to_numpy(), own.places.to_numpy())
    assert refused >= 58  # a few bits of gzip's own header say nothing


def test_labels_of_a_dictionary_at_hand_need_no_file(dictionary: AtomDictionary) -> None:
    labels = LabelsOnly.of(dictionary)
    assert labels.places["error"].tolist() == dictionary.provenance["error"].tolist()
    assert repr(labels) == "LabelsOnly(80 atoms of fake layer 1 resid_post)"
