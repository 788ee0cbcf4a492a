"""A first look at a corpus: its columns, how its first documents begin, why it cannot be read."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from itda_core.text import Corpus
from itda_core.text.look import ROWS, look
from tests.text.corpora import write

TABLE = pd.DataFrame({"n": [1, 2, 3, 4], "title": list("abcd"), "body": ["one", "two", "three", "four"]})


def table(folder: Path, ending: str, rows: pd.DataFrame) -> str:
    path = folder / f"table.{ending}"
    if ending == "csv":
        rows.to_csv(path, index=False, sep=";")
    elif ending == "jsonl":
        rows.to_json(path, orient="records", lines=True)
    else:
        rows.to_parquet(path)
    return str(path)


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_columns_of_text(tmp_path: Path, ending: str) -> None:
    path = table(tmp_path, ending, TABLE)
    seen = look(path)
    assert seen.columns is not None
    assert (seen.columns.names, seen.columns.usual, seen.columns.named) == (("title", "body"), None, None)
    assert seen.problem is not None
    assert seen.problem.field == "corpus"
    assert seen.rows == ()
    reference = seen.columns.reference("body")
    chosen = look(reference)
    assert (chosen.problem, chosen.rows) == (None, ("one", "two", "three"))
    assert chosen.columns is not None
    assert (chosen.columns.path, chosen.columns.named) == (path, "body")
    assert [document.text for document in Corpus.open(reference)] == TABLE["body"].tolist()


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_the_usual_column_is_named_by_nothing(tmp_path: Path, ending: str) -> None:
    path = table(tmp_path, ending, TABLE.rename(columns={"body": "text"}))
    seen = look(path)
    assert seen.problem is None
    assert seen.columns is not None
    assert (seen.columns.usual, seen.columns.reference("text"), seen.columns.reference(None)) == ("text", path, path)
    assert seen.columns.reference("title") == f"{path}#title"
    assert len(seen.rows) == ROWS


def test_a_column_that_is_not_there_keeps_the_others_on_offer(tmp_path: Path) -> None:
    seen = look(f"{table(tmp_path, 'csv', TABLE)}#nothing")
    assert seen.columns is not None
    assert (seen.columns.names, seen.columns.named) == (("title", "body"), "nothing")
    assert "no column 'nothing'" in str(seen.problem)


def test_plain_text_has_no_columns(tmp_path: Path) -> None:
    path = write(tmp_path, "text.txt", "one\n\ntwo\n")
    assert look(path) == (None, ("one", "two"), None)
    assert "no columns" in str(look(f"{path}#text").problem)


@pytest.mark.parametrize(("reference", "said"), [("no.csv", "does not exist"), ("", "No corpus"), ("a.doc", "unknown")])
def test_what_cannot_be_read(reference: str, said: str) -> None:
    seen = look(reference)
    assert said in str(seen.problem)
    assert (seen.columns, seen.rows) == (None, ())


def test_the_hub_is_not_asked_offline() -> None:
    assert "cannot be reached for the dataset owner/name" in str(look("hf:owner/name", offline=True).problem)
