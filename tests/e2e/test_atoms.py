"""The atoms walked through in a real browser: table, map, atom, example, Decompose and back, star, note, share."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Locator, expect

from tests.e2e.conftest import PATIENCE, ROOT, Visit

expect.set_options(timeout=PATIENCE)
DICTIONARY, TOKENS = "demo-0-L1-consensus", "4000"
HOSTILE = "<script>alert(1)</script> **bold** =1+1 ![](http://example.com/x.png)"


@pytest.fixture(scope="module")
def indexed(home: Path, studio: str) -> None:
    """An index of one dictionary, made as anybody makes one."""
    command = [sys.executable, "-m", "itda_core", "atoms", "index", DICTIONARY, "--tokens", TOKENS]
    subprocess.run(command, cwd=ROOT, env=dict(os.environ, ITDA_HOME=str(home)), check=True, capture_output=True)


def lines(visit: Visit) -> Locator:
    return visit.page.get_by_role("grid", name="Atoms").locator(".line[data-atom]")


def address(**values: object) -> str:
    return f"atoms?{urlencode({'dictionary': DICTIONARY, **values})}"


def at_atom_10(visit: Visit) -> Locator:
    """The field of the atom's number, on the page of atom 10; the keys are listened to once it is there."""
    visit.open(address(atom=10))
    number = visit.page.get_by_role("textbox", name=re.compile("^Number of the atom"))
    expect(number).to_have_value("10")
    visit.settle()
    return number


@pytest.mark.usefixtures("indexed")
def test_from_the_table_to_an_example_and_back(visit: Visit) -> None:
    page = visit.page
    visit.open(address())
    expect(lines(visit).first).to_be_visible()
    assert lines(visit).count() == 50
    page.get_by_role("button", name="error", exact=False).first.click()
    visit.expect_in_address("sort", "error")
    visit.settle()
    atom = lines(visit).first.get_attribute("data-atom")
    assert atom is not None
    lines(visit).first.click()
    visit.expect_in_address("atom", atom)
    expect(page.get_by_text(re.compile(f"^atom {atom} of {DICTIONARY}"))).to_be_visible()
    page.go_back()
    expect(lines(visit).first).to_have_attribute("data-atom", atom)
    visit.expect_in_address("sort", "error")
    visit.assert_stayed_here()


@pytest.mark.usefixtures("indexed")
def test_an_example_opens_its_token_in_decompose(visit: Visit) -> None:
    page = visit.page
    visit.open(address())
    expect(lines(visit).first).to_be_visible()
    atom = str(lines(visit).first.get_attribute("data-atom"))  # the one used most
    lines(visit).first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    visit.expect_in_address("atom", atom)
    examples = page.get_by_role("listbox", name=f"Where atom {atom} fires").get_by_role("option")
    expect(examples.first).to_be_visible()
    visit.settle()
    examples.first.locator(".t").first.hover()
    token = examples.first.locator(".t.at").inner_text()
    examples.first.focus()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/decompose"))
    visit.expect_in_address("atom", atom)
    chosen = page.locator('.row .t[aria-selected="true"]')
    expect(chosen).to_be_visible()
    visit.settle()
    assert chosen.inner_text().replace("·", " ").strip() in (token.strip(), token)
    page.get_by_role("button", name="Open the atom").first.click()
    page.wait_for_url(re.compile("/atoms"))
    visit.expect_in_address("atom", atom)
    visit.assert_stayed_here()


@pytest.mark.usefixtures("indexed")
def test_the_arrow_keys_step_but_not_while_one_types(visit: Visit) -> None:
    page, number = visit.page, at_atom_10(visit)
    page.keyboard.press("ArrowRight")
    visit.expect_in_address("atom", "11")
    expect(page.get_by_text(re.compile("^atom 11 of"))).to_be_visible()
    visit.settle()
    page.keyboard.press("ArrowLeft")
    visit.expect_in_address("atom", "10")
    expect(page.get_by_text(re.compile("^atom 10 of"))).to_be_visible()
    visit.settle()
    note = page.get_by_role("textbox", name="Your note")
    note.click()
    page.keyboard.type("ab")
    page.keyboard.press("ArrowLeft")
    page.keyboard.type("c")
    expect(note).to_have_value("acb")
    assert "atom=10" in page.url
    page.get_by_role("button", name="Next atom (key →)").click()
    visit.expect_in_address("atom", "11")
    number.fill("700")
    page.keyboard.press("Enter")
    visit.expect_in_address("atom", "700")


@pytest.mark.usefixtures("indexed")
@pytest.mark.parametrize("pause", [0, 60, 150, 300])  # milliseconds: the answer to a key comes between the next
def test_keys_through_the_atoms_all_count(visit: Visit, pause: int) -> None:
    page, number = visit.page, at_atom_10(visit)
    for key, atom in (("ArrowRight", 15), ("ArrowLeft", 10)):
        for _ in range(5):
            page.keyboard.press(key)
            page.wait_for_timeout(pause)
        visit.expect_in_address("atom", str(atom))
        expect(page.get_by_text(re.compile(f"^atom {atom} of"))).to_be_visible()
        visit.settle()
        visit.expect_in_address("atom", str(atom))
        expect(number).to_have_value(str(atom))


@pytest.mark.usefixtures("indexed")
def test_a_number_is_typed_while_the_answer_to_a_step_comes(visit: Visit) -> None:
    page, number = visit.page, at_atom_10(visit)
    page.get_by_role("button", name="Next atom (key →)").click()
    number.fill("70")
    visit.expect_in_address("atom", "11")
    expect(page.get_by_text(re.compile("^atom 11 of"))).to_be_visible()
    visit.settle()
    expect(number).to_have_value("70")
    expect(number).to_be_focused()
    page.keyboard.type("0")
    page.keyboard.press("Enter")
    visit.expect_in_address("atom", "700")
    expect(number).to_have_value("700")


@pytest.mark.usefixtures("indexed")
def test_a_number_marked_before_the_answer_to_a_step_is_typed_over_after_it(visit: Visit) -> None:
    page, number = visit.page, at_atom_10(visit)
    page.get_by_role("button", name="Next atom (key →)").click()
    number.select_text()
    number.focus()
    visit.expect_in_address("atom", "11")
    expect(page.get_by_text(re.compile("^atom 11 of"))).to_be_visible()
    visit.settle()
    page.keyboard.type("70")
    expect(number).to_have_value("70")
    page.keyboard.type("000")
    page.keyboard.press("Enter")  # there is none of that number
    expect(page.get_by_text(re.compile("type a number from 0 to [0-9,]+$"))).to_be_visible()
    expect(number).to_have_value("11")
    page.keyboard.type("12")
    page.keyboard.press("Enter")
    visit.expect_in_address("atom", "12")
    expect(page.get_by_text(re.compile("type a number from"))).to_be_hidden()


@pytest.mark.usefixtures("indexed")
def test_a_number_counts_when_its_field_is_left_as_in_every_other_field(visit: Visit) -> None:
    page, number = visit.page, at_atom_10(visit)
    number.fill("77")
    number.press("Tab")
    visit.expect_in_address("atom", "77")
    expect(number).to_have_value("77")
    for none in ("1e3", "-5", "0x10", "7.5"):
        number.fill(none)
        number.press("Tab")
        expect(page.get_by_text(re.compile("type a number from 0 to [0-9,]+$"))).to_be_visible()
        expect(number).to_have_value("77")
    number.fill("12")
    page.get_by_role("button", name="Next atom (key →)").click()
    visit.expect_in_address("atom", "13")
    expect(page.get_by_text(re.compile("^atom 13 of"))).to_be_visible()


@pytest.mark.usefixtures("indexed")
def test_a_star_and_a_note_stay_and_are_text(visit: Visit) -> None:
    page = visit.page
    visit.open(address(atom=21))
    expect(page.get_by_text(re.compile("^atom 21 of"))).to_be_visible()
    page.get_by_role("button", name="Star", exact=False).click()
    expect(page.get_by_role("button", name=re.compile("Starred"))).to_be_visible()
    note = page.get_by_role("textbox", name="Your note")
    note.fill(HOSTILE)
    note.press("Control+Enter")
    visit.settle()
    page.reload()
    expect(page.get_by_role("textbox", name="Your note")).to_have_value(HOSTILE)
    page.get_by_role("button", name="All atoms").click()
    expect(lines(visit).nth(2)).to_be_visible()  # the star of the atom's own page is called Starred too
    visit.settle()
    page.get_by_role("radio", name="Starred").or_(page.get_by_role("button", name="Starred")).first.click()
    visit.expect_in_address("only", "starred")
    expect(lines(visit)).to_have_count(1)
    expect(lines(visit).first).to_have_attribute("data-atom", "21")
    visit.assert_stayed_here()


@pytest.mark.usefixtures("indexed")
def test_the_map_opens_an_atom_and_a_lasso_lists(visit: Visit) -> None:
    page = visit.page
    visit.open(address(show="map", colour="frequency"))
    plot = page.locator(".js-plotly-plot")
    expect(plot).to_be_visible()
    expect(page.locator(".legend .traces").first).to_be_visible()
    visit.settle()
    frame = page.locator(".nsewdrag").bounding_box()
    assert frame is not None
    corners = ((0.02, 0.02), (0.98, 0.02), (0.98, 0.98), (0.02, 0.98), (0.02, 0.03))
    for number, (x, y) in enumerate(corners):
        page.mouse.move(frame["x"] + x * frame["width"], frame["y"] + y * frame["height"], steps=4)
        if number == 0:
            page.mouse.down()
    page.mouse.up()
    expect(page.get_by_text("atoms inside the lasso are listed")).to_be_visible()
    visit.settle()
    page.get_by_role("button", name="List all").click()
    expect(page.get_by_text("atoms inside the lasso are listed")).to_have_count(0)
    visit.assert_stayed_here()


@pytest.mark.usefixtures("indexed")
def test_a_shared_address_shows_the_same(visit: Visit) -> None:
    page = visit.page
    visit.open(address(atom=30, text="tokens", window="whole", breaks="shown", own="My sister walked"))
    expect(page.get_by_label("Tokens of your text, coloured by the coefficient of atom 30")).to_be_visible()
    visit.settle()
    page.get_by_role("button", name="Share").click()
    shared = page.get_by_test_id("stPopoverBody").get_by_test_id("stCode").inner_text()
    for part in ("atom=30", "text=tokens", "window=whole", "breaks=shown", "own=My+sister+walked", "id="):
        assert part in shared
    page.goto(shared.strip())
    expect(page.get_by_label("Tokens of your text, coloured by the coefficient of atom 30")).to_be_visible()
    visit.assert_stayed_here()


def test_an_index_is_made_on_the_page(visit: Visit) -> None:
    page = visit.page
    visit.open("atoms?dictionary=demo-4-L0")
    expect(lines(visit).first).to_be_visible()
    page.get_by_text(re.compile("Make an atom index|Index more text")).click()
    page.get_by_role("spinbutton", name="Tokens to read").fill("1000")
    page.get_by_role("spinbutton", name="Tokens to read").press("Enter")
    expect(page.get_by_text(re.compile("1,000 tokens are read"))).to_be_visible()
    visit.settle()
    page.get_by_role("button", name="Start atom index").click()
    page.wait_for_url(re.compile("job="))
    page.get_by_role("link", name="Read its atoms").or_(page.get_by_role("button", name="Read its atoms")).click()
    expect(lines(visit).first).to_be_visible()
    visit.settle()
    lines(visit).first.click()
    expect(page.get_by_text(re.compile(r"^Over 1,0\d\d tokens of demo"))).to_be_visible()
    visit.assert_stayed_here()


def test_a_search_leads_to_an_atom_of_another_dictionary(visit: Visit) -> None:
    page = visit.page
    visit.open(f"atoms?{urlencode({'dictionary': DICTIONARY, 'q': 'park', 'in': 'all'})}")
    found = page.get_by_role("grid", name="Atoms that were found").locator(".line[data-atom]")
    expect(found.first).to_contain_text("park")
    other = found.filter(has_not_text=DICTIONARY).first
    name = other.locator(".cell.dictionary").inner_text()
    other.click()
    visit.expect_in_address("dictionary", name)
    expect(page.get_by_text(re.compile(rf"^atom \d+ of {name}"))).to_be_visible()
    visit.assert_stayed_here()
