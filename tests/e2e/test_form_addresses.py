"""The form of a training in a real browser: a reload, Back, a walk and a link keep what was filled in."""

from __future__ import annotations

from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.conftest import PATIENCE, Visit, visiting

expect.set_options(timeout=PATIENCE)
NUMBERS = {"Tokens to read": "5000", "Atoms per token": "12", "Threshold": "0.200", "Maximum atoms": "700"}
NAMES = {"Tokens to read": "tokens", "Atoms per token": "k", "Threshold": "threshold", "Maximum atoms": "atoms"}
NAME = "größe-2 <b>"


def field(page: Page, name: str) -> Locator:
    return page.get_by_role("spinbutton", name=name)


def fill(visit: Visit) -> None:
    page = visit.page
    page.get_by_role("combobox", name="Bundled model").click()
    page.get_by_role("option", name="demo:2", exact=True).click()
    visit.expect_in_address("model", "demo:2")
    visit.settle()
    for name, value in NUMBERS.items():
        field(page, name).fill(value)
        field(page, name).press("Enter")
        visit.expect_in_address(NAMES[name], f"{float(value):g}")
        visit.settle()
    page.get_by_role("textbox", name="Name", exact=True).fill(NAME)
    page.get_by_role("textbox", name="Name", exact=True).press("Enter")
    visit.expect_in_address("name", NAME)
    visit.settle()


def expect_filled(visit: Visit, **other: str) -> None:
    """The widgets hold it, whatever the address says."""
    page = visit.page
    expect(page.get_by_role("combobox", name="Bundled model")).to_have_value("demo:2")
    for name, value in NUMBERS.items():
        expect(field(page, name)).to_have_value(other.get(NAMES[name], value))
    expect(page.get_by_role("textbox", name="Name", exact=True)).to_have_value(NAME)
    visit.settle()


def test_a_filled_form_outlives_a_reload_a_walk_back_and_its_link(visit: Visit, browser: Browser, studio: str) -> None:
    page = visit.page
    visit.open("train")
    fill(visit)
    expect_filled(visit)
    page.reload()
    expect_filled(visit)

    sidebar = page.get_by_test_id("stSidebar")
    sidebar.get_by_role("link", name="Library", exact=True).click()
    expect(page.get_by_role("heading", name="Library", exact=True, level=1)).to_be_visible()
    visit.settle()
    sidebar.get_by_role("link", name="Train", exact=True).click()
    expect_filled(visit)

    field(page, "Atoms per token").fill("5")
    field(page, "Atoms per token").press("Enter")
    visit.expect_in_address("k", "5")
    visit.settle()
    page.go_back()
    expect_filled(visit)
    page.go_forward()
    expect_filled(visit, k="5")

    page.get_by_role("button", name="Share").click()
    shared = page.get_by_test_id("stPopoverBody").get_by_test_id("stCode")
    expect(shared).to_contain_text("k=5")
    expect(page.get_by_test_id("stPopoverBody")).to_contain_text("This address opens the form with these settings")
    link = shared.inner_text().strip()
    with visiting(browser, studio) as other:
        other.open(link.removeprefix(f"{studio}/"))
        expect_filled(other, k="5")
        other.assert_stayed_here()
    visit.assert_stayed_here()
