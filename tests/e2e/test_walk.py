"""The studio as a visitor walks through it: the demo, a token, an atom; then a dictionary of one's own."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import torch
from playwright.sync_api import Locator, expect

from itda_core import AtomDictionary
from itda_core.files import write_json
from itda_core.models import ModelSpec
from itda_core.runs import EVALUATION, TRAINING, Jobs, TrainingStatus, TrainRequest
from itda_core.runs.library import BUNDLED, Library
from itda_core.runs.training.status import LayerStatus
from tests.e2e.conftest import PATIENCE, Visit

expect.set_options(timeout=PATIENCE)
HOSTILE = "The <script>alert(1)</script> ![](http://example.com/x.png) <img src=x onerror=alert(2)> zebra"
READ = """word => [...document.querySelectorAll('*')].some(host => host.shadowRoot &&
    [...host.shadowRoot.querySelectorAll('.row')].some(row => row.textContent.replaceAll('·', ' ').includes(word)))"""


def tokens(visit: Visit) -> Locator:
    return visit.page.locator(".row .t")


def click_token(visit: Visit, position: int) -> str:
    """Clicks the token at `position` of the row, waits for its atoms, and returns its index."""
    index = tokens(visit).nth(position).get_attribute("data-index") or ""
    tokens(visit).nth(position).click()
    expect(visit.page.locator(".t[aria-selected=true]")).to_have_attribute("data-index", index)
    expect(visit.page.locator(".title").first).to_contain_text(f"token {index}")
    visit.settle()
    return index


def chosen_dictionary(visit: Visit) -> str:
    return visit.page.get_by_test_id("stSidebar").get_by_role("combobox").input_value()


def type_prompt(visit: Visit, text: str) -> None:
    area = visit.page.locator("textarea[aria-label=Prompt]")
    area.fill(text)
    area.press("Enter")
    visit.page.wait_for_function(READ, arg=text.split()[-1])
    visit.settle()


def test_from_home_to_an_atom_and_to_a_dictionary_of_ones_own(visit: Visit, home) -> None:
    page = visit.page
    visit.open()
    page.get_by_role("link", name="Try the demo").click()
    expect(page.get_by_role("heading", name="Decompose", exact=True)).to_be_visible()
    visit.settle()

    # A click on a token brings its atoms, and the address follows.
    index = click_token(visit, 3)
    visit.expect_in_address("token", index)

    # An atom is read in the text it comes from: what the list shows is what the dictionary's provenance says.
    strongest = page.locator(".atom").first
    atom = int(strongest.get_attribute("data-atom") or -1)
    strongest.click()
    expect(page.locator(f'.atom[data-atom="{atom}"][aria-selected=true] .more')).to_be_visible()
    visit.settle()
    visit.expect_in_address("atom", str(atom))
    label = AtomDictionary.load(BUNDLED / chosen_dictionary(visit)).label(atom)
    passage = page.locator(".atom[aria-selected=true] .passage")
    assert passage.text_content() == label.context_before + label.token + label.context_after
    assert passage.locator(".hit").text_content() == label.token

    # A small dictionary, trained to the end from the page.
    page.get_by_role("link", name="Train", exact=True).click()
    expect(page.get_by_role("heading", name="Train", exact=True)).to_be_visible()
    visit.settle()
    field = page.get_by_role("spinbutton", name="Tokens to read")
    field.fill("2000")
    field.press("Enter")
    expect(page.get_by_test_id("stCode").first).to_contain_text("--tokens 2000")
    visit.settle()
    page.get_by_role("button", name="Start training").click()
    expect(page.get_by_role("link", name="Decompose with it")).to_be_visible(timeout=2 * PATIENCE)
    visit.settle()
    [path] = [entry.path for entry in Library(home / "library").entries() if not entry.bundled]
    own = AtomDictionary.load(path)
    assert own.stats["tokens"] == 2000
    expect(page.get_by_text(re.compile("Done"))).to_be_visible()

    # Decompose with it: the atoms listed are its own.
    page.get_by_role("link", name="Decompose with it").click()
    expect(page.get_by_role("heading", name="Decompose", exact=True)).to_be_visible()
    visit.settle()
    visit.expect_in_address("dictionary", path.name)
    type_prompt(visit, "A friend sent a letter from the city.")
    click_token(visit, 2)
    listed = [int(row.get_attribute("data-atom") or -1) for row in page.locator(".atom").all()]
    assert listed
    assert max(listed) < len(own)
    page.locator(".atom").first.click()
    expect(page.locator(".atom[aria-selected=true] .passage")).to_be_visible()
    label = own.label(listed[0])
    passage = page.locator(".atom[aria-selected=true] .passage").text_content()
    assert passage == label.context_before + label.token + label.context_after
    visit.settle()

    # The training goes further: the dictionary there is stays, a longer one begins with its atoms.
    [job] = Jobs(home).list(TRAINING)
    visit.open(f"train?job={job.id}")
    page.get_by_role("button", name="Go further").click()
    expect(page.get_by_text("Raise tokens or atoms, or lower the threshold")).to_be_visible()
    visit.settle()
    field = page.get_by_role("spinbutton", name="Tokens to read")
    expect(field).to_have_value("2000")
    field.fill("3000")
    field.press("Enter")
    expect(page.get_by_test_id("stCode").first).to_contain_text(re.compile("--tokens 3000 .*--resume"))
    visit.settle()
    page.get_by_role("button", name="Go further").click()
    expect(page.get_by_role("link", name="Decompose with it")).to_be_visible(timeout=2 * PATIENCE)
    visit.settle()
    expect(page.get_by_text(f"Going on from {path.name}, 2,000 tokens into the training.")).to_be_visible()
    longer, shorter = (AtomDictionary.load(entry.path) for entry in Library(home / "library").entries()[:2])
    assert [stage["tokens_read"] for stage in longer.stats["stages"]] == [2000, 1000]
    assert torch.equal(longer.atoms[: len(own)], own.atoms)
    assert torch.equal(shorter.atoms, own.atoms)
    visit.assert_stayed_here()


@pytest.mark.parametrize(
    "path",
    ["", "train", "library", "decompose", "decompose?dictionary=demo-0-L5&k=5&method=omp", "evaluate", "compare"],
)
def test_every_page_opens_from_a_link_without_an_exception_or_a_request_elsewhere(visit: Visit, path: str) -> None:
    visit.open(path)
    expect(visit.page.get_by_role("link", name="Decompose", exact=True)).to_be_visible()
    visit.assert_stayed_here()


def test_an_evaluation_runs_to_its_end_and_is_there_after_a_reload(visit: Visit, home) -> None:
    page = visit.page
    visit.open("evaluate?dictionary=demo-0-L2&k=4&tokens=200")
    page.get_by_role("button", name="Start evaluation").click()
    done = page.get_by_text(re.compile("Done.*1 result"))
    expect(done).to_be_visible(timeout=2 * PATIENCE)
    visit.settle()
    [job] = Jobs(home).list(EVALUATION)
    visit.expect_in_address("job", job.id)
    [result] = job.status.results
    assert (Path(result.dictionary).name, result.k, result.text) == ("demo-0-L2", 4, "held-out")
    page.reload()
    expect(done).to_be_visible()
    expect(page.get_by_test_id("stDataFrame").first).to_be_visible()
    visit.settle()
    visit.assert_stayed_here()


CUT = """() => [...document.querySelectorAll('[data-testid=stMetric] *, [data-testid=stButtonGroup] *')]
    .filter(part => part.scrollWidth > part.clientWidth + 1 && getComputedStyle(part).overflowX !== 'visible')
    .map(part => `${part.textContent} at ${window.innerWidth}`)"""


def cut(visit: Visit) -> list[str]:
    """The figures and choices that have no room on the page, at any usual width of a window."""
    found = []
    for width in (1024, 1100, 1200, 1300, 1366, 1440):
        visit.page.set_viewport_size({"width": width, "height": 900})
        found += visit.page.evaluate(CUT)
    return found


def test_no_figure_is_cut_however_wide_the_window_is(visit: Visit, home) -> None:
    visit.open("decompose?dictionary=demo-0-L3&prompt=Two%20eggs%20and%20a%20cup%20of%20milk.")
    expect(visit.page.get_by_test_id("stMetric")).to_have_count(3)
    expect(visit.page.locator(".atom").first).to_be_visible()
    visit.settle()
    assert cut(visit) == []

    layer = LayerStatus("resid_post", 0, 123_456, 0.305, 0.1, (123_456,), (0.305,), (), 1_234, 234_567)
    status = TrainingStatus("lost", "", 10**9, 2 * 10**9, 9e5, None, (), None, 1e6, (10**9,), (layer, layer))
    request = TrainRequest(ModelSpec("demo:0"), (0, 1), "demo")
    order = {"created": "2026-11-20T12:00:00+00:00", "kind": TRAINING.name, "request": request.to_dict()}
    folder = home / "jobs" / "20261120-120000-000000-abcd"
    write_json(folder / "request.json", order)
    write_json(folder / "status.json", status.to_dict())
    visit.open(f"train?job={folder.name}")
    expect(visit.page.get_by_test_id("stMetric")).to_have_count(4)
    visit.settle()
    assert cut(visit) == []
    shutil.rmtree(folder)  # other tests count the jobs


def test_a_link_restores_what_was_seen(visit: Visit) -> None:
    visit.open("decompose?dictionary=demo-0-L3&prompt=Two%20eggs%20and%20a%20cup%20of%20milk.&token=3&k=6&method=omp")
    expect(visit.page.locator(".t[aria-selected=true]")).to_have_attribute("data-index", "3")
    expect(visit.page.locator("textarea[aria-label=Prompt]")).to_have_value("Two eggs and a cup of milk.")
    visit.settle()
    expect(visit.page.locator(".atom")).to_have_count(6)
    before = visit.page.locator(".atom .id").all_inner_texts()
    visit.page.reload()
    expect(visit.page.locator(".t[aria-selected=true]")).to_have_attribute("data-index", "3")
    visit.settle()
    assert visit.page.locator(".atom .id").all_inner_texts() == before


def test_hostile_text_is_shown_as_text(visit: Visit) -> None:
    visit.open("decompose")
    type_prompt(visit, HOSTILE)
    row = visit.page.locator(".row").first
    assert "alert(1)" in row.inner_text().replace("\n", "")
    for inside in ("script", "img"):
        assert row.locator(inside).count() == 0
    assert visit.page.locator('img[src*="example.com"]').count() == 0
    visit.assert_stayed_here()


def test_an_unknown_dictionary_is_named_with_a_way_back(visit: Visit) -> None:
    visit.open("decompose?dictionary=demo-0-L33")
    expect(visit.page.get_by_text("demo-0-L33").first).to_be_visible()
    visit.page.get_by_role("button", name=re.compile("Open demo-0-L3")).first.click()
    expect(tokens(visit).first).to_be_visible()
    visit.settle()
    visit.expect_in_address("dictionary", "demo-0-L3")
    visit.assert_stayed_here()
