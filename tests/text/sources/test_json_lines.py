"""JSON lines as others write them: shared ids, long numbers, brackets without end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from itda_core.text import Corpus
from tests.text.corpora import refused, texts, write


def ids(reference: str) -> list[str]:
    return [document.id for document in Corpus.open(reference)]


def test_rows_that_share_an_id_get_ids_of_their_own(tmp_path: Path) -> None:
    rows = [{"id": "x"}, {"id": "y"}, {"id": "x"}, {"id": "x (line 3)"}, {}, {"id": "000004"}, {"id": 7}, {"id": "7"}]
    path = write(tmp_path, "a.jsonl", "".join(json.dumps({**row, "text": "t"}) + "\n" for row in rows))
    assert ids(path) == [
        "a.jsonl:x",
        "a.jsonl:y",
        "a.jsonl:x (line 3)",
        "a.jsonl:x (line 3) (line 4)",
        "a.jsonl:000004",
        "a.jsonl:000004 (line 6)",
        "a.jsonl:7",
        "a.jsonl:7 (line 8)",
    ]


@settings(max_examples=60, deadline=None)
@given(given=st.lists(st.one_of(st.none(), st.sampled_from(["x", "000001", "000002", "x (line 2)", 3, 3.0, True]))))
def test_ids_differ_and_those_that_did_stay(tmp_path_factory: pytest.TempPathFactory, given: list[object]) -> None:
    given = [*given, "last"]
    path = write(
        tmp_path_factory.mktemp("t"), "a.jsonl", "".join(json.dumps({"id": i, "text": "t"}) + "\n" for i in given)
    )
    found = ids(path)
    assert len(set(found)) == len(found)
    assert found == ids(path)
    before = [f"a.jsonl:{n:06d}" if i is None else f"a.jsonl:{i}" for n, i in enumerate(given)]
    if len(set(before)) == len(before):
        assert found == before


def test_long_numbers_and_deep_brackets(tmp_path: Path) -> None:
    long = "7" * 5000
    assert texts(write(tmp_path, "n.jsonl", f'{{"text": "x", "n": {long}}}')) == ["x"]
    assert ids(write(tmp_path, "i.jsonl", f'{{"text": "x", "id": {long}}}')) == [f"i.jsonl:{long}"]
    assert "not text but int" in refused(write(tmp_path, "t.jsonl", f'{{"text": {long}}}'))
    assert "line 2 has too many brackets" in refused(write(tmp_path, "b.jsonl", '"x"\n' + "[" * 100_000))
    assert "has 20,000 characters" in refused(write(tmp_path, "l.jsonl", json.dumps({"text": "x", "id": "i" * 20_000})))


def test_half_characters_are_replaced_in_texts_and_ids(tmp_path: Path) -> None:
    path = write(tmp_path, "a.jsonl", '{"text": "a\\ud800b", "id": "\\ud800"}\n{"text": "c", "id": "\\udfff"}')
    assert texts(path) == ["a\ufffdb", "c"]
    assert ids(path) == ["a.jsonl:\ufffd", "a.jsonl:\ufffd (line 2)"]


def test_a_line_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from itda_core.text.sources import lines

    path = write(tmp_path, "a.jsonl", '"ok"\n"' + "x" * 3000 + '"\n')
    monkeypatch.setattr(lines, "LONGEST_LINE", 2000)
    assert "line 2 has more than" in refused(path)
