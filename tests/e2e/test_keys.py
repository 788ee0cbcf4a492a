"""Decompose by the keyboard: keys faster than the server, and the steps of the replayed pursuit."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import PATIENCE, Visit

expect.set_options(timeout=PATIENCE)
BETWEEN = (60, 0, 150)  # milliseconds between two keys: as a key that is held down repeats, at once, as one types


def test_fast_keys_on_the_slider_all_count(visit: Visit) -> None:
    visit.open("decompose?dictionary=demo-0-L2&k=4")
    expect(visit.page.locator(".row .t").first).to_be_visible()
    visit.settle()
    slider = visit.page.get_by_role("slider")
    for round, pause in enumerate(BETWEEN):
        slider.focus()
        for _ in range(8):
            visit.page.keyboard.press("ArrowRight" if round % 2 == 0 else "ArrowLeft")
            visit.page.wait_for_timeout(pause)
        expected = "12" if round % 2 == 0 else "4"
        visit.expect_in_address("k", expected)
        visit.settle()
        expect(slider).to_have_value(expected)


@pytest.mark.parametrize("pause", [150, 220, 300])  # milliseconds: the server's answer to a key comes between the next
def test_keys_through_the_layers_all_count(visit: Visit, pause: int) -> None:
    page = visit.page
    visit.open("decompose?dictionary=demo-0-L1&k=4")
    expect(page.locator(".row .t").first).to_be_visible()
    visit.settle()
    for key, layer in (("]", 4), ("[", 1)):
        for _ in range(3):
            page.keyboard.press(key)
            page.wait_for_timeout(pause)
        expect(page.locator(".layer[aria-checked=true]")).to_have_text(f"L{layer}")
        visit.expect_in_address("dictionary", f"demo-0-L{layer}")
        visit.settle()
        expect(page.locator(".layer[aria-checked=true]")).to_have_text(f"L{layer}")
    visit.expect_in_address("dictionary", "demo-0-L1")


@pytest.mark.parametrize("pause", [150, 220, 300])
def test_keys_through_the_tokens_all_count(visit: Visit, pause: int) -> None:
    page = visit.page
    visit.open("decompose?dictionary=demo-0-L1&k=4&token=1")
    chosen = page.locator(".t[aria-selected=true]")
    expect(chosen).to_have_attribute("data-index", "1")
    visit.settle()
    chosen.focus()
    for key, token in (("ArrowRight", "6"), ("ArrowLeft", "1")):
        for _ in range(5):
            page.keyboard.press(key)
            page.wait_for_timeout(pause)
        expect(chosen).to_have_attribute("data-index", token)
        visit.expect_in_address("token", token)
        visit.settle()
        expect(chosen).to_have_attribute("data-index", token)
        expect(chosen).to_be_focused()


def test_there_and_back_again_keeps_the_pinned_atom(visit: Visit) -> None:
    visit.open("decompose?dictionary=demo-0-L1&k=4&atom=3")
    expect(visit.page.locator(".row .t").first).to_be_visible()
    visit.settle()
    visit.page.keyboard.press("]")
    visit.page.keyboard.press("[")
    visit.page.wait_for_timeout(600)
    visit.settle()
    visit.expect_in_address("atom", "3")
    visit.expect_in_address("dictionary", "demo-0-L1")


def test_the_steps_of_the_pursuit_are_reached_by_keys_and_mark_their_bar(visit: Visit) -> None:
    visit.open("decompose?dictionary=demo-0-L2&k=4")
    steps = visit.page.get_by_role("listbox", name="Steps of the pursuit").get_by_role("option")
    expect(steps).to_have_count(4)
    visit.settle()
    steps.first.focus()
    visit.page.keyboard.press("ArrowDown")
    expect(steps.nth(1)).to_be_focused()
    assert "error left" in (steps.nth(1).get_attribute("aria-label") or "")
    visit.page.keyboard.press("Enter")
    expect(steps.nth(1)).to_have_attribute("aria-selected", "true")
    expect(visit.page.locator(".xtick text[style*='bold'], .xtick tspan[style*='bold']")).to_have_count(1)
    expect(steps.nth(1)).to_be_focused()


def test_the_steps_of_the_pursuit_scroll_in_their_frame_on_a_narrow_screen(visit: Visit) -> None:
    visit.page.set_viewport_size({"width": 390, "height": 900})
    visit.open("decompose?dictionary=demo-0-L2&k=4")
    steps = visit.page.get_by_role("listbox", name="Steps of the pursuit")
    expect(steps.get_by_role("option")).to_have_count(4)
    assert steps.evaluate("frame => frame.scrollWidth") >= 640 > steps.evaluate("frame => frame.clientWidth")
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390
    cut = "frame => [...frame.querySelectorAll('.next')].filter(of => of.scrollWidth > of.clientWidth + 1).length"
    assert steps.evaluate(cut) == 0
