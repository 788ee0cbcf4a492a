"""Contexts as vectors: words around a token, folded and hashed, against a plain loop; and an encoder's."""

from __future__ import annotations

import re
from math import log

import numpy as np
import pytest

from itda_core.analysis.atoms.honesty.context_vectors import DIMENSIONS, Encoded, HashedWords, folded, hashed
from itda_core.models import ModelSpec, load_model

TEXTS = ["The cat sat on a mat, and the dog slept.", "Café life: the CAFE is open; homework waits.", "the the the"]


def plain(text: str, start: int, end: int, texts: list[str]) -> np.ndarray:
    """One context, word by word."""
    vector = np.zeros(DIMENSIONS)
    for word in re.finditer(r"\w+", text):
        whole_before = start - 80 < word.start() and word.end() <= start
        whole_after = end <= word.start() and word.end() < end + 40
        if whole_before or whole_after:
            name = folded(word.group())
            seen = sum(name in map(folded, re.findall(r"\w+", other)) for other in texts)
            place, sign = hashed(name)
            vector[place] += sign * (log((1 + len(texts)) / (1 + seen)) + 1e-3)
    return vector / np.linalg.norm(vector) if vector.any() else vector


@pytest.mark.parametrize("text", [*TEXTS, " ".join(f"word{i} the cat" for i in range(60))])
def test_a_context_is_that_of_a_plain_loop(text: str) -> None:
    contexts = HashedWords(TEXTS)
    tokens = [(word.start(), word.end()) for word in re.finditer(r"\w+|\W+", text)]
    found = contexts.of(text, [start for start, _ in tokens], [end for _, end in tokens])
    for row, (start, end) in zip(found, tokens, strict=True):
        np.testing.assert_allclose(row, plain(text, start, end, TEXTS), atol=1e-5)


def test_case_and_accents_do_not_count_and_the_token_itself_is_no_context() -> None:
    contexts = HashedWords(TEXTS)
    one, other = (
        contexts.of(text, [start], [start + 3])[0] for text, start in (("Café xyz ÉTÉ", 5), ("cafe ABC ete", 5))
    )
    assert one @ other == pytest.approx(1)
    alone = contexts.of("homework", [0], [4])  # a piece of a word: the rest of it is none either
    assert not alone.any()


def test_a_label_has_the_context_of_its_place_in_a_longer_text() -> None:
    """A label keeps 80 characters before and 40 behind; a word that these cut is none of either."""
    text = " ".join(f"alpha{i} beta" for i in range(40))
    contexts = HashedWords([text])
    for start in range(150, 200):
        before, token, after = text[start - 80 : start], text[start : start + 5], text[start + 5 : start + 45]
        label = contexts.of(before + token + after, [80], [85])[0]
        assert label @ contexts.of(text, [start], [start + 5])[0] == pytest.approx(1, abs=1e-5)


def test_texts_without_spaces_have_words() -> None:
    contexts = HashedWords(["猫在垫子上", "狗在家里"])
    cat, other = contexts.of("猫在垫子上", [0], [1])[0], contexts.of("狗在家里", [0], [1])[0]
    assert np.abs(cat).max() > 0
    assert cat @ other != pytest.approx(1)


def test_a_word_is_hashed_alike_everywhere() -> None:
    assert [hashed(word) for word in ("homework", "the", "猫")] == [(34, -1), (47, 1), (156, 1)]


def test_an_encoder_s_context_is_the_mean_of_what_stands_around(model_folder_of) -> None:
    model = load_model(str(model_folder_of("bert")))
    contexts = Encoded(model)
    text = "Ba deki lo mura sentor vi zan."
    found = contexts.of(text, [3, 0], [7, len(text)])
    from itda_core.text import Document, windows

    (window,) = windows([Document("d", text)], model.tokenizer, context=64)
    site = model.site("resid_post", model.n_layers - 1)
    x = model.capture(window, [site])[site].numpy()
    around = [
        row
        for row, (start, end), special in zip(x, window.spans, window.special, strict=True)
        if not special and (end <= 3 or start >= 7)
    ]
    mean = np.mean(around, axis=0)
    np.testing.assert_allclose(found[0], mean / np.linalg.norm(mean), atol=1e-5)
    assert not found[1].any()  # nothing is around all of it


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_places_of_several_texts_are_read_together(model_folder_of, dtype: str) -> None:
    """An index has a thousand labels, and a pass of a model for each of them would take minutes."""
    texts = ["Ba deki lo mura sentor vi zan.", "lo mura", "", "vi zan deki ba, sentor mura lo deki."]
    starts, ends = [3, 0, 0, 7], [7, 2, 0, 11]
    model = load_model(ModelSpec(str(model_folder_of("bert")), dtype=dtype))
    passes = []
    stream = model.stream

    def counted(*args, **kwargs):
        for batch in stream(*args, **kwargs):
            passes.append(batch)
            yield batch

    for contexts in (HashedWords(texts), Encoded(model)):
        one_by_one = [contexts.of(text, [s], [e])[0] for text, s, e in zip(texts, starts, ends, strict=True)]
        model.stream = counted
        np.testing.assert_allclose(
            contexts.of_each(texts, starts, ends), one_by_one, atol=1e-6 if dtype == "float32" else 0.02
        )
        del model.stream
    assert len(passes) == 1
