from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from itda_core.comparison.label_transfer.transfer import transfer
from itda_core.dictionaries import AtomDictionary, LabelsOnly, TrainConfig
from itda_core.errors import UserError
from itda_core.models import LanguageModel, ModelSpec
from itda_core.runs import Library, TrainRequest, TransferRequest, run, transfer_labels
from itda_core.runs.rebuilding import rebuild_into_library
from itda_core.text import Corpus
from tests.conftest import Cli


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path, corpus_file: Path) -> Path:
    """With dictionaries of layers 1 and 2 of the tiny GPT-2."""
    folder = tmp_path_factory.mktemp("both")
    config = TrainConfig(k=4, tokens=800, context=32)
    request = TrainRequest(
        ModelSpec(str(tiny_folder), device="cpu"), (1, 2), str(corpus_file), config, library=str(folder / "library")
    )
    run(request, work=folder / "work")
    return folder / "library"


def test_the_command_line_prints_the_table(
    itda: Cli, library: Path, tiny_folder: Path, tiny_model: LanguageModel, corpus_file: Path
) -> None:
    """With the model's own dictionary found in the library; equal to the engine's own figures."""
    one = next(library.glob("*L1*"))
    common = ("--library", library, "--corpus", corpus_file, "--tokens", 300, "--draws", 2, "--device", "cpu")
    code, out, err = itda("transfer", one.name, tiny_folder, "--layers", "1-2", "--k", "2,4", *common, "--json")
    assert (code, err) == (0, "")
    said = json.loads(out)
    assert [(cell["layer"], cell["k"]) for cell in said["cells"]] == [(1, 2), (1, 4), (2, 2), (2, 4)]
    assert (said["tokens"], said["draws"]) == (300, 2)
    first = said["cells"][1]
    assert first["fvu"] == pytest.approx(first["own_fvu"], abs=1e-5)  # its own labels
    own = AtomDictionary.load(next(library.glob("*L2*")))
    expected = transfer(
        LabelsOnly.of(AtomDictionary.load(one)),
        tiny_model,
        Corpus.open(str(corpus_file)),
        tiny_model.site("resid_post", 2),
        k=2,
        own=own,
        tokens=300,
        draws=2,
    )
    told = said["cells"][2]
    for name in ("fvu", "own_fvu", "random_fvu", "random_sd", "own_atoms", "l0"):
        assert told[name] == pytest.approx(getattr(expected, name), abs=1e-4), name
    code, out, err = itda("transfer", one.name, tiny_folder, *common)
    assert (code, err) == (0, "")
    assert "held-out tokens" in out
    assert f"{first['fvu']:.3f}" in out


def test_a_rebuilt_dictionary_is_nobodys_own(library: Path, tiny_folder: Path, corpus_file: Path) -> None:
    """Only dictionaries that were grown count as the model's own, and of these the nearest in size."""
    model, one = ModelSpec(str(tiny_folder), device="cpu"), str(next(library.glob("*L1*")))
    rebuilt = rebuild_into_library(one, model, corpus=str(corpus_file), layer=3, library=str(library))
    request = TransferRequest(
        (one,), model, layers=(3,), corpus=str(corpus_file), tokens=300, draws=1, library=str(library)
    )
    assert transfer_labels(request).cells[0].own_fvu is None
    table = transfer_labels(replace(request, own=(rebuilt.name,)))
    assert table.cells[0].own_fvu == pytest.approx(table.cells[0].fvu)


def test_labels_of_different_sites_are_refused(library: Path, tiny_folder: Path, corpus_file: Path, itda: Cli) -> None:
    one, two = (str(path) for path in sorted(library.glob("*L[12]*"))[:2])
    said = json.loads((Path(two) / "dictionary.json").read_text())
    said["spec"]["site"] = "mlp_out"
    copy = Library(library).import_(two, "elsewhere")
    (copy / "dictionary.json").write_text(json.dumps(said))
    with pytest.raises(UserError, match="different sites"):
        transfer_labels(
            TransferRequest(
                (one, str(copy)), ModelSpec(str(tiny_folder)), corpus=str(corpus_file), library=str(library)
            )
        )
    code, out, err = itda("transfer", one, tiny_folder, "--layers", "9", "--corpus", corpus_file)
    assert (code, out) == (2, "")
    assert "has no layer 9" in err
