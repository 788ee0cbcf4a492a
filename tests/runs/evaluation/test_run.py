"""Dictionaries of several models measured at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from itda_core import AtomDictionary, Corpus, TrainConfig, UserError, evaluate, train
from itda_core.models import LanguageModel
from itda_core.runs import evaluate_dictionaries


@pytest.fixture
def paths(trained: Path, corpus_file: Path, tmp_path: Path, model_of: Callable[[str], LanguageModel]) -> list[Path]:
    """One of the tiny GPT-2 (layer 1), two of the tiny Llama, and the GPT-2's layer 0, in this order."""
    found = {"b": trained}
    for name, family, layer in (("a", "llama", 1), ("c", "llama", 2), ("d", "gpt2", 0)):
        config = TrainConfig(k=4, tokens=300, context=32)
        *_, last = train(model_of(family), Corpus.open(str(corpus_file)), [layer], config)
        found[name] = last.dictionaries[0].save_pretrained(tmp_path / name)
    return [found[name] for name in ("b", "a", "d", "c")]


def run(paths: list[Path], **options: Any) -> tuple[list[str], Any]:
    steps: list[str] = []
    progresses = list(evaluate_dictionaries(paths, device="cpu", on_step=steps.append, **options))
    assert all(not progress.done for progress in progresses[:-1])
    n_results = [len(progress.results) for progress in progresses]
    assert n_results == sorted(n_results)  # a model's results stay while the next one is measured
    shares = [progress.share for progress in progresses]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    return steps, progresses[-1]


def test_results_are_those_of_each_model_apart_in_the_order_given(
    paths: list[Path], corpus_file: Path, model_of: Callable[[str], LanguageModel]
) -> None:
    steps, last = run(paths, corpus=str(corpus_file), ks=[2, 4], tokens=60)
    assert steps.count("loading the model") == 2
    assert [(result.dictionary, result.k) for result in last.results] == [(str(p), k) for p in paths for k in (2, 4)]
    expected = {}
    for family, members in (("gpt2", (0, 2)), ("llama", (1, 3))):
        several = [AtomDictionary.load(paths[i]) for i in members]
        *_, alone = evaluate(model_of(family), several, Corpus.open(str(corpus_file)), ks=[2, 4], tokens=60)
        expected |= {(result.dictionary, result.k): result for result in alone.results}
    for result in last.results:
        assert result.to_dict() == pytest.approx(expected[result.dictionary, result.k].to_dict(), abs=1e-6)


def test_the_corpus_is_each_dictionarys_own(
    paths: list[Path], corpus_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match="--corpus PATH"):
        run(paths[:1])
    monkeypatch.chdir(corpus_file.parent)
    _, last = run([paths[0], paths[0]], tokens=60)
    assert [result.text for result in last.results] == ["held-out"]  # named twice, measured once


def test_mistakes_are_seen_before_a_model_is_loaded(paths: list[Path], corpus_file: Path) -> None:
    refused: list[tuple[dict[str, Any], str]] = [
        ({"ks": [9999]}, "k=9999 exceeds"),
        ({"methods": ["magic"]}, "'magic'"),
        ({"tokens": 0}, "tokens=0"),
    ]
    for options, said in refused:
        with pytest.raises(UserError, match=said):
            next(evaluate_dictionaries(paths, corpus=str(corpus_file), model="/no/such/model", **options))
    with pytest.raises(UserError, match="/no/such/model"):
        list(evaluate_dictionaries(paths, corpus=str(corpus_file), model="/no/such/model"))
    with pytest.raises(UserError, match="No dictionary"):
        list(evaluate_dictionaries([]))


def test_dictionaries_of_one_model_share_their_text_though_an_earlier_version_recorded_its_weights_alone(
    paths: list[Path], corpus_file: Path, tmp_path: Path
) -> None:
    """Else each would be measured on its own text, side by side with the others."""
    mine = AtomDictionary.load(paths[0])
    assert "+" in mine.spec.weights_fingerprint
    weights = mine.spec.weights_fingerprint.partition("+")[0]
    stats = {**mine.stats, "windows": 1}
    earlier = AtomDictionary(
        mine.atoms, mine.mean, mine.provenance, replace(mine.spec, weights_fingerprint=weights), mine.config, stats
    ).save_pretrained(tmp_path / "earlier")
    steps, last = run([paths[0], earlier], corpus=str(corpus_file), tokens=60)
    assert steps.count("loading the model") == 1
    one, other = last.results
    assert (one.tokens, one.ce_original) == (other.tokens, other.ce_original)
    assert one.ce_original is not None
