"""Atoms found by token, by context, by a prompt and by where they fire, against plain loops; each with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from math import log
from pathlib import Path

import numpy as np
import pytest
import torch

from itda_core import UserError
from itda_core.analysis.atoms.firing_search import firing_on, folded_windows, tokens_of
from itda_core.analysis.atoms.folded_labels import folded_labels
from itda_core.analysis.atoms.index import AtomIndex
from itda_core.analysis.atoms.search import Searched, search_labels, search_prompt
from itda_core.dictionaries import AtomLabel
from itda_core.pursuit import SparseCode
from tests.analysis.atoms.honesty.test_honesty import label, planted
from tests.analysis.atoms.samples import drawn, write_index

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


def code_of(rows: Sequence[dict[int, float]]) -> SparseCode:
    k = max(map(len, rows))
    padded = [[*row.items(), *[(0, 0.0)] * (k - len(row))] for row in rows]
    return SparseCode(
        torch.tensor([[atom for atom, _ in row] for row in padded]),
        torch.tensor([[value for _, value in row] for row in padded]),
    )


def test_a_prompt_finds_what_it_uses_more_than_usual() -> None:
    rows = [{0: 1.0, 3: -2.0}, {3: 1.0}, {3: 0.5, 1: 1.0}, {0: 1.0}]
    uses = [900, 5, 50, 100, 0, 0, 0]  # of 1,000 tokens: atom 0 is used less than usual
    found = search_prompt([searched(uses=uses)], [code_of(rows)])
    wanted = {}
    for atom in range(7):
        share, usual = sum(atom in row for row in rows) / 4, (uses[atom] + 0.5) / 1001
        if share > usual:
            rest = 0 if share == 1 else (1 - share) * log((1 - share) / (1 - usual))
            wanted[atom] = 4 * (share * log(share / usual) + rest)
    assert {one.atom: one.score for one in found} == {atom: pytest.approx(score) for atom, score in wanted.items()}
    assert [one.atom for one in found] == [3, 1]
    assert found[0].why == "used at 3 of 4 tokens, 7.47 times its usual 10.04%"


def test_without_an_index_the_strongest_come_first() -> None:
    found = search_prompt([searched()], [code_of([{0: 1.0, 3: -2.0}, {3: 1.0}])])
    assert [(one.atom, one.score) for one in found] == [(3, pytest.approx(0.75)), (0, pytest.approx(0.25))]
    assert found[0].why.startswith("75% of this text's coefficients")


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

    assert tokens_of(index, windows, "Cat").tolist() == token_is("cat")
    assert len(token_is("cat")) > 20
    assert tokens_of(index, windows, "CAFE").tolist() == token_is("café")
    homework = tokens_of(index, windows, "homework").tolist()
    texts = {flat[i][0]: "".join(sample.windows[flat[i][0]]) for i in homework}
    assert homework
    assert all(" homework" in text for text in texts.values())
    both = tokens_of(index, windows, "cat sat").tolist()
    assert both
    assert {sample.windows[flat[i][0]][flat[i][1]].strip().lower() for i in both} == {"cat", "sat"}
    assert tokens_of(index, windows, "nothing such").tolist() == []


def test_what_fires_on_a_word_is_found_in_the_text(tmp_path: Path) -> None:
    index = AtomIndex.open(write_index(tmp_path / "index", planted()))
    windows = folded_windows(index)
    (tree,) = firing_on(index, windows, "tree")
    assert (tree.atom, tree.why.split(",")[0]) == (0, "used at 40 of 40 tokens of “tree”")
    assert [one.atom for one in firing_on(index, windows, "homework")] == [1]  # though its label says "a"
    assert [one.atom for one in firing_on(index, windows, "7")] == [2]
    assert firing_on(index, windows, "absent") == []
    with pytest.raises(UserError, match="nothing to search for"):
        firing_on(index, windows, "...")
