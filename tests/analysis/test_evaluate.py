"""Evaluations against a separate computation with Hugging Face, NumPy and hooks of the test's own."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as functional

from itda_core import AtomDictionary, Corpus, TrainConfig, UserError, evaluate, train
from itda_core.analysis import Encoding, Evaluation, EvaluationProgress
from itda_core.models import LanguageModel
from itda_core.text import Document, Window, windows
from tests.conftest import generated_text
from tests.runs.samples import make_dictionary

CONTEXT = 20
PREDICTED = ("ce_original", "ce_reconstructed", "ce_zero", "ce_score", "kl")


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    """Documents of one to four sentences: several windows, some a few tokens long."""
    texts = generated_text(120, seed=3)
    documents = [Document(f"d{i}", " ".join(texts[3 * i : 3 * i + 1 + i % 4])) for i in range(40)]
    return Corpus.from_documents("generated", documents)


@pytest.fixture(scope="module")
def elsewhere() -> Corpus:
    return Corpus.from_documents("elsewhere", [Document(f"e{i}", text) for i, text in enumerate(generated_text(40, 8))])


def grown(model: LanguageModel, corpus: Corpus, layer: int = 1, **settings: Any) -> AtomDictionary:
    config = TrainConfig(**{"k": 3, "threshold": 0.2, "context": CONTEXT, "tokens": 300, **settings})
    *_, last = train(model, corpus, [layer], config)
    return last.dictionaries[0]


def final(progress: Any) -> EvaluationProgress:
    *_, last = progress
    assert last.done
    assert last.share == 1.0
    return last


def measured(
    model: LanguageModel, dictionaries: AtomDictionary | Sequence[AtomDictionary], corpus: Corpus, **options: Any
) -> tuple[Evaluation, ...]:
    return final(evaluate(model, dictionaries, corpus, **options)).results


def pursuit(x: np.ndarray, atoms: np.ndarray, k: int) -> dict[int, float]:
    """Matching pursuit by the book: coefficient per atom. It ends when only rounding is left (float32, as stored).

    Two atoms may be the best but for rounding; of the texts here none comes nearer to that than 4e-6 of |x|, thirty
    times what float32 rounds it by, so that every processor chooses the same.
    """
    residual, coefficients = x.copy(), {}
    for _ in range(k):
        correlations = atoms @ residual
        best = int(np.abs(correlations).argmax())
        if np.abs(correlations[best]) < 1e-5 * np.linalg.norm(x):
            break
        coefficients[best] = coefficients.get(best, 0.0) + correlations[best]
        residual = residual - correlations[best] * atoms[best]
    return coefficients


def logits_with(
    model: LanguageModel, layer: int, ids: Sequence[int], change: Callable[[torch.Tensor], torch.Tensor]
) -> torch.Tensor:
    """Hugging Face's logits of one window when `change` edits the block's output, (n_tokens, d_model)."""

    def hook(_: object, __: object, output: torch.Tensor) -> torch.Tensor:
        return change(output[0].clone())[None]

    handle = model.blocks.modules[layer].register_forward_hook(hook)
    try:
        with torch.no_grad():
            return model.module(torch.tensor([list(ids)])).logits[0]
    finally:
        handle.remove()


def by_hand(model: LanguageModel, dictionary: AtomDictionary, read: Sequence[Window], layer: int, k: int) -> dict:
    """Every figure, token by token and window by window."""
    atoms, mean = dictionary.atoms.double().numpy(), dictionary.mean.double().numpy()
    xs, errors, cosines, l0s, used = [], [], [], [], set()
    residual, n_predictions = 0.0, 0
    entropies, divergence = {"original": 0.0, "reconstructed": 0.0, "zero": 0.0}, 0.0
    for window in read:
        with torch.no_grad():
            states = model.module(torch.tensor([window.token_ids]), output_hidden_states=True).hidden_states
        text = [i for i, special in enumerate(window.special) if not special]
        x_hats = []
        for i in text:
            x = states[layer + 1][0, i].double().numpy()
            coefficients = pursuit(x - mean, atoms, k)
            x_hat = sum(c * atoms[a] for a, c in coefficients.items()) + mean
            residual += float(((x - x_hat) ** 2).sum())
            errors.append(((x - x_hat) ** 2).sum() / ((x - mean) ** 2).sum())
            cosines.append((x - mean) @ (x_hat - mean) / np.linalg.norm(x - mean) / np.linalg.norm(x_hat - mean))
            l0s.append(len(coefficients))
            used |= set(coefficients)
            xs.append(x)
            x_hats.append(torch.tensor(x_hat, dtype=torch.float32))

        def put(output: torch.Tensor, rows: torch.Tensor, text: list[int] = text) -> torch.Tensor:
            output[text] = rows
            return output

        rows = torch.stack(x_hats)
        logits = {
            "original": logits_with(model, layer, window.token_ids, lambda output: output),
            "reconstructed": logits_with(
                model, layer, window.token_ids, lambda output, rows=rows, put=put: put(output, rows)
            ),
            "zero": logits_with(
                model, layer, window.token_ids, lambda output, rows=rows, put=put: put(output, 0 * rows)
            ),
        }
        where = [i for i in text if i + 1 in text]
        n_predictions += len(where)
        following = torch.tensor([window.token_ids[i + 1] for i in where], dtype=torch.int64)
        for name, values in logits.items():
            entropies[name] += functional.cross_entropy(values[where], following, reduction="sum").item()
        log_p, log_q = (logits[name][where].log_softmax(-1) for name in ("original", "reconstructed"))
        divergence += functional.kl_div(log_q, log_p, reduction="sum", log_target=True).item()
    whole = np.array(xs)
    ce = {name: value / n_predictions for name, value in entropies.items()}
    return {
        "tokens": len(xs),
        "fvu": residual / float(((whole - whole.mean(axis=0)) ** 2).sum()),
        "relative_error": float(np.mean(errors)),
        "cosine": float(np.mean(cosines)),
        "l0": float(np.mean(l0s)),
        "dead_fraction": 1 - len(used) / len(atoms),
        "ce_original": ce["original"],
        "ce_reconstructed": ce["reconstructed"],
        "ce_zero": ce["zero"],
        "ce_score": (ce["zero"] - ce["reconstructed"]) / (ce["zero"] - ce["original"]),
        "kl": divergence / n_predictions,
    }


def held_out_windows(model: LanguageModel, dictionary: AtomDictionary, corpus: Corpus, tokens: int) -> list[Window]:
    read, n_tokens = [], 0
    every = list(windows(corpus, model.tokenizer, context=dictionary.config.context))
    for window in every[dictionary.stats["windows"] :]:
        if n_tokens < tokens:
            read.append(window)
            n_tokens += len(window.tokens())
    return read


@pytest.mark.parametrize("family", ["gpt2", "llama"])  # without and with a special token before each window
@pytest.mark.parametrize("centre", [False, True])
def test_every_figure_is_that_of_hugging_face_alone(
    family: str, centre: bool, corpus: Corpus, model_of: Callable[[str], LanguageModel]
) -> None:
    model = model_of(family)
    dictionary = grown(model, corpus, centre=centre)
    read = held_out_windows(model, dictionary, corpus, 200)
    assert len(read) > 5
    (result,) = measured(model, dictionary, corpus, tokens=200)
    assert (result.k, result.method, result.text) == (3, "mp", "held-out")
    expected = by_hand(model, dictionary, read, layer=1, k=3)
    got = result.to_dict()
    assert {name: got[name] for name in expected} == pytest.approx(expected, abs=1e-4)
    assert result.kl is not None
    assert result.kl > 0.01
    assert result.fvu is not None
    assert 0 < result.fvu < 1


def test_a_basis_reconstructs_everything_and_costs_nothing(tiny_model: LanguageModel, elsewhere: Corpus) -> None:
    basis, _ = torch.linalg.qr(torch.randn(32, 32, generator=torch.Generator().manual_seed(0)))
    dictionary = make_dictionary(32, tiny_model)
    dictionary.atoms = basis.contiguous()
    result = measured(tiny_model, dictionary, elsewhere, ks=[32], methods=["omp"])[0]
    assert result.fvu == pytest.approx(0, abs=1e-6)
    assert result.ce_score == pytest.approx(1, abs=1e-4)
    assert result.kl == pytest.approx(0, abs=1e-5)
    assert result.cosine == pytest.approx(1, abs=1e-5)
    assert result.l0 == pytest.approx(32, abs=0.1)
    assert result.dead_fraction == 0


def test_a_dictionary_of_what_never_occurs_is_as_bad_as_zeros(tiny_model: LanguageModel, elsewhere: Corpus) -> None:
    """At the output of an MLP whose first coordinate is cut off: the atom along it explains nothing."""
    down = tiny_model.module.get_submodule("transformer.h.2.mlp.c_proj")

    def cut_off(_: object, __: object, output: torch.Tensor) -> torch.Tensor:
        return output * (torch.arange(32) > 0)

    dictionary = make_dictionary(1, tiny_model, site="mlp_out", layer=2)
    dictionary.atoms = torch.eye(32)[:1]
    handle = down.register_forward_hook(cut_off)
    try:
        (result,) = measured(tiny_model, dictionary, elsewhere, ks=[1])
    finally:
        handle.remove()
    assert (result.relative_error, result.l0, result.dead_fraction) == (1, 0, 1)
    assert result.ce_reconstructed == result.ce_zero
    assert result.ce_score == 0


def test_batches_do_not_matter(tiny_model: LanguageModel, corpus: Corpus) -> None:
    dictionary = grown(tiny_model, corpus)
    whole, *others = (
        measured(tiny_model, dictionary, corpus, ks=[1, 4], tokens=200, windows_per_batch=size)
        for size in (None, 1, 3, 100)
    )
    for other in others:
        for one, two in zip(whole, other, strict=True):
            assert one.to_dict() == pytest.approx(two.to_dict(), abs=1e-5)


def test_an_encoder_has_no_figures_of_predictions(model_of: Callable[[str], LanguageModel], corpus: Corpus) -> None:
    model = model_of("bert")
    dictionary = grown(model, corpus)
    (result,) = measured(model, dictionary, corpus, tokens=100)
    assert [getattr(result, name) for name in PREDICTED] == [None] * 5
    xs = [
        x
        for window in held_out_windows(model, dictionary, corpus, 100)
        for x in model.capture(window, [model.site("resid_post", 1)]).popitem()[1][~torch.tensor(window.special)]
    ]
    x = torch.stack(xs).double().numpy()
    x_hat = np.array(
        [
            sum(
                c * dictionary.atoms[a].double().numpy()
                for a, c in pursuit(row, dictionary.atoms.double().numpy(), 3).items()
            )
            for row in x
        ]
    )
    assert result.tokens == len(x)
    assert result.fvu == pytest.approx(((x - x_hat) ** 2).sum() / ((x - x.mean(axis=0)) ** 2).sum(), abs=1e-4)


def test_all_layers_share_the_models_own_forward_passes(tiny_model: LanguageModel, corpus: Corpus) -> None:
    layers = [grown(tiny_model, corpus, layer=layer) for layer in range(3)]
    second = grown(tiny_model, corpus, layer=1, threshold=0.1)
    ran: list[int] = []

    def evaluated():
        return measured(
            tiny_model, [*layers, second], corpus, ks=[2, 4], methods=["mp", "omp"], tokens=60, windows_per_batch=100
        )

    evaluated()  # batches of this size have been held against windows alone
    counter = tiny_model.module.register_forward_pre_hook(lambda *_: ran.append(1))
    try:
        together = evaluated()
    finally:
        counter.remove()
    assert len(ran) == 1 + 3 + 4 * 4  # original, zeros at three sites, four encodings of four dictionaries
    assert [Encoding(result.k, result.method) for result in together] == [
        (2, "mp"),
        (2, "omp"),
        (4, "mp"),
        (4, "omp"),
    ] * 4
    alone = [
        result
        for dictionary in (*layers, second)
        for result in measured(tiny_model, dictionary, corpus, ks=[2, 4], methods=["mp", "omp"], tokens=60)
    ]
    for one, two in zip(together, alone, strict=True):
        assert one.to_dict() == pytest.approx(two.to_dict(), abs=1e-5)


def test_results_on_the_way_are_those_of_the_text_so_far(tiny_model: LanguageModel, corpus: Corpus) -> None:
    layers = [grown(tiny_model, corpus, layer=layer) for layer in (0, 2)]
    *on_the_way, last = evaluate(tiny_model, layers, corpus, ks=[2, 4], tokens=150, windows_per_batch=3)
    assert not any(progress.done for progress in on_the_way)
    assert on_the_way[-1].results == last.results
    n_seen = [len(progress.results) for progress in on_the_way]
    assert n_seen == sorted(n_seen)  # none is taken back
    assert set(n_seen) == {0, 1, 2, 3, 4}  # each comes as soon as it is measured for the first time
    early = next(progress.results for progress in on_the_way if len(progress.results) == 4)
    assert early[0].tokens < 100 < last.results[0].tokens
    whole = measured(tiny_model, layers, corpus, ks=[2, 4], tokens=early[0].tokens)
    for one, two in zip(early, whole, strict=True):
        assert one.to_dict() == pytest.approx(two.to_dict(), abs=1e-5)


def test_passing_over_what_was_built_from_is_told_on_the_way(
    tiny_model: LanguageModel, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("itda_core.analysis.evaluation_text._SECONDS_BETWEEN_COUNTS", 0.0)
    dictionary = grown(tiny_model, corpus)
    steps = [progress.step for progress in evaluate(tiny_model, dictionary, corpus, tokens=20)]
    passed = [int(step.split()[-2]) for step in steps if step.startswith("skipping the text")]
    assert len(passed) > dictionary.stats["windows"]
    assert passed == sorted(passed)
    assert passed[-1] >= dictionary.stats["tokens"]


def test_a_large_model_takes_few_windows_at_once(
    tiny_model: LanguageModel, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    parameters = sum(parameter.numel() for parameter in tiny_model.module.parameters())
    limits = import_module("itda_core.analysis.evaluation_batches")._MOST_OPERATIONS
    monkeypatch.setitem(limits, "cpu", 2 * parameters * CONTEXT * 2)  # two windows' worth
    sizes: list[int] = []
    predict = tiny_model.predict

    def counting(windows: Sequence[Window], *rest: Any) -> Any:
        sizes.append(len(windows))
        return predict(windows, *rest)

    monkeypatch.setattr(tiny_model, "predict", counting)
    measured(tiny_model, grown(tiny_model, corpus), corpus, tokens=150)
    assert max(sizes) == 2


def seen_by(monkeypatch: pytest.MonkeyPatch, model: LanguageModel) -> list[tuple[str, int]]:
    """Fills with (document, first character) of every window the model predicts."""
    seen: list[tuple[str, int]] = []
    predict = model.predict

    def recording(windows: Sequence[Window], *rest: Any) -> Any:
        seen.extend((window.document, window.char_start) for window in windows)
        return predict(windows, *rest)

    monkeypatch.setattr(model, "predict", recording)
    return seen


@pytest.mark.parametrize("which", ["all", "first"])
def test_no_window_was_read_when_the_dictionary_was_built(
    which: str, tiny_model: LanguageModel, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = grown(tiny_model, corpus, windows=which, tokens=100)
    large = grown(tiny_model, corpus, layer=2, windows=which)
    read = {
        (document, start)
        for dictionary in (small, large)
        for document, start in zip(
            dictionary.provenance["document"], dictionary.provenance["window_start"], strict=True
        )
    }
    seen = seen_by(monkeypatch, tiny_model)
    last = final(evaluate(tiny_model, [small, large], corpus, tokens=150))
    assert not read & set(seen)
    cut = windows(corpus, tiny_model.tokenizer, context=CONTEXT, which="first" if which == "first" else "all")
    places = [(window.document, window.char_start) for window in cut]
    assert seen[0] == places[large.stats["windows"]]
    assert {result.text for result in last.results} == {"held-out"}
    assert f"Held-out text: generated after its first {large.stats['windows']} windows" in last.notes[0]


def test_the_tokens_behind_the_mean_are_left_out_too(
    tiny_model: LanguageModel, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dictionary that was full after a few tokens, but centred by the mean of all 700 that it was to read."""
    full = grown(tiny_model, corpus, centre=True, atoms=4, tokens=700)
    assert full.stats["tokens"] < 300
    seen = seen_by(monkeypatch, tiny_model)
    measured(tiny_model, full, corpus, tokens=50)
    n_tokens = 0
    for window in windows(corpus, tiny_model.tokenizer, context=CONTEXT):
        if n_tokens >= 700:
            assert seen[0] == (window.document, window.char_start)
            return
        n_tokens += len(window.tokens())
    pytest.fail("the corpus is too short for this test")


def test_training_text_is_used_and_said_where_nothing_else_is_left(tiny_model: LanguageModel, corpus: Corpus) -> None:
    whole = grown(tiny_model, corpus, tokens=None)
    last = final(evaluate(tiny_model, whole, corpus, tokens=100))
    assert [result.text for result in last.results] == ["training"]
    assert "has only 0 tokens behind" in last.notes[0]
    assert last.results[0].tokens >= 100


def test_a_dictionary_that_tells_tokens_alone_is_believed_and_one_that_tells_nothing_is_not(
    tiny_model: LanguageModel, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    dictionary = grown(tiny_model, corpus)
    seen = seen_by(monkeypatch, tiny_model)
    del dictionary.stats["windows"]
    assert measured(tiny_model, dictionary, corpus, tokens=20)[0].text == "held-out"
    n_tokens, cut = 0, windows(corpus, tiny_model.tokenizer, context=CONTEXT)
    while n_tokens < 300:
        n_tokens += len(next(cut).tokens())
    window = next(cut)
    assert seen[0] == (window.document, window.char_start)
    del dictionary.stats["tokens"]
    assert measured(tiny_model, dictionary, corpus, tokens=20)[0].text == "training"


def test_another_corpus_is_read_from_its_beginning(
    tiny_model: LanguageModel, corpus: Corpus, elsewhere: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = seen_by(monkeypatch, tiny_model)
    last = final(evaluate(tiny_model, grown(tiny_model, corpus), elsewhere, tokens=100))
    assert last.results[0].text == "other corpus"
    assert seen[0] == ("e0", 0)
    asked_and_read = f"100 tokens were asked for and {last.results[0].tokens} read: windows are read whole."
    assert last.notes == (asked_and_read,)
    exactly = final(evaluate(tiny_model, grown(tiny_model, corpus), elsewhere, tokens=last.results[0].tokens))
    assert exactly.notes == ()


def test_a_short_text_is_read_to_its_end_and_this_is_said(tiny_model: LanguageModel, corpus: Corpus) -> None:
    short = Corpus.from_documents("short", [Document("d", "Ba deki lo mura."), Document("e", "")])
    last = final(evaluate(tiny_model, grown(tiny_model, corpus), short, tokens=5000))
    n_tokens = len(tiny_model.tokenizer("Ba deki lo mura.")["input_ids"])
    assert last.results[0].tokens == n_tokens
    assert last.notes == (f"The text ended after {n_tokens} of 5,000 tokens.",)


def test_a_single_token_has_no_variance_and_no_prediction(tiny_model: LanguageModel, corpus: Corpus) -> None:
    single = Corpus.from_documents("single", [Document("d", "t")])
    (result,) = measured(tiny_model, grown(tiny_model, corpus), single)
    assert result.tokens == 1
    assert [getattr(result, name) for name in ("fvu", *PREDICTED)] == [None] * 6
    assert 0 <= result.relative_error <= 1


def test_windows_of_other_lengths_are_read_apart(tiny_model: LanguageModel, corpus: Corpus) -> None:
    short, long = grown(tiny_model, corpus), grown(tiny_model, corpus, context=40)
    for progress in (progresses := list(evaluate(tiny_model, [short, long], corpus, tokens=60))):
        assert 0 <= progress.share <= 1
    shares = [progress.share for progress in progresses]
    assert shares == sorted(shares)
    together = progresses[-1].results
    alone = [measured(tiny_model, dictionary, corpus, tokens=60)[0] for dictionary in (short, long)]
    assert [one.to_dict() for one in together] == [pytest.approx(two.to_dict(), abs=1e-6) for two in alone]


def test_no_more_of_a_corpus_is_read_than_is_needed(tiny_model: LanguageModel, corpus: Corpus) -> None:
    dictionary = grown(tiny_model, corpus)
    texts = generated_text(2000)
    given: list[int] = []

    def documents() -> Any:
        for number, text in enumerate(texts):
            given.append(number)
            yield Document(f"x{number}", text)

    measured(tiny_model, dictionary, Corpus("long", documents, lambda: "long"), tokens=300)
    assert len(given) < 300


def test_what_is_refused(tiny_model: LanguageModel, corpus: Corpus, model_of: Callable[[str], LanguageModel]) -> None:
    dictionary = make_dictionary(6, tiny_model)
    refused: list[tuple[dict[str, Any], str]] = [
        ({"ks": [0]}, "k=0"),
        ({"ks": [3, 7]}, "k=7 exceeds the 6 atoms of .* layer 2 resid_post"),
        ({"methods": ["magic"]}, "'magic'"),
        ({"tokens": 0}, "tokens=0"),
        ({"windows_per_batch": 0}, "windows_per_batch=0"),
    ]
    for options, said in refused:
        with pytest.raises(UserError, match=said):
            evaluate(tiny_model, dictionary, corpus, **options)
    with pytest.raises(UserError, match="No dictionary"):
        evaluate(tiny_model, [], corpus)
    with pytest.raises(UserError, match="weights"):
        evaluate(model_of("llama"), dictionary, corpus)
    dictionary.spec = dataclasses.replace(dictionary.spec, tokenizer_fingerprint="f" * 64)
    with pytest.raises(UserError, match="another tokenizer"):
        evaluate(tiny_model, dictionary, corpus)
    nothing = Corpus.from_documents("nothing", [Document("d", "")])
    with pytest.raises(UserError, match="nothing gave no token"):
        list(evaluate(tiny_model, make_dictionary(6, tiny_model), nothing))


def test_predictions_that_are_not_finite_are_named(tiny_model: LanguageModel, corpus: Corpus) -> None:
    head = tiny_model.module.get_submodule("lm_head")
    handle = head.register_forward_hook(lambda *call: call[2] * float("nan"))
    try:
        with pytest.raises(UserError, match="predicts is not finite"):
            list(evaluate(tiny_model, grown(tiny_model, corpus), corpus))
    finally:
        handle.remove()
