"""Every page at four widths: nothing is wider than the window, and no figure, control or card loses a part."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import TimeoutError, expect

from itda_core.analysis import Evaluation
from itda_core.files import write_json
from itda_core.runs import EVALUATION, EvaluateRequest, EvaluationStatus
from tests.e2e.conftest import PATIENCE, Visit

expect.set_options(timeout=PATIENCE)
WIDTHS = (1440, 1024, 768, 390)
CLIPPED = """() => {
  const parts = ['stMetricValue', 'stMetricLabel', 'stPageLink', 'stButtonGroup', 'stCaptionContainer', 'stMultiSelect']
    .map(name => `[data-testid=stMain] [data-testid=${name}]`).concat('[data-testid=stMain] button');
  const found = [...document.querySelectorAll(parts.join())].flatMap(part => [part, ...part.querySelectorAll('*')])
    .filter(e => e.clientWidth && e.tagName !== 'INPUT' && getComputedStyle(e).overflowX !== 'visible')
    .filter(e => e.scrollWidth > e.clientWidth + 1 || e.scrollHeight > e.clientHeight + 4)
    .map(e => `${e.tagName} ${e.dataset.testid ?? e.className}: ${e.textContent.slice(0, 40)}`);
  for (const box of [document.documentElement, document.querySelector('[data-testid=stMain]')])
    if (box.scrollWidth > box.clientWidth + 1) found.push(`the page: ${box.scrollWidth} > ${box.clientWidth}`);
  return found;
}"""
PAGES = {
    "": ".row .t",
    "train": "text=The same in a terminal",
    "library": "text=How well it does",
    "decompose?dictionary=demo-0-L3": ".step[data-step]",
    "decompose?dictionary=demo-0-L3&beside=demo-1-L2": ".step[data-step]",
    "atoms": ".line[data-atom]",
    "atoms?atom=5": ".example",
    "compare": ".label .hit",
    "compare?show=measures": "text=The same in a terminal",
    "compare?show=transfer": "text=The same in a terminal",
    "compare?show=training": "canvas[data-cells]",
    "evaluate": "text=The same in a terminal",
    "evaluate?job=20261120-120000-000000-abcd": ".js-plotly-plot",
}


@pytest.fixture
def evaluation(home: Path) -> Iterator[None]:
    folder = home / "jobs" / "20261120-120000-000000-abcd"
    names = ("demo-0-L1", "demo-0-L2")
    request = EvaluateRequest(names, ks=(4, 8))
    results = tuple(
        Evaluation(
            **{"dictionary": name, "k": k, "method": "mp", "tokens": 4096, "fvu": 1 / k, "relative_error": 0.1},
            **{"cosine": 0.9, "l0": float(k), "dead_fraction": 0.1, "ce_original": 1.0, "ce_reconstructed": 1.5},
            **{"ce_zero": 9.0, "ce_score": 0.9, "kl": 0.1, "text": "held-out", "corpus": "demo", "model": "demo:0"},
            **{"layer": layer, "site": "resid_post", "atoms": 1024},
        )
        for layer, name in enumerate(names, start=1)
        for k in (4, 8)
    )
    created = "2026-11-20T12:00:00+00:00"
    write_json(folder / "request.json", {"created": created, "kind": EVALUATION.name, "request": request.to_dict()})
    write_json(folder / "status.json", EvaluationStatus(state="done", tokens=4096, results=results).to_dict())
    yield
    shutil.rmtree(folder)  # other tests count the jobs


def test_nothing_is_clipped_at_any_width(visit: Visit, evaluation: None) -> None:
    found = {}
    for path, there in PAGES.items():
        visit.page.set_viewport_size({"width": WIDTHS[0], "height": 900})
        visit.open(path)
        expect(visit.page.locator(there).first).to_be_visible()
        visit.settle()
        for width in WIDTHS:
            visit.page.set_viewport_size({"width": width, "height": 900})
            with suppress(TimeoutError):  # charts are drawn anew for their new width, on a busy machine after a while
                visit.page.wait_for_function(f"({CLIPPED})().length === 0", timeout=3_000)
            if clipped := visit.page.evaluate(CLIPPED):
                found[path, width] = clipped
    assert found == {}


def test_all_columns_of_an_evaluation_are_in_sight(visit: Visit, evaluation: None) -> None:
    visit.page.set_viewport_size({"width": 1440, "height": 900})
    visit.open("evaluate?job=20261120-120000-000000-abcd")
    frame = visit.page.locator("[data-testid=stDataFrame] .dvn-scroller").first
    expect(frame).to_be_visible()
    visit.settle()
    heads_of = visit.page.locator("[data-testid=stDataFrame] [role=columnheader]")
    expect(heads_of.filter(has_text="CE zeros").first).to_be_attached()  # the table writes them a moment later
    assert frame.evaluate("of => of.scrollWidth - of.clientWidth") <= 0
    heads = heads_of.all_text_contents()
    assert {"FVU", "CE zeros", "KL", "L0"} <= {head.strip() for head in heads}


def test_the_sidebar_leaves_a_narrow_window_to_the_page(visit: Visit) -> None:
    visit.page.set_viewport_size({"width": 390, "height": 844})
    visit.open()
    expect(visit.page.get_by_test_id("stExpandSidebarButton")).to_be_in_viewport()
    expect(visit.page.get_by_role("link", name="Evaluate", exact=True)).not_to_be_in_viewport()
    expect(visit.page.get_by_role("link", name="Try the demo")).to_be_in_viewport()


def test_all_columns_of_the_library_are_in_sight(visit: Visit) -> None:
    visit.page.set_viewport_size({"width": 1440, "height": 900})
    visit.open("library")
    frame = visit.page.locator("[data-testid=stDataFrame] .dvn-scroller").first
    expect(frame).to_be_visible()
    visit.settle()
    heads_of = visit.page.locator("[data-testid=stDataFrame] [role=columnheader]")
    expect(heads_of.filter(has_text="state")).to_be_attached()
    assert frame.evaluate("of => of.scrollWidth - of.clientWidth") <= 0
    heads = heads_of.all_text_contents()
    assert {"FVU", "k", "pursuit", "made", "state"} <= {head.strip() for head in heads}
