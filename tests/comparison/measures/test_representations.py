"""What is harvested, kept and put side by side, against each model's own hidden states and a plain loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from itda_core.comparison.matching.harvest import Harvest, Harvested, harvest
from itda_core.comparison.measures.representations import Representations
from itda_core.dictionaries import TrainConfig, train
from itda_core.errors import UserError
from itda_core.models import ActivationBatch, LanguageModel, Site
from itda_core.text import Corpus, Document, Window, windows
from tests.conftest import generated_text

CONTEXT = 24
Models = Callable[[str], LanguageModel]


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    sentences = generated_text(240, seed=5)
    texts = [" ".join(sentences[i : i + 6]) + " é ☃ fin" for i in range(0, 240, 6)]
    return Corpus.from_documents("texts", [Document(f"d{i}", text) for i, text in enumerate(texts)])


def harvested(
    model: LanguageModel,
    corpus: Corpus,
    layers: tuple[int, ...] = (0, 2),
    tokens: int = 500,
    folder: Path | None = None,
) -> Harvest:
    steps = harvest(
        model,
        corpus,
        [model.site("resid_post", layer) for layer in layers],
        tokens=tokens,
        context=CONTEXT,
        folder=folder,
    )
    found: list[Harvest] = []

    def ended() -> Iterator[int]:
        found.append((yield from steps))

    counts = list(ended())
    assert counts == sorted(counts)
    assert counts[-1] == len(found[0].x)
    return found[0]


@pytest.mark.parametrize("family", ["gpt2", "bert", "llama"])
def test_a_harvest_is_the_models_hidden_states_without_special_tokens(
    family: str, model_of: Models, corpus: Corpus, tmp_path: Path
) -> None:
    model = model_of(family)
    kept = harvested(model, corpus, folder=tmp_path)
    assert len(kept.x) == len(kept.keys) == 500
    row = 0
    for window in islice(windows(corpus, model.tokenizer, context=CONTEXT), 10):
        with torch.no_grad():
            hidden = model.module(torch.tensor([window.token_ids]), output_hidden_states=True).hidden_states
        text = ~torch.tensor(window.special)
        count = int(text.sum())
        for number, layer in enumerate((0, 2)):
            torch.testing.assert_close(
                kept.of(number, slice(row, row + count)), hidden[layer + 1][0][text], atol=1e-4, rtol=1e-4
            )
        row += count
    assert not list(tmp_path.iterdir())  # the file lost its name at once


def test_a_training_on_what_was_harvested_is_the_models_own(
    model_of: Models, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = model_of("gpt2")
    config = TrainConfig(k=4, tokens=450, context=CONTEXT, threshold=0.2)
    kept = harvested(model, corpus)
    asked: list[int] = []
    stream = model.stream

    def counting(batch: Sequence[Window], sites: Sequence[Site], **options: Any) -> Iterator[ActivationBatch]:
        asked.append(len(batch))
        return stream(batch, sites, **options)

    source = Harvested(model, kept)
    monkeypatch.setattr(source, "_source", SimpleNamespace(stream=counting))
    *_, ours = train(source, corpus, [0, 2], config)
    *_, plain = train(model, corpus, [0, 2], config)
    for one, two in zip(ours.dictionaries, plain.dictionaries, strict=True):
        assert torch.equal(one.atoms, two.atoms)
        assert one.provenance.equals(two.provenance)
    n_windows = sum(1 for _ in windows(corpus, model.tokenizer, context=CONTEXT))
    assert 0 < sum(asked) < n_windows - 10  # only what lies behind the harvest


def test_models_of_one_tokenizer_share_every_prefix_once(model_of: Models, corpus: Corpus) -> None:
    one, two = (harvested(model_of(family), corpus, tokens=400) for family in ("gpt2", "gpt_neox"))
    together = Representations([one, two])
    distinct = len(set(one.keys.tolist()))
    assert (len(together), together.sinks) == (distinct, 0)
    assert distinct < 400  # the snowman has several tokens
    assert together.fraction == pytest.approx(distinct / 400)
    last = {key: row for row, key in enumerate(one.keys.tolist())}
    expected = sorted(last.values())
    for place, (kept, site) in enumerate([(one, 0), (one, 1), (two, 0), (two, 1)]):
        found = torch.cat([xs[0] for xs in together.blocks([place])])
        assert torch.equal(found, kept.of(site, torch.tensor(expected)))
    assert together.names[1] == f"{one.model} blocks.2.hook_resid_post"


def test_different_tokenizers_are_compared_where_both_end_a_token(model_of: Models, corpus: Corpus) -> None:
    models = [model_of("gpt2"), model_of("bert")]
    kept = [harvested(model, corpus) for model in models]
    prefixes = []
    for model in models:
        tokens = [token for window in windows(corpus, model.tokenizer, context=CONTEXT) for token in window.tokens()]
        prefixes.append({token.prefix: row for row, token in enumerate(tokens[:500])})
    common = [prefix for prefix in prefixes[0] if prefix in prefixes[1]]
    assert 20 < len(common) < 450
    together = Representations(kept)
    assert len(together) == len(common)
    assert together.fraction == len(common) / 500
    for model, place in ((0, 0), (1, 3)):
        rows = torch.tensor([prefixes[model][prefix] for prefix in sorted(common, key=lambda p: prefixes[0][p])])
        found = torch.cat([xs[0] for xs in together.blocks([place])])
        assert torch.equal(found, kept[model].of(place % 2, rows))
    found = together.find(torch.tensor([int(together.keys[7]), 5]))
    assert found.tolist() == [7, -1]


def test_attention_sinks_of_any_model_are_left_out_of_all(model_of: Models, corpus: Corpus) -> None:
    one, two = (harvested(model_of(family), corpus, tokens=300) for family in ("gpt2", "gpt_neox"))
    two.x[17] *= 1000
    assert two.sinks(10.0).nonzero()[:, 0].tolist() == [17]
    together = Representations([one, two], sinks=10.0)
    assert together.sinks == 1
    assert int(one.keys[17]) not in together.keys.tolist()
    norms = np.linalg.norm(torch.cat([xs[2] for xs in together.blocks()]).numpy(), axis=1)
    assert norms.max() < 10 * np.median(norms)


def test_drawn_tokens_depend_on_their_keys_alone(model_of: Models, corpus: Corpus) -> None:
    kept = harvested(model_of("gpt2"), corpus, tokens=300)
    together = Representations([kept])
    drawn = together.drawn(20)
    assert sorted(together.keys[drawn].tolist()) == sorted(together.keys.tolist())[:20]
    assert len(together.drawn(10_000)) == len(together) // 2
    rest = torch.cat([xs[0] for xs in together.blocks([0], without=drawn)])
    assert len(rest) == len(together) - 20


def test_what_cannot_be_harvested_is_refused(model_of: Models, corpus: Corpus) -> None:
    model = model_of("gpt2")
    site = model.site("resid_post", 0)
    with pytest.raises(UserError, match="tokens=0"):
        next(harvest(model, corpus, [site], tokens=0, context=CONTEXT))
    empty = Corpus.from_documents("empty", [Document("d", "")])
    with pytest.raises(UserError, match="gave no token"):
        next(harvest(model, empty, [site], tokens=5, context=CONTEXT))
    other = Corpus.from_documents("other", [Document("elsewhere", "quite another text it is")])
    with pytest.raises(UserError, match="no two tokens in common"):
        Representations([harvested(model, corpus, tokens=50), harvested(model, other, tokens=5)])
