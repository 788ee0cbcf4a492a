"""A dictionary is told from every other by its identity, whatever it and the others are called."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from itda_core.dictionaries import AtomDictionary
from itda_core.dictionaries.storage.dictionary_folder import ATOMS, PROVENANCE, SPECIFICATION, read_summary
from itda_core.dictionaries.storage.digested_files import DIGESTS
from itda_core.runs import Library
from itda_core.runs.identities import beginning, change_of, folder_now, is_beginning, whereabouts
from tests.runs.samples import make_dictionary


def identity(library: Library, name: str) -> str:
    found = next(entry.identity for entry in library.entries() if entry.name == name)
    assert found is not None
    return found


def test_it_is_the_sha256_of_what_dictionary_json_says_and_stays_with_it(library: Library) -> None:
    said = json.loads((library.folder / "first" / SPECIFICATION).read_text())
    digests = said.pop(DIGESTS)
    own = hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
    files = {ATOMS: digests[ATOMS], PROVENANCE: digests[PROVENANCE]}
    first = identity(library, "first")
    assert first == hashlib.sha256(json.dumps([own, files]).encode()).hexdigest()
    assert first != identity(library, "second")
    library.rename("first", "other")
    assert identity(library, "other") == first
    copy = library.import_(library.export("other", library.folder.parent / "copy.zip"), "copy")
    assert read_summary(copy).identity == first == AtomDictionary.load(copy).identity


def test_dictionaries_that_differ_in_their_atoms_alone_are_told_apart(tmp_path: Path) -> None:
    one, other = (make_dictionary(seed=seed) for seed in (1, 2))
    paths = [made.save_pretrained(tmp_path / str(i)) for i, made in enumerate((one, other))]
    said = [json.loads((path / SPECIFICATION).read_text()) for path in paths]
    said[1]["created"] = said[0]["created"]
    (paths[1] / SPECIFICATION).write_text(json.dumps(said[1]))
    assert read_summary(paths[0]).identity != read_summary(paths[1]).identity


def test_what_is_saved_knows_its_identity(tmp_path: Path) -> None:
    made = make_dictionary()
    assert made.identity is None
    path = made.save_pretrained(tmp_path / "one")
    assert made.identity == read_summary(path).identity == AtomDictionary.load(path).to("cpu").identity


def test_one_without_digests_has_an_identity_too(library: Library) -> None:
    path = library.folder / "first" / SPECIFICATION
    said = json.loads(path.read_text())
    del said[DIGESTS]
    path.write_text(json.dumps(said))
    assert is_beginning(identity(library, "first"))


def test_no_large_file_is_read_to_list_the_library(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("a file was hashed")

    monkeypatch.setattr(hashlib, "file_digest", refuse)
    assert all(entry.identity for entry in library.entries())


def test_what_was_renamed_is_found_and_what_took_its_name_is_not_it(library: Library) -> None:
    first = identity(library, "first")
    path = library.folder / "first"
    assert whereabouts(library.entries(), "first", first).change == change_of(path, first) == ""
    library.rename("first", "renamed")
    for given in (first, beginning(first)):
        assert given is not None
        found = whereabouts(library.entries(), "first", given)
        assert found.entry is not None
        assert found.entry.name == "renamed"
        assert not found.taken
        assert found.change == "first is called renamed now."
    library.rename("second", "first")
    assert whereabouts(library.entries(), "first", first).taken
    assert change_of(path, first) == "first is called renamed now."
    assert folder_now(path, first) == library.folder / "renamed"
    library.remove("renamed")
    assert whereabouts(library.entries(), "first", first).entry is None
    assert change_of(path, first) == (
        "first was deleted or moved out of the library, and another dictionary has its name now."
    )
    library.remove("first")
    assert change_of(path, first) == "first was deleted or moved out of the library."
    assert folder_now(path, first) is None


def test_of_copies_the_one_of_the_name_is_meant(library: Library) -> None:
    library.import_(library.folder / "first", "a copy")
    first = identity(library, "first")
    for name in ("first", "a copy"):
        entry = whereabouts(library.entries(), name, first).entry
        assert entry is not None
        assert entry.name == name


@pytest.mark.parametrize("nonsense", ["", "0", "first", "*"])
def test_nonsense_is_no_dictionarys_identity(library: Library, nonsense: str) -> None:
    assert whereabouts(library.entries(), "first", nonsense).entry is None
    assert folder_now(library.folder / "first", nonsense) is None


def test_what_an_address_may_hold() -> None:
    assert is_beginning("0123abcd")
    assert is_beginning("a" * 64)
    assert not any(map(is_beginning, ("", "0123abc", "0123ABCD", "0123abcx", "a" * 65, "0123abcd\n")))
