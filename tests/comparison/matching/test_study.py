"""The study of layer matching against each measure computed apart, on tiny models of two tokenizers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from itda_core.comparison.label_sets import LabelSet
from itda_core.comparison.matching.accuracy import accuracy
from itda_core.comparison.matching.study import match
from itda_core.comparison.matching.table import MatchTable, MeasureResult
from itda_core.comparison.measures.cka import linear_cka
from itda_core.comparison.measures.regression import linear_regression
from itda_core.comparison.measures.relative import relative_representation
from itda_core.comparison.measures.svcca import VARIANCE, svcca
from itda_core.comparison.measures.table import MEASURES
from itda_core.dictionaries import TrainConfig, train
from itda_core.dictionaries.choosing.prefix_hash import numbers
from itda_core.errors import UserError
from itda_core.models import LanguageModel, ModelSpec
from itda_core.text import Corpus, Document, Prefix, windows
from tests.conftest import generated_text
from tests.tolerance import assert_clear

CONFIG = TrainConfig(k=4, threshold=0.3, tokens=400, context=24)
LAYERS = (0, 1, 3)
Folders = Callable[[str], Path]
Models = Callable[[str], LanguageModel]


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    sentences = generated_text(180, seed=5)
    texts = [" ".join(sentences[i : i + 6]) for i in range(0, 180, 6)]
    return Corpus.from_documents("texts", [Document(f"d{i}", text) for i, text in enumerate(texts)])


def study(specs: list[ModelSpec], corpus: Corpus, config: TrainConfig = CONFIG, **options: Any) -> MatchTable:
    progresses = list(match(specs, corpus, config, **{"layers": LAYERS, "anchors": 50, **options}))
    shares = [progress.share for progress in progresses]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert [progress.done for progress in progresses] == [False] * (len(progresses) - 1) + [True]
    table = progresses[-1].table
    assert table is not None
    return table


def specs_of(folders: Folders, *families: str) -> list[ModelSpec]:
    return [ModelSpec(str(folders(family)), device="cpu") for family in families]


@pytest.fixture(scope="module")
def alike(model_folder_of: Folders, corpus: Corpus) -> MatchTable:
    """GPT-2 and GPT-NeoX, whose tokenizers are equal."""
    return study(specs_of(model_folder_of, "gpt2", "gpt_neox"), corpus)


def by_name(table: MatchTable) -> dict[str, MeasureResult]:
    return {measure.name: measure for measure in table.measures}


def activations(model: LanguageModel, corpus: Corpus) -> tuple[dict[Prefix, int], dict[int, torch.Tensor]]:
    """Of the first tokens: the row of each prefix, and the hidden states by Hugging Face, window by window."""
    rows: dict[Prefix, int] = {}
    found: dict[int, list[torch.Tensor]] = {layer: [] for layer in LAYERS}
    for window in windows(corpus, model.tokenizer, context=CONFIG.context):
        if len(rows) >= 400:
            break
        with torch.no_grad():
            hidden = model.module(torch.tensor([window.token_ids]), output_hidden_states=True).hidden_states
        for token in window.tokens():
            rows[token.prefix] = len(rows)
        kept = [token.position for token in window.tokens()]
        for layer in LAYERS:
            # The last block's output is there before the final norm only by a hook.
            if layer == model.n_layers - 1:
                found[layer].append(model.capture(window, [model.site("resid_post", layer)]).popitem()[1][kept])
            else:
                found[layer].append(hidden[layer + 1][0][kept])
    return dict(list(rows.items())[:400]), {layer: torch.cat(parts)[:400] for layer, parts in found.items()}


def test_every_measure_is_what_it_gives_apart(alike: MatchTable, model_of: Models, corpus: Corpus) -> None:
    (rows, one), (_, two) = (activations(model_of(family), corpus) for family in ("gpt2", "gpt_neox"))
    assert alike.tokens == len(rows) == 400
    assert (alike.common_fraction, alike.sinks_left_out) == (1, 0)
    order = np.argsort(numbers(rows, CONFIG.seed).numpy())
    drawn, others = torch.from_numpy(order[:50].copy()), torch.from_numpy(np.sort(order[50:]))
    measures = by_name(alike)
    for x in (*one.values(), *two.values()):  # how many directions SVCCA keeps does not hang on rounding
        variances = np.linalg.eigvalsh(np.cov(x.double().numpy(), rowvar=False))[::-1]
        assert_clear(np.cumsum(variances) / variances.sum(), VARIANCE)
    # All are between 0 and 1, by products in float32 of activations read in other batches.
    for i, x in enumerate(one.values()):
        for j, y in enumerate(two.values()):
            expected = {
                "linear_cka": linear_cka(x, y),
                "svcca": svcca(x, y),
                "linear_regression": linear_regression(y, x),
                "relative": relative_representation(x[others], y[others], x[drawn], y[drawn]),
            }
            for name, value in expected.items():
                assert measures[name].similarity[0][1][i][j] == pytest.approx(value, abs=2e-4), name
                if name != "linear_regression":
                    assert measures[name].similarity[1][0][j][i] == pytest.approx(value, abs=2e-4), name
    for measure in alike.measures:
        assert measure.accuracy == accuracy(np.array(measure.similarity))
        assert measure.seconds > 0
        for i in range(len(LAYERS)):
            assert measure.similarity[0][0][i][i] == pytest.approx(1, abs=1e-5)


def test_itda_is_the_overlap_of_the_dictionaries_training_gives(
    alike: MatchTable, model_of: Models, corpus: Corpus
) -> None:
    sets: list[set[tuple[Any, ...]]] = []
    for family in ("gpt2", "gpt_neox"):
        *_, last = train(model_of(family), corpus, LAYERS, CONFIG)
        for dictionary in last.dictionaries:
            frame = dictionary.provenance
            sets.append(set(zip(frame["document"], frame["window_start"], frame["char_end"], strict=True)))
    assert alike.sizes == (tuple(map(len, sets[:3])), tuple(map(len, sets[3:])))
    found = by_name(alike)["itda"].similarity
    for a in range(2):
        for b in range(2):
            for i in range(3):
                for j in range(3):
                    one, two = sets[3 * a + i], sets[3 * b + j]
                    assert found[a][b][i][j] == pytest.approx(len(one & two) / len(one | two), abs=1e-6)


def test_soft_codes_are_a_loop_over_tokens(alike: MatchTable, model_of: Models, corpus: Corpus) -> None:
    places: set[Prefix] = set()
    for family in ("gpt2", "gpt_neox"):
        *_, last = train(model_of(family), corpus, LAYERS, CONFIG)
        for dictionary in last.dictionaries:
            frame = dictionary.provenance
            columns = frame["document"], frame["window_start"], frame["char_end"] - 1
            places |= {Prefix(*row) for row in zip(*columns, strict=True)}
    (rows, one), (_, two) = (activations(model_of(family), corpus) for family in ("gpt2", "gpt_neox"))
    atoms = sorted(places, key=lambda prefix: int(numbers([prefix], CONFIG.seed)))[:50]
    anchors = [rows[prefix] for prefix in atoms]
    found = []
    for x in (one[1].double().numpy(), two[3].double().numpy()):
        x = x - x[anchors].mean(axis=0)
        x = x / np.linalg.norm(x, axis=1, keepdims=True)
        codes = []
        for token in sorted(set(range(400)) - set(anchors)):
            weights = np.exp(5 * (x[anchors] @ x[token]))
            codes.append(weights / np.linalg.norm(weights))
        found.append(np.array(codes))
    expected = (found[0] * found[1]).sum(axis=1).mean()
    assert by_name(alike)["itda_codes"].similarity[0][1][1][2] == pytest.approx(expected, abs=1e-4)


def test_the_table_survives_json(alike: MatchTable) -> None:
    kept = json.loads(json.dumps(alike.to_dict()))
    assert list(kept)[:3] == ["models", "layers", "measures"]
    assert list(kept["measures"]) == list(MEASURES)
    assert list(kept["measures"]["itda"])[:4] == [
        "accuracy_all_pairs", "accuracy_different_models", "similarity", "seconds",
    ]  # fmt: skip
    assert MatchTable.from_dict(kept) == alike


def test_models_of_different_tokenizers(model_folder_of: Folders, corpus: Corpus) -> None:
    specs = specs_of(model_folder_of, "gpt2", "bert")
    *_, last = match(specs, corpus, CONFIG, layers=LAYERS, anchors=50)
    assert last.table is not None
    assert 0.05 < last.table.common_fraction < 0.9
    assert last.table.tokens == round(last.table.common_fraction * 400)
    assert any("end where all models end a token" in note for note in last.notes)
    assert all(0 <= value <= 1 for value in np.ravel(by_name(last.table)["itda"].similarity))


def test_dictionaries_that_are_there_are_used(model_folder_of: Folders, model_of: Models, corpus: Corpus) -> None:
    specs = specs_of(model_folder_of, "gpt2", "gpt_neox")
    given = []
    for family in ("gpt2", "gpt_neox"):
        *_, last = train(model_of(family), corpus, LAYERS, replace(CONFIG, threshold=0.5))
        given.append([LabelSet.of(one) for one in last.dictionaries])
    table = study(specs, corpus, measures=("itda",), dictionaries=given)
    assert table.sizes == tuple(tuple(map(len, one)) for one in given)
    grown = study(specs, corpus, replace(CONFIG, threshold=0.5), measures=("itda",))
    assert by_name(grown)["itda"].similarity == by_name(table)["itda"].similarity


def test_activations_on_disk_give_the_same(
    alike: MatchTable, model_folder_of: Folders, corpus: Corpus, tmp_path: Path
) -> None:
    names = ("linear_cka", "relative")
    specs = specs_of(model_folder_of, "gpt2", "gpt_neox")
    table = study(specs, corpus, measures=names, folder=tmp_path / "kept")
    assert table.sizes == ()
    for name in names:
        assert by_name(table)[name].similarity == by_name(alike)[name].similarity
    assert not list((tmp_path / "kept").iterdir())


def test_what_cannot_be_matched_is_refused(model_folder_of: Folders, corpus: Corpus) -> None:
    specs = specs_of(model_folder_of, "gpt2", "gpt_neox")
    refused: list[tuple[dict[str, Any], str]] = [
        ({"models": specs[:1]}, "at least two"),
        ({"measures": ("itda", "magic")}, "'magic' does not exist"),
        ({"measures": ()}, "No measure"),
        ({"anchors": 0}, "anchors=0"),
        ({"config": replace(CONFIG, tokens=None)}, "The number of tokens to compare on is missing"),
        ({"layers": (0, 9)}, "has no layer 9"),
        ({"layers": (1,)}, "at least two layers"),
    ]
    for options, said in refused:
        given = {"models": specs, "config": CONFIG, "layers": LAYERS, "measures": ("linear_cka",), **options}
        with pytest.raises(UserError, match=said):
            list(match(given.pop("models"), corpus, given.pop("config"), **given))
