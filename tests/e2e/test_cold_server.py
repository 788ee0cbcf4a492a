"""What the first visitor of a server sees while torch and transformers are still being imported."""

from __future__ import annotations

import os
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.e2e.conftest import PATIENCE, ROOT, served, visiting

expect.set_options(timeout=PATIENCE)
HELD = Path(__file__).parent / "held_imports"


def test_the_example_waits_for_no_model(browser: Browser, tmp_path: Path) -> None:
    until = tmp_path / "until"
    until.mkdir()
    paths = os.pathsep.join([str(ROOT), str(HELD)])
    with served(tmp_path, PYTHONPATH=paths, HOLD_UNTIL=str(until)) as address, visiting(browser, address) as visit:
        page = visit.page
        tokens, chosen, atoms = page.locator(".row .t"), page.locator(".t[aria-selected=true]"), page.locator(".atom")

        # Home: without torch; its tokens answer clicks.
        visit.open()
        expect(chosen).to_contain_text("Monday")
        expect(atoms.first).to_contain_text("day")
        tokens.nth(1).click()
        expect(chosen).to_contain_text("sister")
        expect(page.locator(".title").first).to_contain_text("sister")
        expect(page.get_by_text("consensus · for reading").first).to_be_visible()

        # Decompose: with torch, by which a dictionary is read, and without transformers.
        (until / "torch").touch()
        page.goto(f"{address}/decompose")
        expect(chosen).to_contain_text("Monday")
        expect(atoms.first).to_contain_text("day")

        # The model comes, and the pursuit is replayed.
        (until / "transformers").touch()
        expect(page.get_by_text("Step by step")).to_be_visible()
        visit.settle()
        visit.assert_stayed_here()
        assert "ScriptRunContext" not in (tmp_path / "server.log").read_text()
