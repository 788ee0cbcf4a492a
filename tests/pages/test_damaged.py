"""One damaged job or dictionary breaks no page: it is listed, and can be removed from there."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from itda_core.files import write_json
from itda_core.models.spec import ModelSpec
from itda_core.runs.evaluation.request import EvaluateRequest
from itda_core.runs.jobs.jobs import Jobs
from itda_core.runs.jobs.kinds import JobRequest, kind_of
from itda_core.runs.library import Library
from itda_core.runs.matching.request import MatchRequest
from itda_core.runs.training.request import TrainRequest
from itda_core.runs.transfer.request import TransferRequest
from tests.pages.conftest import Studio, notices

GOOD, BROKEN = "20300101-000000-000001-abcd", "20300101-000000-000002-abcd"
REQUESTS: dict[str, JobRequest] = {
    "train": TrainRequest(ModelSpec("demo:0"), (0,), "demo"),
    "evaluate": EvaluateRequest(("a",)),
    "match": MatchRequest(("demo:0", "demo:1"), "demo"),
    "transfer": TransferRequest(("a",), ModelSpec("demo:1")),
}


def made_job(id: str, request: JobRequest) -> Path:
    """The folder of a job that has done its work."""
    folder, kind = Jobs().folder / id, kind_of(request)
    order = {"created": "2030-01-01T00:00:00+00:00", "kind": kind.name, "request": request.to_dict(), "further": False}
    write_json(folder / "request.json", order)
    write_json(folder / "status.json", kind.status(state="done").to_dict())
    return folder


def changed(path: Path, **values: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


@pytest.mark.parametrize(
    ("page", "address", "kind"),
    [
        ("", {}, "train"),
        ("train", {}, "train"),
        ("evaluate", {}, "evaluate"),
        ("compare", {"show": "measures"}, "match"),
        ("compare", {"show": "transfer"}, "transfer"),
    ],
)
def test_a_damaged_job_is_listed_and_removed_where_jobs_are_listed(
    studio: Studio, page: str, address: dict[str, str], kind: str
) -> None:
    made_job(GOOD, REQUESTS[kind])
    broken = made_job(BROKEN, REQUESTS[kind])
    changed(broken / "request.json", created="99999-12-31T00:00:00+00:00")
    test = studio.open(page, **address)
    assert any(f"Job {BROKEN} is damaged" in text.value for text in test.text)
    assert "A job is damaged." in [caption.value for caption in test.caption]
    test.button(key=f"damaged.remove.{BROKEN}").click().run()
    assert not test.exception
    assert [path.name for path in Jobs().folder.iterdir()] == [GOOD]
    assert not any("is damaged" in text.value for text in test.text)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("request.json", '{"layers": 0}'),
        ("request.json", "[" * 100_000),
        ("process.json", '{"pid": -1, "started": 0}'),
        ("cancel.json", ""),
        ("status.json", '{"state": "done", "results": [{"path": 0}]}'),
        ("status.json", None),
        ("log.txt", None),
    ],
)
def test_a_page_shows_the_others_whatever_lies_in_one_jobs_folder(
    studio: Studio, name: str, content: str | None
) -> None:
    made_job(GOOD, REQUESTS["train"])
    broken = made_job(BROKEN, REQUESTS["train"])
    changed(broken / "status.json", state="running")
    path = broken / name
    path.unlink(missing_ok=True)
    if content is None:
        os.mkfifo(path)  # whoever opened it would wait for ever
    else:
        path.write_text(content)
    shown = studio.open("train", job=BROKEN)
    listed = studio.open("train")
    assert any("demo:0, demo" in text.value for text in listed.text)
    if name == "request.json":
        assert any(f"Job {BROKEN} is damaged" in notice for notice in notices(shown))
    else:
        shown.button(key="train.remove").click().run()
        assert not shown.exception
        assert [path.name for path in Jobs().folder.iterdir()] == [GOOD]


@pytest.mark.parametrize("page", ["", "library", "train", "evaluate", "decompose"])
def test_a_damaged_dictionary_breaks_no_page(studio: Studio, page: str) -> None:
    odd = Library().folder / "odd"
    odd.mkdir()
    os.mkfifo(odd / "dictionary.json")
    (Library().folder / os.fsdecode(b"caf\xe9")).mkdir()
    test = studio.open(page)
    assert studio.dictionary.name in str(test.main) + str(test.sidebar)
    if page == "library":
        states = dict(zip(test.dataframe[0].value["name"], test.dataframe[0].value["state"], strict=True))
        assert states["odd"] == "damaged"
        test.session_state["library.selected"] = str(odd)
        test.run()
        test.button(key="library.delete").click().run()
        test.button(key="library.delete.do").click().run()
        assert not odd.exists()
