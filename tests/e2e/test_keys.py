"""Decompose by the keyboard: keys faster than the server, and the steps of the replayed pursuit."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import FloatRect, Locator, expect

from tests.e2e.conftest import PATIENCE, Visit

expect.set_options(timeout=PATIENCE)
BETWEEN = (60, 0, 150)  # milliseconds between two keys: as a key that is held down repeats, at once, as one types


def at_token_1(visit: Visit, dictionary: str) -> Locator:
    """The chosen token of Decompose, opened at token 1 with four atoms."""
    visit.open(f"decompose?dictionary={dictionary}&k=4&token=1")
    chosen = visit.page.locator(".t[aria-selected=true]")
    expect(chosen).to_have_attribute("data-index", "1")
    visit.settle()
    return chosen


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


@pytest.mark.parametrize("pause", [0, 40, 80, 160, 300])  # milliseconds: the address of the first comes in between
def test_a_key_and_a_click_right_after_it_both_count(visit: Visit, pause: int) -> None:
    page, chosen = visit.page, at_token_1(visit, "demo-0-L2")
    for k, token in (("5", "2"), ("6", "3")):
        page.get_by_role("slider").press("ArrowRight")
        page.wait_for_timeout(pause)
        page.locator(f".t[data-index='{token}']").click()
        visit.expect_in_address("token", token)
        visit.expect_in_address("k", k)
        visit.settle()
        expect(page.get_by_role("slider")).to_have_value(k)
        expect(chosen).to_have_attribute("data-index", token)


@pytest.mark.parametrize("pause", [150, 220, 300])  # milliseconds: the server's answer to a key comes between the next
def test_keys_through_the_layers_all_count(visit: Visit, pause: int) -> None:
    page = visit.page
    visit.open("decompose?dictionary=demo-0-L1&k=4")
    expect(page.locator(".layer[aria-checked=true]")).to_have_text("L1")  # from then on the keys are listened to
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
    page, chosen = visit.page, at_token_1(visit, "demo-0-L1")
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


@pytest.mark.parametrize("pause", [0, 30, 100, 300, None])  # milliseconds; None: until the other layer is shown
def test_there_and_back_again_keeps_the_pinned_atom(visit: Visit, pause: int | None) -> None:
    visit.open("decompose?dictionary=demo-0-L1&k=4&atom=3")
    expect(visit.page.locator(".layer[aria-checked=true]")).to_have_text("L1")
    visit.settle()
    visit.page.keyboard.press("]")
    if pause is None:
        visit.expect_in_address("dictionary", "demo-0-L2")
        visit.settle()
        visit.page.wait_for_function("!new URLSearchParams(location.search).has('atom')")
    else:
        visit.page.wait_for_timeout(pause)
    visit.page.keyboard.press("[")
    visit.page.wait_for_timeout(600)
    visit.settle()
    visit.expect_in_address("atom", "3")
    visit.expect_in_address("dictionary", "demo-0-L1")
    expect(visit.page.locator(".layer[aria-checked=true]")).to_have_text("L1")
    expect(visit.page.get_by_role("radio", name="Pinned atom")).to_be_checked()


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


def _place(part: Locator) -> FloatRect:
    box = part.bounding_box()
    assert box is not None
    return box


def test_the_steps_of_the_pursuit_scroll_in_a_narrow_frame_and_are_folded_on_a_telephone(visit: Visit) -> None:
    visit.page.set_viewport_size({"width": 620, "height": 900})
    visit.open("decompose?dictionary=demo-0-L2&k=4")
    steps = visit.page.get_by_role("listbox", name="Steps of the pursuit")
    expect(steps.get_by_role("option")).to_have_count(4)
    assert steps.evaluate("frame => frame.scrollWidth") >= 640 > steps.evaluate("frame => frame.clientWidth")
    visit.page.set_viewport_size({"width": 390, "height": 900})
    visit.page.wait_for_function("document.documentElement.scrollWidth <= 390")
    assert steps.evaluate("frame => frame.scrollWidth <= frame.clientWidth")
    parts = steps.locator(".step .error, .step .next, .step[data-step] .num")
    assert parts.count() == 4 * 4 + 1  # an error with its figure, what is predicted, a coefficient; the model's own
    assert all(box["x"] > 0 and box["x"] + box["width"] <= 390 for box in map(_place, parts.all()))
    cut = "frame => [...frame.querySelectorAll('.next')].filter(of => of.scrollWidth > of.clientWidth + 1).length"
    assert steps.evaluate(cut) == 0
    expect(visit.page.locator(".atom[data-atom] > .id").first).to_be_visible()  # its number is folded below its label


def test_tab_goes_from_field_to_field_and_help_is_still_there(visit: Visit) -> None:
    visit.open("train")
    expect(visit.page.get_by_text("The same in a terminal")).to_be_visible()
    visit.settle()
    page = visit.page
    page.get_by_role("spinbutton", name="Tokens to read").focus()
    for next_one in (
        page.get_by_role("spinbutton", name="Tokens per window"),
        page.get_by_role("combobox", name="Selection"),
        page.get_by_role("spinbutton", name="Atoms per token"),
    ):
        page.keyboard.press("Tab")
        expect(next_one).to_be_focused()
    page.get_by_role("spinbutton", name="Tokens per window").focus()
    page.keyboard.press("Shift+Tab")
    expect(page.get_by_role("button", name="Help for Tokens per window")).to_be_focused()
    page.get_by_role("heading", name="Text", exact=True).click()  # no field has the focus
    page.locator("button[aria-label='Help for Threshold'] svg").hover()
    expect(page.get_by_text("An activation becomes an atom when the dictionary leaves")).to_be_visible()


def test_what_is_typed_on_while_a_prompt_is_read_stays(visit: Visit) -> None:
    visit.open("decompose?dictionary=demo-0-L1&k=4")
    prompt = visit.page.get_by_role("textbox", name="Prompt")
    visit.settle()
    prompt.fill("My cat")
    prompt.press("Enter")
    prompt.press_sequentially(" sat")
    visit.expect_in_address("prompt", "My cat")
    expect(visit.page.locator(".row .t[data-index='2']")).to_have_text(re.compile("cat"))
    visit.settle()
    expect(prompt).to_have_value("My cat sat")
    prompt.press("Enter")
    visit.expect_in_address("prompt", "My cat sat")
    visit.settle()
    visit.page.go_back()
    expect(prompt).to_have_value("My cat")
