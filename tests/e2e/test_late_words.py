"""Typed and not confirmed, as the page is left by a tap or a quick click: the link leads on, nothing is lost."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Locator, expect

from pages.ui.frame.navigation import PAGES
from tests.e2e.conftest import PATIENCE, Visit, visiting

expect.set_options(timeout=PATIENCE)
DICTIONARY = "demo-0-L3-consensus"
ATOMS = itertools.count(40)
WAYS = ("tap", "click", "held")
Role = Literal["textbox", "spinbutton"]
FIELDS: list[tuple[str, Role, str, str]] = [  # page, role and name of a field, what is typed there
    (f"atoms?dictionary={DICTIONARY}", "textbox", "Search", "river"),
    ("train", "textbox", "Name", "of-mine"),
    ("train", "spinbutton", "Maximum atoms", "321"),
    ("evaluate", "textbox", "Atoms per token", "3, 5"),
]


@pytest.fixture
def touched(browser: Browser, studio: str) -> Iterator[Visit]:
    with visiting(browser, studio, has_touch=True) as visit:
        yield visit


def follow(visit: Visit, link: Locator, way: str) -> None:
    if way == "tap":
        link.tap()
    else:
        link.click(delay=20 if way == "held" else 0)


def expect_there(visit: Visit, name: str) -> None:
    title = "ITDA Studio" if name == "Home" else name
    expect(visit.page.get_by_role("heading", name=title, exact=True, level=1)).to_be_visible()
    visit.settle()
    visit.page.wait_for_timeout(500)  # a late word would lead back in that time
    expect(visit.page.get_by_role("heading", name=title, exact=True, level=1)).to_be_visible()
    assert visit.page.evaluate("location.pathname") == f"/{PAGES[name][1]}"


def sidebar_link(visit: Visit, name: str) -> Locator:
    return visit.page.get_by_test_id("stSidebar").get_by_role("link", name=name, exact=True)


def notes(home: Path) -> list[dict[str, object]]:
    return [note for path in (home / "notes").glob("*.json") for note in json.loads(path.read_text())["notes"]]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["Library", "Home", "Pin it in Decompose"])
def test_a_note_is_kept_and_the_link_leads_on(touched: Visit, home: Path, name: str, way: str) -> None:
    visit, atom = touched, next(ATOMS)
    visit.open(f"atoms?dictionary={DICTIONARY}&atom={atom}")
    note = visit.page.get_by_role("textbox", name="Your note")
    steps = visit.page.evaluate("history.length")
    note.click()
    note.press_sequentially(f"note {atom}")
    link = visit.page.get_by_role("link", name=name) if name.startswith("Pin") else sidebar_link(visit, name)
    follow(visit, link, way)
    expect_there(visit, "Decompose" if name.startswith("Pin") else name)
    assert visit.page.evaluate("history.length") == steps + 1
    assert {"atom": atom, "star": False, "text": f"note {atom}"} in notes(home)
    follow(visit, sidebar_link(visit, "Atoms"), way)
    expect_there(visit, "Atoms")
    expect(note).to_have_value(f"note {atom}")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("page", "role", "name", "text"), FIELDS, ids=[field[2] for field in FIELDS])
def test_a_field_keeps_what_was_typed(touched: Visit, page: str, role: Role, name: str, text: str, way: str) -> None:
    touched.open(page)
    field = touched.page.get_by_role(role, name=name)
    field.click()
    field.fill("")
    field.press_sequentially(text)
    follow(touched, sidebar_link(touched, "Library"), way)
    expect_there(touched, "Library")
    where = page.partition("?")[0].capitalize()
    follow(touched, sidebar_link(touched, where), way)
    expect_there(touched, where)
    expect(field).to_have_value(text)


def test_a_link_waits_for_words_alone(visit: Visit) -> None:
    """Not where nothing was typed, nor where it was confirmed."""
    visit.open("train")
    field = visit.page.get_by_role("textbox", name="Name", exact=True)
    field.fill("of-mine")
    field.press("Enter")
    visit.expect_in_address("name", "of-mine")
    visit.settle()
    visit.page.evaluate(
        "addEventListener('click', event => { window.late ??= !event.isTrusted && event.target.closest('a') !== null })"
    )
    sidebar_link(visit, "Library").click()
    expect_there(visit, "Library")
    assert visit.page.evaluate("window.late") is False


def test_a_note_outlives_a_reload_without_being_confirmed(visit: Visit, home: Path) -> None:
    visit.open(f"atoms?dictionary={DICTIONARY}&atom=39")
    note = visit.page.get_by_role("textbox", name="Your note")
    note.click()
    note.press_sequentially("half a", delay=20)
    visit.page.wait_for_timeout(1500)
    note.press_sequentially(" word")  # goes on where it was, whatever the answer to the first half
    expect(note).to_be_focused()
    expect(note).to_have_value("half a word")
    until = time.monotonic() + PATIENCE / 1000
    while {"atom": 39, "star": False, "text": "half a word"} not in notes(home):
        assert time.monotonic() < until, notes(home)
        visit.page.wait_for_timeout(100)
    visit.page.reload()
    expect(note).to_have_value("half a word")
