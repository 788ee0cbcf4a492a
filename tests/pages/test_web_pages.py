"""The page that Export makes of an evaluation, a matching, a transfer and a course of training."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pages.ui.compare import over_training
from pages.ui.compare.matching.page import VIEW as MATCHING
from pages.ui.compare.matching.web_page import web_page as matching_page
from pages.ui.compare.transfer.page import VIEW as TRANSFER
from pages.ui.compare.transfer.web_page import web_page as transfer_page
from pages.ui.evaluate.watch import VIEW as EVALUATION
from pages.ui.evaluate.web_page import web_page as evaluation_page
from pages.ui.frame import engine
from tests.figures.test_pages import assert_safe
from tests.figures.test_transfers import TABLE
from tests.pages import test_compare, test_evaluate, test_transfer
from tests.pages.conftest import SCRIPT, Studio, elements

LABEL = "Web page (works offline)"


def test_an_evaluation_with_all_its_figures() -> None:
    results = tuple(replace(one, dictionary=f"/library/{SCRIPT}") for one in test_evaluate.RESULTS)
    status = replace(test_evaluate.DONE, results=results, notes=(SCRIPT,))
    read = assert_safe(evaluation_page(status, title=f"Evaluation of {SCRIPT}", under=SCRIPT))
    assert "rise of CE (nats)" in read.text
    assert read.text.count("0.5000") == len(results)
    assert "the loss changes by +0.500" in read.text
    assert read.tags.count("svg") >= 4
    assert "/library" not in read.text
    none = dict.fromkeys(("ce_original", "ce_reconstructed", "ce_zero", "ce_score", "kl"))
    bare = replace(status, results=tuple(replace(one, **none) for one in results), state="cancelled")
    read = assert_safe(evaluation_page(bare, title="", under=""))
    assert "CE score by layer" not in read.text
    assert "ended early" in read.text


def test_a_matching_with_every_measure() -> None:
    read = assert_safe(matching_page(test_compare.table_of(("demo:0", SCRIPT))))
    for word in ("ITDA (Jaccard)", "Linear CKA", "all layers of all models", "95% interval", "1.000"):
        assert word in read.text
    assert read.tags.count("table") == 1 + 2 + 2


def test_a_transfer_at_each_k() -> None:
    read = assert_safe(transfer_page(TABLE))
    for word in ("Layer by layer at k = 2", "Layer by layer at k = 4", "Below random at k = 4", "random FVU"):
        assert word in read.text
    assert read.text.count("75%") >= len(TABLE.cells)
    bare = replace(TABLE, cells=tuple(replace(one, fvu=None, own_fvu=None, random_fvu=None) for one in TABLE.cells))
    assert "No FVU is known at k=2" in assert_safe(transfer_page(bare)).text


def test_the_course_of_a_training() -> None:
    found, moments = engine.convergence()
    read = assert_safe(over_training.web_page(over_training._Course(found, moments, (SCRIPT,))))
    assert all(name in read.text for name in found.names)
    assert SCRIPT in read.text


@pytest.mark.parametrize("which", ["evaluate", "matching", "transfer", "training"])
def test_export_offers_it(studio: Studio, which: str) -> None:
    if which == "training":
        test = studio.open("compare", show="training")
        labels = [e.proto.label for e in elements(test) if getattr(e, "type", "") == "download_button"]
        assert LABEL in labels
        return
    if which == "evaluate":
        job = test_evaluate.job_of(studio, test_evaluate.REQUEST, test_evaluate.DONE)
        name, mime, made = EVALUATION.files(job)[LABEL]
    elif which == "matching":
        status = test_compare.MatchStatus("done", table=test_compare.table_of(("a", "b")))
        request = test_compare.MatchRequest(("a", "b"), "demo", test_compare.DICTIONARIES)
        name, mime, made = MATCHING.files(test_compare.job_of(studio.home, request, status))[LABEL]
    else:
        job = test_transfer.job_of(studio.home, test_transfer.REQUEST, test_transfer.done(test_transfer.table_of()))
        name, mime, made = TRANSFER.files(job)[LABEL]
    assert name.endswith(".html")
    assert mime == "text/html"
    content = made()
    assert_safe(content.decode() if isinstance(content, bytes) else content)
