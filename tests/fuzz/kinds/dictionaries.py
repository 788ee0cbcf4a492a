"""Damaged dictionaries: as a folder that is loaded, listed and compared, as a folder or a zip that is imported."""

from __future__ import annotations

import json
import random
import shutil
import zipfile
from pathlib import Path

import torch

from itda_core.comparison import LabelSet
from itda_core.dictionaries import AtomDictionary
from itda_core.errors import UserError
from itda_core.runs import Library
from itda_core.runs.archive import DICTIONARY_FILES
from tests.fuzz.damage import damage_file, damage_json_file, damaged_bytes
from tests.fuzz.harness import Kind
from tests.runs.samples import make_dictionary


def _prepare(folder: Path) -> Path:
    return make_dictionary().save_pretrained(folder / "whole")


def _attempt(whole: Path, folder: Path, rng: random.Random) -> None:
    damaged = folder / "damaged"
    shutil.copytree(whole, damaged)
    name = rng.choice(DICTIONARY_FILES)
    if rng.random() < 0.1:
        description = json.loads((damaged / "dictionary.json").read_text())
        del description["sha256"]  # as an earlier version wrote it
        (damaged / "dictionary.json").write_text(json.dumps(description))
    if name == "dictionary.json" and rng.random() < 0.7:
        damage_json_file(damaged / name, rng)
    else:
        damage_file(damaged / name, rng)
    has_digests = b'"sha256"' in (damaged / "dictionary.json").read_bytes()
    library = Library(folder / "library")
    match rng.randrange(5):
        case 0:
            _same(AtomDictionary.load(damaged), whole, name, has_digests)
        case 1:
            LabelSet.load(damaged)
        case 2:
            _same(AtomDictionary.load(_imported(library, damaged)), whole, name, has_digests)
        case 3:
            _same(AtomDictionary.load(_imported(library, _zipped(damaged, folder, rng))), whole, name, has_digests)
        case _:
            library.folder.mkdir()
            shutil.copytree(damaged, library.folder / "damaged")
            (entry,) = (entry for entry in library.entries() if not entry.bundled)
            if entry.problem:
                raise UserError(entry.problem)


def _imported(library: Library, source: Path) -> Path:
    try:
        return library.import_(source)
    except UserError:
        left = list(library.folder.iterdir()) if library.folder.exists() else []
        assert left == [], "an import that failed left something behind"
        raise


def _zipped(damaged: Path, folder: Path, rng: random.Random) -> Path:
    path = folder / "d.zip"
    with zipfile.ZipFile(path, "w", rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])) as packed:
        for name in DICTIONARY_FILES:
            packed.write(damaged / name, f"d/{name}")
    if rng.random() < 0.5:
        path.write_bytes(damaged_bytes(path.read_bytes(), rng))
    return path


def _same(loaded: AtomDictionary, whole: Path, damaged: str, has_digests: bool) -> None:
    """Damage to atoms or labels is never read as if nothing were wrong."""
    if has_digests and damaged != "dictionary.json":
        true = AtomDictionary.load(whole)
        assert torch.equal(loaded.atoms, true.atoms), "other atoms were read"
        assert torch.equal(loaded.mean, true.mean), "another mean was read"
        assert loaded.provenance.equals(true.provenance), "other labels were read"


KINDS = [Kind("dictionaries", _prepare, _attempt)]
