"""What cannot work is said beside its field before Start, typed into the real form: no browser may correct it."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from tests.e2e.conftest import PATIENCE, Visit

expect.set_options(timeout=PATIENCE)


def fill(visit: Visit, field: str, value: str) -> None:
    visit.settle()
    box = visit.page.get_by_label(field, exact=True)
    box.fill(value)
    box.press("Enter")


def test_a_threshold_of_five_and_a_table_without_a_text_column(visit: Visit, home: Path) -> None:
    table = home / "reviews.csv"
    table.write_text("title,body,stars\n" + "Good,The room was clean and quiet.,5\n" * 5000)
    page = visit.page
    visit.open("train")
    start = page.get_by_role("button", name="Start training")
    command = page.get_by_test_id("stCode")
    expect(start).to_be_enabled()
    fill(visit, "Threshold", "5")
    expect(page.get_by_text("threshold=5 can add no atom")).to_be_visible()
    expect(start).to_be_disabled()
    expect(command).to_have_count(0)
    assert page.get_by_label("Threshold", exact=True).input_value() == "5.000"
    fill(visit, "Threshold", "0.4")
    expect(command).to_contain_text("--threshold 0.4")
    expect(start).to_be_enabled()

    page.get_by_role("radio", name="Path").click()
    fill(visit, "File on this machine", str(table))
    expect(page.get_by_text("has no column 'text'")).to_be_visible()
    expect(start).to_be_disabled()
    page.get_by_role("combobox", name="Column of the text").click()
    page.get_by_role("option", name="body").click()
    expect(command).to_contain_text("reviews.csv#body")
    fill(visit, "Name", "demo-0-L2")
    expect(page.get_by_text("is called 'demo-0-L2' already")).to_be_visible()
    fill(visit, "Name", "reviews")
    expect(command).to_contain_text("--name reviews")
    expect(start).to_be_enabled()
    visit.assert_stayed_here()
