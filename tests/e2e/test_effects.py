"""A prediction read and changed: which atoms make it likely, the strongest removed, and the link to that."""

from __future__ import annotations

import re
from urllib.parse import urlencode

from playwright.sync_api import Page, expect

from tests.e2e.conftest import PATIENCE, Visit

expect.set_options(timeout=PATIENCE)
PROMPT = "Mix the flour and the sugar. Add two"


def measured(page: Page) -> dict[str, str]:
    """The figures of the change, by their names."""
    box = page.locator(".st-key-decompose\\.change\\.measures, [class*=st-key-decompose-change-measures]").first
    expect(box.get_by_test_id("stMetricValue")).to_have_count(3)
    found = box.get_by_test_id("stMetric")
    return {
        found.nth(i).get_by_test_id("stMetricLabel").inner_text(): found.nth(i)
        .get_by_test_id("stMetricValue")
        .inner_text()
        for i in range(found.count())
    }


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

    page.locator(".atom", has_text="763").first.click()
    visit.expect_in_address("atom", "763")
    expect(page.get_by_text("Change atom 763")).to_be_visible()
    visit.settle()
    page.get_by_text("What the model does when it is changed").click()
    expect(page.get_by_text(re.compile("becomes 0.00"))).to_be_visible()
    visit.expect_in_address("change", "True")
    visit.settle()
    removed = measured(page)
    page.get_by_label("Strength").fill("-1")
    page.get_by_label("Strength").press("Enter")
    visit.expect_in_address("strength", "-1.0")
    expect(page.get_by_text(re.compile("becomes −9"))).to_be_visible()
    visit.settle()
    reversed_ = measured(page)
    assert float(reversed_["KL"]) > float(removed["KL"]) > 0

    page.get_by_role("button", name="Write 24 tokens").click()
    expect(page.get_by_test_id("stText").filter(has_text=PROMPT)).to_have_count(2)
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
    visit.assert_stayed_here()
