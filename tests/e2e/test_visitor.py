"""What a visitor chose (dictionary, k, pursuit, prompt, token) stays through every walk, Back and a second tab."""

from __future__ import annotations

import random
from urllib.parse import urlencode

import pytest
from playwright.sync_api import expect

from pages.ui.frame.navigation import PAGES
from tests.e2e.conftest import PATIENCE, Visit

expect.set_options(timeout=PATIENCE)
PROMPT = "A friend sent a letter from the city."
CHOSEN = {"dictionary": "demo-0-L2", "k": "5", "method": "omp", "prompt": PROMPT, "token": "3", "special": "shown"}
START = f"decompose?{urlencode(CHOSEN)}"


def walks(number: int) -> list[tuple[str, ...]]:
    """Different walks over four pages, none of them Decompose."""
    others = [name for name in PAGES if name != "Decompose"]
    return [tuple(random.Random(seed).sample(others, 4)) for seed in range(number)]


def go(visit: Visit, name: str) -> None:
    visit.page.get_by_test_id("stSidebar").get_by_role("link", name=name, exact=True).click()
    title = "ITDA Studio" if name == "Home" else name
    expect(visit.page.get_by_role("heading", name=title, exact=True, level=1)).to_be_visible()
    visit.settle()


def seen(visit: Visit) -> dict[str, str]:
    """What Decompose shows, read off its widgets, not off the address."""
    page = visit.page
    expect(page.locator(".t[aria-selected=true]")).to_be_visible()
    marked = page.locator('[data-testid="stButtonGroup"] button[aria-checked=true]')
    expect(marked).to_have_count(3)  # pursuit, colour, special tokens: the browser may mark one a moment after another
    return {
        "dictionary": page.get_by_test_id("stSidebar").get_by_role("combobox").input_value(),
        "k": page.get_by_test_id("stSliderThumbValue").inner_text(),
        "method": page.locator('[data-testid="stButtonGroup"] button[aria-checked=true]').first.inner_text().lower(),
        "prompt": page.locator("textarea[aria-label=Prompt]").input_value(),
        "token": page.locator(".t[aria-selected=true]").get_attribute("data-index") or "",
        "special": page.locator('[data-testid="stButtonGroup"] button[aria-checked=true]').last.inner_text(),
    }


@pytest.mark.parametrize("walk", walks(3), ids="-".join)
def test_what_was_chosen_outlives_a_walk_over_the_pages(visit: Visit, walk: tuple[str, ...]) -> None:
    visit.open(START)
    assert seen(visit) == CHOSEN
    for name in walk:
        go(visit, name)
        assert visit.page.get_by_test_id("stSidebar").get_by_role("combobox").input_value() == "demo-0-L2"
    go(visit, "Decompose")
    assert seen(visit) == CHOSEN


def test_back_and_forward(visit: Visit) -> None:
    page = visit.page
    visit.open(START)
    go(visit, "Library")
    go(visit, "Train")
    for name, way in (("Library", "back"), ("Decompose", "back"), ("Library", "forward"), ("Decompose", "back")):
        page.evaluate(f"history.{way}()")
        expect(page.get_by_role("heading", name=name, exact=True, level=1)).to_be_visible()
        visit.settle()
        assert page.get_by_test_id("stSidebar").get_by_role("combobox").input_value() == "demo-0-L2"
    assert seen(visit) == CHOSEN


def test_two_tabs_keep_their_own(visit: Visit) -> None:
    visit.open(START)
    other = Visit(visit.page.context.new_page(), visit.address)
    other.open("decompose?dictionary=demo-1-L4&k=9")
    for tab in (visit, other):
        go(tab, "Evaluate")
    for tab in (visit, other):
        go(tab, "Decompose")
    assert seen(visit) == CHOSEN
    assert {name: seen(other)[name] for name in ("dictionary", "k")} == {"dictionary": "demo-1-L4", "k": "9"}


def test_a_link_to_another_dictionary_keeps_prompt_k_and_pursuit(visit: Visit) -> None:
    """The pinned atom stays behind: its number means nothing there."""
    visit.open(START.replace("demo-0-L2", "demo-1-L4") + "&atom=7")
    go(visit, "Library")
    visit.page.get_by_test_id("stSidebar").get_by_role("combobox").click()
    visit.page.get_by_role("option", name="demo-0-L2", exact=True).click()
    visit.expect_in_address("dictionary", "demo-0-L2")
    visit.settle()
    go(visit, "Decompose")
    assert seen(visit) == CHOSEN
    assert visit.page.locator(".t[data-pinned], .atom[aria-selected=true]").count() == 0
