"""What of a dictionary is compared: every prefix once, in order of entering."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from itda_core import AtomDictionary, UserError
from itda_core.comparison import LabelSet
from itda_core.comparison.label_sets import packed
from itda_core.comparison.overlap.jaccard_report import labels_and_atoms
from itda_core.dictionaries import TrainConfig
from itda_core.dictionaries.provenance import AtomLabel, to_frame
from itda_core.runs import BUNDLED
from tests.comparison.label_sets import places_of, set_of, spec_of

SIDES = st.integers(0, 2**20)


def test_every_prefix_is_there_once_and_where_it_entered_first() -> None:
    made = set_of([("b", 0, 5), ("a", 0, 5), ("b", 0, 5), ("a", 9, 12)])
    assert len(made) == 3
    assert made.documents[made.document].tolist() == ["b", "a", "a"]
    assert made.last.tolist() == [5, 5, 12]
    assert made.row.tolist() == [0, 1, 3]


def test_labels_come_in_order_of_entering_whatever_the_order_of_the_rows() -> None:
    label = AtomLabel(0, 0, "d", 0, 3, 7, "w", 10, 12, "", "", 0.5)
    rows = [(0, 2, 20), (1, 0, 12), (2, 1, 16)]  # atom, order, char_end
    fields = {name: getattr(label, name) for name in label.__slots__}
    frame = to_frame(AtomLabel(**{**fields, "atom": a, "order": order, "char_end": end}) for a, order, end in rows)
    made = LabelSet.from_frame(frame, spec_of(), TrainConfig(), {}, "set")
    assert made.last.tolist() == [11, 15, 19]
    assert made.row.tolist() == [1, 2, 0]


def test_all_labels_of_a_consensus_atom_count() -> None:
    label = AtomLabel(0, 0, "d", 0, 3, 7, "w", 10, 12, "", "", 0.5)
    fields = {name: getattr(label, name) for name in label.__slots__}
    frame = to_frame(AtomLabel(**{**fields, "char_end": end}) for end in (5, 9, 12))
    dictionary = AtomDictionary(torch.eye(1, 4), torch.zeros(4), frame, spec_of(), TrainConfig(), {"tokens": 9})
    made = LabelSet.of(dictionary)
    assert places_of(made) == {("d", 0, 4), ("d", 0, 8), ("d", 0, 11)}
    assert made.name == "model L0 resid_post"
    assert made.tokens == 9
    assert made.spec == spec_of()
    assert (len(made), made.n_atoms) == (3, 1)
    assert LabelSet.union([made, made], "both").n_atoms is None
    single = set_of([("a", 0, 1), ("a", 0, 2)])
    assert labels_and_atoms([single]) == ""
    assert labels_and_atoms([single, made]) == (
        "Every label counts, also where an atom has several: model L0 resid_post has 3 labels of 1 atoms."
    )


def test_a_folder_read_without_its_atoms_says_the_same_as_the_dictionary() -> None:
    path = next(iter(sorted(Path(BUNDLED).iterdir())))
    dictionary = AtomDictionary.load(path)
    one, two = LabelSet.of(dictionary), LabelSet.load(path)
    assert one.name == two.name == path.name
    frame = dictionary.provenance
    ends = (frame["char_end"] - 1).tolist()
    expected = set(zip(frame["document"].tolist(), frame["window_start"].tolist(), ends, strict=True))
    assert places_of(one) == places_of(two) == expected
    assert (one.tokens, one.windows_read, one.reading) == (two.tokens, two.windows_read, two.reading)
    assert one.token_ids.tolist() == frame["token_id"].tolist()


def test_a_text_that_was_read_twice_does_not_count_twice() -> None:
    frame = set_of([("a", 0, 1)]).frame
    made = LabelSet.from_frame(frame, spec_of(), TrainConfig(), {"tokens": 200, "windows": 7, "passes": 2}, "set")
    assert (made.tokens, made.windows_read) == (None, 7)


def test_a_union_has_the_prefixes_of_all_and_the_early_ones_first() -> None:
    one = set_of([("a", 0, 1), ("a", 0, 2), ("b", 0, 3)], "one", tokens=50)
    two = set_of([("c", 0, 1), ("a", 0, 1)], "two", tokens=80)
    both = LabelSet.union([one, two], "both")
    assert places_of(both) == places_of(one) | places_of(two)
    assert both.documents[both.document].tolist() == ["a", "c", "a", "b"]
    assert (both.tokens, both.spec, len(both.specs)) == (80, None, 2)
    assert both.frame["document"].tolist() == ["a", "a", "b", "c", "a"]


def test_a_union_of_different_readings_is_refused() -> None:
    one = set_of([("a", 0, 1)], "one")
    with pytest.raises(UserError, match="different corpus"):
        LabelSet.union([one, set_of([("a", 0, 1)], "two", corpus="other")], "both")
    with pytest.raises(UserError, match="context"):
        LabelSet.union([one, set_of([("a", 0, 1)], "two", context=8)], "both")
    with pytest.raises(UserError, match="at least one"):
        LabelSet.union([], "both")


@given(st.lists(st.tuples(SIDES, st.integers(0, 2**40), SIDES), min_size=1, max_size=20), st.sampled_from([0, 8, 20]))
def test_packed_prefixes_are_equal_and_ordered_as_the_prefixes_are(
    rows: list[tuple[int, int, int]], spare: int
) -> None:
    document, start, length = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    keys = packed(document, start, start + length - 1, spare)
    assert keys.min() >= 0
    assert int(keys.max()) < 2 ** (63 - spare)
    for a, one in zip(keys.tolist(), rows, strict=True):
        for b, other in zip(keys.tolist(), rows, strict=True):
            assert (a < b) == (one < other)


def test_part_of_a_set() -> None:
    made = set_of([("a", 0, 1), ("a", 0, 2), ("b", 0, 3)])
    part = made.only(np.array([True, False, True]), "part")
    assert places_of(part) == {("a", 0, 1), ("b", 0, 3)}
    assert part.name == "part"
    assert isinstance(part.frame, pd.DataFrame)
