"""A name that is given again: old links and an old job go on meaning the dictionary that they were made for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from itda_core.models.spec import ModelSpec
from itda_core.runs import BUNDLED, Jobs, Library, TrainedDictionary, TrainingStatus, TrainRequest
from itda_core.runs.identities import identity_at
from tests.e2e.conftest import PATIENCE, Visit

expect.set_options(timeout=PATIENCE)
JOB = "20261120-120000-000000-abcd"


@pytest.fixture
def library(home: Path) -> Iterator[Library]:
    """The studio's, with a dictionary `mine` that a job made; as it was, afterwards."""
    library = Library(home / "library")
    path = library.import_(BUNDLED / "demo-0-L2", "mine")
    said = json.loads((path / "dictionary.json").read_text())
    del said["sha256"]  # of a copy of a bundled one the bundled one is found once it is deleted
    (path / "dictionary.json").write_text(json.dumps({**said, "created": "2026-11-20T12:00:00+00:00"}))
    figures = (4, "sequential", 0.3, 4000, 70.0, 57.0, 0.2)
    result = TrainedDictionary(str(path), "demo:0", 2, "resid_post", 1024, 128, *figures, identity_at(path))
    job = Jobs(home).folder / JOB
    job.mkdir(parents=True)
    order = {
        "created": "2026-11-20T12:00:00+00:00",
        "request": TrainRequest(ModelSpec("demo:0"), (2,), "demo").to_dict(),
    }
    (job / "request.json").write_text(json.dumps(order))
    (job / "status.json").write_text(json.dumps(TrainingStatus("done", results=(result,)).to_dict()))
    yield library
    Jobs(home).remove(JOB)
    for folder in library.folders():
        if folder.name in ("mine", "kept"):
            library.remove(folder.name)


def chosen(visit: Visit) -> str:
    return visit.page.get_by_test_id("stSidebar").get_by_role("combobox").input_value()


def shared(visit: Visit) -> str:
    """The address that Share gives, without its host."""
    visit.page.get_by_role("button", name="Share").click()
    link = visit.page.get_by_test_id("stPopoverBody").get_by_test_id("stCode").inner_text().strip()
    visit.page.keyboard.press("Escape")
    return link.split("/", 3)[3]


def test_a_name_given_again_is_not_taken_for_the_old_one(visit: Visit, library: Library) -> None:
    page = visit.page
    visit.open(f"train?job={JOB}")
    page.get_by_role("link", name="Decompose with it").click()
    expect(page.get_by_role("heading", name="Decompose", exact=True, level=1)).to_be_visible()
    visit.settle()
    assert chosen(visit) == "mine"
    link = shared(visit)
    assert "dictionary=mine&id=" in link

    other = Visit(page.context.new_page(), visit.address)  # renamed in another tab
    other.open("library?dictionary=mine")
    other.page.get_by_role("button", name="Rename").click()
    other.page.get_by_label("New name").fill("kept")
    other.page.get_by_label("New name").press("Enter")  # as its button does
    expect(other.page.get_by_text("Renamed to kept.")).to_be_visible()
    library.import_(BUNDLED / "demo-0-L4", "mine")  # as a training does that takes the next free name

    page.get_by_test_id("stSidebar").get_by_role("link", name="Library", exact=True).click()  # the tab that stood open
    expect(page.get_by_text("mine is called kept now.")).to_be_visible()
    assert chosen(visit) == "kept"
    visit.open(link)
    expect(page.get_by_text("mine is called kept now.")).to_be_visible()
    assert chosen(visit) == "kept"
    visit.open(f"train?job={JOB}")
    page.get_by_role("link", name="Decompose with it").click()
    visit.expect_in_address("dictionary", "kept")
    visit.settle()
    assert chosen(visit) == "kept"

    library.remove("kept")
    visit.open(link)
    expect(page.get_by_text("This link means another 'mine'")).to_be_visible()
    page.get_by_role("button", name="Open mine").click()
    expect(page.locator(".t[aria-selected=true]")).to_be_visible()
    assert chosen(visit) == "mine"
    visit.open(f"train?job={JOB}")
    expect(page.get_by_text("another dictionary has its name now")).to_be_visible()
    assert page.get_by_role("link", name="Decompose with it").count() == 0
    visit.assert_stayed_here()
