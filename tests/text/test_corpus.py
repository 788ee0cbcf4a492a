"""Corpora of every kind of file, read against the text that was written."""

from __future__ import annotations

import csv
import hashlib
import json
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from itda_core.text import Corpus, Document
from tests.text.corpora import refused, texts, write

TEXTS = ['First one, "quoted".', "Second\nover two lines — é 👩", "Third"]


def test_text_files_are_split_at_blank_lines(tmp_path: Path) -> None:
    path = write(tmp_path, "a.txt", "\n \n  One two \nthree\t\n\n\t \nFour\r\nfive\r\n\r\n\r\nsix")
    assert list(Corpus.open(path)) == [
        Document("a.txt:000000", "  One two \nthree"),
        Document("a.txt:000001", "Four\r\nfive"),
        Document("a.txt:000002", "six"),
    ]


@settings(max_examples=40, deadline=None)
@given(blocks=st.lists(st.text(st.sampled_from("ab é👩\t\n"), min_size=1).filter(str.strip), min_size=1, max_size=5))
def test_text_blocks_come_back(tmp_path_factory: pytest.TempPathFactory, blocks: list[str]) -> None:
    blocks = [
        "\n".join(line for line in block.split("\n") if line.strip()).rstrip() for block in blocks
    ]  # a block itself has no blank line
    path = write(tmp_path_factory.mktemp("t"), "a.txt", "\n\n".join(blocks))
    assert texts(path) == blocks


def test_a_block_without_end_is_cut_not_held(tmp_path: Path) -> None:
    line = "é" * 1_200_001  # a character of two bytes lies across the place where the reader pauses
    path = write(tmp_path, "a.txt", "x" + line + "\n\nend")
    got = texts(path)
    assert "".join(got[:-1]) == "x" + line
    assert got[-1] == "end"
    assert max(map(len, got)) <= 1_000_001


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    assert texts(write(tmp_path, "a.txt", b"\xef\xbb\xbfHello")) == ["Hello"]


def test_json_lines(tmp_path: Path) -> None:
    rows = [{"text": TEXTS[0], "id": "x7"}, {"text": TEXTS[1]}, TEXTS[2], {"text": None}, {"text": "last", "id": 9}]
    path = write(tmp_path, "a.jsonl", "\n\n".join(map(json.dumps, rows)))
    assert [(d.id, d.text) for d in Corpus.open(path)] == [
        ("a.jsonl:x7", TEXTS[0]),
        ("a.jsonl:000002", TEXTS[1]),
        ("a.jsonl:000004", TEXTS[2]),
        ("a.jsonl:9", "last"),
    ]
    body = write(tmp_path, "b.jsonl", '{"body": "here", "n": 1}')
    assert texts(f"{body}#body") == ["here"]
    assert "no column 'text'" in refused(body)
    assert "body, n" in refused(body)
    assert "not text but int" in refused(f"{body}#n")


def test_half_a_surrogate_pair_in_json_becomes_a_replacement_character(tmp_path: Path) -> None:
    assert texts(write(tmp_path, "a.jsonl", '"a\\ud83db"')) == ["a\ufffdb"]


def test_damaged_json_lines_name_the_line(tmp_path: Path) -> None:
    assert "line 2 is not JSON" in refused(write(tmp_path, "a.jsonl", '"good"\n{"text": '))
    assert "line 3 is neither" in refused(write(tmp_path, "b.jsonl", '"good"\n"fine"\n17'))
    assert "line 2" in refused(write(tmp_path, "c.jsonl", '{"text": "good"}\n{"body": "bad"}'))


def test_csv(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["n", "text", "other"], *([i, text, "o"] for i, text in enumerate(TEXTS))])
    assert texts(str(path)) == TEXTS
    assert texts(f"{path}#other") == ["o"] * 3
    assert [d.id for d in Corpus.open(str(path))] == ["a.csv:000000", "a.csv:000001", "a.csv:000002"]
    assert "no column 'nope'" in refused(f"{path}#nope")
    assert "n, text, other" in refused(f"{path}#nope")


def test_the_only_column_of_text_of_a_csv(tmp_path: Path) -> None:
    assert texts(write(tmp_path, "a.csv", "id,score,review\n1,0.5,good\n2,1e3,bad\n")) == ["good", "bad"]
    assert "a, b" in refused(write(tmp_path, "b.csv", "a,b\nx,y\n"))


def test_a_long_csv_field(tmp_path: Path) -> None:
    assert texts(write(tmp_path, "a.csv", "text\n" + "x" * 200_000 + "\n")) == ["x" * 200_000]


def test_parquet(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    parquet.write_table(pa.table({"n": [1, 2, 3], "body": pa.array(TEXTS).dictionary_encode()}), path)
    assert texts(str(path)) == texts(f"{path}#body") == TEXTS
    assert "holds no text; columns of text: body" in refused(f"{path}#n")
    assert "n, body" in refused(f"{path}#nope")
    two = tmp_path / "b.parquet"
    parquet.write_table(pa.table({"a": ["x", None, "z"], "b": ["1", "2", "3"]}), two)
    assert "a, b" in refused(str(two))
    assert [(d.id, d.text) for d in Corpus.open(f"{two}#a")] == [("b.parquet:000000", "x"), ("b.parquet:000002", "z")]


def test_reading_twice_gives_the_same(tmp_path: Path) -> None:
    corpus = Corpus.open(write(tmp_path, "a.txt", "one\n\ntwo\n\nthree"))
    first, both = list(corpus), zip(corpus, corpus, strict=True)
    assert all(a == b for a, b in both)
    assert list(corpus) == first
    assert len(first) == 3


def test_fingerprints_follow_the_text(tmp_path: Path) -> None:
    one, same, other = (write(tmp_path, f"{n}.txt", t) for n, t in (("a", "x y"), ("b", "x y"), ("c", "x z")))
    prints = [Corpus.open(path).fingerprint for path in (one, same, other)]
    assert prints[0] == prints[1] != prints[2]
    assert len(prints[0]) == 64
    table = write(tmp_path, "t.csv", "text,b\nx,y\n")
    assert Corpus.open(f"{table}#text").fingerprint == Corpus.open(table).fingerprint
    assert Corpus.open(f"{table}#b").fingerprint != Corpus.open(table).fingerprint
    a, b = (Corpus.from_documents("m", [Document("i", t)]) for t in ("x", "y"))
    assert a.fingerprint != b.fingerprint
    assert list(a) == [Document("i", "x")]
    assert Corpus.from_documents("m", [Document("ab", "c")]).fingerprint != (
        Corpus.from_documents("m", [Document("a", "bc")]).fingerprint
    )


def test_a_path_may_contain_a_hash(tmp_path: Path) -> None:
    assert texts(write(tmp_path, "a#b.txt", "one")) == ["one"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.txt", b"", "is empty"),
        ("blank.txt", b" \n\n\t\n", "holds no text"),
        ("binary.txt", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "is not UTF-8 (line 1, byte 0)"),
        ("zero.txt", b"abc\ndef\0", "is binary (byte 7 is a zero)"),
        ("latin.txt", "gut\nschön".encode("latin-1"), "is not UTF-8 (line 2, byte 7)"),
        ("cut.txt", "schön 👩".encode()[:-1], "is not UTF-8 (line 1, byte 7)"),
        ("wide.txt", "hello".encode("utf-16"), "is binary"),
        ("late.jsonl", b'"fine"\n"\xff"', "is not UTF-8 (line 2, byte 8)"),
        ("empty.jsonl", b"\n", "holds no text"),
        ("header.csv", b"text\n", "holds no text"),
        ("not.parquet", b"hello there, no parquet", "is not a readable Parquet file"),
        ("file.pdf", b"%PDF", "is unknown"),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    assert said in refused(write(tmp_path, name, content))


def test_what_is_not_there(tmp_path: Path) -> None:
    assert "does not exist" in refused(str(tmp_path / "no.txt"))
    assert "is a folder" in refused(str(tmp_path))
    assert "is unknown; give demo" in refused("wikipedia")
    assert "No corpus was named" in refused("  ")
    assert "has no columns" in refused(write(tmp_path, "a.txt", "one") + "#text")


def test_opening_a_huge_file_is_quick_and_reading_it_lazy(tmp_path: Path) -> None:
    path = tmp_path / "huge.txt"
    with path.open("wb") as file:
        file.write(b"one\n\ntwo\n\n")
        file.truncate(50 * 2**30)  # 50 GiB of zeros after them, which would be reported if they were read
    corpus = Corpus.open(str(path))
    reading = iter(corpus)
    assert [next(reading).text, next(reading).text] == ["one", "two"]


def test_the_bundled_corpus_is_the_generators_passages() -> None:
    from itda_core.text.passages import VERSION, passages

    corpus = Corpus.open("demo")
    assert corpus.id == "demo"
    assert [(d.id, d.text) for d in islice(corpus, 50)] == [(p.id, p.text) for p in passages(50, seed=0)]
    named = f"itda passages {VERSION} seed 0 n 20000"
    assert corpus.fingerprint == hashlib.sha256(named.encode()).hexdigest()


def test_listing_corpora_and_models_loads_no_torch() -> None:
    code = (
        "import sys, itda_core.text, itda_core.models, itda_core.models.spec, itda_core.models.sites; "
        "print({'torch', 'transformers', 'datasets', 'pandas', 'pyarrow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
