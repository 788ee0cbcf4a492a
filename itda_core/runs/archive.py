"""A dictionary as one zip file: written whole, and read as something a stranger may have made.

One's own notes on its atoms go along as a further file, notes.json, and are read from there.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import tempfile
import time
import zipfile
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from itda_core.dictionaries.storage.dictionary_folder import check_digests, read_summary
from itda_core.errors import UserError
from itda_core.files import PARTIAL, explained, foreign_file, open_regular, shown, sync_folder
from itda_core.files.reading import parse_json, read_bytes
from itda_core.runs.atoms.notes import Notes, parsed, read_notes, to_json

DICTIONARY_FILES = ("dictionary.json", "atoms.safetensors", "provenance.parquet")
NOTES_FILE = "notes.json"

MOST_BYTES = 16 * 2**30  # unpacked; 500,000 atoms of 8,192 numbers are just this
MOST_JSON_BYTES = 64 * 2**20
MOST_NOTES_BYTES = 16 * 2**20
_MOST_RATIO = 200  # real atoms and Parquet hardly shrink; JSON shrinks 20 times at most
_RATIO_COUNTS_FROM = 2**20
_CHUNK = 2**20
_SAVED_AGAIN = re.compile(r" ?\(\d{1,3}\)$")
_ZIP_BEGAN = (1980, 1, 1, 0, 0, 0)  # no entry may be older


def write_zip(folder: Path, target: BinaryIO) -> None:
    """The three files of the dictionary in `folder`, as a zip with one folder of its name, and the notes on its atoms
    where there are any.

    Raises UserError when a file is missing, or is not what was written.
    """
    check_digests(folder, description=False)
    notes = read_notes(read_summary(folder).identity)
    with ExitStack() as opened:
        # All files are opened first, so that a folder which is renamed or removed meanwhile is written whole.
        files = {name: opened.enter_context(open_regular(folder / name)) for name in DICTIONARY_FILES}
        archive = opened.enter_context(zipfile.ZipFile(target, "w"))
        for name, file in files.items():
            made = time.localtime(os.fstat(file.fileno()).st_mtime)[:6]
            entry = zipfile.ZipInfo(f"{folder.name}/{name}", max(made, _ZIP_BEGAN))
            entry.compress_type = zipfile.ZIP_DEFLATED if name.endswith(".json") else zipfile.ZIP_STORED
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            entry.file_size = os.fstat(file.fileno()).st_size  # zipfile must know it above 2 GiB
            with archive.open(entry, "w") as packed:
                shutil.copyfileobj(file, packed, _CHUNK)
        if notes.by_atom:
            entry = zipfile.ZipInfo(f"{folder.name}/{NOTES_FILE}", max(time.localtime()[:6], _ZIP_BEGAN))
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, json.dumps(to_json(notes), indent=2, ensure_ascii=False))


def archived_notes(source: Path) -> Notes:
    """The notes that came with the dictionary in the folder or zip `source`; none, with its `problem`, where they are
    damaged: a dictionary is no worse for it.
    """
    try:
        if source.is_dir():
            file = source / NOTES_FILE
            return parsed(parse_json(read_bytes(file, MOST_NOTES_BYTES), file)) if file.exists() else Notes()
        with open_regular(source) as file, _parsed(source), zipfile.ZipFile(file) as archive:
            for member in archive.infolist():
                path = PurePosixPath(member.filename)
                if path.name == NOTES_FILE and len(path.parts) <= 2 and not member.flag_bits & 1:
                    with archive.open(member) as packed:
                        content = packed.read(MOST_NOTES_BYTES + 1)
                    if len(content) > MOST_NOTES_BYTES:
                        raise UserError(f"{shown(source)}: {NOTES_FILE} is too large; the notes were left out.")
                    return parsed(parse_json(content, NOTES_FILE))
    except UserError as error:
        return Notes(problem=str(error))
    return Notes()


def archived_name(source: Path) -> str:
    """What the dictionary in the zip `source` was called where it was exported: its folder in the zip, else the file.

    A browser that saves a second `w1.zip` calls it `w1 (1).zip`: that is no part of the name. Raises UserError when it
    is no zip that can be read.
    """
    with open_regular(source) as file, _parsed(source), zipfile.ZipFile(file) as archive:
        paths = [PurePosixPath(name.replace("\\", "/")) for name in archive.namelist()]
    folders = {path.parent.name for path in paths if path.name == "dictionary.json" and path.parts[0] != "__MACOSX"}
    name = folders.pop() if len(folders) == 1 else ""
    return name or _SAVED_AGAIN.sub("", source.stem)


def export_zip(folder: Path, target: Path) -> Path:
    """Write `target` in one rename. Raises UserError when it is taken, or the disk is full."""
    if os.path.lexists(target):
        raise UserError(f"{shown(target)} exists already; choose another name or remove it first.")
    with explained(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, partial = tempfile.mkstemp(prefix=PARTIAL, dir=target.parent)
    try:
        with explained(target):
            with os.fdopen(handle, "wb") as file:
                write_zip(folder, file)
                file.flush()
                os.fsync(file.fileno())
            Path(partial).chmod(0o644)
            os.replace(partial, target)
            sync_folder(target.parent)
    finally:
        Path(partial).unlink(missing_ok=True)
    return target


def copy_folder(source: Path, target: Path) -> None:
    """Copy a dictionary's three files, nothing else, into the existing folder `target`.

    Raises UserError when one is missing, is no plain file (a link could name any file of this machine) or is too large.
    """
    files = [source / name for name in DICTIONARY_FILES]
    for file in files:
        if not file.exists() and not file.is_symlink():
            raise UserError(f"{shown(source)} is not a dictionary: {file.name} is missing; choose another folder.")
        if file.is_symlink() or not file.is_file():
            raise UserError(
                f"{shown(file)} is not a plain file; copy the dictionary with its links resolved and try again."
            )
    _check_sizes(str(source), {file.name: file.stat().st_size for file in files}, target)
    for file in files:
        shutil.copyfile(file, target / file.name, follow_symlinks=False)


def extract_zip(source: Path, target: Path) -> None:
    """Unpack a dictionary's three files, nothing else, into the existing folder `target`.

    They lie at the top of the zip or in one folder. Raises UserError when the zip is damaged, lacks one, is encrypted,
    holds links or paths that lead elsewhere, or claims or unpacks to more than it may.
    """
    with open_regular(source) as file, ExitStack() as opened:
        with _parsed(source):
            archive = opened.enter_context(zipfile.ZipFile(file))
        members = _members(source, archive)
        _check_sizes(str(source), {name: member.file_size for name, member in members.items()}, target)
        for name, member in members.items():
            _extract(source, archive, member, target / name)


def _parsed(source: Path) -> AbstractContextManager[None]:
    """Turns whatever is raised while a stranger's zip is parsed into one sentence."""
    return foreign_file(source, "export the dictionary again.", "is not a zip that can be read")


def _members(source: Path, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    found: dict[str, zipfile.ZipInfo] = {}
    folders: set[str] = set()
    for member in archive.infolist():
        path = PurePosixPath(member.filename.replace("\\", "/"))
        mode = member.external_attr >> 16
        named = shown(repr(member.filename))[:200]
        if path.is_absolute() or ".." in path.parts or ":" in member.filename:
            raise UserError(f"{shown(source)} has the entry {named}, which leads elsewhere; it is not imported.")
        if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise UserError(f"{shown(source)} has the entry {named}, which is no plain file; it is not imported.")
        if not member.filename or member.is_dir() or path.name not in DICTIONARY_FILES or path.parts[0] == "__MACOSX":
            continue
        if path.name in found:
            raise UserError(f"{shown(source)} holds more than one {path.name}; import one dictionary at a time.")
        if member.flag_bits & 1:
            raise UserError(f"{shown(source)} is encrypted; unpack it and import the folder.")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise UserError(f"{shown(source)} is compressed in an unusual way; unpack it and import the folder.")
        squeezed = member.file_size / max(member.compress_size, 1)
        if member.file_size > _RATIO_COUNTS_FROM and squeezed > _MOST_RATIO:
            raise UserError(
                f"{shown(source)}: {path.name} would unpack to {squeezed:.0f} times its size; it is not imported."
            )
        found[path.name] = member
        folders.add(str(path.parent))
    if missing := [name for name in DICTIONARY_FILES if name not in found]:
        raise UserError(
            f"{shown(source)} is not a dictionary: {', '.join(missing)} is missing in it; choose another file."
        )
    if len(folders) > 1:
        raise UserError(f"{shown(source)} holds parts of several dictionaries; import one dictionary at a time.")
    return {name: found[name] for name in DICTIONARY_FILES}


def _extract(source: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> None:
    written = 0
    with ExitStack() as opened, target.open("xb") as file:
        with _parsed(source):
            packed = opened.enter_context(archive.open(member))
        while True:
            with _parsed(source):
                chunk = packed.read(_CHUNK)
            if not chunk:
                return
            written += len(chunk)
            if written > member.file_size:
                raise UserError(f"{shown(source)}: {target.name} is larger than the zip says; it is not imported.")
            file.write(chunk)


def _check_sizes(source: str, sizes: dict[str, int], target: Path) -> None:
    total = sum(sizes.values())
    if total > MOST_BYTES:
        raise UserError(
            f"{shown(source)} holds {total / 2**30:.1f} GiB; a dictionary has at most {MOST_BYTES // 2**30} GiB."
        )
    if sizes["dictionary.json"] > MOST_JSON_BYTES:
        raise UserError(
            f"{shown(source)}: dictionary.json has over {MOST_JSON_BYTES // 2**20} MiB; it is not imported."
        )
    if total > (free := shutil.disk_usage(target).free):
        raise UserError(f"{shown(source)} needs {total / 2**20:.0f} MiB, {free / 2**20:.0f} are free; free some space.")
