"""A studio with one small dictionary of its own, and ways to look at what a page shows."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT, PICTURE = "<script>alert(1)</script>", "![](http://example.com/x.png)"
HOSTILE = (SCRIPT, PICTURE)
N_ATOMS, K, LAYER = 40, 4, 1
PATIENCE = 300  # seconds for a script to end, guarding against one that hangs; the first may wait for torch

# Elements whose text the browser shows as it is; in all others Streamlit parses some of it as Markdown.
PLAIN = {
    "text",
    "code",
    "bidi_component",
    "arrow_data_frame",
    "dataframe",
    "plotly_chart",
    "selectbox",
    "multiselect",
    "text_input",
}


def grow(model_folder: Path, target: Path, layer: int = LAYER) -> Path:
    """A dictionary of the model in `model_folder` whose labels are all hostile, saved as `target`."""
    import torch

    from itda_core.dictionaries import AtomDictionary, AtomLabel, DictionarySpec, TrainConfig
    from itda_core.dictionaries.provenance import to_frame
    from itda_core.models import load_model
    from itda_core.text import Corpus, Document, windows
    from tests.conftest import generated_text

    model = load_model(str(model_folder))
    corpus = Corpus.from_documents("made-up", [Document(f"d{i}", text) for i, text in enumerate(generated_text(30))])
    site = model.site("resid_post", layer)
    activations, tokens = [], []
    for batch in model.stream(windows(corpus, model.tokenizer, context=model.context), [site]):
        activations.append(batch.activations[site])
        tokens += batch.tokens
    x = torch.cat(activations)[:N_ATOMS]
    labels = [AtomLabel.of(tokens[atom], atom, 0.5) for atom in range(N_ATOMS)]
    for atom, label in enumerate(labels):
        token = HOSTILE[atom % 2]
        labels[atom] = replace(label, token=token, context_before=SCRIPT, context_after=PICTURE, document=PICTURE)
    spec = DictionarySpec(
        model=model.name,
        revision=None,
        weights_fingerprint=model.fingerprint,
        tokenizer_fingerprint=model.tokenizer_fingerprint,
        layer=layer,
        site="resid_post",
        d_model=model.d_model,
        corpus=corpus.id,
        corpus_fingerprint=corpus.fingerprint,
    )
    stats = {"tokens": 300, "fvu": 0.25, "fvu_text": "training", "tokens_per_second": 900.0, "seconds": 0.3}
    atoms = torch.nn.functional.normalize(x, dim=-1)
    mean = torch.zeros(model.d_model)
    return AtomDictionary(atoms, mean, to_frame(labels), spec, TrainConfig(k=K), stats).save_pretrained(target)


@pytest.fixture(scope="session")
def grown(model_folder_of: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dictionary of the tiny GPT-2, as a folder."""
    return grow(model_folder_of("gpt2"), tmp_path_factory.mktemp("grown") / "tiny-L1-resid_post")


@dataclass(frozen=True)
class Studio:
    """A library of its own."""

    home: Path
    dictionary: Path

    def open(self, page: str = "", **address: str) -> AppTest:
        """The page as it is when its address is opened on a cold server."""
        test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=PATIENCE)
        if page:
            test.switch_page(f"pages/{page}.py")
        for name, value in address.items():
            test.query_params[name] = value
        test.run()
        assert not test.exception, [element.value for element in test.exception]
        return test


@pytest.fixture
def studio(grown: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    """A studio whose library holds the small dictionary and nothing bundled."""
    import streamlit as st

    import itda_core.runs.library as library

    monkeypatch.setenv("ITDA_HOME", str(tmp_path))
    monkeypatch.setattr(library, "BUNDLED", tmp_path / "bundled")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    target = tmp_path / "library" / grown.name
    shutil.copytree(grown, target)
    st.cache_resource.clear()
    return Studio(tmp_path, target)


def elements(test: AppTest) -> list[Any]:
    """Every element of the page, sidebar included."""
    found: list[Any] = []

    def walk(node: Any) -> None:
        for child in getattr(node, "children", {}).values():
            found.append(child)
            walk(child)

    walk(test._tree)  # AppTest lists elements only by kind, and ours must hold for kinds yet unknown
    return found


def components(test: AppTest, name: str) -> list[dict[str, Any]]:
    """The data given to each of the page's components of that name, in order."""
    return [
        json.loads(element.proto.json)
        for element in elements(test)
        if getattr(element, "type", "") == "bidi_component" and element.proto.component_name == f"itda_{name}"
    ]


def asked_for(test: AppTest) -> dict[str, str]:
    """The page's address as it is now; AppTest gives what the page wrote as lists, or as plain text."""
    return {n: given if isinstance(given, str) else given[0] for n, given in test.query_params.items()}


def notices(test: AppTest) -> list[str]:
    return [data["text"] for data in components(test, "notice")]


def parsed_text(test: AppTest) -> str:
    """All that reaches the browser in elements that may parse it as Markdown or HTML."""
    parts = []
    for element in elements(test):
        proto = getattr(element, "proto", None)
        if proto is not None and getattr(element, "type", "") not in PLAIN:
            parts.append(str(proto))
    return "\n".join(parts)


def page_links(test: AppTest) -> dict[str, str]:
    """Label -> query string, of the page's links."""
    found = [element.proto for element in elements(test) if getattr(element, "type", "") == "page_link"]
    return {proto.label: proto.query_string for proto in found}
