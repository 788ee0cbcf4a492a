"""Uploads are kept once, under names that cannot lead elsewhere."""

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pages.ui import uploads


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
