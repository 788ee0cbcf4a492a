from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from itda_core.comparison.label_transfer.results import Transfer, TransferTable
from itda_core.comparison.label_transfer.transfer import transfer, transfer_steps, transfer_table
from itda_core.dictionaries import AtomDictionary, LabelsOnly, TrainConfig, rebuild, train
from itda_core.dictionaries.choosing.prefix_hash import numbers, uniforms
from itda_core.errors import UserError
from itda_core.text import Corpus, Document, windows
from tests.conftest import generated_text
from tests.dictionaries.fake_model import FakeModel, fake_corpus

if TYPE_CHECKING:
    from itda_core.models import LanguageModel

CONFIG = TrainConfig(k=3, threshold=0.25, context=16, tokens=600)
HELD = 300


def other_model() -> Any:
    model = FakeModel(seed=5, d_model=12)
    model.fingerprint = "other weights"
    return model


def grown(model: Any, corpus: Corpus, layer: int, config: TrainConfig = CONFIG) -> AtomDictionary:
    *_, last = train(model, corpus, [layer], config)
    return last.dictionaries[0]


def plain_activations(model: Any, corpus: Corpus, layer: int) -> np.ndarray:
    """(n_tokens, d_model) of the whole corpus in windows of 16, window by window."""
    site = model.site("resid_post", layer)
    cut = windows(corpus, model.tokenizer, context=16)
    return np.concatenate([model.capture(window, [site])[site][1:].numpy() for window in cut]).astype(float)


def plain_figures(x: np.ndarray, atoms: np.ndarray, k: int) -> tuple[float, float, float]:
    """FVU, relative error and L0 of matching pursuit, one token after the other."""
    left, distinct = [], []
    for token in x:
        rest, used = token.copy(), set()
        for _ in range(k):
            if rest @ rest < 1e-10 * (token @ token):  # an activation like an atom's: nothing is left but rounding
                break
            correlations = atoms @ rest
            atom = int(np.abs(correlations).argmax())
            rest -= correlations[atom] * atoms[atom]
            used.add(atom)
        left.append(rest)
        distinct.append(len(used))
    energy = (np.array(left) ** 2).sum(axis=1)
    return (
        energy.sum() / ((x - x.mean(axis=0)) ** 2).sum(),
        (energy / (x**2).sum(axis=1)).mean(),
        float(np.mean(distinct)),
    )


def test_a_cell_against_a_plain_loop() -> None:
    """The rebuilt, the own and the random dictionaries' figures on the tokens behind what was read."""
    corpus, model = fake_corpus(), other_model()
    labels = LabelsOnly.of(grown(FakeModel(), corpus, 1))
    own = grown(model, corpus, 2)
    site = model.site("resid_post", 2)
    cell = transfer(labels, model, corpus, site, own=own, tokens=HELD, draws=2, seed=7)
    x = plain_activations(model, corpus, 2)
    cut = list(windows(corpus, model.tokenizer, context=16))
    starts = np.cumsum([0, *(len(window) - 1 for window in cut)])
    number = {(window.document, window.char_start): i for i, window in enumerate(cut)}
    places = labels.places
    rows = [
        starts[number[str(document), int(start)]] + int(position) - 1
        for document, start, position in zip(
            places["document"].tolist(), places["window_start"].tolist(), places["position"].tolist(), strict=True
        )
    ]
    read = labels.stats["windows"]
    held = x[starts[read] : starts[read] + HELD]

    def unit(vectors: np.ndarray) -> np.ndarray:
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    got = (cell.fvu, cell.relative_error, cell.l0)
    assert got == pytest.approx(plain_figures(held, unit(x[rows]), 3), abs=1e-5)
    got = (cell.own_fvu, cell.own_relative_error, cell.own_l0)
    assert got == pytest.approx(plain_figures(held, own.atoms.numpy().astype(float), 3), abs=1e-5)
    drawn = numbers((token.prefix for window in cut[:read] for token in window.tokens()), 7)
    random = []
    for draw in range(2):
        order = np.argsort(uniforms(drawn, draw).numpy())[: len(labels)]
        assert order.max() < starts[read]
        random.append(plain_figures(held, unit(x[order]), 3))
    means = np.mean(random, axis=0)
    assert (cell.random_fvu, cell.random_relative_error, cell.random_l0) == pytest.approx(tuple(means), abs=1e-5)
    assert cell.random_sd == pytest.approx(np.std([figures[0] for figures in random], ddof=1), abs=1e-5)
    assert (cell.k, cell.method, cell.atoms, cell.comparable, cell.tokens) == (3, "mp", len(labels), 1.0, HELD)
    assert (cell.labels_layer, cell.layer, cell.own_atoms) == (1, 2, len(own))


def test_a_models_own_labels_are_its_own_dictionary() -> None:
    corpus, model = fake_corpus(), other_model()
    own = grown(model, corpus, 1)
    cell = transfer(LabelsOnly.of(own), model, corpus, model.site("resid_post", 1), own=own, tokens=HELD, draws=0)
    assert (cell.fvu, cell.l0) == pytest.approx((cell.own_fvu, cell.own_l0), abs=1e-6)
    assert (cell.random_fvu, cell.random_sd, cell.gain) == (None, None, None)


@pytest.mark.parametrize(
    "config",
    [
        CONFIG,
        replace(CONFIG, centre=True, threshold=0.5),
        TrainConfig(k=3, context=16, tokens=600, selection="consensus", atoms=25, centre=True),
    ],
    ids=["plain", "centred", "consensus, centred"],
)
def test_a_table_is_its_cells_measured_one_by_one(config: TrainConfig) -> None:
    """Layer by layer in one reading, and against `rebuild` and the dictionary's own encoding."""
    corpus, model = fake_corpus(), other_model()
    labels = [LabelsOnly.of(grown(FakeModel(), corpus, layer, config)) for layer in (0, 2)]
    sites = [model.site("resid_post", layer) for layer in (0, 1, 2)]
    shares: list[float] = []
    table = transfer_table(
        labels,
        model,
        corpus,
        sites,
        ks=[1, 3],
        tokens=HELD,
        draws=1,
        on_progress=lambda step, share: shares.append(share),
    )
    assert table.matrix("fvu", 3).shape == (2, 3)
    assert [(cell.labels_layer, cell.layer, cell.k) for cell in table.cells[:4]] == [
        (0, 0, 1),
        (0, 0, 3),
        (0, 1, 1),
        (0, 1, 3),
    ]
    assert all(0 <= share <= 1 for share in shares)
    read = max(one.stats["windows"] for one in labels)
    skipped = sum(len(window) - 1 for window in list(windows(corpus, model.tokenizer, context=16))[:read])
    for i, one in enumerate(labels):
        for j, site in enumerate(sites):
            dictionary = rebuild(one, model, corpus, layer=site.layer)
            x = plain_activations(model, corpus, site.layer or 0)[skipped : skipped + HELD]
            tensor = torch.from_numpy(x).float()
            left = tensor - dictionary.decode(dictionary.encode(tensor, k=3))
            fvu = (left.double() ** 2).sum() / ((x - x.mean(axis=0)) ** 2).sum()
            assert table.matrix("fvu", 3)[i, j] == pytest.approx(float(fvu), abs=1e-5)
    assert (table.matrix("fvu", 3) < table.matrix("fvu", 1)).all()
    with pytest.raises(UserError, match="k=2 was not measured"):
        table.matrix("fvu", 2)


def test_steps_end_with_the_table_that_is_made_in_one_go() -> None:
    corpus, model = fake_corpus(), other_model()
    labels = LabelsOnly.of(grown(FakeModel(), corpus, 0, CONFIG))
    site = model.site("resid_post", 0)
    steps = list(transfer_steps([labels], model, corpus, [site], tokens=HELD, draws=1))
    names = list(dict.fromkeys(step.step for step in steps if step.table is None))
    assert names == ["drawing places", "reading the labels' text", "reading held-out text", "measuring"]
    assert [step.table is None for step in steps] == [True] * (len(steps) - 1) + [False]
    assert steps[-1].table == transfer_table([labels], model, corpus, [site], tokens=HELD, draws=1)
    with pytest.raises(UserError, match="at least one layer"):
        transfer_steps([labels], model, corpus, [])


def test_the_text_is_read_once_for_all_sites_and_labels() -> None:
    corpus = fake_corpus()
    labels = [LabelsOnly.of(grown(FakeModel(), corpus, layer, replace(CONFIG, sinks=None))) for layer in (0, 1, 2)]
    model = other_model()
    sites = [model.site("resid_post", layer) for layer in (0, 1, 2)]
    transfer_table(labels, model, corpus, sites, tokens=HELD, draws=2)
    stretch = max(one.stats["windows"] for one in labels)
    assert model.read <= stretch + 16 * (-(-HELD // (16 * 10)) + 1)


def test_held_out_tokens_are_behind_what_the_own_dictionary_read_too() -> None:
    corpus, model = fake_corpus(), other_model()
    labels = LabelsOnly.of(grown(FakeModel(), corpus, 1, replace(CONFIG, tokens=200)))
    own = grown(model, corpus, 1, replace(CONFIG, tokens=700))
    site = model.site("resid_post", 1)
    cell = transfer(labels, model, corpus, site, own=own, tokens=HELD, draws=1)
    cut = list(windows(corpus, model.tokenizer, context=16))
    skipped = sum(len(window) - 1 for window in cut[: own.stats["windows"]])
    x = plain_activations(model, corpus, 1)[skipped : skipped + HELD]
    assert cell.own_fvu == pytest.approx(plain_figures(x, own.atoms.numpy().astype(float), 3)[0], abs=1e-5)


def test_another_corpus_may_be_held_out() -> None:
    corpus, model = fake_corpus(), other_model()
    labels = LabelsOnly.of(grown(FakeModel(), corpus, 1, replace(CONFIG, tokens=None)))
    site = model.site("resid_post", 1)
    with pytest.raises(UserError, match="name another corpus"):
        transfer(labels, model, corpus, site, tokens=HELD)
    elsewhere = fake_corpus(seed=1)
    cell = transfer(labels, model, corpus, site, tokens=HELD, draws=0, held_out=elsewhere)
    x = plain_activations(model, elsewhere, 1)[:HELD]
    atoms = rebuild(labels, model, corpus).atoms.numpy().astype(float)
    assert cell.fvu == pytest.approx(plain_figures(x, atoms, 3)[0], abs=1e-5)
    with pytest.raises(UserError, match="is the text the labels come from"):
        transfer(labels, model, corpus, site, held_out=fake_corpus())


def test_a_model_with_another_tokenizer_is_measured_on_what_both_have_read(
    model_of: Callable[[str], LanguageModel],
) -> None:
    bpe, bert = model_of("gpt2"), model_of("bert")
    sentences = generated_text(300, seed=4)
    texts = [" ".join(sentences[i : i + 5]) for i in range(0, 300, 5)]
    corpus = Corpus.from_documents("paragraphs", [Document(f"p{i}", text) for i, text in enumerate(texts)])
    config = TrainConfig(k=4, threshold=0.1, context=32, tokens=1500, sinks=None)
    *_, last = train(bpe, corpus, [1], config)
    labels = LabelsOnly.of(last.dictionaries[0])
    cell = transfer(labels, bert, corpus, bert.site("resid_post", 2), tokens=HELD, draws=2)
    rebuilt = rebuild(labels, bert, corpus, layer=2)
    assert cell.atoms == len(rebuilt) < len(labels)
    assert cell.comparable == pytest.approx(len(rebuilt) / len(labels))
    held = list(windows(corpus, bert.tokenizer, context=32))[rebuilt.stats["windows"] :]
    site = bert.site("resid_post", 2)
    x = torch.cat([batch.activations[site] for batch in bert.stream(held, [site])])[:HELD].numpy().astype(float)
    assert cell.fvu == pytest.approx(plain_figures(x, rebuilt.atoms.numpy().astype(float), 4)[0], abs=1e-4)


def test_what_does_not_belong_together_is_refused() -> None:
    corpus, model = fake_corpus(), other_model()
    first = grown(FakeModel(), corpus, 1)
    labels, site = LabelsOnly.of(first), model.site("resid_post", 1)
    elsewhere = LabelsOnly.of(grown(FakeModel(), fake_corpus(seed=1), 1))
    own = grown(model, corpus, 1)
    other_windows = LabelsOnly.of(grown(FakeModel(), corpus, 1, replace(CONFIG, context=20)))
    refused: list[tuple[str, Callable[[], object]]] = [
        ("at least one dictionary", lambda: transfer_table([], model, corpus, [site])),
        ("windows of different kinds", lambda: transfer_table([labels, other_windows], model, corpus, [site])),
        ("different texts", lambda: transfer_table([labels, elsewhere], model, corpus, [site])),
        ("at least one layer", lambda: transfer_table([labels], model, corpus, [])),
        ("method='magic'", lambda: transfer_table([labels], model, corpus, [site], method="magic")),
        ("k=0", lambda: transfer(labels, model, corpus, site, k=0)),
        ("is not of fake as it is here", lambda: transfer(labels, model, corpus, site, own=first)),
        ("is the second", lambda: transfer_table([labels], model, corpus, [site], own=[own, own])),
        ("tokens=0", lambda: transfer(labels, model, corpus, site, tokens=0)),
        ("draws=-1", lambda: transfer(labels, model, corpus, site, draws=-1)),
        ("not the one these labels", lambda: transfer(labels, model, fake_corpus(seed=1), site)),
        ("k=900", lambda: transfer(labels, model, corpus, site, k=900, tokens=HELD)),
    ]
    for said, call in refused:
        with pytest.raises(UserError, match=said):
            call()


@pytest.mark.parametrize(
    ("fvu", "own", "random", "sd", "expected"),
    [
        (0.3, 0.2, 0.4, 0.01, 0.5),
        (0.1, 0.2, 0.4, 0.01, 1.5),
        (0.5, 0.2, 0.4, None, -0.5),
        (0.3, 0.39, 0.4, 0.01, None),  # the own dictionary is as good as a draw
        (0.3, None, 0.4, 0.01, None),
    ],
)
def test_gain_counts_from_chance_to_the_own_dictionary(
    fvu: float, own: float | None, random: float, sd: float | None, expected: float | None
) -> None:
    nothing: dict[str, Any] = dict.fromkeys(Transfer.__dataclass_fields__)
    named = {"labels": "l", "model": "m", "site": "resid_post", "method": "mp", "atoms": 9, "comparable": 1.0}
    figures = {"fvu": fvu, "own_fvu": own, "random_fvu": random, "random_sd": sd, "tokens": 10, "k": 3}
    cell = Transfer(**{**nothing, **named, **figures, "own_atoms": None if own is None else 9})
    assert cell.gain == (None if expected is None else pytest.approx(expected))
    table = TransferTable("m", "c", "c", 10, 2, (cell,))
    assert cell.below_random == pytest.approx((random - fvu) / random)
    assert table.to_dict()["cells"][0]["gain"] == cell.gain
    assert TransferTable.from_dict(json.loads(json.dumps(table.to_dict()))) == table
    assert table.matrix("gain", 3) == pytest.approx(np.array([[np.nan if expected is None else expected]]), nan_ok=True)


def test_a_layer_is_paired_with_its_own_labels_or_else_with_the_best() -> None:
    nothing: dict[str, Any] = dict.fromkeys(Transfer.__dataclass_fields__)
    plan = [(0, 0, 0.3), (0, 1, 0.2), (0, 2, 0.1), (1, 0, 0.1), (1, 1, 0.4), (1, 2, 0.2)]  # labels of, in, FVU
    cells = tuple(
        Transfer(**{**nothing, "labels_layer": of, "layer": into, "site": "resid_post", "fvu": fvu, "k": 3})
        for of, into, fvu in plan
    )
    table = TransferTable("m", "c", "c", 10, 0, cells)
    assert [(cell.labels_layer, cell.layer) for cell in table.paired(3)] == [(0, 0), (1, 1), (0, 2)]
    assert [cell.place for cell in table.paired(3)] == ["layer 0", "layer 1", "layer 2"]
    with pytest.raises(UserError, match="k=4 was not measured"):
        table.paired(4)


def test_a_k_above_the_atoms_is_refused_before_the_model_reads() -> None:
    corpus, model = fake_corpus(), other_model()
    labels = LabelsOnly.of(grown(FakeModel(), corpus, 1))
    with pytest.raises(UserError, match=f"k=900 exceeds the {len(labels)} atoms"):
        transfer(labels, model, corpus, model.site("resid_post", 1), k=900)
    assert model.read == 0
