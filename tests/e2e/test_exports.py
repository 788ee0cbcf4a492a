"""What is exported, as its reader opens it: a page from the disk, in a dark browser, without network."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.e2e.conftest import PATIENCE, Visit

expect.set_options(timeout=PATIENCE)


def test_decomposes_page_is_taken_along_and_opens_in_the_dark(visit: Visit, browser: Browser, tmp_path: Path) -> None:
    page = visit.page
    visit.open("decompose?dictionary=demo-0-L3&prompt=The little dog ran to the park.&token=8")
    expect(page.get_by_text("10 of 256 tokens (1 special); a longer prompt is refused")).to_be_visible()
    visit.settle()
    page.get_by_role("button", name="Export").first.click()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Web page (works offline)").click()
    file = tmp_path / "page.html"
    saved.value.save_as(file)
    reader = browser.new_context(color_scheme="dark", offline=True)
    try:
        opened = reader.new_page()
        opened.goto(file.as_uri())
        expect(opened.locator(".row a.chosen")).to_have_text(" park")
        expect(opened.locator("#t8 table.replay tr")).to_have_count(
            1 + opened.locator("#t8 table.replay td.left").count() + 1
        )
        ground = opened.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == "rgb(21, 21, 26)"
        ink = opened.locator("#t8 tr.negative td.num").nth(1)
        if ink.count():
            assert ink.evaluate("e => getComputedStyle(e).color") == "rgb(251, 146, 60)"
        assert opened.evaluate("document.scripts.length") == 0
    finally:
        reader.close()
    visit.assert_stayed_here()
