from __future__ import annotations

import os
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from itda_core.errors import UserError
from itda_core.runs import archive
from itda_core.runs.archive import DICTIONARY_FILES, archived_name, export_zip, extract_zip
from tests.runs.samples import make_dictionary


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return make_dictionary().save_pretrained(tmp_path / "given")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "in" / "side"
    folder.mkdir(parents=True)
    return folder


def pack(path: Path, source: Path, prefix: str = "", extra: Mapping[str, bytes] = MappingProxyType({})) -> Path:
    with zipfile.ZipFile(path, "w") as packed:
        for name in DICTIONARY_FILES:
            packed.write(source / name, prefix + name)
        for name, content in extra.items():
            packed.writestr(name, content)
    return path


@pytest.mark.parametrize("prefix", ["", "folder/", "a/b/"])
def test_files_lie_at_the_top_or_in_a_folder(tmp_path: Path, source: Path, target: Path, prefix: str) -> None:
    extract_zip(pack(tmp_path / "x.zip", source, prefix), target)
    assert {name: (target / name).read_bytes() for name in os.listdir(target)} == {
        name: (source / name).read_bytes() for name in DICTIONARY_FILES
    }


def test_other_files_stay_inside_the_zip(tmp_path: Path, source: Path, target: Path) -> None:
    extra = {"README.md": b"hello", "__MACOSX/._dictionary.json": b"x", "pickle.pkl": b"x"}
    extract_zip(pack(tmp_path / "x.zip", source, "folder/", extra), target)
    assert sorted(os.listdir(target)) == sorted(DICTIONARY_FILES)


@pytest.mark.parametrize(
    "entry", ["../atoms.safetensors", "a/../../dictionary.json", "/etc/dictionary.json", "..\\x.json", "C:\\x.json"]
)
def test_entries_that_lead_elsewhere_are_refused(tmp_path: Path, source: Path, target: Path, entry: str) -> None:
    with pytest.raises(UserError, match="leads elsewhere"):
        extract_zip(pack(tmp_path / "x.zip", source, "", {entry: b"evil"}), target)
    assert os.listdir(target) == []
    assert os.listdir(target.parent) == ["side"]


def test_links_are_refused(tmp_path: Path, source: Path, target: Path) -> None:
    link = zipfile.ZipInfo("folder/dictionary.json")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as packed:
        packed.writestr(link, "/etc/passwd")
    with pytest.raises(UserError, match="no plain file"):
        extract_zip(tmp_path / "x.zip", target)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, source: Path, target: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.write(source / "dictionary.json", "dictionary.json")
        packed.write(source / "provenance.parquet", "provenance.parquet")
        packed.writestr("atoms.safetensors", b"\0" * 30_000_000)
    assert path.stat().st_size < 100_000
    with pytest.raises(UserError, match="times its size"):
        extract_zip(path, target)
    assert os.listdir(target) == []


def test_a_zip_that_lies_about_a_size_is_refused(tmp_path: Path, source: Path, target: Path) -> None:
    path = pack(tmp_path / "x.zip", source)
    raw = bytearray(path.read_bytes())
    size = (source / "dictionary.json").stat().st_size
    at = raw.index(b"PK\x01\x02") + 24  # the first central entry's uncompressed size
    assert int.from_bytes(raw[at : at + 4], "little") == size
    raw[at : at + 4] = (size - 5).to_bytes(4, "little")
    path.write_bytes(raw)
    with pytest.raises(UserError):
        extract_zip(path, target)


def test_too_much_is_refused(tmp_path: Path, source: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = pack(tmp_path / "x.zip", source)
    monkeypatch.setattr(archive, "MOST_BYTES", 100)
    with pytest.raises(UserError, match="at most"):
        extract_zip(path, target)


@pytest.mark.parametrize("name", DICTIONARY_FILES)
def test_a_missing_file_is_named(tmp_path: Path, source: Path, target: Path, name: str) -> None:
    (source / name).rename(source / "away")
    (source / name).write_bytes(b"")
    path = pack(tmp_path / "x.zip", source)
    with zipfile.ZipFile(path) as packed, zipfile.ZipFile(tmp_path / "y.zip", "w") as less:
        for member in packed.namelist():
            if member != name:
                less.writestr(member, packed.read(member))
    with pytest.raises(UserError, match=name):
        extract_zip(tmp_path / "y.zip", target)


@pytest.mark.parametrize(
    ("prefix", "file", "name"),
    [
        ("w1/", "w1 (1).zip", "w1"),
        ("w1/", "anything.zip", "w1"),
        ("a/w1/", "b.zip", "w1"),
        ("", "w1.zip", "w1"),
        ("", "w1 (12).zip", "w1"),
        ("", "w1(2).zip", "w1"),
        ("", "w (3) b.zip", "w (3) b"),
    ],
)
def test_a_zip_says_what_its_dictionary_was_called(
    tmp_path: Path, source: Path, prefix: str, file: str, name: str
) -> None:
    assert archived_name(pack(tmp_path / file, source, prefix, {"__MACOSX/dictionary.json": b"{}"})) == name


def test_two_dictionaries_in_one_zip_are_refused(tmp_path: Path, source: Path, target: Path) -> None:
    with pytest.raises(UserError, match="one dictionary at a time"):
        extract_zip(pack(tmp_path / "x.zip", source, "a/", {"b/dictionary.json": b"{}"}), target)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", b"plain text"])
def test_what_is_no_zip_is_refused(tmp_path: Path, target: Path, content: bytes) -> None:
    (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(UserError, match="not a zip"):
        extract_zip(tmp_path / "x.zip", target)


def test_a_flipped_byte_is_noticed(tmp_path: Path, source: Path, target: Path) -> None:
    path = pack(tmp_path / "x.zip", source)
    raw = bytearray(path.read_bytes())
    raw[raw.index((source / "atoms.safetensors").read_bytes()) + 200] ^= 1
    path.write_bytes(raw)
    with pytest.raises(UserError, match="not a zip that can be read"):
        extract_zip(path, target)


def test_a_failed_export_leaves_nothing(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(archive, "write_zip", full)
    (tmp_path / "out").mkdir()
    with pytest.raises(UserError, match="disk is full"):
        export_zip(source, tmp_path / "out" / "x.zip")
    assert os.listdir(tmp_path / "out") == []


def test_a_pipe_is_no_zip_and_is_not_waited_for(tmp_path: Path, target: Path) -> None:
    os.mkfifo(tmp_path / "x.zip")
    with pytest.raises(UserError, match="a pipe"):
        extract_zip(tmp_path / "x.zip", target)


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (10, b"\xff\xff"),
        (8, b"\x01\x08"),
        (6, b"\xff\xff"),
        (46, b"\xff\xfe\xfd"),
        (42, b"\xff\xff\xff\x7f"),
        (28, b"\0\0"),
    ],
)
def test_an_odd_central_directory_ends_in_one_sentence(
    tmp_path: Path, source: Path, target: Path, at: int, value: bytes
) -> None:
    """Unknown ways of packing and versions, names that are no text or empty, places before the beginning."""
    path = pack(tmp_path / "x.zip", source, "é/")
    raw = bytearray(path.read_bytes())
    entry = raw.index(b"PK\x01\x02")
    raw[entry + at : entry + at + len(value)] = value
    path.write_bytes(raw)
    with pytest.raises(UserError):
        extract_zip(path, target)


def test_what_is_damaged_is_not_exported(tmp_path: Path, source: Path) -> None:
    raw = bytearray((source / "atoms.safetensors").read_bytes())
    raw[-1] ^= 1
    (source / "atoms.safetensors").write_bytes(raw)
    with pytest.raises(UserError, match="damaged"):
        export_zip(source, tmp_path / "x.zip")
    assert not (tmp_path / "x.zip").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["given"]


def test_a_folder_that_is_renamed_while_it_is_exported_is_written_whole_or_not_at_all(
    tmp_path: Path, source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Renaming(zipfile.ZipFile):
        def open(self, *args, **options):
            if source.exists():
                source.rename(tmp_path / "moved")
            return super().open(*args, **options)

    monkeypatch.setattr(archive.zipfile, "ZipFile", Renaming)
    export_zip(source, tmp_path / "x.zip")
    monkeypatch.undo()
    extract_zip(tmp_path / "x.zip", target)
    for name in DICTIONARY_FILES:
        assert (target / name).read_bytes() == (tmp_path / "moved" / name).read_bytes()
    with pytest.raises(UserError, match="does not exist"):
        export_zip(source, tmp_path / "y.zip")


def test_files_from_before_1980_are_exported(tmp_path: Path, source: Path, target: Path) -> None:
    os.utime(source / "dictionary.json", (0, 0))
    extract_zip(export_zip(source, tmp_path / "x.zip"), target)
    assert sorted(os.listdir(target)) == sorted(DICTIONARY_FILES)
