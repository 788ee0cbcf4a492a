from __future__ import annotations

import json
import os
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from itda_core.dictionaries import AtomDictionary
from itda_core.errors import UserError
from itda_core.runs import Library
from itda_core.runs.library import LibraryEntry
from tests.runs.samples import make_dictionary


def set_created(path: Path, created: str) -> None:
    description = json.loads((path / "dictionary.json").read_text())
    (path / "dictionary.json").write_text(json.dumps({**description, "created": created}))


def names(library: Library) -> list[str]:
    return [entry.name for entry in library.entries()]


def test_newest_first_then_bundled(library: Library) -> None:
    set_created(library.folder / "first", "2030-01-02T00:00:00+00:00")
    set_created(library.folder / "second", "2030-01-01T00:00:00+00:00")
    entries = library.entries()
    assert [(entry.name, entry.bundled) for entry in entries] == [
        ("first", False),
        ("second", False),
        ("demo-0-L2", True),
    ]
    assert (entries[0].atoms, entries[0].d_model, entries[0].k, entries[0].fvu) == (6, 8, 3, 0.125)
    assert entries[0].bytes == sum(file.stat().st_size for file in (library.folder / "first").iterdir())


def test_damaged_and_foreign_folders_are_listed_with_what_is_wrong(library: Library) -> None:
    (library.folder / "holiday").mkdir()
    (library.folder / "torn").mkdir()
    (library.folder / "torn" / "dictionary.json").write_text('{"format": "itda-dict')
    (library.folder / "list").mkdir()
    (library.folder / "list" / "dictionary.json").write_text("[]")
    shutil.copytree(library.folder / "first", library.folder / "headless")
    (library.folder / "headless" / "atoms.safetensors").unlink()
    (library.folder / "a note.txt").write_text("not a folder")
    (library.folder / "dangling").symlink_to(library.folder / "nowhere")
    problems = {entry.name: entry.problem for entry in library.entries() if entry.problem}
    assert set(problems) == {"holiday", "torn", "list", "headless"}
    assert all(name in str(problem) for name, problem in problems.items())
    assert "atoms.safetensors" in str(problems["headless"])
    assert {name for name in names(library) if name not in problems} == {"first", "second", "demo-0-L2"}


def test_what_is_being_written_is_not_listed(library: Library) -> None:
    shutil.copytree(library.folder / "first", library.folder / ".partial-x")
    assert ".partial-x" not in names(library)
    with pytest.raises(UserError):
        library.find(".partial-x")


def test_an_empty_home_lists_the_bundled_ones(bundled: Path, home: Path) -> None:
    assert names(Library()) == ["demo-0-L2"]
    assert not home.exists()


def test_found_by_path_by_name_and_by_bundled_name(library: Library, bundled: Path, tmp_path: Path) -> None:
    assert library.find("first") == library.folder / "first"
    assert library.find("demo-0-L2") == bundled / "demo-0-L2"
    elsewhere = make_dictionary().save_pretrained(tmp_path / "elsewhere")
    assert library.find(elsewhere) == elsewhere
    assert library.find(f" {elsewhere}/ ") == elsewhere


def test_own_names_go_before_bundled_ones(library: Library) -> None:
    make_dictionary(seed=5).save_pretrained(library.folder / "demo-0-L2")
    assert library.find("demo-0-L2") == library.folder / "demo-0-L2"


@pytest.mark.parametrize("reference", ["frist", "Demo-0-l2", "../first/secnd"])
def test_an_unknown_name_brings_the_nearest(library: Library, reference: str) -> None:
    nearest = {"frist": "first", "Demo-0-l2": "demo-0-L2", "../first/secnd": "second"}[reference]
    with pytest.raises(UserError, match=f"did you mean {nearest}"):
        library.find(reference)


@pytest.mark.parametrize("reference", ["", "  ", "..", ".", "a\0b", "~nobody-at-all/x", "x" * 300, "/" + "y/" * 2000])
def test_odd_references_are_refused_with_a_sentence(library: Library, reference: str) -> None:
    with pytest.raises(UserError) as caught:
        library.find(reference)
    assert len(str(caught.value)) < 400


def test_a_folder_that_is_no_dictionary_is_called_so(library: Library, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"without a dictionary\.json"):
        library.find(tmp_path)


def test_rename(library: Library) -> None:
    before = AtomDictionary.load(library.folder / "first").atoms
    path = library.rename("first", "Layer 2 (best)")
    assert torch.equal(AtomDictionary.load(path).atoms, before)
    assert sorted(names(library)) == ["Layer 2 (best)", "demo-0-L2", "second"]


@pytest.mark.parametrize(
    "name", ["", " ", ".hidden", "a/b", "..", "a\\b", "a:b", "nul", "end.", "x" * 121, "_x", "a\nb", "a\0b"]
)
def test_names_that_cannot_be_are_refused(library: Library, name: str) -> None:
    with pytest.raises(UserError):
        library.rename("first", name)
    assert sorted(names(library)) == ["demo-0-L2", "first", "second"]


@pytest.mark.parametrize("name", ["second", "demo-0-L2"])
def test_taken_names_are_refused(library: Library, name: str) -> None:
    with pytest.raises(UserError, match="already"):
        library.rename("first", name)


def test_bundled_dictionaries_are_read_only(library: Library, bundled: Path) -> None:
    for act in (lambda: library.rename("demo-0-L2", "mine"), lambda: library.remove("demo-0-L2")):
        with pytest.raises(UserError, match="bundled"):
            act()
    assert AtomDictionary.load(bundled / "demo-0-L2").spec.d_model == 8


def test_remove(library: Library) -> None:
    library.remove("first")
    assert sorted(names(library)) == ["demo-0-L2", "second"]
    assert sorted(os.listdir(library.folder)) == ["second"]


def test_a_damaged_folder_can_be_removed(library: Library) -> None:
    (library.folder / "torn").mkdir()
    (library.folder / "torn" / "dictionary.json").write_text("{")
    library.remove("torn")
    assert "torn" not in names(library)


def test_remove_never_leaves_the_library(library: Library, tmp_path: Path) -> None:
    outside = make_dictionary().save_pretrained(tmp_path / "outside")
    with pytest.raises(UserError, match="outside the library"):
        library.remove(str(outside))
    (library.folder / "link").symlink_to(outside)
    library.remove("link")
    assert not (library.folder / "link").exists()
    assert len(AtomDictionary.load(outside)) == 6
    inner = library.folder / "first" / "inner"
    inner.symlink_to(outside)
    library.remove("first")
    assert len(AtomDictionary.load(outside)) == 6


def test_free_names_count_up(library: Library) -> None:
    assert library.free_name("demo:0", "resid_post", 2) == "demo-0-L2-resid_post"
    first = library.add(make_dictionary())
    assert library.add(make_dictionary()).name == "demo-0-L2-resid_post-2"
    assert library.free_name("demo:0", "resid_post", 2) == "demo-0-L2-resid_post-3"
    assert first.name == "demo-0-L2-resid_post"
    assert library.free_name("/models/my model", "transformer.h.3.mlp", None) == "my-model-transformer.h.3.mlp"
    assert library.free_name("Owner/Some_Model-7B", "mlp_out", 11) == "Some_Model-7B-L11-mlp_out"


def test_a_name_taken_meanwhile_is_passed_over(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two trainings that end at the same moment see the same free name."""
    real = Library.free_name

    def late(self: Library, model: str, site: str, layer: int | None) -> str:
        name = real(self, model, site, layer)
        monkeypatch.setattr(Library, "free_name", real)
        make_dictionary(seed=3).save_pretrained(self.folder / name)
        return name

    monkeypatch.setattr(Library, "free_name", late)
    assert library.add(make_dictionary(seed=4)).name == "demo-0-L2-resid_post-2"
    assert len(AtomDictionary.load(library.folder / "demo-0-L2-resid_post")) == 6


def test_import_of_a_folder_takes_the_three_files_only(library: Library, tmp_path: Path) -> None:
    source = make_dictionary(seed=7).save_pretrained(tmp_path / "given")
    (source / "run_me.py").write_text("raise SystemExit")
    path = library.import_(source)
    assert path == library.folder / "given"
    assert sorted(os.listdir(path)) == ["atoms.safetensors", "dictionary.json", "provenance.parquet"]
    assert torch.equal(AtomDictionary.load(path).atoms, AtomDictionary.load(source).atoms)
    assert library.import_(source).name == "given-2"
    assert library.import_(source, "chosen").name == "chosen"
    with pytest.raises(UserError, match="already"):
        library.import_(source, "chosen")


def test_an_import_is_called_as_the_exported_one_was_and_says_where_it_is_not(library: Library, tmp_path: Path) -> None:
    packed = library.export("first", tmp_path / "first (1).zip")
    library.rename("first", "other")
    notes: list[str] = []
    assert library.import_(packed, on_note=notes.append).name == "first"
    assert notes == []
    assert library.import_(packed, on_note=notes.append).name == "first-2"
    assert notes == ["It is called first-2, because the library has another first."]
    assert library.import_(packed, "chosen", on_note=notes.append).name == "chosen"
    assert len(notes) == 1


def test_a_damaged_import_is_called_as_its_reader_calls_it(library: Library, tmp_path: Path) -> None:
    hidden = tmp_path / "tmp-1"
    hidden.mkdir()
    source = make_dictionary().save_pretrained(tmp_path / "given")
    raw = (source / "atoms.safetensors").read_bytes()
    (source / "atoms.safetensors").write_bytes(raw[: len(raw) // 2])
    with zipfile.ZipFile(hidden / "half.zip", "w") as archive:
        for file in source.iterdir():
            archive.write(file, file.name)
    (hidden / "none.zip").write_text("no zip")
    for name in ("half", "none"):
        with pytest.raises(UserError, match=r"^my upload\.zip") as refused:
            library.import_(hidden / f"{name}.zip", called="my upload.zip")
        assert "tmp-1" not in str(refused.value)
        assert ".partial" not in str(refused.value)
        with pytest.raises(UserError) as refused:
            library.import_(hidden / f"{name}.zip")
        assert str(hidden / f"{name}.zip") in str(refused.value)
        assert ".partial" not in str(refused.value)


def test_a_damaged_import_leaves_nothing(library: Library, tmp_path: Path) -> None:
    source = make_dictionary().save_pretrained(tmp_path / "given")
    raw = (source / "atoms.safetensors").read_bytes()
    (source / "atoms.safetensors").write_bytes(raw[: len(raw) // 2])
    before = sorted(os.listdir(library.folder))
    with pytest.raises(UserError, match="damaged"):
        library.import_(source)
    assert sorted(os.listdir(library.folder)) == before


def test_an_import_of_a_link_is_refused(library: Library, tmp_path: Path) -> None:
    source = make_dictionary().save_pretrained(tmp_path / "given")
    (source / "provenance.parquet").unlink()
    (source / "provenance.parquet").symlink_to("/etc/hostname")
    with pytest.raises(UserError, match="plain file"):
        library.import_(source)


@pytest.mark.parametrize("source", ["no/such/place", "nowhere", "../x", "a b/c"])
def test_an_import_of_nothing_says_what_is_expected(
    library: Library, source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # whatever lies beside the repository
    with pytest.raises(UserError, match="no folder, no zip file"):
        library.import_(source)


def test_export_and_import_give_the_same_dictionary(library: Library, tmp_path: Path) -> None:
    target = library.export("first", tmp_path)
    assert target == tmp_path / "first.zip"
    again = AtomDictionary.load(library.import_(target, "again"))
    once = AtomDictionary.load(library.folder / "first")
    assert torch.equal(again.atoms, once.atoms)
    assert again.provenance.equals(once.provenance)
    assert (again.spec, again.config, again.stats) == (once.spec, once.config, once.stats)
    with pytest.raises(UserError, match="exists already"):
        library.export("first", tmp_path)


def test_a_library_that_is_a_file_is_refused_before_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="not a folder"):
        Library(tmp_path / "file").check_writable()


def test_an_import_that_was_killed_is_swept_by_the_next_thing_that_writes(library: Library, tmp_path: Path) -> None:
    orphan = library.folder / ".partial-orphan"
    orphan.mkdir()
    (orphan / "atoms.safetensors").write_bytes(b"half")
    os.utime(orphan, (0, 0))
    library.import_(make_dictionary(seed=5).save_pretrained(tmp_path / "given"))
    assert not orphan.exists()


def test_an_imported_folder_of_an_earlier_version_gets_digests(library: Library, tmp_path: Path) -> None:
    given = make_dictionary(seed=5).save_pretrained(tmp_path / "given")
    said = json.loads((given / "dictionary.json").read_text())
    del said["sha256"]
    (given / "dictionary.json").write_text(json.dumps(said))
    path = library.import_(given)
    raw = bytearray((path / "atoms.safetensors").read_bytes())
    raw[-1] ^= 1
    (path / "atoms.safetensors").write_bytes(raw)
    with pytest.raises(UserError, match="digest"):
        AtomDictionary.load(path)


def test_a_name_that_is_no_text_and_a_file_in_the_library_break_nothing(library: Library) -> None:
    (library.folder / os.fsdecode(b"caf\xe9")).mkdir()
    (library.folder / "loop").symlink_to(library.folder / "loop")
    (library.folder / "note.txt").write_text("x")
    assert [entry.name for entry in library.entries() if not entry.bundled] == ["first", "second"]
    with pytest.raises(UserError):
        library.find(os.fsdecode(b"caf\xe9-\xff"))
    with pytest.raises(UserError, match="no folder, no zip"):
        library.import_(os.fsdecode(b"caf\xe9.zip"))
    library.remove("note.txt")
    library.remove("loop")
    assert not (library.folder / "note.txt").exists()


def test_an_fvu_of_the_training_text_is_told_from_a_held_out_one() -> None:
    entry = LibraryEntry(Path("a"), "a", fvu=0.25, fvu_text="training")
    assert entry.fvu_words == "0.250 in training"
    assert replace(entry, fvu_text="held-out").fvu_words == "0.250"
    assert replace(entry, fvu=None).fvu_words == ""
