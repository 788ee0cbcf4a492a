"""The chance level: closed forms against the sum over all outcomes, against drawing, and on a corpus."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from itda_core import Corpus, UserError
from itda_core.comparison import jaccard_matrix
from itda_core.comparison.overlap.chance import given_tokens, permuted, uniform
from itda_core.comparison.overlap.comparability import ExactComparability
from itda_core.comparison.overlap.token_counts import TokenCounts
from itda_core.text import Document
from tests.comparison.label_sets import drawn, read
from tests.conftest import byte_level, generated_text

BYTES = byte_level("gpt2")
CORPUS = Corpus.from_documents("text", [Document(f"d{i}", " ".join(generated_text(6, seed=i))) for i in range(60)])


@given(st.integers(1, 40), st.data())
def test_the_uniform_level_is_the_sum_over_every_outcome(n: int, data: st.DataObject) -> None:
    a, b = data.draw(st.integers(0, n)), data.draw(st.integers(0, n))
    ways = [math.comb(a, i) * math.comb(n - a, b - i) if 0 <= b - i <= n - a else 0 for i in range(a + 1)]
    values = [i / (a + b - i) if a + b > i else 0.0 for i in range(a + 1)]
    mean = sum(w * v for w, v in zip(ways, values, strict=True)) / math.comb(n, b)
    variance = sum(w * (v - mean) ** 2 for w, v in zip(ways, values, strict=True)) / math.comb(n, b)
    found = uniform(n, a, b)
    assert found.jaccard == pytest.approx(mean, abs=1e-12)
    assert found.sd == pytest.approx(variance**0.5, abs=1e-9)


def test_large_sets_do_not_overflow() -> None:
    found = uniform(2_000_000, 20_000, 20_000)
    mean = 20_000**2 / 2_000_000
    assert found.jaccard == pytest.approx(mean / (40_000 - mean), rel=1e-4)
    assert found.z(found.jaccard + 3 * found.sd) == pytest.approx(3)
    assert math.isnan(uniform(10, 10, 10).z(1.0))  # chance does not vary


def test_closed_forms_agree_with_drawing() -> None:
    draw = np.random.default_rng(0)
    text = draw.integers(1, 60, 50)
    counts = TokenCounts(draw.binomial(text, 0.3), draw.binomial(text, 0.5), text)
    sizes = [int(part.sum()) for part in (counts.text, counts.first, counts.second)]
    for null, closed in (("uniform", uniform(*sizes)), ("token", given_tokens(counts))):
        values = permuted(counts, null, draws=2000, seed=1)
        assert abs(values.mean() - closed.jaccard) < 3 * closed.sd / 2000**0.5
        assert values.std() == pytest.approx(closed.sd, rel=0.08)
    with pytest.raises(UserError, match="'neither' does not exist"):
        permuted(counts, "neither")


def test_one_kind_of_token_makes_both_levels_the_same() -> None:
    one = given_tokens(TokenCounts(np.array([300]), np.array([200]), np.array([1000])))
    other = uniform(1000, 300, 200)
    assert one.jaccard == pytest.approx(other.jaccard, abs=1e-5)
    assert one.sd == pytest.approx(other.sd, rel=1e-2)


def test_tokens_that_are_all_held_are_no_chance() -> None:
    every = np.array([3, 5])
    assert given_tokens(TokenCounts(every, every, every)) == (1.0, 0.0)
    assert given_tokens(TokenCounts(0 * every, 0 * every, every)) == (0.0, 0.0)


@pytest.mark.parametrize("null", ["uniform", "token"])
def test_dictionaries_drawn_at_random_from_a_corpus_are_at_the_closed_form(null: str) -> None:
    """Mean Jaccard of random pairs within 2 standard errors, through corpus, tokenizer and matrix."""
    tokens = read(CORPUS, BYTES)
    last = {tuple(token.prefix): i for i, token in enumerate(tokens)}  # of pieces of one character the last
    usable = np.array(sorted(last.values()))
    draw = np.random.default_rng(3)
    kinds = np.array([tokens[i].token_id for i in usable])
    wanted = [draw.choice(len(usable), size, replace=False) for size in (400, 250)]
    sets = []
    for pair in range(40):
        for size in (0, 1):
            chosen = draw.permutation(len(usable))[: len(wanted[size])]
            if null == "token":  # as many of each token as the first of this size has
                own = kinds[wanted[size]]
                chosen = np.concatenate(
                    [draw.choice(np.flatnonzero(kinds == t), (own == t).sum(), replace=False) for t in np.unique(own)]
                )
            sets.append(drawn(tokens, usable[chosen], CORPUS, f"{pair} {size}"))
    comparable = ExactComparability(sets, CORPUS, {"tokenizer": BYTES})
    found = jaccard_matrix(sets, comparable=comparable, null=null)
    pairs = [(2 * pair, 2 * other + 1) for pair in range(40) for other in range(40)]
    values = np.array([found.jaccard[pair] for pair in pairs])
    expected = {found.null_jaccard[pair] for pair in pairs}
    assert len(expected) == 1
    own = np.array([found.jaccard[2 * pair, 2 * pair + 1] for pair in range(40)])  # these are independent
    assert abs(own.mean() - expected.pop()) < 2 * own.std(ddof=1) / len(own) ** 0.5
    assert values.std() == pytest.approx(found.null_sd[pairs[0]], rel=0.15)
    z = np.array([found.z[pair] for pair in pairs])
    assert abs(z.mean()) < 0.5
