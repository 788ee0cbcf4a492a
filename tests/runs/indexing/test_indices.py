"""Which indices there are of a dictionary, which one is shown, and what becomes of them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from itda_core.errors import UserError
from itda_core.runs import IndexRequest, Library, index_dictionary
from itda_core.runs.indexing import indices


@pytest.fixture
def asked(trained: Path, corpus_file: Path, tmp_path: Path) -> IndexRequest:
    """Of a dictionary in the user's library, on a file that may be changed."""
    shutil.copytree(trained, Library().folder / "mine")
    text = shutil.copy(corpus_file, tmp_path / "text.txt")
    return IndexRequest("mine", str(text), tokens=200, device="cpu")


@pytest.fixture
def no_bundled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of bundled indices, empty."""
    folder = tmp_path / "bundled-indices"
    folder.mkdir()
    monkeypatch.setattr(indices, "BUNDLED", folder)
    return folder


def make(request: IndexRequest, **changed: Any) -> tuple[str, Path]:
    *_, last = index_dictionary(IndexRequest(**{**request.to_dict(), **changed}))
    assert last.index is not None
    return last.index.identity, Path(last.index.folder)


def dated(folder: Path, created: str) -> None:
    file = folder / "index.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"created": created}))


def test_newest_first_then_bundled_then_damaged(asked: IndexRequest, no_bundled: Path) -> None:
    assert indices.indices_of("0" * 64) == []
    assert indices.shown_of("0" * 64) is None
    assert indices.shown_folder("0" * 64) is None
    identity, old = make(asked)
    _, new = make(asked, tokens=300)
    _, broken = make(asked, tokens=400)
    _, of_another_version = make(asked, tokens=500)
    shutil.copytree(new, no_bundled / "mine")
    for folder, day in ((old, 1), (new, 2), (no_bundled / "mine", 3)):
        dated(folder, f"2030-01-0{day}T00:00:00+00:00")
    (broken / "index.json").write_text("{")
    said = json.loads((of_another_version / "index.json").read_text())
    (of_another_version / "index.json").write_text(json.dumps(said | {"format_version": 99}))
    found = indices.indices_of(identity)
    assert [entry.folder for entry in found[:3]] == [new, old, no_bundled / "mine"]
    assert [entry.bundled for entry in found] == [False, False, True, False, False]
    problems = {entry.folder: entry.problem for entry in found[3:]}
    assert "not JSON" in str(problems[broken])
    assert "format version 99" in str(problems[of_another_version])
    shown = indices.shown_of(identity)
    assert shown is not None
    assert shown.folder == indices.shown_folder(identity) == new
    (new / "entries.parquet").unlink()  # what it says of itself is whole
    shown = indices.shown_of(identity)
    assert shown is not None
    assert shown.folder == old
    assert indices.indices_of("1" * 64) == []


def test_where_all_are_damaged_the_first_is_named(asked: IndexRequest, no_bundled: Path) -> None:
    identity, folder = make(asked)
    (folder / "codes.npy").write_bytes(b"garbage")
    with pytest.raises(UserError, match=r"codes\.npy is damaged"):
        indices.shown_of(identity)


def test_a_text_that_has_changed_is_told_and_can_still_be_read(asked: IndexRequest, no_bundled: Path) -> None:
    identity, folder = make(asked)
    text = Path(str(asked.corpus))
    assert indices.text_changed(folder) is None
    text.touch()  # another date, the same text
    assert indices.text_changed(folder) is None
    text.write_text(text.read_text() + "\n\nOne more.")
    assert "has changed since" in str(indices.text_changed(folder))
    text.unlink()
    assert "cannot be read any more" in str(indices.text_changed(folder))
    shown = indices.shown_of(identity)
    assert shown is not None
    assert shown.windows([0])[0].text
    (folder / "source.json").unlink()
    assert indices.text_changed(folder) is None


def test_they_go_with_their_dictionary_and_not_before(asked: IndexRequest, no_bundled: Path) -> None:
    identity, folder = make(asked)
    library = Library()
    library.rename("mine", "other")
    shutil.copytree(library.folder / "other", library.folder / "copy")
    library.remove("copy")
    assert [entry.folder for entry in indices.indices_of(identity)] == [folder]
    library.remove("other")
    assert indices.indices_of(identity) == []
    assert not folder.parent.exists()
    assert [path.name for path in folder.parents[1].iterdir()] == []


def test_unfinished_and_hidden_folders_are_no_indices(asked: IndexRequest, no_bundled: Path) -> None:
    identity, folder = make(asked)
    for name in (".work-x", ".partial-x"):
        shutil.copytree(folder, folder.with_name(name))
    assert [entry.folder for entry in indices.indices_of(identity)] == [folder]
