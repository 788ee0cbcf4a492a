"""Atoms found by token, by context, by a prompt and by where they fire, against plain loops; each with its reason."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from math import log
from pathlib import Path

import numpy as np
import pytest
import torch

from itda_core import UserError
from itda_core.analysis.atoms import firing_search
from itda_core.analysis.atoms.firing_search import firing_on, folded_windows, tokens_of
from itda_core.analysis.atoms.folded_labels import folded_labels
from itda_core.analysis.atoms.index import AtomIndex
from itda_core.analysis.atoms.prompt_search import TextCodes, search_prompt
from itda_core.analysis.atoms.search import Searched, search_labels
from itda_core.dictionaries import AtomLabel
from itda_core.pursuit import SparseCode
from tests.analysis.atoms.honesty.test_honesty import label, planted
from tests.analysis.atoms.samples import Drawn, drawn, write_index

LABELS = [
    label(0, ["I", " will", " help", " with", " homework"], 4),
    label(1, [" Help", " me", " with", " my", " home", "work", " today"], 5),
    label(2, [" the", " Café", " near", " the", " school"], 1),
    label(3, [" a", " tree", ",", " and", " help"], 1),
    label(4, [" un", "help", "ful"], 1),
    label(5, [" 42", "%", " of", " it"], 1),
    label(6, ["helpers", " came"], 0),
]


def searched(labels: Sequence[AtomLabel] = LABELS, name: str = "one", uses: Sequence[int] | None = None) -> Searched:
    return Searched(name, folded_labels(labels), None if uses is None else np.array(uses), 1000)


def test_a_token_is_found_however_it_is_written() -> None:
    for query in ("homework", "HOMEWORK", " Homework "):
        found = search_labels([searched()], query)
        assert [(one.atom, one.score, one.why) for one in found] == [
            (0, 1.0, "its token is “homework”"),
            (1, 0.8, "its token “work” is a piece of “homework”"),
        ]
    assert [one.atom for one in search_labels([searched()], "cafe")] == [2]
    assert [one.atom for one in search_labels([searched()], "Cafe\u0301")] == [2]
    assert [one.atom for one in search_labels([searched()], "%")] == [5]


def test_tokens_are_ranked_as_the_scores_say() -> None:
    found = search_labels([searched()], "help")
    assert [(one.atom, one.score) for one in found] == [(4, 1.0), (6, pytest.approx(0.6 * 4 / 7))]
    assert found[1].why == "its token “helpers” begins with “help”"
    (within,) = search_labels([searched()], "omewo")
    assert (within.atom, within.score, within.why) == (
        0,
        pytest.approx(0.3 * 5 / 8),
        "its token “homework” holds “omewo”",
    )


def test_words_of_the_context_are_found_nearest_first() -> None:
    found = search_labels([searched()], "Help", "context")
    reasons = {one.atom: one.why for one in found}
    assert reasons == {
        0: "“help” 6 characters before it",  # as folded words: "help with", then the token
        1: "“help” 12 characters before it",  # of the whole word
        3: "“help” 5 characters behind it",
        6: "“help…” is its word",
    }
    scores = {one.atom: one.score for one in found}
    assert scores == {
        0: pytest.approx(1 / (1 + 6 / 40)),
        1: pytest.approx(1 / (1 + 12 / 40)),
        3: pytest.approx(1 / (1 + 5 / 40)),
        6: pytest.approx(0.5),
    }
    assert [one.score for one in found] == sorted(scores.values(), reverse=True)


def test_all_words_must_stand_in_a_context() -> None:
    (found,) = search_labels([searched()], "SCHOOL near", "context")
    assert found.atom == 2
    assert found.why == "“school” 10 characters behind it, “near” right behind it"
    assert search_labels([searched()], "school homework", "context") == []
    assert [one.atom for one in search_labels([searched()], "homework help", "context")] == [0, 1]


def test_an_atom_with_several_labels_is_found_once_by_the_best() -> None:
    labels = [*LABELS, label(2, [" my", " homework"], 1), label(2, [" homeworks"], 0)]
    found = search_labels([searched(labels)], "homework")
    assert [(one.atom, one.token) for one in found] == [(0, " homework"), (2, " homework"), (1, "work")]
    assert (found[1].label, found[1].labels) == ("Café · homework · homeworks", 3)
    assert found[1].why == "its token is “homework”:  my[ homework]"


def test_of_equal_scores_what_is_used_more_comes_first_over_all_dictionaries() -> None:
    labels = [label(atom, [" homework"], 0) for atom in range(3)]
    found = search_labels([searched(labels, "a", [5, 9, 1]), searched(labels, "b", [0, 7, 9])], "homework", n=5)
    assert [(one.dictionary, one.atom) for one in found] == [("a", 1), ("b", 2), ("b", 1), ("a", 0), ("a", 2)]


@pytest.mark.parametrize(("query", "by"), [("", "token"), ("  ", "token"), ("?!", "context"), ("", "context")])
def test_nothing_to_search_for_is_said(query: str, by: str) -> None:
    with pytest.raises(UserError, match="nothing to search for"):
        search_labels([searched()], query, by)


@pytest.mark.parametrize("query", ["%_.*", "<script>", "\ud800", "(", "'; DROP TABLE", "a" * 5000, "\x00"])
@pytest.mark.parametrize("by", ["token", "context"])
def test_no_query_is_read_as_a_pattern(query: str, by: str) -> None:
    with suppress(UserError):  # that there is no word in it
        assert search_labels([searched()], query, by) == []


def test_scripts_without_spaces_are_searched_by_their_signs() -> None:
    labels = [label(0, ["我", "们", "的", "作业"], 3), label(1, ["今天", "下雨"], 0)]
    assert [one.atom for one in search_labels([searched(labels)], "作业")] == [0]
    assert [one.atom for one in search_labels([searched(labels)], "们", "context")] == [0]


WORDS = ["My", " old", " dog", "ran"]


def text_of(rows: Sequence[dict[int, float]], norms: Sequence[float] = (4.0, 2.0, 1.0, 8.0)) -> TextCodes:
    k = max(map(len, rows))
    padded = [[*row.items(), *[(0, 0.0)] * (k - len(row))] for row in rows]
    codes = SparseCode(
        torch.tensor([[atom for atom, _ in row] for row in padded]),
        torch.tensor([[value for _, value in row] for row in padded]),
    )
    return TextCodes(codes, np.array(norms[: len(rows)]), WORDS, [1, 2, 4, 5])


def test_a_prompt_finds_what_it_uses_most_and_more_than_usual() -> None:
    rows = [{0: 3.0, 3: -2.0}, {3: 1.0}, {3: 0.5, 1: 0.125}, {0: 5.0}]
    norms, uses, shares = [4.0, 2.0, 1.0, 8.0], [900, 5, 50, 100, 0, 0, 0], [500.0, 1.0, 20.0, 30.0, 0.0, 0.0, 0.0]
    one = Searched("one", folded_labels(LABELS), np.array(uses), 1000, np.array(shares))
    found = search_prompt([one], [text_of(rows, norms)])
    wanted = {}
    for atom in range(7):
        p = sum(abs(row.get(atom, 0.0)) / norm for row, norm in zip(rows, norms, strict=True)) / 4
        q = (shares[atom] + 0.5 * sum(shares) / sum(uses)) / 1001
        if p > q:
            wanted[atom] = p * log(p / q)
    assert {one.atom: one.score for one in found} == {atom: pytest.approx(score) for atom, score in wanted.items()}
    assert [one.atom for one in found] == [3, 1]  # 0 has the larger share, and less than usual
    first = found[0]
    assert [(use.index, use.token, use.coefficient) for use in first.used_at] == [
        (1, "My", -2),
        (2, " old", 1),
        (4, " dog", 0.5),
    ]
    assert (first.share, first.usual) == (pytest.approx(0.375), pytest.approx(30 / 1000, rel=0.02))
    assert first.why == (
        "−2.00 at “My”, +1.00 at “old”, +0.50 at “dog”: 38% of this text's norm, 12.4 times the usual 3%"
    )


def test_what_is_strong_and_unusual_comes_before_what_is_only_rare_or_only_strong() -> None:
    rows = [{0: 0.6, 1: 0.01}, {0: 0.6, 2: 0.7}, {0: 0.6, 2: 0.6}, {0: 0.6, 3: 0.2}]
    shares = [580.0, 0.001, 5.0, 5.0, 0.0, 0.0, 0.0]  # 0 is in every text, 1 hardly in any
    one = Searched("one", folded_labels(LABELS), np.array([1000, 1, 10, 10, 0, 0, 0]), 1000, np.array(shares))
    found = search_prompt([one], [text_of(rows, [1.0] * 4)])
    assert [one.atom for one in found] == [2, 3, 0, 1]


def test_an_atom_of_the_text_that_the_index_never_met_has_a_score() -> None:
    nothing = Searched("one", folded_labels(LABELS), np.zeros(7, np.int64), 0, np.zeros(7))
    assert [(one.score, one.usual) for one in search_prompt([nothing], [text_of([{4: 1.0}])])] == [(0.25, None)]
    one = Searched("one", folded_labels(LABELS), np.array([1] * 4 + [0] * 3), 9, np.array([0.5] * 4 + [0.0] * 3))
    (found,) = search_prompt([one], [text_of([{4: 1.0}])])
    assert found.usual == pytest.approx(0.025)


def test_without_an_index_the_strongest_come_first() -> None:
    found = search_prompt([searched()], [text_of([{0: 1.0, 3: -2.0}, {3: 1.0}])])
    assert [(one.atom, one.score) for one in found] == [(3, pytest.approx(0.5)), (0, pytest.approx(0.125))]
    assert found[0].why == "−2.00 at “My”, +1.00 at “old”: 50% of this text's norm, no index says what is usual"
    assert found[0].usual is None


def test_tokens_of_a_word_are_those_of_a_plain_loop(tmp_path: Path) -> None:
    words = ["the", " cat", " CAT", " sat", "Mat", " home", "work", ".", " on", " café"]
    sample = drawn(words=words, n_windows=40)
    index = AtomIndex.open(write_index(tmp_path / "index", sample))
    windows = folded_windows(index)
    flat = [(number, at) for number, window in enumerate(sample.windows) for at in range(len(window))]

    def token_is(query: str) -> list[int]:
        return [
            i
            for i, (number, at) in enumerate(flat)
            if sample.windows[number][at].strip().casefold() == query
            and not "".join(sample.windows[number][at + 1 : at + 2])[
                :1
            ].isalpha()  # the next one joins it to a longer word
            and (sample.windows[number][at][0] == " " or at == 0 or not sample.windows[number][at - 1][-1].isalpha())
        ]

    assert tokens_of(index, windows, "Cat").tokens.tolist() == token_is("cat")
    assert len(token_is("cat")) > 20
    assert tokens_of(index, windows, "CAFE").tokens.tolist() == token_is("café")
    homework = tokens_of(index, windows, "homework").tokens.tolist()
    texts = {flat[i][0]: "".join(sample.windows[flat[i][0]]) for i in homework}
    assert homework
    assert all(" homework" in text for text in texts.values())
    both = tokens_of(index, windows, "cat sat").tokens.tolist()
    assert both
    assert {sample.windows[flat[i][0]][flat[i][1]].strip().lower() for i in both} == {"cat", "sat"}
    assert tokens_of(index, windows, "nothing such").tokens.tolist() == []


def test_what_fires_on_a_word_is_found_in_the_text(tmp_path: Path) -> None:
    index = AtomIndex.open(write_index(tmp_path / "index", planted()))
    windows = folded_windows(index)
    (tree,) = firing_on(index, windows, "tree")
    assert (tree.atom, tree.why.split(",")[0]) == (0, "used at 40 of 40 tokens of “tree”")
    assert [one.atom for one in firing_on(index, windows, "homework")] == [1]  # though its label says "a"
    assert [one.atom for one in firing_on(index, windows, "7")] == [2]
    assert firing_on(index, windows, "absent") == []
    with pytest.raises(UserError, match="nothing to search for"):
        firing_on(index, windows, " ")


def test_signs_without_a_word_are_found_where_they_stand(tmp_path: Path) -> None:
    sample = drawn(words=["the", " cat", " 🙂", "🙂", " %.*", "."], n_windows=20)
    index = AtomIndex.open(write_index(tmp_path / "index", sample))
    words = [word for window in sample.windows for word in window]
    windows = folded_windows(index)
    assert tokens_of(index, windows, "🙂").tokens.tolist() == [i for i, word in enumerate(words) if "🙂" in word]
    assert tokens_of(index, windows, "%.*").tokens.tolist() == [i for i, word in enumerate(words) if word == " %.*"]
    assert tokens_of(index, windows, "\ud800").tokens.tolist() == []


def test_of_few_tokens_what_fires_is_shown_with_the_doubt(tmp_path: Path) -> None:
    sample = drawn(words=[" the", " cat", " sat"], n_windows=20)
    sample.windows[3][5] = " once"
    index = AtomIndex.open(write_index(tmp_path / "index", sample))
    found = firing_on(index, folded_windows(index), "once")
    own = {atom for atom, _ in sample.codes[3 * 12 + 5]}
    assert found
    assert {one.atom for one in found} <= own
    assert all(one.why.endswith("; too few to tell from chance") for one in found)


def test_every_way_to_cut_a_word_counts(tmp_path: Path) -> None:
    """With a space in front or without, with a capital, in pieces: what covers the word, and nothing else."""
    sample = drawn(words=[" cat", "Cat", " c", "at", " CAT", ".", " dog"], n_windows=60)
    index = AtomIndex.open(write_index(tmp_path / "index", sample))
    wanted, first, kinds = list[int](), 0, set[str]()
    for words in sample.windows:
        text, starts = "".join(words), [len("".join(words[:i])) for i in range(len(words) + 1)]
        for found in re.finditer(r"\bcat\b", text, re.IGNORECASE):
            own = [i for i in range(len(words)) if starts[i] < found.end() and starts[i + 1] > found.start()]
            wanted += [first + i for i in own]
            kinds.add("|".join(words[i] for i in own))
        first += len(words)
    assert kinds == {" cat", "Cat", " c|at", " CAT"}
    assert tokens_of(index, folded_windows(index), "cat").tokens.tolist() == wanted


def counted(sample: Drawn, word: str, atom: int, *, within: Sequence[int] | None = None) -> tuple[int, int, int, int]:
    """By a plain loop: tokens that are `word` and use `atom`, all that are `word`, and the same of those that are not.

    within: of the windows with the word, only these are looked at; what else there is of it counts nowhere.
    """
    flat = [(number, text.strip() == word) for number, words in enumerate(sample.windows) for text in words]
    has = {number for number, is_word in flat if is_word}
    counts = np.zeros((2, 2), int)
    for (number, is_word), code in zip(flat, sample.codes, strict=True):
        if within is None or number not in has or sorted(has).index(number) in within:
            counts[int(is_word)] += (atom in {one for one, _ in code}, 1)
    return (*counts[1].tolist(), *counts[0].tolist())


def on_its_word(n_windows: int = 200) -> Drawn:
    """Atom 3 is used at most places of " cat", and at some others."""
    sample = drawn(seed=3, words=[" the", " cat", " sat", ".", " on", " mat", " ran", " home"], n_windows=n_windows)
    draw = np.random.default_rng(4)
    words = [word for window in sample.windows for word in window]
    for i, word in enumerate(words):
        kept = [one for one in sample.codes[i] if one[0] != 3]
        sample.codes[i] = [*kept, (3, 1.0)] if draw.random() < (0.7 if word == " cat" else 0.02) else kept or [(0, 1.0)]
    return sample


def test_times_as_often_as_elsewhere_is_of_the_tokens_that_are_not_the_word(tmp_path: Path) -> None:
    sample = on_its_word()
    index = AtomIndex.open(write_index(tmp_path / "index", sample))
    found = firing_on(index, folded_windows(index), "cat")
    assert found[0].atom == 3
    for one in found:
        here, n, there, others = counted(sample, "cat", one.atom)
        ratio = (here / n) / (there / others)
        assert (one.tokens, one.elsewhere, one.ratio) == (here, there, pytest.approx(ratio))
        assert 1 < one.score < one.ratio  # the limit is one of the ratio that is shown
        assert f"used at {here:,} of {n:,} tokens of “cat”, {ratio:.3g} times as often as elsewhere" in one.why
        assert one.why.endswith(f"(at {there:,} of {others:,} tokens)")
    here, n, there, others = counted(sample, "cat", 3)
    of_all = (here / n) / ((here + there) / (n + others))
    assert found[0].ratio > 3 * of_all


def test_what_fires_nowhere_else_is_said_so_and_does_not_win_by_it(tmp_path: Path) -> None:
    """An atom used a few times, always at the word, comes after one that is used at most of it and at few others."""
    sample = on_its_word()
    places = [i for i, word in enumerate(word for window in sample.windows for word in window) if word == " cat"]
    for i, code in enumerate(sample.codes):
        sample.codes[i] = [one for one in code if one[0] != 5] or [(0, 1.0)]
    for i in places[:12]:
        sample.codes[i].append((5, 1.0))
    index = AtomIndex.open(write_index(tmp_path / "index", sample))
    first, second = firing_on(index, folded_windows(index), "cat")[:2]
    assert (first.atom, second.atom) == (3, 5)
    assert (second.elsewhere, second.ratio) == (0, np.inf)
    assert np.isfinite(second.score)
    assert second.why == f"used at 12 of {len(places):,} tokens of “cat”, and nowhere else"


def test_tokens_of_windows_that_are_not_looked_at_are_not_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = on_its_word()
    index = AtomIndex.open(write_index(tmp_path / "index", sample))
    has = [number for number, words in enumerate(sample.windows) if " cat" in words]
    monkeypatch.setattr(firing_search, "MOST_WINDOWS", len(has))
    (every,) = (one for one in firing_on(index, folded_windows(index), "cat") if one.atom == 3)
    for most in (100, 2):  # less than half of the tokens are left out, and more
        monkeypatch.setattr(firing_search, "MOST_WINDOWS", most)
        (few,) = (one for one in firing_on(index, folded_windows(index), "cat") if one.atom == 3)
        assert few.elsewhere < every.elsewhere
        within = np.linspace(0, len(has) - 1, most).astype(int).tolist()  # of two, the first and the last
        here, n, there, others = counted(sample, "cat", 3, within=within)
        assert (few.tokens, few.elsewhere, few.ratio) == (here, there, pytest.approx((here / n) / (there / others)))


def test_a_text_that_is_nothing_but_the_word_has_no_elsewhere(tmp_path: Path) -> None:
    index = AtomIndex.open(write_index(tmp_path / "index", drawn(words=[" cat"], n_windows=5)))
    assert firing_on(index, folded_windows(index), "cat") == []
