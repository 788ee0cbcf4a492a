"""Which prefixes are comparable: two tokenizers, contexts and stretches of one text against a plain Python loop."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest

from itda_core import UserError
from itda_core.comparison import LabelSet, jaccard_matrix
from itda_core.comparison.overlap.comparability import ExactComparability
from itda_core.text import Corpus, Document, TokenRef
from tests.comparison.label_sets import Place, drawn, places_of, read
from tests.conftest import byte_level, generated_text, word_piece

BYTES, PIECES = byte_level("gpt2"), word_piece()
TOKENIZERS = {"bytes": BYTES, "pieces": PIECES}
TEXTS = [" ".join(generated_text(4, seed)) for seed in range(30)]
TEXTS[3] = "naïve cafés — 東京 🙂🙂 e\u0301te\u0301, " + TEXTS[3]  # characters of several bytes, and of two code points
TEXTS[5] = ""
CORPUS = Corpus.from_documents("text", [Document(f"d{i}", text) for i, text in enumerate(TEXTS)])


def place_of(token: TokenRef) -> Place:
    return token.prefix.document, token.prefix.window_start, token.prefix.last


class Reader(NamedTuple):
    """One model's way through the corpus, and how far it came."""

    tokenizer: str
    context: int
    which: str
    tokens: int

    def all_tokens(self) -> list[TokenRef]:
        return read(CORPUS, TOKENIZERS[self.tokenizer], self.context, self.which)[: self.tokens]

    def prefixes(self) -> set[Place]:
        return set(map(place_of, self.all_tokens()))

    def dictionary(self, n_labels: int, seed: int) -> LabelSet:
        tokens = self.all_tokens()
        chosen = sorted(random.Random(seed).sample(range(len(tokens)), n_labels))
        same = {"context": self.context, "which": self.which, "tokenizer": self.tokenizer}
        return drawn(tokens, chosen, CORPUS, f"{self.tokenizer} {self.context} {self.which} {seed}", **same)


READERS = [
    Reader("bytes", 24, "all", 900),
    Reader("bytes", 24, "all", 500),
    Reader("pieces", 24, "all", 800),
    Reader("bytes", 16, "all", 700),
    Reader("bytes", 40, "first", 600),
    Reader("pieces", 24, "first", 300),
]


@pytest.fixture(scope="module")
def sets() -> list[LabelSet]:
    return [reader.dictionary(150, seed) for seed, reader in enumerate(READERS)]


@pytest.fixture(scope="module")
def comparable(sets: list[LabelSet]) -> ExactComparability:
    return ExactComparability(sets, CORPUS, TOKENIZERS)


def test_the_readings_differ_as_they_should() -> None:
    alike = READERS[0].prefixes() & READERS[2].prefixes()
    assert 20 < len(alike) < 0.9 * len(READERS[2].prefixes())
    assert any(place[2] != next(iter(alike))[2] for place in alike)


def test_prefixes_fractions_and_labels_are_those_of_a_plain_loop(
    sets: list[LabelSet], comparable: ExactComparability
) -> None:
    read_by = [reader.prefixes() for reader in READERS]
    sizes = comparable.sizes()
    for i, one in enumerate(sets):
        for j in range(len(sets)):
            common = read_by[i] & read_by[j]
            assert comparable.prefixes[i, j] == len(common)
            assert comparable.fraction[i, j] == pytest.approx(len(common) / len(read_by[i] | read_by[j]))
            kept = comparable.labels(i, j)
            assert places_of(one.only(kept)) == places_of(one) & common
            assert sizes[i, j] == kept.sum()


def test_the_matrix_compares_only_what_is_comparable(sets: list[LabelSet]) -> None:
    found = jaccard_matrix(sets, corpus=CORPUS, tokenizers=TOKENIZERS)
    assert found.exact
    for i, one in enumerate(sets):
        for j, two in enumerate(sets):
            common = READERS[i].prefixes() & READERS[j].prefixes()
            a, b = places_of(one) & common, places_of(two) & common
            assert found.intersection[i, j] == len(a & b)
            assert found.union[i, j] == len(a | b)
    assert found.sizes.tolist() == [len(places_of(one)) for one in sets]


def test_tokens_are_counted_by_what_both_tokenizers_end_there(
    sets: list[LabelSet], comparable: ExactComparability
) -> None:
    for i, j in ((0, 1), (0, 2), (2, 0), (4, 5), (3, 0)):
        kinds: dict[Place, list[int]] = {}
        for reader in (READERS[i], READERS[j]):
            last = {place_of(token): token.token_id for token in reader.all_tokens()}  # of pieces the last one
            for place, token_id in last.items():
                kinds.setdefault(place, []).append(token_id)
        counted: dict[tuple[int, ...], np.ndarray] = {}
        for place, ids in kinds.items():
            if len(ids) == 2:
                own = [place in places_of(sets[i]), place in places_of(sets[j]), True]
                kind = tuple(ids if READERS[i].tokenizer != READERS[j].tokenizer else ids[:1])
                counted[kind] = counted.get(kind, np.zeros(3, int)) + own
        found = comparable.token_counts(i, j, comparable.labels(i, j), comparable.labels(j, i))
        expected = sorted(tuple(row.tolist()) for row in counted.values())
        rows = zip(*(part[found.text > 0].tolist() for part in found), strict=True)
        assert sorted(rows) == expected


def test_a_dictionary_has_read_as_far_as_its_labels(sets: list[LabelSet]) -> None:
    """A dictionary that began with another one's atoms has labels beyond what it says that it read."""
    tokens = READERS[0].all_tokens()
    short = drawn(tokens, [1, 5, 400], CORPUS, "short", context=24, tokenizer="bytes", stats={"tokens": 100})
    unknown = drawn(tokens, [1, 5, 300], CORPUS, "unknown", context=24, tokenizer="bytes", stats={})
    by_windows = drawn(
        tokens, [1, 5], CORPUS, "windows", context=24, tokenizer="bytes", stats={"windows": 3, "passes": 2}
    )
    found = ExactComparability([sets[0], short, unknown, by_windows], CORPUS, TOKENIZERS)
    in_three_windows = {
        tuple(t.prefix) for t in tokens if t.window in list(dict.fromkeys(t.window for t in tokens))[:3]
    }
    expected = [len({tuple(token.prefix) for token in tokens[:n]}) for n in (401, 301)]
    assert found.prefixes[0].tolist()[1:] == [*expected, len(in_three_windows)]


def test_another_text_a_wrong_label_and_nothing_in_common_are_refused(sets: list[LabelSet]) -> None:
    other = Corpus.from_documents("other", [Document("d0", "another text")])
    with pytest.raises(UserError, match="not the one that bytes 24 all 0 was built on"):
        ExactComparability(sets, other, TOKENIZERS)
    moved = sets[0].only(np.ones(len(sets[0]), bool), "moved")
    moved.last[0] += 1000
    with pytest.raises(UserError, match=f"1 of the {len(moved)} labels of moved do not occur"):
        ExactComparability([sets[0], moved], CORPUS, TOKENIZERS)


def test_two_stretches_without_a_common_prefix_are_refused() -> None:
    words = [word for text in TEXTS for word in text.split() if word.isalpha() and word.isascii()]
    word = next(w for w in words if len({read(_one(w), each)[0].char_end for each in TOKENIZERS.values()}) == 2)
    corpus = _one(word)
    sets = [drawn(read(corpus, each)[:1], [0], corpus, name, tokenizer=name) for name, each in TOKENIZERS.items()]
    with pytest.raises(UserError, match=r"Nothing of bytes and pieces is comparable: no prefix .*tokenizer bytes and"):
        jaccard_matrix(sets, corpus=corpus, tokenizers=TOKENIZERS)


def _one(text: str) -> Corpus:
    return Corpus.from_documents("text", [Document("d", text)])


def test_estimated_chance_counts_labels_that_lie_all_over_the_longer_text() -> None:
    """Against sets that are really drawn: the longer one's labels from all of its text, the other's from a part."""
    long, short = Reader("bytes", 24, "all", 900), Reader("bytes", 24, "all", 300)
    found, expected = [], []
    for seed in range(60):
        spread = replace(long.dictionary(200, seed), spread=True)
        few = short.dictionary(60, 1000 + seed)
        matrix = jaccard_matrix([spread, few])
        found.append(matrix.jaccard[0, 1])
        expected.append(matrix.null_jaccard[0, 1])
        assert matrix.comparable_prefixes[0, 1] == 300
    error = float(np.std(found)) / len(found) ** 0.5
    assert np.mean(found) == pytest.approx(float(np.mean(expected)), abs=4 * error)
    early = jaccard_matrix([replace(spread, spread=False), few])  # as if all of its labels lay in the common text
    assert early.null_jaccard[0, 1] > 2 * float(np.mean(expected))
