"""What was found out once is known again, and what cannot be read was never found out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from itda_core.files.remembered import key_of, recall, remember

KEY = key_of(file="a", version=1)


def test_a_finding_is_known_again(home: Path) -> None:
    assert recall("kind", KEY) is None
    remember("kind", KEY, {"found": [1, None]})
    assert recall("kind", KEY) == {"found": [1, None]}
    assert recall("kind", key_of(file="a", version=2)) is None
    assert home.is_dir()


@pytest.mark.parametrize(
    "damage",
    [b"", b"\xff\xfe", b"{", b"[" * 100_000, b'{"a": ' + b"9" * 5_000 + b"}", b'"\\ud800"'],
    ids=["empty", "not UTF-8", "torn", "deep", "long number", "half a character"],
)
def test_a_damaged_finding_is_none(home: Path, damage: bytes) -> None:
    remember("kind", KEY, 1)
    (file,) = home.rglob("*.json")
    file.write_bytes(damage)
    assert recall("kind", KEY) is None


def test_what_is_no_file_is_none(home: Path) -> None:
    remember("kind", KEY, 1)
    (file,) = home.rglob("*.json")
    file.unlink()
    os.mkfifo(file)
    assert recall("kind", KEY) is None
    file.unlink()
    file.mkdir()
    assert recall("kind", KEY) is None
