"""The library page: what is listed, and what can be done with it."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from streamlit.testing.v1 import AppTest

from itda_core.analysis.atoms.honesty import stored as storing
from itda_core.analysis.atoms.honesty.grades import GRADES
from itda_core.dictionaries import AtomDictionary, LabelsOnly, write_labels
from itda_core.dictionaries.labels_only import SUFFIX
from itda_core.runs.indexing.indices import BUNDLED as INDICES
from itda_core.runs.library import BUNDLED, Library
from pages.ui.library.parts import frame_of, zipped
from tests.pages.conftest import HOSTILE, N_ATOMS, K, Studio, components, notices, parsed_text


def test_table_and_details(studio: Studio) -> None:
    test = studio.open("library")
    row = test.dataframe[0].value.iloc[0]
    assert (row["name"], row["layer"], row["atoms"], row["k"]) == (studio.dictionary.name, 1, N_ATOMS, K)
    assert row["state"] == "yours"
    assert test.dataframe[0].proto.placeholder == "—"  # not "None"
    facts = {name: value for table in components(test, "fact_table") for name, value in table["facts"]}
    assert facts["corpus"] == "made-up"
    assert facts["threshold"] == "0.3"
    assert facts["FVU"] == "0.25"


def test_figures_of_another_pursuit_or_k_are_told_apart(studio: Studio) -> None:
    def told(test: AppTest) -> list[str]:
        return [caption.value for caption in test.caption if "own k and pursuit" in caption.value]

    shutil.copytree(studio.dictionary, studio.dictionary.with_name("alike"))
    test = studio.open("library")
    assert test.dataframe[0].value["pursuit"].tolist() == ["MP", "MP"]
    assert told(test) == []
    file = studio.dictionary.with_name("alike") / "dictionary.json"
    said = json.loads(file.read_text())
    said["config"]["method"] = "omp"
    file.write_text(json.dumps(said))
    test = studio.open("library")
    assert sorted(test.dataframe[0].value["pursuit"]) == ["MP", "OMP"]
    assert len(told(test)) == 1


def test_a_damaged_folder_is_listed_and_explained(studio: Studio) -> None:
    (studio.dictionary / "atoms.safetensors").unlink()
    test = studio.open("library")
    assert test.dataframe[0].value.iloc[0]["state"] == "damaged"
    test.session_state["library.selected"] = str(studio.dictionary)
    test.run()
    assert "atoms.safetensors is missing" in notices(test)[-1]


def test_hostile_names_are_never_parsed(studio: Studio) -> None:
    name = "![](example) <b>x<b>"
    studio.dictionary.rename(studio.dictionary.parent / name)
    for page in ("library", "", "train", "decompose"):
        assert name not in parsed_text(studio.open(page, dictionary=name))
    assert frame_of(Library().entries())["name"].tolist() == [name]


def test_rename(studio: Studio) -> None:
    test = studio.open("library")
    test.text_input(key=f"library.rename.{studio.dictionary}").set_value("a new name")
    test.button(key="library.rename.do").click().run()
    assert not test.exception
    assert [entry.name for entry in Library().entries()] == ["a new name"]
    assert "Renamed to a new name." in notices(test)


def test_a_bad_new_name_is_refused(studio: Studio) -> None:
    test = studio.open("library")
    test.text_input(key=f"library.rename.{studio.dictionary}").set_value("../elsewhere")
    test.button(key="library.rename.do").click().run()
    assert "cannot be a dictionary's name" in notices(test)[0]
    assert studio.dictionary.is_dir()


def test_delete_asks_first(studio: Studio) -> None:
    test = studio.open("library")
    test.button(key="library.delete").click().run()
    assert studio.dictionary.is_dir()
    test.button(key="library.delete.do").click().run()
    assert not studio.dictionary.exists()


def test_bundled_ones_can_be_neither_renamed_nor_deleted(studio: Studio, monkeypatch) -> None:
    import itda_core.runs.library as library

    monkeypatch.setattr(library, "BUNDLED", studio.dictionary.parent)
    monkeypatch.setenv("ITDA_HOME", str(studio.home / "other"))
    test = studio.open("library")
    assert test.dataframe[0].value.iloc[0]["state"] == "bundled"
    assert "library.delete" not in [button.key for button in test.button]


def test_export_and_import_give_the_same_dictionary(studio: Studio) -> None:
    content = zipped(studio.dictionary)
    path = studio.home / "out.zip"
    path.write_bytes(content)
    name = studio.dictionary.name
    test = studio.open("library")
    test.text_input(key="library.import.source").set_value(str(path))
    test.button(key="library.import.do").click().run()
    assert not test.exception
    said = f"{name}-2 is in the library now. It is called {name}-2, because the library has another {name}."
    assert said in notices(test)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for member in archive.namelist():
            assert archive.read(member) == (studio.home / "library" / f"{name}-2" / Path(member).name).read_bytes()


def test_an_uploaded_zip_is_called_as_its_reader_calls_it(studio: Studio) -> None:
    test = studio.open("library")
    test.file_uploader(key="library.import.zip").set_value(("w1 (1).zip", b"no zip", "application/zip")).run()
    test.button(key="library.import.zip.do").click().run()
    assert notices(test)[0].startswith("w1 (1).zip is not a zip that can be read")
    assert not [sentence for sentence in notices(test) if "/tmp" in sentence]
    content = zipped(studio.dictionary)
    shutil.rmtree(studio.dictionary)
    test.file_uploader(key="library.import.zip").set_value(("w1 (1).zip", content, "application/zip")).run()
    test.button(key="library.import.zip.do").click().run()
    assert f"{studio.dictionary.name} is in the library now." in notices(test)


def test_a_file_of_labels_becomes_a_dictionary_again(studio: Studio) -> None:
    """What "Labels only" gives is no zip, and no dead end: its atoms are built with the labels' model and text."""
    whole = AtomDictionary.load(BUNDLED / "demo-0-L1")
    labels, n = LabelsOnly.of(whole), 12
    few = replace(labels, places=labels.places[labels.places["atom"] < n].reset_index(drop=True))
    path = write_labels(few, studio.home / f"few{SUFFIX}")
    test = studio.open("library")
    test.text_input(key="library.import.source").set_value(str(path))
    test.button(key="library.import.do").click().run()
    assert "holds the labels of a dictionary of demo:0, without its atoms" in notices(test)[0]
    before = {entry.name for entry in Library().entries()}
    test.file_uploader(key="library.import.zip").set_value((path.name, path.read_bytes(), "application/gzip")).run()
    test.button(key="library.import.zip.do").click().run()
    assert any(f"{n} of {n} atoms were built again from their labels" in said for said in notices(test))
    (made,) = (entry for entry in Library().entries() if entry.name not in before)
    torch.testing.assert_close(
        AtomDictionary.load(made.path).atoms, whole.atoms[:n], rtol=2e-3, atol=1e-3
    )  # kept in half precision
    damaged = studio.open("library")
    damaged.file_uploader(key="library.import.zip").set_value((path.name, b"no labels", "application/gzip")).run()
    damaged.button(key="library.import.zip.do").click().run()
    assert path.name in notices(damaged)[0]
    assert "/tmp" not in notices(damaged)[0]


def test_import_of_something_else_is_refused(studio: Studio) -> None:
    path = studio.home / "no.zip"
    path.write_text(HOSTILE[0])
    test = studio.open("library")
    test.text_input(key="library.import.source").set_value(str(path))
    test.button(key="library.import.do").click().run()
    assert "not a zip" in notices(test)[0]
    assert [entry.name for entry in Library().entries()] == [studio.dictionary.name]


def test_labels_that_lie_are_found(studio: Studio) -> None:
    from tests.conftest import generated_text

    corpus = studio.home / "made-up.txt"
    corpus.write_text("\n".join(generated_text(30)))
    test = studio.open("library")
    test.button(key="library.verify").click().run()
    assert "made-up" in notices(test)[0]  # the corpus is a file that must be named


def _facts(test: AppTest) -> dict[str, str]:
    return {name: value for table in components(test, "fact_table") for name, value in table["facts"]}


def test_whether_labels_tell_where_atoms_fire_is_shown_and_not_measured(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("itda_core.analysis.atoms.honesty.honesty.measure", None)
    test = studio.open("library")
    assert any("itda atoms index" in said for said in lines(test)), "the way to it"
    shutil.copytree(BUNDLED / "demo-0-L3-consensus", Library().folder / "mine")
    table = pq.read_table(INDICES / "demo-0-L3-consensus" / "honesty.parquet").to_pylist()
    test = studio.open("library", dictionary="mine")
    facts = _facts(test)
    uses = sum(sum(atom["of_entries"]) for atom in table)
    for grade in GRADES:
        atoms = [atom for atom in table if atom["grade"] == grade]
        share = sum(sum(atom["of_entries"]) for atom in atoms) / uses
        of_atoms, of_use = (f"{one:.{int(one < 0.1)}%}" for one in (len(atoms) / len(table), share))
        words = f"{len(atoms):,} atoms ({of_atoms}), {of_use} of all use"
        assert facts[f"{grade[:1].upper()}{grade[1:]}"] == words
    assert "by chance" in facts["Same token"]
    assert not any("is not known" in said for said in lines(test))


def test_an_index_whose_labels_were_not_measured_says_how(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storing, "_BESIDE", replace(storing._BESIDE, version=99))
    shutil.copytree(BUNDLED / "demo-0-L3-consensus", Library().folder / "mine")
    test = studio.open("library", dictionary="mine")
    assert any("not measured yet" in said and "itda atoms honesty" in said for said in lines(test))
    assert "Same token" not in _facts(test)


def test_a_damaged_honesty_is_one_sentence(studio: Studio, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shutil.copytree(INDICES / "demo-0-L3-consensus", tmp_path / "indices" / "one")
    (tmp_path / "indices" / "one" / "honesty.json").write_text('{"summary": "<script>alert(1)</script>"}')
    monkeypatch.setattr("itda_core.runs.indexing.indices.BUNDLED", tmp_path / "indices")
    shutil.copytree(BUNDLED / "demo-0-L3-consensus", Library().folder / "mine")
    test = studio.open("library", dictionary="mine")
    assert any("honesty.json is damaged" in said for said in notices(test))
    assert not test.exception


def lines(test: AppTest) -> list[str]:
    return [caption.value for caption in test.caption]


def test_an_fvu_of_the_training_text_is_told_from_held_out_ones(studio: Studio) -> None:
    """The small dictionary has 0.25 on the text it was built from."""
    test = studio.open("library", dictionary=studio.dictionary.name)
    said = [one.value for one in test.caption]
    assert any("FVU 0.250 in training" in one for one in said), said
    assert any("FVU on the text of the training" in one and "tiny" in one for one in said), said
