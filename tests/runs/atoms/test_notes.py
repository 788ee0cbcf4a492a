"""Notes and stars: kept by the dictionary's identity, tolerant of damage, taken along in its zip."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from itda_core.errors import UserError
from itda_core.files import writing
from itda_core.runs.atoms import notes
from itda_core.runs.atoms.notes import Note, Notes, keep_note, path_of, read_notes
from itda_core.runs.library import Library
from tests.runs.samples import make_dictionary

IDENTITY = "ab" * 32
HOSTILE = "<script>alert(1)</script> ![](http://example.com/x.png) =1+1 \ud800 \x00"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ITDA_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_what_is_kept_is_read_again_and_what_says_nothing_is_not_kept() -> None:
    assert read_notes(IDENTITY) == Notes()
    keep_note(IDENTITY, 7, star=True)
    keep_note(IDENTITY, 7, text=HOSTILE)
    keep_note(IDENTITY, 3, text="plain")
    found = read_notes(IDENTITY)
    assert found.of(7) == Note(True, HOSTILE.replace("\ud800", "\ufffd"))
    assert found.starred == (7,)
    keep_note(IDENTITY, 7, star=False, text="")
    keep_note(IDENTITY, 3, text="")
    assert read_notes(IDENTITY) == Notes()
    assert json.loads(path_of(IDENTITY).read_text())["notes"] == []
    assert read_notes(None) == Notes()


def test_another_dictionary_has_its_own() -> None:
    keep_note(IDENTITY, 0, star=True)
    assert read_notes("cd" * 32) == Notes()


def test_a_note_that_is_too_long_is_refused_and_nothing_changes() -> None:
    keep_note(IDENTITY, 0, text="kept")
    with pytest.raises(UserError, match="shorten it to 4,000"):
        keep_note(IDENTITY, 0, text="x" * 4_001)
    assert read_notes(IDENTITY).of(0).text == "kept"


@pytest.mark.parametrize(
    "row",
    [
        5,
        {},
        {"atom": -1},
        {"atom": True},
        {"atom": 1, "star": 1},
        {"atom": 1, "text": None},
        {"atom": 2},
        {"atom": 1e9},
    ],
    ids=str,
)
def test_a_damaged_row_is_left_out_and_kept_aside(row: Any) -> None:
    keep_note(IDENTITY, 2, star=True)
    kept = json.loads(path_of(IDENTITY).read_text())
    kept["notes"].append(row)
    path_of(IDENTITY).write_text(json.dumps(kept))
    found = read_notes(IDENTITY)
    assert (found.by_atom, found.unreadable) == ({2: Note(star=True)}, 1)
    keep_note(IDENTITY, 9, star=True)
    assert read_notes(IDENTITY) == Notes({2: Note(star=True), 9: Note(star=True)})
    aside = path_of(IDENTITY).with_name(f"{IDENTITY}.damaged-1.json")
    assert json.loads(aside.read_text()) == kept


@pytest.mark.parametrize("content", ["", "[]", "{", '{"format": "itda-notes", "format_version": 2, "notes": []}'])
def test_a_file_that_cannot_be_read_is_said_and_never_overwritten(content: str) -> None:
    path_of(IDENTITY).parent.mkdir(parents=True)
    for number in (1, 2):
        path_of(IDENTITY).write_text(content)
        found = read_notes(IDENTITY)
        assert found.by_atom == {}
        assert found.problem.endswith(".")
        keep_note(IDENTITY, number, star=True)
        assert read_notes(IDENTITY) == Notes({number: Note(star=True)})
        assert path_of(IDENTITY).with_name(f"{IDENTITY}.damaged-{number}.json").read_text() == content


def test_what_fails_while_it_is_written_leaves_what_there_was(monkeypatch: pytest.MonkeyPatch) -> None:
    keep_note(IDENTITY, 1, text="first")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(writing.os, "replace", full)
        with pytest.raises(UserError, match="The disk is full"):
            keep_note(IDENTITY, 1, text="second")
    assert read_notes(IDENTITY).of(1).text == "first"


def test_a_zip_takes_the_notes_along_and_brings_them_back(tmp_path: Path) -> None:
    library = Library()
    path = library.add(make_dictionary(), name="mine")
    identity = next(entry.identity for entry in library.entries() if entry.name == "mine")
    assert identity is not None
    keep_note(identity, 1, star=True, text=HOSTILE)
    packed = library.export("mine", tmp_path / "mine.zip")
    expected = read_notes(identity)
    path_of(identity).unlink()
    copied = library.import_(packed, "again")
    assert read_notes(identity) == expected
    assert sorted(one.name for one in copied.iterdir()) == sorted(one.name for one in path.iterdir())


def test_imported_notes_are_added_to_ones_own(tmp_path: Path) -> None:
    library = Library()
    library.add(make_dictionary(), name="mine")
    identity = next(str(entry.identity) for entry in library.entries() if entry.name == "mine")
    keep_note(identity, 1, text="theirs")
    packed = library.export("mine", tmp_path / "mine.zip")
    keep_note(identity, 1, text="own", star=True)
    library.import_(packed, "again")
    library.import_(packed, "once-more")
    assert read_notes(identity).of(1) == Note(True, "own\n\ntheirs")


def test_damaged_notes_in_a_zip_do_not_keep_a_dictionary_out(tmp_path: Path) -> None:
    library = Library()
    library.add(make_dictionary(), name="mine")
    packed = library.export("mine", tmp_path / "mine.zip")
    with zipfile.ZipFile(packed) as archive:
        assert not any(name.endswith("notes.json") for name in archive.namelist()), "there are none"
    with zipfile.ZipFile(packed, "a") as archive:
        archive.writestr("mine/notes.json", "{")
    assert library.import_(packed, "again").is_dir()
    identity = next(str(entry.identity) for entry in library.entries() if entry.name == "again")
    assert notes.read_notes(identity) == Notes()
