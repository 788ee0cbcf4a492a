"""How long a visitor waits for an atom's page, the next atom, a search, an attribution and a changed prediction.

    python -m tests.e2e.effect_waits [--times 7]

Seconds from what the visitor does until the page has run to its end, on the bundled dictionaries. The page of an atom
has a server of its own each time, in a new home. What else runs on the machine counts: say it beside the figures.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from urllib.parse import urlencode

from playwright.sync_api import Page

from tests.e2e.beside_training import studio
from tests.e2e.conftest import Visit
from tests.e2e.first_sight import pages, told

DICTIONARY = "demo-0-L3-consensus"
FIRST = 100
PROMPT = "Mix the flour and the sugar. Add two"
OTHER = "before => ![...document.querySelectorAll('*')].some(one => !one.children.length && one.textContent === before)"
WORDS = ("park", "dog", "sugar", "train", "water", "morning", "seven", "letter", "garden", "bread", "river")


def read(visit: Visit, atom: int) -> None:
    """Waits until all of the atom's page is there: its examples, and what it writes, which comes last."""
    page = visit.page
    page.get_by_role("listbox", name=f"Where atom {atom} fires").get_by_role("option").first.wait_for()
    page.locator(".st-key-atoms-logits .js-plotly-plot").last.wait_for()
    page.get_by_text(f"atom {atom} of {DICTIONARY}").first.wait_for()
    visit.settle()


def cold(page: Page, times: int) -> None:
    seconds, whole = [], []
    for _ in range(times):
        with tempfile.TemporaryDirectory() as home, studio(home) as address:
            began = time.perf_counter()
            page.goto(f"{address}/atoms?{urlencode({'dictionary': DICTIONARY, 'atom': FIRST})}")
            page.get_by_role("listbox", name=f"Where atom {FIRST} fires").get_by_role("option").first.wait_for()
            seconds.append(time.perf_counter() - began)
            read(Visit(page, address), FIRST)
            whole.append(time.perf_counter() - began)
    told("An atom's examples, cold server", seconds)
    told("An atom's whole page, cold server", whole)


def next_atom(visit: Visit, times: int) -> None:
    page = visit.page
    visit.open(f"atoms?{urlencode({'dictionary': DICTIONARY, 'atom': FIRST})}")
    read(visit, FIRST)
    seconds, whole = [], []
    for atom in range(FIRST + 1, FIRST + 1 + times):
        began = time.perf_counter()
        page.keyboard.press("ArrowRight")
        page.get_by_role("listbox", name=f"Where atom {atom} fires").get_by_role("option").first.wait_for()
        seconds.append(time.perf_counter() - began)
        read(visit, atom)
        whole.append(time.perf_counter() - began)
        time.sleep(1)
    told("The next atom's examples", seconds)
    told("The next atom's whole page", whole)


def search(visit: Visit, words: tuple[str, ...]) -> None:
    page = visit.page
    visit.open(f"atoms?{urlencode({'dictionary': DICTIONARY, 'q': 'tree'})}")
    box = page.get_by_role("textbox", name="Search").first
    seconds = []
    for word in words:
        box.fill(word)
        began = time.perf_counter()
        box.press("Enter")
        visit.expect_in_address("q", word)
        visit.settle()
        seconds.append(time.perf_counter() - began)
        time.sleep(1)
    told("A search", seconds)


def attribution(visit: Visit, times: int) -> None:
    page = visit.page
    visit.open(f"decompose?{urlencode({'dictionary': DICTIONARY, 'prompt': PROMPT, 'why': 'True'})}")
    page.get_by_text("all parts together").wait_for()
    visit.settle()
    seconds = []
    for token in range(9, 9 - times, -1):
        began = time.perf_counter()
        page.locator(f".t[data-index='{token}']").first.click()
        page.get_by_text(f"behind token {token}").wait_for()
        visit.settle()
        seconds.append(time.perf_counter() - began)
        time.sleep(1)
    told("Why the next token, another token", seconds)


def changed(visit: Visit, times: int) -> None:
    page = visit.page
    chosen = {"dictionary": DICTIONARY, "prompt": PROMPT, "atom": 763, "change": "True"}
    visit.open(f"decompose?{urlencode(chosen)}")
    page.get_by_text("becomes").first.wait_for()
    visit.settle()
    seconds = []
    for i in range(times):
        strength = page.get_by_label("Strength", exact=True)
        strength.fill(f"{-1 - i}")
        before = page.get_by_text("becomes").first.inner_text()
        began = time.perf_counter()
        strength.press("Enter")
        page.wait_for_function(OTHER, arg=before, polling="raf")
        visit.settle()
        seconds.append(time.perf_counter() - began)
        time.sleep(1)
    told("A changed prediction, another strength", seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--times", type=int, default=7)
    parser.add_argument("--warm-only", action="store_true", help="leave out what needs a server of its own each time")
    options = parser.parse_args()
    with pages() as page_of:
        if not options.warm_only:
            cold(page_of(), options.times)
        with tempfile.TemporaryDirectory() as home, studio(home) as address:
            visit = Visit(page_of(), address)
            next_atom(visit, options.times)
            search(visit, WORDS[: options.times])
            attribution(visit, options.times)
            changed(visit, options.times)


if __name__ == "__main__":
    main()
