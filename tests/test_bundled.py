"""The bundled demo keeps what it promises: sizes, labels, and activations that can be found again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from itda_core import AtomDictionary, Corpus, ModelSpec, load_model
from itda_core.dictionaries.storage.dictionary_folder import check_digests, has_digests
from itda_core.models.spec import DEMO_MODELS
from itda_core.runs.library import BUNDLED
from itda_core.runs.verify import verify

DEMO = BUNDLED.parent
NAMES = [f"demo-{model}-L{layer}" for model in range(5) for layer in range(6)]


def test_five_models_and_a_dictionary_for_each_of_their_layers_within_25_megabytes() -> None:
    assert len(DEMO_MODELS) == 5
    assert sorted(path.name for path in BUNDLED.iterdir()) == NAMES
    assert sum(path.stat().st_size for path in DEMO.rglob("*") if path.is_file()) <= 25_000_000


def test_every_model_is_well_below_the_unigram_entropy_of_its_text() -> None:
    told = json.loads((DEMO / "models" / "training.json").read_text())
    assert len(told["models"]) == 5
    for model in told["models"]:
        figures = model["held_out"]["all"]
        assert figures["loss"] <= 0.55 * figures["unigram_entropy"]


@pytest.mark.parametrize("name", NAMES)
def test_every_dictionary_has_atoms_worth_reading(name: str) -> None:
    dictionary = AtomDictionary.load(BUNDLED / name)
    assert 1000 <= len(dictionary) <= 4000
    assert dictionary.spec.corpus == "demo"
    assert len(set(dictionary.provenance["document"])) > 100


@pytest.mark.parametrize("name", NAMES)
def test_damage_to_a_bundled_dictionary_would_be_seen(name: str) -> None:
    assert has_digests(BUNDLED / name)
    check_digests(BUNDLED / name)


@pytest.mark.parametrize("model", range(5))
def test_labels_lead_back_to_the_atoms(model: int) -> None:
    loaded, corpus = load_model(ModelSpec(f"demo:{model}", device="cpu")), Corpus.open("demo")
    checked = verify(AtomDictionary.load(BUNDLED / f"demo-{model}-L{model}"), loaded, corpus, 100)
    assert len(checked.checks) == 100
    assert not checked.wrong
    assert (checked.fault, checked.note) == (None, None)
    # They were made on another machine: float16, in which they are stored, and float32 there and here come to 2e-7.
    assert all(check.cosine is not None and check.cosine > 0.9999 for check in checked.checks)


def test_any_input_can_be_tokenised_and_read_back() -> None:
    tokenizer = load_model(ModelSpec("demo:0", device="cpu")).tokenizer
    for text in ("naïve – “café” 東京 🧩\x00\t\r\n", "".join(map(chr, range(1, 0x500))), Path(__file__).read_text()):
        assert tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]) == text
