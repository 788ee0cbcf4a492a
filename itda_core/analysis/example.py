"""The example that a first visitor reads: a decomposition kept as a file, so that it is there before any model is.

It is the model's own, written by assets/demo/build_dictionaries.py, and belongs to one state of one dictionary.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from itda_core.analysis.decompose import AtomUse, Decomposition, SourceLabel, TokenDecomposition
from itda_core.errors import UserError
from itda_core.files import read_json, stamp, write_text

PROMPT = "My sister walked to the library on Monday."  # the strongest atom of each word has such words among its labels
EXAMPLE = Path(__file__).resolve().parents[2] / "assets" / "demo" / "example.json"


def write_example(decomposition: Decomposition, dictionary: Path, path: Path = EXAMPLE) -> None:
    """Keep a decomposition by the dictionary in the folder `dictionary`."""
    kept = {"dictionary": _digests(dictionary), "decomposition": decomposition.to_dict()}
    write_text(path, json.dumps(kept, ensure_ascii=False, allow_nan=False) + "\n")


def read_example(dictionary: Path, path: Path = EXAMPLE) -> Decomposition | None:
    """The decomposition that is kept, if it is by the dictionary in the folder `dictionary` as its files are now."""
    found = _read(path, stamp(path))
    if found is None or found[0] != _digests(dictionary):
        return None
    return found[1]


@lru_cache(maxsize=2)
def _read(path: Path, stamped: object) -> tuple[object, Decomposition] | None:
    """What a file of that stamp holds; None where there is none that can be read: then a model computes it."""
    try:
        kept: Any = read_json(path)
        return kept["dictionary"], _decomposition(kept["decomposition"])
    except (UserError, KeyError, TypeError):
        return None


def _decomposition(values: dict[str, Any]) -> Decomposition:
    centred = values["centred"]  # one that does not say so is computed anew
    return Decomposition(**{**values, "centred": centred, "tokens": tuple(map(_token, values["tokens"]))})


def _token(values: dict[str, Any]) -> TokenDecomposition:
    return TokenDecomposition(**{**values, "atoms": tuple(map(_use, values["atoms"])), "taken": tuple(values["taken"])})


def _use(values: dict[str, Any]) -> AtomUse:
    return AtomUse(**{**values, "further": tuple(SourceLabel(**label) for label in values["further"])})


def _digests(dictionary: Path) -> object:
    """Those of a dictionary's files, which it carries; None where it has none."""
    try:
        said = read_json(dictionary / "dictionary.json")
    except UserError:
        return None
    return said.get("sha256") if isinstance(said, dict) else None
