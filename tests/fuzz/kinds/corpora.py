"""Corpora: text, JSON lines, CSV by every separator, Parquet by every encoding, and what is no file at all."""

from __future__ import annotations

import csv
import io
import json
import os
import random
from pathlib import Path

import pandas as pd

from itda_core.text import Corpus
from itda_core.text.pieces import LONGEST_DOCUMENT
from tests.fuzz.damage import damage_file, damaged_bytes, damaged_json
from tests.fuzz.harness import Kind

_ROWS = [
    {"id": f"row {i}", "text": f"The little dog ran to park number {i}, then it slept; so|it\tsaid.", "n": i}
    for i in range(20)
]
_TEXTS = {row["text"] for row in _ROWS}
_SEPARATORS = {"c.csv": ",", "semicolon.csv": ";", "tab.csv": "\t", "bar.csv": "|"}
_IDS = [None, "row 1", "row 2", "000003", "row 1 (line 3)", 7, 7.0, True, [1], "\ud800", "row 1+1000000"]


def _prepare(folder: Path) -> dict[str, bytes]:
    table = pd.DataFrame(_ROWS)
    files = {
        "c.txt": "\n\n".join(row["text"] for row in _ROWS).encode(),
        "c.jsonl": "".join(json.dumps(row) + "\n" for row in _ROWS).encode(),
        **{name: table.to_csv(index=False, sep=separator).encode() for name, separator in _SEPARATORS.items()},
    }
    for name, options in {
        "c.parquet": {},
        "groups.parquet": {"row_group_size": 7, "use_dictionary": False, "compression": "zstd"},
        "delta.parquet": {"use_dictionary": False, "column_encoding": {"text": "DELTA_BYTE_ARRAY"}},
        "plain.parquet": {"compression": "none", "data_page_version": "2.0", "write_page_checksum": True},
    }.items():
        table.to_parquet(folder / name, **options)
        files[name] = (folder / name).read_bytes()
    return files


def _damaged_file(prepared: dict[str, bytes], folder: Path, rng: random.Random) -> None:
    name = rng.choice(sorted(prepared))
    path = folder / name
    path.write_bytes(prepared[name])
    if name == "c.jsonl" and rng.random() < 0.5:
        lines = prepared[name].decode().splitlines()
        at = rng.randrange(len(lines))
        lines[at] = damaged_json(json.loads(lines[at]), rng)
        path.write_bytes("\n".join(lines).encode("utf-8", "surrogatepass"))
    else:
        damage_file(path, rng)
    _check(Corpus.open(path if rng.random() < 0.5 else str(path)))


def _shared_ids(prepared: dict[str, bytes], folder: Path, rng: random.Random) -> None:
    rows = [{"text": row["text"], "id": rng.choice(_IDS)} for row in _ROWS]
    if rng.random() < 0.1:
        rng.choice(rows)["id"] = "x" * 20_000
    path = folder / "c.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = _check(Corpus.open(path))
    assert found == [row["text"] for row in rows]


def _loose_table(prepared: dict[str, bytes], folder: Path, rng: random.Random) -> None:
    """One cell, quote or separator too many or too few: every text is read whole, or the file is refused."""
    separator = rng.choice(list(_SEPARATORS.values()))
    file = io.StringIO()
    writer = csv.writer(file, delimiter=separator, quoting=csv.QUOTE_ALL, lineterminator=rng.choice(["\n", "\r\n"]))
    rows = [["id", "text", "n"], *([row["id"], row["text"], row["n"]] for row in _ROWS)]
    loose_row = rng.random() < 0.3
    if loose_row:
        row = rng.choice(rows[1:])
        if rng.random() < 0.5:
            row.append(rng.choice(["", "more"]))
        else:
            row.pop(rng.randrange(3))
    writer.writerows(rows)
    text = file.getvalue()
    if not loose_row and rng.random() < 0.8:
        places = [i for i, c in enumerate(text) if c == '"' and i > text.index("\n")]
        at = rng.choice(places)
        text = text[:at] + text[at + 1 :]
    path = folder / "c.csv"
    path.write_text(text, newline="")
    for found in _check(Corpus.open(path)):
        assert found.strip('"') in _TEXTS, f"text was cut or joined: {found[:200]!r}"


def _no_file(prepared: dict[str, bytes], folder: Path, rng: random.Random) -> None:
    name = rng.choice(["c.txt", "c.jsonl", "c.csv", "c.parquet"])
    path = folder / name
    match rng.randrange(8):
        case 0:
            os.mkfifo(path)
        case 1:
            path.symlink_to(rng.choice([name, "/dev/zero", "/dev/full", "nowhere", "."]))
        case 2:
            path.mkdir()
        case 3:
            path = folder / f"{'é' * rng.choice([100, 300])}{name}"
        case 4:
            path = Path(os.fsdecode(bytes(folder) + b"/" + damaged_bytes(name.encode(), rng).replace(b"/", b"")))
            if b"\0" not in os.fsencode(path) and not path.exists():
                path.write_bytes(prepared[name])
        case 5:
            path = Path(f"~{rng.choice(['nobody9', 'root', ''])}/{name}")
        case 6:
            reference = rng.choice(["hf:", "hf:\ud800", "hf:a/b/c/d", "#", f"{name}#", "x" * 300_000, "\0.txt", " "])
            _check(Corpus.open(reference))
            return
        case _:
            path.write_bytes(prepared[name])
            reading = iter(Corpus.open(path))
            next(reading)
            damage_file(path, rng)
            list(reading)
            return
    _check(Corpus.open(str(path)))


def _attempt(prepared: dict[str, bytes], folder: Path, rng: random.Random) -> None:
    rng.choice([_damaged_file, _damaged_file, _shared_ids, _loose_table, _no_file])(prepared, folder, rng)


def _check(corpus: Corpus) -> list[str]:
    """The texts of all documents, after what holds of every corpus was checked."""
    documents = list(corpus)
    ids = [document.id for document in documents]
    assert len(set(ids)) == len(ids), "two documents with one id: labels could not be verified"
    assert len(corpus.fingerprint) == 64
    for document in documents:
        assert len(document.text) <= 2 * LONGEST_DOCUMENT
        (document.id + document.text).encode("utf-8")
    assert documents == list(corpus), "read again, it is another text"
    return [document.text for document in documents]


KINDS = [Kind("corpora", _prepare, _attempt)]
