from __future__ import annotations

import json
from pathlib import Path

import pytest

from itda_core.dictionaries import AtomDictionary, read_labels
from itda_core.errors import UserError
from itda_core.models import ModelSpec
from itda_core.runs import Library
from itda_core.runs.rebuilding import open_labels, rebuild_into_library
from tests.conftest import Cli


@pytest.fixture
def labels_file(trained: Path, tmp_path: Path) -> Path:
    return Library(trained.parent).export(trained.name, tmp_path / "passed on", labels_only=True)


def test_the_command_line_exports_labels_and_rebuilds_them(
    itda: Cli, trained: Path, tiny_folder: Path, corpus_file: Path, tmp_path: Path
) -> None:
    code, out, err = itda("library", "export", trained, tmp_path, "--labels-only", "--json")
    assert (code, err) == (0, "")
    file = Path(json.loads(out)["path"])
    assert (file.parent, file.name) == (tmp_path, f"{trained.name}.labels.json.gz")
    before = AtomDictionary.load(trained)
    assert read_labels(file).places["position"].tolist() == before.provenance["position"].tolist()
    common = ("--model", tiny_folder, "--corpus", corpus_file, "--device", "cpu")
    code, out, err = itda("library", "rebuild", file, *common, "--json")
    assert (code, err) == (0, "")
    said = json.loads(out)
    again = AtomDictionary.load(said["path"])
    assert float((again.atoms * before.atoms).sum(dim=1).min()) > 0.99999
    assert (said["atoms"], said["layer"], said["rebuilt"]["labels"]) == (len(before), 1, len(before))
    assert again.config.centre
    code, out, err = itda("library", "verify", said["name"], "--corpus", corpus_file, "--device", "cpu")
    assert (code, out.split()[0]) == (0, str(len(before)))
    code, out, err = itda("library", "rebuild", trained, *common, "--layer", "3")
    assert (code, f"{len(before)} of {len(before)} atoms" in out) == (0, True)
    assert {entry.layer for entry in Library().entries() if not entry.bundled} == {1, 3}


def test_what_cannot_be_rebuilt_ends_in_one_line(
    itda: Cli, labels_file: Path, tiny_folder: Path, corpus_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "other.txt").write_text("Some other text.\n\nAnd more of it.")
    for arguments, said in [
        ((labels_file, "--model", tiny_folder, "--corpus", tmp_path / "other.txt"), "not the one these labels"),
        ((labels_file, "--model", tiny_folder), "--corpus"),
        ((labels_file, "--model", tiny_folder, "--corpus", corpus_file, "--layer", 9), "layer 9"),
        ((corpus_file, "--model", tiny_folder, "--corpus", corpus_file), "does not hold the labels"),
        (("no-such", "--model", tiny_folder, "--corpus", corpus_file), "No dictionary is called"),
    ]:
        code, out, err = itda("library", "rebuild", *arguments, "--device", "cpu")
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert err.startswith("error: ")
        assert said in err
    assert not [entry for entry in Library().entries() if not entry.bundled]


def test_labels_are_opened_from_a_file_or_a_dictionary(labels_file: Path, trained: Path) -> None:
    from_file, from_folder = open_labels(str(labels_file), Library()), open_labels(str(trained), Library())
    assert from_file.spec == from_folder.spec
    assert from_file.places.drop(columns="error").equals(from_folder.places.drop(columns="error"))


def test_an_existing_file_is_not_written_over(labels_file: Path, trained: Path) -> None:
    with pytest.raises(UserError, match="exists already"):
        Library(trained.parent).export(trained.name, labels_file, labels_only=True)


def test_the_library_must_be_writable_before_anything_is_read(
    labels_file: Path, tiny_folder: Path, corpus_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="is not a folder"):
        rebuild_into_library(
            str(labels_file), ModelSpec(str(tiny_folder)), corpus=str(corpus_file), library=str(tmp_path / "file")
        )
