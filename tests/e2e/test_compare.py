"""The compare page as a visitor walks through it: a link, a click on a cell, the labels behind it, a copied address."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from itda_core.comparison import LabelSet
from itda_core.comparison.overlap.differences import differences
from itda_core.runs.comparing import looked_up
from itda_core.runs.library import BUNDLED
from tests.e2e.conftest import PATIENCE, Visit

expect.set_options(timeout=PATIENCE)
HOSTILE = "<img src=x onerror=alert(2)> ![](http://example.com/x.png) <script>alert(1)</script>"


def click_cell(visit: Visit, row: int, column: int) -> None:
    """Clicks a cell of the heatmap, where a person would: in its middle."""
    canvas = visit.page.locator("canvas[data-cells]").first
    canvas.scroll_into_view_if_needed()
    left, top, width, height = json.loads(canvas.get_attribute("data-cells") or "")
    canvas.click(position={"x": left + width * (column + 0.5), "y": top + height * (row + 0.5)})


def shared(one: str, other: str) -> list[str]:
    """The tokens of the labels both bundled dictionaries have, the most surprising first."""
    sets = [LabelSet.load(BUNDLED / name) for name in (one, other)]
    found = differences((sets[0], sets[1]), looked_up(sets, must=True)[0])
    ranked = found.most_surprising()["token"].tolist()
    in_order = shared_in_order(one, other)
    assert Counter(ranked) == Counter(in_order)
    assert ranked[:10] != in_order[:10]
    return ranked


def shared_in_order(one: str, other: str) -> list[str]:
    """The same in the first one's order, from their files alone."""
    columns = ["document", "window_start", "char_end"]
    frames = [
        pd.read_parquet(BUNDLED / name / "provenance.parquet").sort_values("order").drop_duplicates(columns)
        for name in (one, other)
    ]
    theirs = set(frames[1][columns].itertuples(index=False, name=None))
    rows = zip(frames[0]["token"], frames[0][columns].itertuples(index=False, name=None), strict=True)
    return [token for token, prefix in rows if prefix in theirs]


def labels_shown(page: Page) -> list[str]:
    """The tokens of the ten labels of a list; for a moment Streamlit shows the list before it as well."""
    tokens = page.locator(".label .hit")
    expect(tokens).to_have_count(10)
    return tokens.all_inner_texts()


def test_a_click_on_a_cell_shows_its_labels_and_the_address_brings_them_back(visit: Visit) -> None:
    page = visit.page
    visit.open("compare?dictionaries=demo-0-L1~demo-1-L1~demo-2-L1~demo-3-L1~demo-4-L1")
    expect(page.locator(".label .hit").first).to_be_visible()
    visit.settle()
    click_cell(visit, 2, 4)
    name = page.locator(".name").first
    expect(name).to_have_text("demo-2-L1 ~ demo-4-L1")
    visit.settle()
    visit.expect_in_address("cell", "demo-2-L1~demo-4-L1")
    expected = shared("demo-2-L1", "demo-4-L1")
    expect(page.get_by_text(f"Shared ({len(expected):,})")).to_be_visible()
    shown = labels_shown(page)
    assert [token.replace("·", " ").replace("↵", "\n").strip() for token in shown] == [t.strip() for t in expected[:10]]

    # Its whole context, and the way to its atom.
    page.locator(".label").nth(3).click()
    expect(page.locator(".label[aria-selected=true] .passage")).to_be_visible()
    visit.settle()
    link = page.get_by_role("link", name=re.compile("of the second in Decompose"))
    expect(link).to_be_visible()
    assert "demo-4-L1" in (link.get_attribute("href") or "")

    page.get_by_text(re.compile("Only first")).click()
    visit.page.wait_for_function("location.search.includes('part=first')")
    visit.settle()
    page.reload()
    expect(name).to_have_text("demo-2-L1 ~ demo-4-L1")
    visit.settle()
    before = labels_shown(page)

    # The copied link shows a stranger the same.
    page.get_by_role("button", name="Share").click()
    link_text = page.get_by_test_id("stPopoverBody").get_by_test_id("stCode").inner_text().strip()
    page.goto(link_text)
    expect(name).to_have_text("demo-2-L1 ~ demo-4-L1")
    visit.settle()
    assert labels_shown(page) == before
    visit.assert_stayed_here()


@pytest.fixture
def hostile(home: Path) -> Iterator[str]:
    """A dictionary in the library whose model, tokens and contexts are hostile."""
    folder = home / "library" / "hostile-L1"
    shutil.copytree(BUNDLED / "demo-1-L1", folder)
    said = json.loads((folder / "dictionary.json").read_text())
    said["spec"] |= {"model": HOSTILE, "weights_fingerprint": "a" * 64}
    (folder / "dictionary.json").write_text(json.dumps(said))
    frame = pd.read_parquet(folder / "provenance.parquet")
    frame["token"], frame["context_before"], frame["context_after"] = HOSTILE, HOSTILE, HOSTILE
    frame.to_parquet(folder / "provenance.parquet")
    yield folder.name
    shutil.rmtree(folder)


@pytest.mark.parametrize("query", ["", "&by=model", "&cell={name}~demo-0-L1", "&show=measures", "&show=transfer"])
def test_hostile_names_and_contexts_stay_text(visit: Visit, hostile: str, query: str) -> None:
    page = visit.page
    visit.open(f"compare?dictionaries={hostile}~demo-0-L1{query.format(name=hostile)}")
    if "show" not in query:
        expect(page.locator(".label .hit").first).to_be_visible()
        visit.settle()
        click_cell(visit, 0, 1)
        visit.settle()
        page.get_by_text("Choose what is compared").click()
        field = page.get_by_role("combobox", name=re.compile("Models")).first
    else:
        field = page.get_by_role("combobox").nth(1)  # the first is the sidebar's
    field.click()
    expect(page.get_by_role("option").first).to_be_visible()
    assert page.locator('img[src*="example.com"], img[src="x"]').count() == 0
    visit.assert_stayed_here()


def test_the_heatmap_is_told_on_hover_walked_by_keys_and_saved(visit: Visit, tmp_path: Path) -> None:
    page = visit.page
    visit.open("compare?dictionaries=demo-0-L1~demo-1-L1~demo-2-L1&cell=demo-1-L1~demo-0-L1")
    name = page.locator(".name").first
    expect(name).to_have_text("demo-1-L1 ~ demo-0-L1")
    visit.settle()
    canvas = page.locator("canvas[data-cells]").first
    left, top, width, height = json.loads(canvas.get_attribute("data-cells") or "")
    canvas.hover(position={"x": left + 2.5 * width, "y": top + 0.5 * height})
    expect(page.locator(".tip")).to_contain_text("demo-0-L1 ~ demo-2-L1")

    # The keys go on from the chosen cell, and never off the matrix.
    canvas.focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    expect(name).to_have_text("demo-2-L1 ~ demo-2-L1")
    visit.settle()
    visit.expect_in_address("cell", "demo-2-L1~demo-2-L1")

    with page.expect_download() as saved:
        page.get_by_role("button", name="PNG").click()
    saved.value.save_as(tmp_path / "saved.png")
    with Image.open(tmp_path / "saved.png") as picture:
        box = canvas.bounding_box()
        assert box is not None
        assert picture.size == (3 * int(box["width"]), 3 * round(box["height"]))
        # The scale ends at the most alike of two different ones, whose cell is its darkest; the diagonal is grey.
        at = (round(3 * (left + 0.5 * width)), round(3 * (top + 0.15 * height)))
        drawn = picture.convert("RGB")
        assert_grey(drawn.getpixel(at))
        # The last cell is chosen, and has its frame on the page alone.
        edge = (round(3 * (left + 2.5 * width)), round(3 * (top + 2 * height)) + 3)
        assert_grey(drawn.getpixel(edge))
        assert (0x2E, 0x2A, 0x78) in {colour for _, colour in drawn.getcolors(2**24) or []}
        assert (0xF9, 0x73, 0x16) not in {colour for _, colour in drawn.getcolors(2**24) or []}
    visit.assert_stayed_here()


def assert_grey(pixel: object) -> None:
    assert pixel == pytest.approx((219, 219, 223), abs=2)  # 28% of rgb(128, 128, 140) on white


def test_all_bundled_dictionaries_for_comparing_open_at_once(visit: Visit) -> None:
    visit.open("compare")
    expect(visit.page.locator(".label .hit").first).to_be_visible()
    visit.settle()
    n = sum(path.is_dir() and "consensus" not in path.name for path in BUNDLED.iterdir())  # those for comparing
    canvas = visit.page.locator("canvas[data-cells]").first
    expect(canvas).to_have_attribute("aria-label", re.compile(f"{n} rows and {n} columns"))
    box = canvas.bounding_box()
    assert box is not None
    left, top, width, height = json.loads(canvas.get_attribute("data-cells") or "")
    assert left + n * width < box["width"]
    assert top + n * height < box["height"]
    button = visit.page.get_by_role("button", name="PNG").first.bounding_box()
    assert button is not None
    assert button["y"] - box["y"] > top + n * height + 6  # clear of the scale's lowest number
    visit.assert_stayed_here()
