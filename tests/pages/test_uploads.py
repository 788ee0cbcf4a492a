"""Uploads are kept once, under names that cannot lead elsewhere."""

import io
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pages.ui.forms import uploads


@given(st.text())
def test_safe_names_stay_in_their_folder(name: str) -> None:
    safe = uploads.safe_name(name)
    assert Path(safe).name == safe
    assert not safe.startswith(".")
    assert safe.isascii()
    assert safe.rpartition(".")[2] in uploads.KINDS
    assert len(safe) < 100


def test_names() -> None:
    assert uploads.safe_name("../../etc/passwd") == "passwd.txt"
    assert uploads.safe_name("C:\\texts\\My novel.JSONL") == "My-novel.jsonl"
    assert uploads.safe_name(".csv") == "corpus.csv"
    assert uploads.safe_name("run.sh") == "run.txt"


def test_same_bytes_are_kept_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ITDA_HOME", str(tmp_path))
    first = uploads.keep("a.txt", io.BytesIO(b"one"))
    again = uploads.keep("a.txt", io.BytesIO(b"one"))
    other = uploads.keep("a.txt", io.BytesIO(b"two"))
    assert first == again == tmp_path / "uploads" / "a.txt"
    assert other.name == "a-2.txt"
    assert other.read_bytes() == b"two"
    assert first.read_bytes() == b"one"
    assert set(uploads.uploads()) == {first, other}
    assert not [path for path in (tmp_path / "uploads").iterdir() if path.name.startswith(".")]


def test_visitors_at_once_get_their_own_text_under_one_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ITDA_HOME", str(tmp_path))
    contents = [bytes([i % 6]) * (2**20 + 5) for i in range(24)]  # each more than one chunk, four visitors the same
    with ThreadPoolExecutor(12) as visitors:
        kept = list(visitors.map(lambda content: uploads.keep("a.txt", io.BytesIO(content)), contents))
    assert [path.read_bytes() for path in kept] == contents
    assert len(set(kept)) == 6
    assert {path.name for path in (tmp_path / "uploads").iterdir()} == {path.name for path in kept}


def test_where_files_cannot_be_linked_nothing_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ITDA_HOME", str(tmp_path))

    def no_links(*_: object) -> None:
        raise PermissionError("this file system has none")

    monkeypatch.setattr("os.link", no_links)
    rng = random.Random(0)
    contents = [bytes([rng.randrange(3)]) for _ in range(30)]
    kept = [uploads.keep("a.txt", io.BytesIO(content)) for content in contents]
    assert [path.read_bytes() for path in kept] == contents
    assert len(set(kept)) == 3
    assert not [path for path in (tmp_path / "uploads").iterdir() if path.name.startswith(".")]
