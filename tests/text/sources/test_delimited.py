"""CSV as it comes: read as it is meant, or refused by the line that is not."""

from __future__ import annotations

import csv
import io
import random
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from itda_core.text import Corpus
from tests.text.corpora import refused, texts, write

TEXTS = ["The dog ran, then it slept; twice", 'She said "no"\tand\nleft', "a|b", ""]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_separators_are_told_by_the_header(tmp_path: Path, separator: str, quoting: Literal[0, 1]) -> None:
    file = io.StringIO()
    writer = csv.writer(file, delimiter=separator, quoting=quoting)
    writer.writerows([["id", "text", "n"], *([f"r{i}", text, i] for i, text in enumerate(TEXTS))])
    path = write(tmp_path, "a.csv", file.getvalue())
    assert texts(path) == TEXTS
    assert texts(f"{path}#id") == ["r0", "r1", "r2", "r3"]
    assert "no column 'nope'" in refused(f"{path}#nope")


def test_a_separator_that_is_no_comma_is_part_of_the_fingerprint(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "id;text\n1;The dog ran, then it slept\n")
    assert texts(path) == ["The dog ran, then it slept"]
    plain = write(tmp_path, "b.txt", Path(path).read_bytes())
    assert Corpus.open(path).fingerprint != Corpus.open(plain).fingerprint  # that of the bytes


def test_the_only_column_of_text_by_another_separator(tmp_path: Path) -> None:
    assert texts(write(tmp_path, "a.csv", "id;review\n1;good, really\n2;bad\n")) == ["good, really", "bad"]
    assert texts(write(tmp_path, "b.csv", "id;review, long\n1;good\n2;bad, and more\n")) == ["good", "bad, and more"]
    assert "the separator is the semicolon" in refused(write(tmp_path, "c.csv", "id;review\n1;good\n2;bad;more\n"))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**9))
def test_no_letter_is_a_separator(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    rng = random.Random(seed)
    words = ["".join(rng.choice("abcdefgh ") for _ in range(rng.randrange(1, 30))).strip() or "x" for _ in range(9)]
    path = write(tmp_path_factory.mktemp("t"), "a.csv", "text\n" + "\n".join(words) + "\n")
    assert texts(path) == words


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("n,text\n1,one\n2,The dog ran, then it slept\n", "line 3 has 3 cells where the header has 2"),
        ("n;text\n1;one\n2;The dog ran; it slept\n", "(the separator is the semicolon)"),
        ("n,text,m\n1,one,1\n2,two\n", "line 3 has 2 cells where the header has 3"),
        ('n,text\n1,"one\n2,two\n3,three\n', "a quote that opens in line 2 is never closed"),
        ('n,text\n1,"one\n2,two\n3,"three"\n', "line 4 is not CSV"),
        ('n,text\n1,"one" two\n', "line 2 is not CSV"),
        ("text,text\na,b\n", "several columns 'text'"),
        ("1,The dog ran\n2,It slept\n", "begin with a row, not with the names"),
        ('n,text\n0,ok\n1,"a\n' + "".join(f"{i},b\n" for i in range(2, 9)) + '9,c"\n', "8 lines that look like rows"),
        ("text\nHello, world\n", "line 2 has 2 cells where the header has 1"),
    ],
)
def test_what_would_lose_text_is_refused_by_its_line(tmp_path: Path, content: str, said: str) -> None:
    assert said in refused(write(tmp_path, "a.csv", content))


def test_a_later_line_is_named_as_editors_count(tmp_path: Path) -> None:
    rows = "".join(f'{i},"two\nlines"\n' for i in range(500))
    assert "line 1002 has 3 cells" in refused(write(tmp_path, "a.csv", f"n,text\n{rows}500,a,b\n"))


def test_verse_with_commas_is_no_row(tmp_path: Path) -> None:
    verse = "Rose, red\n" * 12 + "end"
    assert texts(write(tmp_path, "a.csv", f'title,text\nsong,"{verse}"\n')) == [verse]
    assert texts(write(tmp_path, "b.csv", f'n,text\n1,"{verse}"\n')) == [verse]


def test_blank_lines_are_no_rows_but_count(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "\n\nn,text\r\n1,one\r\n\r\n  \r\n2,two\r\n")
    assert [(d.id, d.text) for d in Corpus.open(path)] == [("a.csv:000000", "one"), ("a.csv:000003", "two")]
