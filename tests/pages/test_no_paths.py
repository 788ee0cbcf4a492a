"""What a page gives to take along never says where anything lies on this machine."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace

import pytest

from itda_core.runs.evaluation.request import EvaluateRequest
from itda_core.runs.library import Library
from pages.ui.compare import cell as compare_cell
from pages.ui.compare import matrix as compare_matrix
from pages.ui.compare.matching.page import VIEW as MATCHING
from pages.ui.compare.options import Options
from pages.ui.compare.transfer.page import VIEW as TRANSFER
from pages.ui.evaluate.watch import VIEW as EVALUATION
from pages.ui.forms import job_form
from pages.ui.frame import shell
from pages.ui.home import parts as home
from pages.ui.library import parts as library
from tests.pages import test_compare, test_evaluate, test_transfer
from tests.pages.conftest import Studio, elements


def contents(files: shell.Files) -> Iterator[tuple[str, str]]:
    for label, (_, _, made) in files.items():
        content = made()
        yield label, content.decode() if isinstance(content, bytes) else content


def assert_none(studio: Studio, files: shell.Files) -> None:
    checked = dict(contents(files))
    assert checked
    for label, content in checked.items():
        for place in (str(studio.home), str(studio.dictionary.parent), "/library/", "/models/", "/root"):
            assert place not in content, (label, place, content[:600])


def test_an_evaluation(studio: Studio) -> None:
    request = EvaluateRequest(
        (str(studio.dictionary),),
        corpus=f"{studio.home}/text.txt",
        model="/models/mine",
        library=f"{studio.home}/library",
    )
    results = tuple(replace(one, dictionary=str(studio.dictionary)) for one in test_evaluate.RESULTS)
    notes = (f"{studio.dictionary}: 3 attention sinks left out.",)
    job = test_evaluate.job_of(studio, request, replace(test_evaluate.DONE, results=results, notes=notes))
    assert_none(studio, EVALUATION.files(job))
    read = json.loads(dict(contents(EVALUATION.files(job)))["All of it (JSON)"])
    assert read["request"]["dictionaries"] == [studio.dictionary.name]
    assert read["request"]["corpus"] == "text.txt"
    assert read["status"]["results"][0]["dictionary"] == studio.dictionary.name
    assert read["status"]["notes"] == [f"{studio.dictionary.name}: 3 attention sinks left out."]


def test_a_matching_and_a_transfer(studio: Studio) -> None:
    names = (f"{studio.home}/models/one", f"{studio.home}/models/two")
    request = test_compare.MatchRequest(names, f"{studio.home}/text.txt", test_compare.DICTIONARIES)
    status = test_compare.MatchStatus("done", table=test_compare.table_of(names))
    job = test_compare.job_of(studio.home, request, status)
    assert_none(studio, MATCHING.files(job))
    assert "one,0,two" in dict(contents(MATCHING.files(job)))["Every similarity (CSV)"]
    (job.folder / "request.json").unlink()
    (job.folder / "status.json").unlink()
    job.folder.rmdir()
    table = test_transfer.table_of()
    cells = tuple(replace(one, model=names[0], labels=str(studio.dictionary)) for one in table.cells)
    moved = replace(table, model=names[0], held_out=f"{studio.home}/held.txt", cells=cells)
    job = test_transfer.job_of(studio.home, test_transfer.REQUEST, test_transfer.done(moved))
    assert_none(studio, TRANSFER.files(job))


@pytest.mark.parametrize("page", ["home", "library"])
def test_home_and_the_library(studio: Studio, page: str) -> None:
    path = studio.dictionary / "dictionary.json"
    said = json.loads(path.read_text())
    said["spec"]["model"] = f"{studio.home}/models/mine"
    path.write_text(json.dumps(said))
    broken = studio.home / "library" / "broken"
    broken.mkdir()
    (broken / "dictionary.json").write_text("{")
    entries = Library().entries()
    assert any(entry.problem and str(studio.home) in entry.problem for entry in entries)
    frame = shell.Shell(page, entries, None, None, None)  # pyright: ignore[reportArgumentType]
    files = home.exports(frame) if page == "home" else library.exports(entries)
    assert_none(studio, files)
    if page == "home":
        assert set(json.loads(dict(contents(files))["This machine and library (JSON)"])["machine"]) >= {
            "Device",
            "Cores",
        }
    else:
        assert "mine" in dict(contents(files))["CSV"]


def test_a_comparison_of_models_that_are_folders(studio: Studio) -> None:
    for number, name in enumerate(("one", "other")):
        folder = studio.home / "library" / f"copy-{name}"
        shutil.copytree(studio.dictionary, folder)
        said = json.loads((folder / "dictionary.json").read_text())
        said["spec"] |= {"model": f"{studio.home}/{name}/mine", "weights_fingerprint": str(number) * 64}
        (folder / "dictionary.json").write_text(json.dumps(said))
    entries = [entry for entry in Library().entries() if entry.name.startswith("copy")]
    found = compare_matrix.compared(entries, Options("model", "uniform", False, False, False))
    assert all(str(studio.home) in label for label in found.matrix.labels)
    parts = compare_cell.differences(found, (0, 1))
    assert_none(studio, compare_matrix.exports(found, lambda: compare_cell.passages(found, (0, 1), parts)))
    assert "mine (1)" in dict(contents(compare_matrix.exports(found, lambda: ())))["Matrix (CSV)"]


def test_the_settings_of_a_form(studio: Studio) -> None:
    request = EvaluateRequest((str(studio.dictionary),), f"{studio.home}/text.txt")
    files = job_form.exports(request)
    settings = dict(contents(files))["Settings (JSON)"]
    assert str(studio.home) not in settings
    assert json.loads(settings)["corpus"] == "text.txt"


def test_a_list_of_jobs_says_selection_and_tokens(studio: Studio) -> None:
    request = test_compare.MatchRequest(("a", "b"), "demo", replace(test_compare.DICTIONARIES, tokens=900))
    test_compare.job_of(studio.home, request, test_compare.MatchStatus())
    test = studio.open("compare", show="measures")
    said = [str(caption.value) for caption in test.caption]
    assert any(re.search(r"^sequential · 900 tokens asked for$", word) for word in said), said
    assert elements(test)
