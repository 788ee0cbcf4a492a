"""Small atom indices, written plainly from codes: what the index's own writer and readers are held against."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from itda_core.analysis.atoms.index_format import (
    ATOM_COLUMNS,
    ATOMS,
    CODES,
    DESCRIPTION,
    ENTRIES,
    ENTRY_COLUMNS,
    FORMAT,
    FORMAT_VERSION,
    TOKEN_COLUMNS,
    TOKENS,
    WINDOW_COLUMNS,
    WINDOWS,
    IndexDescription,
    no_atom,
    schema,
)


class Drawn(NamedTuple):
    """Codes of a made-up text: per window its words, per word (atom, coefficient) in the pursuit's order."""

    windows: list[list[str]]
    codes: list[list[tuple[int, float]]]
    norms: np.ndarray
    n_atoms: int


def drawn(
    *, seed: int = 0, n_windows: int = 30, length: int = 12, n_atoms: int = 20, k: int = 4, words: Sequence[str] = ()
) -> Drawn:
    """Words and codes drawn by `seed`; low atoms are used more often, some coefficients are equal, one atom is dead."""
    generator = np.random.default_rng(seed)
    vocabulary = list(words) or ["the", " cat", " sat", "Mat", " 42", ".", " on", "ly"]
    windows = [[vocabulary[i] for i in generator.integers(0, len(vocabulary), length)] for _ in range(n_windows)]
    weights = 1.0 / np.arange(1, n_atoms + 1)
    weights[-1] = 0.0  # a dead atom
    codes: list[list[tuple[int, float]]] = []
    for _ in range(n_windows * length):
        n = int(generator.integers(1, k + 1))
        atoms = generator.choice(n_atoms, size=n, replace=False, p=weights / weights.sum())
        values = np.round(generator.normal(size=n), 1) + 0.05
        codes.append([(int(a), float(np.float32(v))) for a, v in zip(atoms, values, strict=True)])
    norms = generator.uniform(1.0, 3.0, n_windows * length).astype(np.float32)
    return Drawn(windows, codes, norms, n_atoms)


def write_index(folder: Path, sample: Drawn, *, kinds: Sequence[str] | None = None, **changed: Any) -> Path:
    """The index of `sample` in `folder`, each word a token; kinds: of the windows' documents, in turn."""
    folder.mkdir(parents=True)
    tokens: dict[str, list[Any]] = {name: [] for name in TOKEN_COLUMNS}
    windows: dict[str, list[Any]] = {name: [] for name in WINDOW_COLUMNS}
    for number, words in enumerate(sample.windows):
        at = 0
        kind = kinds[number % len(kinds)] if kinds else None
        row = (f"doc-{number}", 0, "".join(words), kind, len(tokens["window"]), len(words))
        for name, value in zip(windows, row, strict=True):
            windows[name].append(value)
        for position, word in enumerate(words):
            i = len(tokens["window"])
            place = (number, position, hash_of(word), at, at + len(word), float(sample.norms[i]), 0.25)
            for name, value in zip(tokens, (*place, word.strip() if kinds else None), strict=True):
                tokens[name].append(value)
            at += len(word)
    entries = sorted(
        (atom, token, value, step) for token, code in enumerate(sample.codes) for step, (atom, value) in enumerate(code)
    )
    slots = max(map(len, sample.codes))
    codes = np.full((len(sample.codes), slots), no_atom(sample.n_atoms))
    for token, code in enumerate(sample.codes):
        ranked = sorted(code, key=lambda one: -abs(one[1]))
        codes[token, : len(code)] = [atom for atom, _ in ranked]
    np.save(folder / CODES, codes, allow_pickle=False)
    columns = dict(zip(ENTRY_COLUMNS, map(list, zip(*entries, strict=True)), strict=True))
    _write(folder / ENTRIES, ENTRY_COLUMNS, columns, rows=50)
    _write(folder / TOKENS, TOKEN_COLUMNS, tokens, rows=70)
    _write(folder / WINDOWS, WINDOW_COLUMNS, windows, rows=7)
    _write(folder / ATOMS, ATOM_COLUMNS, _sums(entries, sample), rows=1000)
    description = IndexDescription(
        **{
            **{"dictionary": "d" * 64, "model": "demo:0", "weights_fingerprint": "w", "layer": 1, "site": "resid_post"},
            **{"n_atoms": sample.n_atoms, "k": slots, "method": "mp", "corpus": "text.txt", "corpus_fingerprint": "c"},
            **{"text": "held-out", "context": 16, "tokens": len(sample.codes), "windows": len(sample.windows)},
            **{"entries": len(entries), "slots": slots, "sinks_left_out": 0, "notes": (), "seconds": 1.0},
            **{"energy": float((sample.norms.astype(np.float64) ** 2).sum()), "created": "2026-01-01T00:00:00+00:00"},
            **changed,
        }
    )
    about = {"format": FORMAT, "format_version": FORMAT_VERSION, **asdict(description)}
    (folder / DESCRIPTION).write_text(json.dumps(about), encoding="utf-8")
    return folder


def hash_of(word: str) -> int:
    """A token id, the same for the same word."""
    return sum(word.encode()) % 1000


def _sums(entries: Sequence[tuple[int, int, float, int]], sample: Drawn) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {name: [] for name in ATOM_COLUMNS}
    for atom in range(sample.n_atoms):
        own = [(value, step, float(sample.norms[token])) for a, token, value, step in entries if a == atom]
        values = [value for value, _, _ in own]
        row = (
            sum(value > 0 for value in values),
            sum(value < 0 for value in values),
            sum(step == 0 for _, step, _ in own),
            sum(values),
            sum(map(abs, values)),
            sum(abs(value) / norm for value, _, norm in own),
            sum(value**2 for value in values),
            max(values, default=0.0),
            min(values, default=0.0),
        )
        for name, value in zip(columns, row, strict=True):
            columns[name].append(value)
    return columns


def _write(path: Path, columns: Mapping[str, str], values: Mapping[str, Any], *, rows: int) -> None:
    pq.write_table(pa.table(dict(values), schema=schema(columns)), path, row_group_size=rows)
