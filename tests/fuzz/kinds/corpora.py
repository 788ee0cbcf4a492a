"""Corpora: text, JSON lines, CSV and Parquet."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pandas as pd

from itda_core.text import Corpus
from tests.fuzz.damage import damage_file, damaged_json
from tests.fuzz.harness import Kind

_ROWS = [
    {"id": f"row {i}", "text": f"The little dog ran to park number {i}, then it slept.", "n": i} for i in range(20)
]


def _prepare(folder: Path) -> dict[str, bytes]:
    table = pd.DataFrame(_ROWS)
    table.to_parquet(folder / "c.parquet")
    return {
        "c.txt": "\n\n".join(row["text"] for row in _ROWS).encode(),
        "c.jsonl": "".join(json.dumps(row) + "\n" for row in _ROWS).encode(),
        "c.csv": table.to_csv(index=False).encode(),
        "c.parquet": (folder / "c.parquet").read_bytes(),
    }


def _attempt(prepared: dict[str, bytes], folder: Path, rng: random.Random) -> None:
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
    corpus = Corpus.open(str(path))
    ids = [document.id for document in corpus]
    assert len(set(ids)) == len(ids), "two documents with one id: labels could not be verified"
    assert len(corpus.fingerprint) == 64


KINDS = [Kind("corpora", _prepare, _attempt)]
