"""Over what relative errors and cosines are is said where they stand, and that two of them are not on one scale."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from streamlit.testing.v1 import AppTest

from itda_core.analysis import Evaluation, decompose, read_prompt
from itda_core.analysis.centring import not_over_the_same
from itda_core.analysis.decompose import decompose_activations
from itda_core.analysis.evaluate import evaluate
from itda_core.dictionaries import AtomDictionary
from itda_core.models import load_model
from itda_core.pursuit import reconstruct
from itda_core.text import Corpus, Document
from pages.ui.decompose.exports import Read, exports
from pages.ui.evaluate import results as evaluate_results
from pages.ui.evaluate import web_page
from tests.conftest import generated_text
from tests.figures.test_pages import Read as ReadPage
from tests.pages.conftest import Studio, asked_for, components, notices
from tests.pages.test_evaluate import DONE, REQUEST, RESULTS, job_of

PROMPT = "Bade kilo murasen, the torvi."
REMOVED = "the dictionary's mean removed from both"
APART = (
    "Relative errors and cosines here are not over the same thing: the dictionary's mean is removed for {}, not for "
    "{}. FVU is comparable."
)


@pytest.fixture
def centred(studio: Studio) -> AtomDictionary:
    """The studio's dictionary with a mean that is removed, in its library as `centred`."""
    own = AtomDictionary.load(studio.dictionary)
    mean = torch.linspace(-2.0, 3.0, own.spec.d_model)
    made = AtomDictionary(own.atoms, mean, own.provenance, own.spec, replace(own.config, centre=True), dict(own.stats))
    return AtomDictionary.load(made.save_pretrained(studio.home / "library" / "centred"))


def helps(test: AppTest) -> list[str]:
    """The tooltips of the measures, relative error and cosine of each dictionary in turn."""
    return [metric.help for metric in test.metric if metric.label in ("Relative error", "Cosine")]


@pytest.mark.parametrize("which", ["tiny-L1-resid_post", "centred"])
def test_the_figures_are_over_what_is_said(studio: Studio, centred: AtomDictionary, which: str) -> None:
    dictionary = AtomDictionary.load(studio.home / "library" / which)
    model = load_model(dictionary.spec.model)
    read = read_prompt(model, dictionary, PROMPT)
    shown = decompose_activations(dictionary, read)
    assert shown.centred is (which == "centred")
    removed = dictionary.mean.numpy() if shown.centred else np.zeros(dictionary.spec.d_model)
    x_hat = reconstruct(dictionary.encode(read.x), dictionary.atoms).numpy() + dictionary.mean.numpy()
    for token, x, y in zip(shown.tokens, read.x.numpy(), x_hat, strict=True):
        x, y = x - removed, y - removed
        assert token.relative_error == pytest.approx(((x - y) ** 2).sum() / (x**2).sum(), rel=1e-3)
        assert token.cosine == pytest.approx(x @ y / np.linalg.norm(x) / np.linalg.norm(y), rel=1e-3)
    corpus = Corpus.from_documents("other", [Document(f"e{i}", text) for i, text in enumerate(generated_text(5))])
    *_, last = evaluate(model, dictionary, corpus, tokens=50)
    assert [result.centred for result in last.results] == [shown.centred]


def test_decompose_says_over_what_and_that_two_are_apart(studio: Studio, centred: AtomDictionary) -> None:
    name = studio.dictionary.name
    alone = studio.open("decompose", dictionary=name, prompt=PROMPT)
    assert len(helps(alone)) == 2
    assert not any("mean" in said for said in helps(alone))
    assert helps(alone)[0].endswith("over the squared length of the activation. 0 is perfect.")
    alone = studio.open("decompose", dictionary="centred", prompt=PROMPT)
    assert all(REMOVED in said for said in helps(alone))
    [steps] = components(alone, "pursuit_replay")
    assert REMOVED in steps["error_about"]
    assert not notices(alone)
    both = studio.open("decompose", dictionary=name, prompt=PROMPT, beside="centred")
    assert [REMOVED in said for said in helps(both)] == [False, False, True, True]
    assert APART.format("centred", name) in notices(both)[0]
    same = studio.open("decompose", dictionary="centred", prompt=PROMPT, beside="centred")
    assert "centred is open already, so it is not put beside itself." in " ".join(notices(same))
    assert not any(APART.format("centred", name) in said for said in notices(same))
    assert "beside" not in asked_for(same)


def test_headings_name_the_dictionary_that_they_are_of(studio: Studio, centred: AtomDictionary) -> None:
    def headings(test: AppTest) -> str:
        return "\n".join([*(one.value for one in test.subheader), *(one.value for one in test.markdown)])

    both = headings(studio.open("decompose", dictionary="centred", prompt=PROMPT, beside=studio.dictionary.name))
    alone = headings(studio.open("decompose", dictionary="centred", prompt=PROMPT))
    for words in ("The pursuit replayed", "Step by step", "Over the whole prompt"):
        assert words in alone
        assert f"{words} in" not in alone
        assert f"{words} in centred" in both


def test_exports_say_it_too(studio: Studio, centred: AtomDictionary, monkeypatch: pytest.MonkeyPatch) -> None:
    from itda_core.runs.library import Library

    monkeypatch.setenv("ITDA_HOME", str(studio.home))
    entries = {entry.name: entry for entry in Library().entries()}
    model = load_model(centred.spec.model)
    first, second = (
        Read(entries[name], decompose(model, AtomDictionary.load(entries[name].path), PROMPT))
        for name in (studio.dictionary.name, "centred")
    )
    files = exports(first, second, show_special=False)
    said = json.loads(files["JSON"][2]())
    assert (said["centred"], said["beside"]["centred"]) == (False, True)
    rows = pd.read_csv(io.StringIO(str(files["CSV"][2]())), keep_default_na=False)
    assert dict(zip(rows["dictionary"], rows["centred"], strict=True)) == {first.entry.name: False, "centred": True}
    text = ReadPage(str(files["Web page (works offline)"][2]())).text
    assert APART.format("centred", first.entry.name) in text
    above, _, below = text.partition("Beside it: centred")
    assert "Relative error: squared distance" in above
    assert REMOVED not in above
    assert REMOVED in below
    assert (
        "Relative errors and cosines"
        not in ReadPage(str(exports(first, show_special=False)["Web page (works offline)"][2]())).text
    )


def test_the_dictionaries_that_are_apart_are_named() -> None:
    named = [*((f"c{i}", True) for i in range(5)), ("d", False), ("e", False), ("c0", True), ("unknown", None)]
    assert not_over_the_same(named) == APART.format("c0, c1, c2 and 2 more", "d and e")
    assert not_over_the_same([("c", True), ("unknown", None)]) == ""


def of(*centred: bool | None) -> tuple[Evaluation, ...]:
    return tuple(replace(result, centred=one) for result, one in zip(RESULTS, centred, strict=True))


@pytest.mark.parametrize(
    ("centred", "said"),
    [
        ((True,) * 4, f", {REMOVED}."),
        ((False,) * 4, "."),
        ((False, False, True, True), "; of a centred dictionary, its mean removed from both."),
        ((None,) * 4, "; of a centred dictionary, its mean removed from both."),
    ],
)
def test_an_evaluations_columns_say_over_what(studio: Studio, centred: tuple[bool | None, ...], said: str) -> None:
    results = of(*centred)
    test = studio.open("evaluate", job=job_of(studio, REQUEST, replace(DONE, results=results)).id)
    columns = json.loads(test.dataframe[0].proto.columns)
    assert columns["relative error"]["help"].endswith(f"the squared length of the activation{said}")
    assert columns["cosine"]["help"].endswith(f"of the activation and its reconstruction{said}")
    mixed = set(centred) == {True, False}
    assert (APART.format("L1", "L0") in notices(test)) is mixed
    page = ReadPage(web_page.web_page(replace(DONE, results=results), title="t", under="u")).text
    assert (APART.format("L1", "L0") in page) is mixed
    assert f"Cosine: of the activation and its reconstruction{said}" in page
    assert "centred" in evaluate_results.csv(results).partition("\n")[0]
