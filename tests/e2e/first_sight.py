"""How long a visitor waits, and whether what was chosen outlives walks over the pages.

    python -m tests.e2e.first_sight [--times 7] [--walks 10] [--again 3]

Each cold figure has a server of its own, in a new home: seconds from the page's request until Home's example, or
Decompose's tokens, can be read. On a warm server: from a click in the sidebar until the other page has run to its end,
and from Enter until the new tokens are there. Then walks over four pages and back to Decompose. What else runs on the
machine counts: say it beside the figures.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, sync_playwright

from tests.e2e import chromium
from tests.e2e.beside_training import studio, waits
from tests.e2e.conftest import FLAGS, PATIENCE, Visit
from tests.e2e.test_visitor import CHOSEN, START, go, seen, walks

SWITCHES = ("Library", "Compare", "Evaluate", "Train", "Home", "Decompose")


def told(name: str, seconds: list[float]) -> None:
    print(f"{name}: median {statistics.median(seconds):.2f} s, {min(seconds):.2f} to {max(seconds):.2f}", flush=True)


@contextmanager
def pages() -> Iterator[Callable[[], Page]]:
    """A browser; what is given opens a page of a visitor of its own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=FLAGS)

        def page_of() -> Page:
            context = browser.new_context(viewport={"width": 1440, "height": 900})
            context.set_default_timeout(PATIENCE)
            return context.new_page()

        yield page_of
        browser.close()


def cold(page_of: Callable[[], Page], path: str) -> float:
    """Seconds until there are tokens and atoms to be read, on a server that has just answered for the first time."""
    with tempfile.TemporaryDirectory() as home, studio(home) as address:
        page = page_of()
        began = time.perf_counter()
        page.goto(f"{address}/{path}")
        page.locator(".row .t").first.wait_for()
        page.locator(".atom").first.wait_for()
        seconds = time.perf_counter() - began
        page.context.close()
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--times", type=int, default=7)
    parser.add_argument("--walks", type=int, default=10)
    parser.add_argument("--again", type=int, default=3)
    options = parser.parse_args()
    with pages() as page_of:
        told("Home's example, cold server", [cold(page_of, "") for _ in range(options.times)])
        told("Decompose, cold server", [cold(page_of, "decompose") for _ in range(options.times)])
        with tempfile.TemporaryDirectory() as home, studio(home) as address:
            visit = Visit(page_of(), address)
            visit.open("decompose")
            for name in SWITCHES:  # each once, so that what is measured is a switch and not an import
                go(visit, name)
            switches = []
            for i in range(options.times):
                began = time.perf_counter()
                go(visit, SWITCHES[i % len(SWITCHES)])
                switches.append(time.perf_counter() - began)
            told("A page switch", switches)
            visit.open("decompose")
            told("Enter to tokens", waits(visit.page, options.times, "At the station"))
            orders = walks(options.walks)
            kept = 0
            for order in orders * options.again:
                visit = Visit(page_of(), address)
                visit.open(START)
                for name in (*order, "Decompose"):
                    go(visit, name)
                kept += seen(visit) == CHOSEN
                visit.page.context.close()
            print(
                f"Walks of four pages: {len(set(orders))} different, {kept} of {len(orders) * options.again} kept all"
            )


if __name__ == "__main__":
    main()
