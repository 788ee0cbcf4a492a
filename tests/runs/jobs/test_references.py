"""A job goes on meaning the dictionaries that it was asked about, whatever these and others are called since."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from itda_core.errors import UserError
from itda_core.models import ModelSpec
from itda_core.runs import EvaluateRequest, Job, Jobs, Library, TransferRequest
from itda_core.runs.identities import identity_at
from itda_core.runs.jobs.references import check_read, identities_of, placed
from itda_core.runs.training.results_now import results_now
from tests.runs.jobs.test_status import MEASURED
from tests.runs.samples import make_dictionary


@pytest.fixture
def asked(library: Library) -> EvaluateRequest:
    return EvaluateRequest(("first", "second")).resolved()


def test_a_renamed_dictionary_is_found_under_its_new_name(library: Library, asked: EvaluateRequest) -> None:
    known = identities_of(asked)
    assert known == {one: identity_at(Path(one)) for one in asked.dictionaries}
    assert placed(asked, known) == asked
    library.rename("first", "renamed")
    library.rename("second", "first")  # what has the name now is another one
    moved = (str(library.folder / "renamed"), str(library.folder / "first"))
    assert placed(asked, known).dictionaries == moved


def test_another_dictionary_of_the_name_is_never_read(library: Library, asked: EvaluateRequest) -> None:
    known = identities_of(asked)
    library.remove("first")
    with pytest.raises(UserError, match="first was deleted, or moved out of"):
        placed(asked, known)
    make_dictionary(seed=5).save_pretrained(library.folder / "first")
    with pytest.raises(UserError, match="another dictionary has its name now"):
        placed(asked, known)
    assert placed(asked, {}) == asked  # a job of an earlier version says no identity


def test_both_fields_of_a_transfer_and_files_of_labels(library: Library, tmp_path: Path) -> None:
    labels = library.export("first", tmp_path, labels_only=True)
    request = TransferRequest((str(labels), "first"), ModelSpec("demo:1"), own=("second",)).resolved()
    known = identities_of(request)
    assert set(known) == {str(library.folder / "first"), str(library.folder / "second")}
    library.rename("second", "own")
    now = placed(request, known)
    assert (now.labels, now.own) == (request.labels, (str(library.folder / "own"),))


def test_figures_of_another_dictionary_are_no_result() -> None:
    results = (replace(MEASURED, identity="a" * 64),)
    check_read(results, {"one": "a" * 64})
    check_read(results, {})
    with pytest.raises(UserError, match="took the place of"):
        check_read(results, {"one": "b" * 64})


def test_an_evaluation_after_a_rename_measures_the_same_dictionary(
    trained: Path, corpus_file: Path, jobs_: Jobs, worker_here: Callable[[Job], tuple[int, str, str]]
) -> None:
    """Renamed after it was asked for and before its worker began; another dictionary has taken the name."""
    library = Library()
    library.import_(trained, "mine")
    identity = identity_at(library.folder / "mine")
    request = EvaluateRequest(("mine",), str(corpus_file), (2,), tokens=60, device="cpu")
    job = jobs_.start(request)
    library.rename("mine", "renamed")
    make_dictionary().save_pretrained(library.folder / "mine")
    code, _, log = worker_here(job)
    assert code == 0, log
    [result] = job.status.results
    assert (result.identity, Path(result.dictionary).name) == (identity, "renamed")
    assert "renamed" in job.command

    again = jobs_.start(replace(request, dictionaries=("renamed",)))
    library.remove("renamed")
    code, _, _ = worker_here(again)
    assert code != 0
    assert "was deleted" in str(again.status.error)
    with pytest.raises(UserError, match="was deleted"):
        again.resume()


def test_nonsense_in_a_jobs_folder_is_no_identity(library: Library, jobs_: Jobs, worker_here: object) -> None:
    job = jobs_.start(EvaluateRequest(("first",)))
    order = json.loads((job.folder / "request.json").read_text())
    assert order["identities"] == {str(library.folder / "first"): identity_at(library.folder / "first")}
    for nonsense in (5, None, ["a"]):
        said = {**order, "identities": dict.fromkeys(order["identities"], nonsense)}
        (job.folder / "request.json").write_text(json.dumps(said))
        assert Job(job.folder).identities == {}
        assert Job(job.folder).placed_request == job.request
    del order["identities"]  # as earlier versions wrote it
    (job.folder / "request.json").write_text(json.dumps(order))
    assert (Job(job.folder).problem, Job(job.folder).placed_request) == (None, job.request)


def test_statuses_of_earlier_versions_are_read(trained: Path) -> None:
    """Their results hold no identity; a training's are told by their figures."""
    from itda_core.dictionaries import AtomDictionary
    from itda_core.runs import EvaluationStatus, TrainedDictionary, TrainingStatus

    result = TrainedDictionary.of(AtomDictionary.load(trained), trained)
    assert result.identity == identity_at(trained)
    for status in (TrainingStatus("done", results=(result,)), EvaluationStatus("done", results=(MEASURED,))):
        said = json.loads(json.dumps(status.to_dict()))
        assert type(status).from_dict(said) == status
        for one in said["results"]:
            del one["identity"]
        assert [one.identity for one in type(status).from_dict(said).results] == [None] * len(said["results"])


def test_results_of_an_earlier_version_are_found_by_their_figures(trained: Path) -> None:
    from itda_core.dictionaries import AtomDictionary
    from itda_core.runs import TrainedDictionary

    library = Library()
    own = library.import_(trained, "mine")
    result = replace(TrainedDictionary.of(AtomDictionary.load(own), own), identity=None)
    [now] = results_now([result])
    assert now.change == ""
    assert now.entry is not None
    library.rename("mine", "renamed")
    make_dictionary().save_pretrained(own)
    [now] = results_now([result])
    assert now.change == "mine is called renamed now."
    assert now.taken
    library.remove("renamed")
    [now] = results_now([result])
    assert now.entry is None
    assert now.taken


def test_a_layer_that_is_renamed_while_others_grow_is_still_a_result(trained: Path, tmp_path: Path) -> None:
    """A streamed training saves its layers one by one; the name of the first may be given away before the last."""
    from dataclasses import asdict

    from itda_core.dictionaries import AtomDictionary
    from itda_core.dictionaries.storage.description import read_description
    from itda_core.runs import TrainedDictionary
    from itda_core.runs.training.checkpoint_folder import CheckpointFolder, Origin

    library, work = Library(), CheckpointFolder(tmp_path / "work")
    work.folder.mkdir()
    own = library.import_(trained, "mine")
    dictionary = AtomDictionary.load(own)
    origin = Origin.of(read_description(own)["spec"])
    work.record_saved([asdict(TrainedDictionary.of(dictionary, own))])
    renamed = library.rename("mine", "renamed")
    [result] = work.saved(dictionary.config, origin)
    assert result["path"] == str(renamed)
    library.remove("renamed")
    assert work.saved(dictionary.config, origin) == []
    AtomDictionary.load(trained).save_pretrained(own)  # another run's, made by the same settings
    said = json.loads((own / "dictionary.json").read_text())
    (own / "dictionary.json").write_text(json.dumps({**said, "created": "2026-11-21T12:00:00+00:00"}))
    assert work.saved(dictionary.config, origin) == []
