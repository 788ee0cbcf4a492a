"""Indices made from a request: kept by the dictionary's identity, stopped, gone on with, made once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from itda_core import AtomDictionary, UserError, load_model
from itda_core.analysis.atoms.build import index_atoms
from itda_core.analysis.atoms.index import AtomIndex
from itda_core.models import ModelSpec
from itda_core.runs import INDEXING, IndexRequest, IndexStatus, Interrupted, Job, Jobs, index_dictionary
from itda_core.runs.indexing import indices
from itda_core.runs.indexing.run import IndexingProgress
from itda_core.text import Corpus
from tests.analysis.atoms.test_index_writer import FILES
from tests.conftest import Cli

LASTING = FILES[:-1]


@pytest.fixture
def asked(trained: Path, corpus_file: Path) -> IndexRequest:
    return IndexRequest(str(trained), str(corpus_file), tokens=900, device="cpu")


@pytest.fixture
def in_small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two windows at a time, so that there is a middle to be stopped in."""
    monkeypatch.setattr("itda_core.analysis.atoms.build.default_windows_per_batch", lambda *_: 2)


def made(request: IndexRequest, **how: Any) -> IndexingProgress:
    *_, last = index_dictionary(request, **how)
    assert last.done
    return last


def files(folder: Path | str) -> dict[str, bytes]:
    return {name: Path(folder, name).read_bytes() for name in LASTING}


def test_it_is_the_index_of_that_dictionary_and_text(
    asked: IndexRequest, trained: Path, corpus_file: Path, tmp_path: Path
) -> None:
    steps: list[str] = []
    index = made(asked, on_step=steps.append).index
    assert steps == ["reading the dictionary", "opening the corpus", "loading the model", "encoding"]
    dictionary = AtomDictionary.load(trained)
    assert index is not None
    assert (index.identity, index.dictionary) == (dictionary.identity, str(trained))
    assert Path(index.folder).parent == tmp_path / "home" / "indices" / str(dictionary.identity)
    model = load_model(ModelSpec(dictionary.spec.model, device="cpu"))
    *_, _ = index_atoms(model, dictionary, Corpus.open(str(corpus_file)), tokens=900, folder=tmp_path / "other")
    assert files(index.folder) == files(tmp_path / "other")
    assert index.bytes == sum(path.stat().st_size for path in Path(index.folder).iterdir())
    assert [path.name for path in Path(index.folder).parent.iterdir()] == [Path(index.folder).name]


def test_it_is_made_once_and_again_where_it_is_damaged(asked: IndexRequest) -> None:
    first = made(asked).index
    assert first is not None
    steps: list[str] = []
    again = made(asked, on_step=steps.append)
    assert again.index == first
    assert "loading the model" not in steps
    assert "there already" in again.notes[0]
    before = files(first.folder)
    Path(first.folder, "tokens.parquet").write_bytes(b"garbage")
    made(asked)
    assert files(first.folder) == before


def test_it_stops_when_asked_and_goes_on_where_it_was(asked: IndexRequest, in_small_batches: None) -> None:
    whole = made(asked).index
    assert whole is not None
    before = files(whole.folder)
    indices.remove(Path(whole.folder))
    looks = iter([False] * 3 + [True])
    with pytest.raises(Interrupted, match="tokens; what was done is kept"):
        list(index_dictionary(asked, should_stop=lambda: next(looks)))
    root = Path(whole.folder).parent
    assert [path.name for path in root.iterdir()] == [f".work-{Path(whole.folder).name}"]
    assert indices.indices_of(whole.identity) == []
    again = list(index_dictionary(asked, resume=True))
    encoded = [progress.tokens for progress in again if progress.step == "encoding"]
    assert encoded[0] > 100  # not from the beginning
    assert files(whole.folder) == before
    assert [path.name for path in root.iterdir()] == [Path(whole.folder).name]


def test_two_at_once_do_not_write_into_each_other(asked: IndexRequest, in_small_batches: None) -> None:
    running = index_dictionary(asked)
    next(running)
    with pytest.raises(UserError, match="Another process is making this index"):
        made(asked)
    running.close()


def test_what_cannot_be_is_refused(asked: IndexRequest, trained: Path) -> None:
    for request, sentence in (
        (IndexRequest(str(trained), asked.corpus, tokens=0), "tokens=0"),
        (IndexRequest(str(trained)), "--corpus"),
        (IndexRequest("nobody"), "No dictionary is called"),
        (IndexRequest(str(trained), asked.corpus, model="demo:0", device="cpu"), "dimensions|weights"),
    ):
        with pytest.raises(UserError, match=sentence):
            made(request)


def test_the_command_prints_what_was_made(asked: IndexRequest, itda: Cli) -> None:
    code, out, err = itda("atoms", "index", *asked.arguments(), "--json")
    assert code == 0, err
    said = json.loads(out)
    assert AtomIndex.open(said["folder"]).description.tokens == said["tokens"] >= 900
    code, out, err = itda("atoms", "index", *asked.arguments())
    assert code == 0
    assert f"{said['entries']:,}" in out
    assert "there already" in err


def test_a_job_that_was_stopped_goes_on(
    jobs_: Jobs,
    asked: IndexRequest,
    worker_here: Callable[[Job], tuple[int, str, str]],
    on_report: Callable[[Callable[[IndexStatus], object]], None],
    in_small_batches: None,
) -> None:
    whole = made(asked).index
    assert whole is not None
    before = files(whole.folder)
    indices.remove(Path(whole.folder))
    job = jobs_.start(asked)
    seen: list[IndexStatus] = []

    def look(status: IndexStatus) -> None:
        if status.step == "encoding" and status.tokens > 200 and not seen:
            seen.append(status)
            job.cancel()

    on_report(look)
    code, out, err = worker_here(job)
    assert (code, out) == (130, "")
    assert "To go on from there: itda atoms index" in err
    assert (job.status.state, job.status.resumable, job.kind) == ("cancelled", True, INDEXING)
    assert list((job.folder / "work").glob("segment-*"))
    job.resume()
    assert worker_here(job)[0] == 0
    status = job.status
    assert (status.state, status.fraction, status.error) == ("done", 1.0, None)
    assert status.index is not None
    assert status.tokens == status.index.tokens
    assert files(status.index.folder) == before
    assert not (job.folder / "work").exists()
    assert Jobs().get(job.id, INDEXING).status.index == status.index
    with pytest.raises(UserError, match="Only a training can go further"):
        jobs_.start(asked, further=True)


def test_codes_of_the_bundled_corpus_know_its_truth(tmp_path: Path) -> None:
    index = made(IndexRequest("demo-0-L2", "demo", tokens=300, device="cpu")).index
    assert index is not None
    opened = AtomIndex.open(index.folder)
    names, kinds = opened.kinds
    windows = opened.windows(range(opened.description.windows))
    assert [names[kind] for kind in kinds] == [window.document.rpartition("-")[0] for window in windows]
    assert {None} < {*opened.spans, None}
    assert np.all(opened.codes[:, 0] < opened.description.n_atoms)
