"""Data sets of a Hub, which here is a small server on this machine; their rows come from a real streamed data set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pytest
from pyarrow import parquet

from itda_core.errors import UserError
from itda_core.text import Corpus, Document
from itda_core.text.sources.hub import parse
from tests.fake_hub import COMMIT, NO_HUB, serving

Opened = list[tuple[tuple[Any, ...], dict[str, Any]]]


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opened:
    """Makes `load_dataset` stream a Parquet file here, and keeps what it was asked for."""
    path = tmp_path / "rows.parquet"
    parquet.write_table(pa.table({"n": [0, 1, 2], "text": ["one", None, "three"], "title": ["a", "b", "c"]}), path)
    calls: Opened = []
    load = datasets.load_dataset

    def local(*args: Any, **named: Any) -> Any:
        calls.append((args, named))
        cache = str(tmp_path / "datasets")
        return load("parquet", data_files={"train": str(path)}, split=named["split"], streaming=True, cache_dir=cache)

    monkeypatch.setattr(datasets, "load_dataset", local)
    return calls


@pytest.mark.parametrize(
    ("reference", "names", "split", "column"),
    [
        ("hf:imdb", [("imdb", None)], "train", None),
        ("hf:o/n", [("o/n", None), ("o", "n")], "train", None),
        ("hf:o/n/c@test#body", [("o/n", "c")], "test", "body"),
        ("hf:n-1.0@train[:10%]", [("n-1.0", None)], "train[:10%]", None),
        ("hf:n#a b", [("n", None)], "train", "a b"),
    ],
)
def test_references(reference: str, names: list[tuple[str, str | None]], split: str, column: str | None) -> None:
    assert parse(reference) == (tuple(names), split, column)


@pytest.mark.parametrize("reference", ["hf:", "hf:a/b/c/d", "hf:a//b", "hf:@train", "hf:a@", "hf:a#"])
def test_what_is_no_reference(reference: str) -> None:
    with pytest.raises(UserError, match="cannot be read as hf:NAME"):
        Corpus.open(reference)


def test_a_data_set_is_streamed_at_its_commit(opened: Opened, use_hub: Callable[[str], None], tmp_path: Path) -> None:
    with serving(tmp_path) as (address, _):
        use_hub(address)
        corpus = Corpus.open("hf:ours/tiny/small")
        title = Corpus.open("hf:ours/tiny/small@train#title")
        assert Corpus.open("hf:alone/small").id == "hf:alone/small@train#text"  # no owner: the rest is a configuration
        with pytest.raises(UserError, match="no column of text 'n'; name one with #COLUMN: text, title"):
            Corpus.open("hf:ours/tiny#n")
        with pytest.raises(UserError, match="cannot be opened"):
            Corpus.open("hf:ours/tiny@nope")
        with pytest.raises(UserError, match="There is no dataset 'ours/none'"):
            Corpus.open("hf:ours/none")
        with pytest.raises(UserError, match="There is no dataset 'else/where'"):
            Corpus.open("hf:else/where")
    assert opened[0] == (("ours/tiny", "small"), {"split": "train", "streaming": True, "revision": COMMIT})
    assert corpus.id == "hf:ours/tiny/small@train#text"
    expected = [Document(f"{corpus.id}:000000", "one"), Document(f"{corpus.id}:000002", "three")]
    assert list(corpus) == list(corpus) == expected
    assert [document.text for document in title] == ["a", "b", "c"]
    assert len(corpus.fingerprint) == 64
    assert corpus.fingerprint != title.fingerprint


def test_without_a_network_the_answer_is_quick(opened: Opened, use_hub: Callable[[str], None]) -> None:
    use_hub(NO_HUB)
    with pytest.raises(UserError, match="cannot be reached for the dataset ours/tiny; check the network"):
        Corpus.open("hf:ours/tiny")
    assert opened == []  # datasets is not asked: left to itself it retries for half a minute


class Odd:
    """A data set whose stream does what streams do."""

    def __init__(self, *rows: Any) -> None:
        self.rows = rows

    def __iter__(self) -> Any:
        for row in self.rows:
            if isinstance(row, BaseException):
                raise row
            yield {"text": row}


class Panic(BaseException):
    """As a panic in Rust arrives in Python: no Exception."""


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["one", ValueError("bad JSON in shard 3")], "broke after row 1 (bad JSON in shard 3)"),
        (["one", Panic("unwrap on None")], "broke after row 1 (Panic: unwrap on None)"),
        (["one", KeyError("text")], "broke after row 1 (KeyError: 'text')"),
        ([Panic("at once")], "broke after row 0"),
        (["one", 17], "'text' of row 1 is not text but int"),
        ([None, b"x"], "'text' of row 1 is not text but bytes"),
        ([], "holds no rows"),
    ],
)
def test_whatever_a_stream_raises_is_one_sentence(
    rows: list[Any], said: str, use_hub: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: Odd(*rows))
    with serving(tmp_path) as (address, _):
        use_hub(address)
        with pytest.raises(UserError) as error:
            list(Corpus.open("hf:ours/tiny"))
        assert said in str(error.value)
        monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: Odd("fine", KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            list(Corpus.open("hf:ours/tiny"))


def test_what_cannot_be_opened_for_any_reason_says_so(
    use_hub: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def load(*_: Any, **__: Any) -> Any:
        raise ImportError("To use this data set install zstandard")

    monkeypatch.setattr(datasets, "load_dataset", load)
    with serving(tmp_path) as (address, _):
        use_hub(address)
        with pytest.raises(UserError, match=r"cannot be opened \(To use this data set install zstandard\)"):
            Corpus.open("hf:ours/tiny")


def test_streamed_texts_are_cut_and_mended_like_others(
    use_hub: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: Odd("a\ud800", "x" * 1_500_000))
    with serving(tmp_path) as (address, _):
        use_hub(address)
        found = list(Corpus.open("hf:ours/tiny"))
    assert [document.id for document in found] == [
        f"hf:ours/tiny@train#text:{name}" for name in ("000000", "000001", "000001+1000000")
    ]
    assert [len(document.text) for document in found] == [2, 1_000_000, 500_000]
    assert found[0].text == "a\ufffd"
    with pytest.raises(UserError, match="cannot be read as hf:NAME"):
        Corpus.open("hf:caf\udce9")
