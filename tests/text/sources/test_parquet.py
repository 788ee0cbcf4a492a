"""Parquet whose text is not text, whose columns are not one, and which unpacks to more than it looks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from itda_core.text import Corpus
from itda_core.text.sources import pages
from itda_core.text.sources.corpus_file import CorpusFile
from tests.text.corpora import refused, texts

TEXTS = [f"The little dog ran to park number {i}, then it slept." for i in range(5000)]


def wrong_utf8(*values: bytes) -> pa.Array:
    """A column that says it is text."""
    return pa.Array.from_buffers(pa.string(), len(values), pa.array(values).buffers())


def test_the_row_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    path = tmp_path / "b.parquet"
    parquet.write_table(pa.table({"text": wrong_utf8(b"ok", b"R\xc9")}), path)
    assert "row 2 is not UTF-8" in refused(path)
    parquet.write_table(pa.table({"text": wrong_utf8(*[b"ok"] * 699, b"\xed\xa0\x80")}), path, row_group_size=100)
    assert "row 700 is not UTF-8" in refused(path)


WRITTEN: list[dict[str, Any]] = [
    {},
    {"use_dictionary": False},
    {"use_dictionary": False, "column_encoding": {"text": "DELTA_BYTE_ARRAY"}},
    {"use_dictionary": False, "column_encoding": {"text": "DELTA_LENGTH_BYTE_ARRAY"}},
    {"compression": "none", "data_page_version": "2.0", "row_group_size": 1234},
    {"compression": "gzip", "data_page_size": 500, "write_statistics": True, "write_page_checksum": True},
    {"compression": "zstd", "store_schema": False, "write_page_index": True},
]


@pytest.mark.parametrize("options", WRITTEN)
def test_pages_are_walked_however_they_were_written(tmp_path: Path, options: dict[str, Any]) -> None:
    path = tmp_path / "a.parquet"
    parquet.write_table(pa.table({"n": range(len(TEXTS)), "text": TEXTS}), path, **options)
    assert texts(path) == TEXTS
    file = CorpusFile.at(path)
    metadata = parquet.read_metadata(path)
    with file.opened() as opened:
        for group in range(metadata.num_row_groups):
            chunk = metadata.row_group(group).column(1)
            start = min(place for place in (chunk.dictionary_page_offset, chunk.data_page_offset) if place)
            found = pages.largest_page(file, opened, start, chunk.total_compressed_size, chunk.num_values)
            assert 0 < found <= chunk.total_uncompressed_size
    for kind in (pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())):
        parquet.write_table(pa.table({"text": pa.array(TEXTS[:300]).cast(kind)}), path)
        assert texts(path) == TEXTS[:300]


def test_what_unpacks_to_more_than_is_held_is_refused_before_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.parquet"
    parquet.write_table(pa.table({"text": [*TEXTS, "x" * 10_000_000]}), path, compression="zstd")
    assert path.stat().st_size < 300_000
    assert sum(map(len, texts(path)[-10:])) == 10_000_000
    monkeypatch.setattr(pages, "_SWOLLEN", 5_000_000)
    assert "unpacks to 10 MiB in one piece" in refused(path)
    monkeypatch.setattr(pages, "_MOST_SWELLING", 10**6)
    assert len(texts(path)) > len(TEXTS)
    monkeypatch.setattr(pages, "LARGEST_PAGE", 5_000_000)
    assert "unpacks to 10 MiB in one piece" in refused(path)


def test_a_long_text_said_often_is_read_some_rows_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    iterate = parquet.ParquetFile.iter_batches

    def watched(self: parquet.ParquetFile, batch_size: int, **options: Any) -> Any:
        asked.append(batch_size)
        return iterate(self, batch_size, **options)

    path = tmp_path / "a.parquet"
    parquet.write_table(pa.table({"text": ["y" * 3_000_000] * 20}), path)
    monkeypatch.setattr(parquet.ParquetFile, "iter_batches", watched)
    monkeypatch.setattr("itda_core.text.sources.parquet._BYTES_AT_ONCE", 10_000_000)
    reading = iter(Corpus.open(path))
    assert [len(next(reading).text) for _ in range(3)] == [1_000_000] * 3
    assert set(asked) == {3}


def test_rows_without_text_are_passed_over_at_once_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    rows = pa.concat_arrays([pa.nulls(3_000_000, pa.string()), pa.array(["end", None, "last"])])
    parquet.write_table(pa.table({"text": rows}), path)
    assert [(d.id, d.text) for d in Corpus.open(path)] == [("a.parquet:3000000", "end"), ("a.parquet:3000002", "last")]


def test_columns_that_cannot_be_told(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    parquet.write_table(pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["text", "text"]), path)
    assert "several columns 'text'" in refused(path)
    parquet.write_table(pa.table({"a.b": ["flat"], "a": [{"b": "nested"}], "n": [1]}), path)
    assert texts(f"{path}#a.b") == ["flat"]
    parquet.write_table(pa.table({f"column {i}" * 30: [str(i)] for i in range(99)}), path)
    assert len(refused(path)) < 1500
