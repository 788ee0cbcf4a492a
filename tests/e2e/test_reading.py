"""Decompose as it is read: through the layers by key, small atoms unfolded, a second dictionary beside the first."""

from __future__ import annotations

import re
from urllib.parse import urlencode

from playwright.sync_api import Locator, expect

from tests.e2e.conftest import PATIENCE, Visit

expect.set_options(timeout=PATIENCE)
PROMPT = "A friend sent a letter from the city."
CHOSEN = {"prompt": PROMPT, "token": "3", "k": "20", "method": "omp"}


def opened(visit: Visit, **more: str) -> None:
    visit.open(f"decompose?{urlencode({'dictionary': 'demo-0-L2', **CHOSEN, **more})}")
    expect(visit.page.locator(".t[aria-selected=true]")).to_have_attribute("data-index", "3")
    expect(visit.page.locator(".layer[aria-checked=true]")).to_have_text("L2")  # from then on the keys are listened to
    visit.settle()


def dictionary(visit: Visit) -> Locator:
    return visit.page.get_by_test_id("stSidebar").get_by_role("combobox")


def test_the_keys_go_through_the_layers_and_keep_what_was_chosen(visit: Visit) -> None:
    page = visit.page
    opened(visit, signs="positive")
    for keys, layer in (("]", 3), ("[[", 1), ("[[[[[", 0)):  # of quick presses the last one counts
        for key in keys:
            page.keyboard.press(key)
        expect(dictionary(visit)).to_have_value(f"demo-0-L{layer}")
        visit.settle()
        expect(page.locator(".layer[aria-checked=true]")).to_have_text(f"L{layer}")
        expect(page.locator(".t[aria-selected=true]")).to_have_attribute("data-index", "3")
        visit.expect_in_address("dictionary", f"demo-0-L{layer}")
        for name, value in {**CHOSEN, "signs": "positive"}.items():
            visit.expect_in_address(name, value)
    page.locator(".layer", has_text="L2").click()
    visit.expect_in_address("dictionary", "demo-0-L2")
    visit.settle()
    page.evaluate("history.back()")
    expect(dictionary(visit)).to_have_value("demo-0-L0")
    visit.settle()

    # In a field the keys are letters like all others.
    area = page.locator("textarea[aria-label=Prompt]")
    area.fill("a")
    area.press("]")
    expect(area).to_have_value("a]")
    page.wait_for_timeout(500)
    visit.settle()
    expect(dictionary(visit)).to_have_value("demo-0-L0")
    visit.assert_stayed_here()


def test_small_atoms_are_one_key_away_and_stay_open(visit: Visit) -> None:
    page = visit.page
    opened(visit)
    seen, fold = page.locator(".atom:visible"), page.locator(".fold")
    few = seen.count()
    assert 3 <= few < 20
    expect(fold).to_contain_text(f"and {20 - few} more")
    seen.last.focus()
    page.keyboard.press("ArrowDown")
    expect(fold).to_be_focused()
    page.keyboard.press("Enter")
    expect(seen).to_have_count(20)
    expect(seen.nth(few)).to_be_focused()
    visit.expect_in_address("small", "shown")
    visit.settle()
    page.reload()
    expect(seen).to_have_count(20)
    fold.click()
    expect(seen).to_have_count(few)
    page.wait_for_function("!new URLSearchParams(location.search).has('small')")  # the server has heard of it
    visit.settle()

    # The pinned one is shown, however small it is.
    fold.click()
    visit.expect_in_address("small", "shown")
    smallest = seen.last.get_attribute("data-atom")
    seen.last.click()
    visit.expect_in_address("atom", smallest or "")
    visit.settle()
    fold.click()
    expect(page.locator(f'.atom[data-atom="{smallest}"]')).to_be_visible()
    visit.settle()


def test_two_dictionaries_on_one_prompt(visit: Visit) -> None:
    page = visit.page
    opened(visit, k="8")
    first = page.locator(".list[role=listbox]").first.locator(".atom .id").all_inner_texts()
    field = page.get_by_test_id("stMain").get_by_role("combobox")
    field.fill("demo-1-L3")  # far down the list, whose entries are drawn as they come into sight
    page.get_by_role("option", name="demo-1-L3", exact=True).click()
    visit.expect_in_address("beside", "demo-1-L3")
    lists = page.locator(".list[role=listbox]:has(.atom)")
    expect(lists).to_have_count(2)
    visit.settle()
    assert lists.first.locator(".atom .id").all_inner_texts() == first
    second = lists.nth(1).locator(".atom .id").all_inner_texts()
    assert second
    assert second != first
    expect(page.get_by_test_id("stMetric")).to_have_count(6)

    # An atom of the second is read there; the first keeps its own pin; the link restores both.
    lists.nth(1).locator(".atom").first.click()
    expect(lists.nth(1).locator(".atom[aria-selected=true] .passage")).to_be_visible()
    visit.expect_in_address("beside_atom", second[0])
    visit.settle()
    page.reload()
    expect(lists.nth(1).locator(".atom[aria-selected=true] .passage")).to_be_visible()
    visit.settle()
    assert lists.nth(1).locator(".atom > .id").all_inner_texts() == second
    expect(lists.first.locator(".atom[aria-selected=true]")).to_have_count(0)
    fits = "() => (node => node.scrollWidth <= node.clientWidth)(document.querySelector('[data-testid=stMain]'))"
    whole = "node => [...node.querySelectorAll('*')].every(e => e.scrollWidth <= e.clientWidth + 1)"
    for width in (1024, 1180, 1440):  # nothing is wider than what it is in, once the charts have followed
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_function(fits)
        for metric in page.get_by_test_id("stMetricValue").all():
            assert metric.evaluate(whole)
    visit.assert_stayed_here()


def test_a_new_prompt_does_not_keep_the_token_of_the_old_one(visit: Visit) -> None:
    page = visit.page
    opened(visit)
    area = page.locator("textarea[aria-label=Prompt]")
    area.fill("One two three four five six")
    area.press("Enter")
    chosen = page.locator(".t[aria-selected=true]")
    expect(chosen).to_have_text("six")
    visit.settle()
    expect(chosen).to_have_text("six")
    page.wait_for_function("!new URLSearchParams(location.search).has('token')")


def test_a_prompt_that_was_not_sent_says_that_the_page_is_of_another(visit: Visit) -> None:
    page = visit.page
    opened(visit)
    area, hint = page.locator("textarea[aria-label=Prompt]"), page.locator(".under .keys")
    expect(hint).to_have_text(re.compile("^Enter to decompose"))
    area.fill("A cat slept.")
    page.wait_for_timeout(2500)  # a pause sends no prompt
    expect(hint).to_have_text(re.compile("^Not read yet"))
    visit.expect_in_address("prompt", PROMPT)
    page.locator(".layer", has_text="L3").click()  # whatever is done meanwhile
    expect(dictionary(visit)).to_have_value("demo-0-L3")
    visit.settle()
    expect(area).to_have_value("A cat slept.")
    expect(hint).to_have_text(re.compile("^Not read yet"))
    area.press("Enter")
    expect(hint).to_have_text(re.compile("^Enter to decompose"))
    visit.expect_in_address("prompt", "A cat slept.")
    visit.settle()
    expect(hint).to_have_text(re.compile("^Enter to decompose"))
    area.fill("A dog")
    area.fill("A cat slept.")
    expect(hint).to_have_text(re.compile("^Enter to decompose"))


def test_back_and_forward_colour_the_tokens_as_the_address_says(visit: Visit) -> None:
    page = visit.page
    opened(visit)
    colour = (
        page.get_by_test_id("stButtonGroup").filter(has_text="Colour tokens by").locator("button[aria-checked=true]")
    )
    expect(colour).to_have_text("Relative error")
    atom = page.locator(".atom[data-atom]").first
    pinned = str(atom.get_attribute("data-atom"))
    atom.click()
    visit.expect_in_address("atom", pinned)
    expect(colour).to_have_text("Pinned atom")
    visit.settle()
    for way, shown in (("back", "Relative error"), ("forward", "Pinned atom")):
        page.evaluate(f"history.{way}()")
        page.wait_for_function(f"new URLSearchParams(location.search).has('atom') === {str(way == 'forward').lower()}")
        visit.settle()
        expect(colour).to_have_text(shown)
