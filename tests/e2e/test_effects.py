"""A prediction read and changed: which atoms make it likely, the strongest removed, and the link to that."""

from __future__ import annotations

import json
import re
from urllib.parse import urlencode

from playwright.sync_api import Page, expect

from tests.e2e.conftest import PATIENCE, Visit

expect.set_options(timeout=PATIENCE)
PROMPT = "Mix the flour and the sugar. Add two"


def measured(page: Page) -> dict[str, str]:
    """The figures of the change, by their names."""
    box = page.locator(".st-key-decompose\\.change\\.measures, [class*=st-key-decompose-change-measures]").first
    expect(box.get_by_test_id("stMetricValue")).to_have_count(4)
    found = box.get_by_test_id("stMetric")
    return {
        found.nth(i).get_by_test_id("stMetricLabel").inner_text(): found.nth(i)
        .get_by_test_id("stMetricValue")
        .inner_text()
        for i in range(found.count())
    }


def through_the_layers(visit: Visit) -> None:
    """All layers as a picture; a cell of layer 2 is opened, where the same prediction stays explained; and back."""
    page = visit.page
    page.get_by_text("All layers").click()
    visit.expect_in_address("over", "all")
    visit.settle()
    canvas = page.locator("canvas[data-cells]").first
    left, top, width, height = json.loads(canvas.get_attribute("data-cells") or "")
    canvas.click(position={"x": left + 8.5 * width, "y": top + 3.5 * height})
    for name, value in (("dictionary", "demo-0-L2-consensus"), ("token", "8"), ("behind", "10")):
        visit.expect_in_address(name, value)
    expect(page.get_by_text("follows token 10; the chosen token is 8")).to_be_visible()
    expect(page.get_by_text("“ eggs” behind token 10")).to_be_visible()
    visit.settle()
    page.go_back()
    visit.expect_in_address("dictionary", "demo-0-L3-consensus")
    expect(page.get_by_text("follows token 10")).to_have_count(0)
    visit.settle()
    page.get_by_text("This layer").click()
    page.wait_for_function("!new URLSearchParams(location.search).has('over')")
    visit.settle()


def at_an_example(visit: Visit) -> None:
    """An atom's page tells what it does at its strongest example, which opens in Decompose with all atoms' parts."""
    page = visit.page
    visit.open("atoms?dictionary=demo-0-L3-consensus&atom=763")
    page.get_by_text("Its part in what the model predicts").click()
    visit.expect_in_address("here", "True")
    expect(page.get_by_text(re.compile(r"^3 of 1\d\d$"))).to_be_visible()
    visit.settle()
    page.get_by_text("All atoms' parts, in Decompose").click()
    visit.expect_in_address("why", "True")
    visit.expect_in_address("atom", "763")
    expect(page.get_by_text("“ you” behind token")).to_be_visible()
    visit.settle()


def written_and_stopped(visit: Visit) -> None:
    """Both texts grow as they come, Stop ends them, and one more atom changes what is written."""
    page = visit.page
    page.get_by_label("Tokens", exact=True).fill("100")
    page.get_by_label("Tokens", exact=True).press("Enter")
    visit.expect_in_address("length", "100")
    page.get_by_role("button", name="Write 100 tokens").click()
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.get_by_text(re.compile("Stopped after [0-9]+ of 100 tokens"))).to_be_visible()
    for title in ("Before", "After"):
        expect(page.get_by_role("group", name=title, exact=True)).to_contain_text(PROMPT)
    visit.settle()
    page.get_by_label("Another atom", exact=True).fill("51")
    page.get_by_label("Another atom", exact=True).press("Enter")
    visit.expect_in_address("also", "51:0")
    expect(page.get_by_role("group", name="After", exact=True)).to_have_count(0)
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(page.get_by_label("Strength of atom 51")).to_have_count(0)
    visit.settle()


def test_a_prediction_is_explained_changed_and_shared(visit: Visit) -> None:
    page = visit.page
    visit.open(f"decompose?{urlencode({'dictionary': 'demo-0-L3-consensus', 'prompt': PROMPT})}")
    expect(page.locator(".t[aria-selected=true]")).to_have_attribute("data-index", "10")
    visit.settle()
    page.get_by_text("Which atoms make it likely").click()
    expect(page.get_by_text("all parts together")).to_be_visible()
    expect(page.get_by_text("“ eggs” behind token 10")).to_be_visible()
    visit.expect_in_address("why", "True")
    visit.settle()
    through_the_layers(visit)

    page.locator(".atom", has_text="763").first.click()
    visit.expect_in_address("atom", "763")
    expect(page.get_by_text("Change atom 763")).to_be_visible()
    visit.settle()
    page.get_by_text("What the model does when it is changed").click()
    expect(page.get_by_text(re.compile("becomes 0.00"))).to_be_visible()
    visit.expect_in_address("change", "True")
    visit.settle()
    removed = measured(page)
    page.get_by_label("Strength", exact=True).fill("-1")
    page.get_by_label("Strength", exact=True).press("Enter")
    visit.expect_in_address("strength", "-1.0")
    expect(page.get_by_text(re.compile("becomes −9"))).to_be_visible()
    visit.settle()
    reversed_ = measured(page)
    assert float(reversed_["KL"]) > float(removed["KL"]) > 0

    written_and_stopped(visit)
    shared = page.get_by_role("button", name="Share")
    shared.click()
    expect(page.get_by_test_id("stCode").filter(has_text="strength=-1.0")).to_be_visible()
    shared.click()
    address = page.url
    page.reload()
    expect(page.get_by_text(re.compile("becomes −9"))).to_be_visible()
    visit.settle()
    assert measured(page) == reversed_

    assert page.context.browser is not None
    other = page.context.browser.new_context()
    try:
        elsewhere = other.new_page()
        elsewhere.goto(address)
        expect(elsewhere.get_by_text(re.compile("becomes −9"))).to_be_visible()
        assert measured(elsewhere) == reversed_
    finally:
        other.close()
    at_an_example(visit)
    visit.assert_stayed_here()
