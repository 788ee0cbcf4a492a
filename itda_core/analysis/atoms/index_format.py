"""The files of an atom index: names, columns, and what index.json says.

An index is a folder that appears in one rename:

- `index.json`: see `IndexDescription`;
- `entries.parquet`: one row per token and atom that its code uses, sorted by atom and, within an atom, by token; row
  groups end where an atom ends, unless an atom fills more than one;
- `tokens.parquet`: one row per token that was encoded, in reading order, its number being the row;
- `windows.parquet`: one row per window of text, in reading order, its number being the row, with its text;
- `atoms.parquet`: one row per atom of the dictionary, sums over its entries;
- `codes.npy`: the atoms of each token, (n_tokens, slots), strongest coefficient first, NO_ATOM in slots that were not
  needed; read in place, so that what fires on given tokens is found without reading the rest.

An entry's `coefficient` is the sum over all slots in which the pursuit took the atom at that token (SparseCode.merged);
an atom whose coefficients cancel out has no entry. Activations are those after centring, where the dictionary is
centred; `norm` is theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

FORMAT, FORMAT_VERSION = "itda-atom-index", 1
DESCRIPTION = "index.json"
ENTRIES, TOKENS, WINDOWS, ATOMS = "entries.parquet", "tokens.parquet", "windows.parquet", "atoms.parquet"
CODES = "codes.npy"
ROWS_PER_GROUP = 122_880  # of entries and tokens: DuckDB reads in multiples of 2,048 of these at a time

WINDOWS_PER_GROUP = 512  # rows of a row group of windows.parquet, the least that is read to show one of them

ENTRY_COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "atom": "int32",
        "token": "int32",  # the row in tokens.parquet
        "coefficient": "float32",
        "step": "uint16",  # of the pursuit at which the atom first came, from 0
    }
)
TOKEN_COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "window": "int32",  # the row in windows.parquet
        "position": "int32",  # in the window, special tokens counted
        "token_id": "int32",
        "char_start": "int32",  # in the document, as in a label
        "char_end": "int32",
        "norm": "float32",  # of the activation, after centring
        "relative_error": "float32",  # squared error / squared norm, 0 to 1
        "span": "string",  # what the corpus knows the character before char_end to be, outermost first, joined by "/"
        # ("quotation/person"); "" where it knows of nothing, null where the corpus knows no truth
    }
)
WINDOW_COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "document": "string",
        "window_start": "int32",  # first character of the window in the document
        "text": "string",  # the document's characters from there to the last token's end
        "kind": "string",  # of the document, where the corpus knows kinds; else null
        "first_token": "int32",  # the row in tokens.parquet; its tokens follow each other
        "n_tokens": "int32",  # of its tokens that are in tokens.parquet: special ones and attention sinks are not
    }
)
ATOM_COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "positive": "int64",  # entries with a coefficient above 0
        "negative": "int64",
        "first": "int64",  # entries with step 0: tokens for which the pursuit took this atom first
        "sum": "float64",  # of coefficients
        "sum_absolute": "float64",
        "sum_share": "float64",  # of |coefficient| / norm
        "energy": "float64",  # of coefficient squared
        "largest": "float32",  # coefficient; 0 where there is no entry
        "smallest": "float32",
    }
)


@dataclass(frozen=True)
class IndexDescription:
    """What index.json says."""

    dictionary: str  # identity of the dictionary, hexadecimal sha256
    model: str
    weights_fingerprint: str
    layer: int | None
    site: str
    n_atoms: int
    k: int
    method: str
    corpus: str
    corpus_fingerprint: str
    text: str  # "held-out", "training" or "other corpus": what this text is to the dictionary
    context: int
    tokens: int  # rows of tokens.parquet
    windows: int
    entries: int
    slots: int  # columns of codes.npy
    sinks_left_out: int
    energy: float  # sum of squared norms over all tokens
    notes: tuple[str, ...]  # sentences about text that was left out
    created: str  # ISO 8601, UTC
    seconds: float  # of work


def no_atom(n_atoms: int) -> np.integer:
    """The entry of codes.npy for a slot that was not needed, in the dtype of that file: its largest number."""
    import numpy as np

    return np.uint16(np.iinfo(np.uint16).max) if n_atoms < np.iinfo(np.uint16).max else np.int32(2**31 - 1)


def schema(columns: Mapping[str, str]) -> pa.Schema:
    """The columns of a file as pyarrow has them."""
    import pyarrow as pa

    return pa.schema([(name, pa.type_for_alias(kind)) for name, kind in columns.items()])
