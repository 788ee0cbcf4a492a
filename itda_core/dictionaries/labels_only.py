"""A dictionary's labels without its atoms: a few kilobytes from which it can be built again wherever its corpus is.

The file is JSON packed by gzip. It holds no text of the corpus and no vector: what the dictionary was grown from and
how, and for each label the place it names. `provenance` reads the words again from the corpus, rebuilding.rebuild the
atoms from a model's activations, the same model's or another's.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from itda_core.arguments import user_path
from itda_core.dictionaries.config import TrainConfig
from itda_core.dictionaries.provenance import CONTEXT_AFTER, CONTEXT_BEFORE, DTYPES, MOST_NUMBER, check
from itda_core.dictionaries.spec import DictionarySpec
from itda_core.dictionaries.storage.description import check_spec, check_stats, config_of
from itda_core.errors import UserError
from itda_core.files import finite, parse_json, read_bytes, shown, write_bytes

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from itda_core.dictionaries.dictionary import AtomDictionary
    from itda_core.dictionaries.storage.dictionary_folder import Labelling
    from itda_core.text.corpus import Corpus

FORMAT, FORMAT_VERSION = "itda-labels", 1
SUFFIX = ".labels.json.gz"
STATS = (  # of a dictionary's statistics, those that tell of its labels
    *("tokens", "windows", "passes", "norm_median", "sinks_left_out", "threshold_cosine", "duplicate_atoms"),
    *("mean_relative_error", "fvu", "relative_error", "fvu_tokens", "fvu_text"),
)
PLACE = ("atom", "order", "document", "window_start", "position", "token_id", "char_start", "char_end", "error")
ERROR_PARTS = 1000  # an error is kept to a thousandth

_NUMBERS = tuple(name for name in PLACE if name != "error")
_DIFFERENCES = ("atom", "order", "document", "position", "char_end")  # kept as differences from the label before
_MOST_BYTES = 64 * 2**20  # unpacked; a million labels take half of it
_REMEDY = "get it again, or export the dictionary anew (itda library export --labels-only)."


@dataclass(frozen=True, eq=False)
class LabelsOnly:
    """The labels of a dictionary. `places` has one row per label and the columns PLACE, as a provenance has them."""

    spec: DictionarySpec
    config: TrainConfig
    stats: dict[str, Any]  # of STATS, those the dictionary had
    places: pd.DataFrame
    path: Path | None = None

    def __len__(self) -> int:
        """Atoms."""
        return int(self.places["atom"].to_numpy().max()) + 1

    def __repr__(self) -> str:
        layer = "" if self.spec.layer is None else f" layer {self.spec.layer}"
        return f"LabelsOnly({len(self)} atoms of {self.spec.model}{layer} {self.spec.site})"

    @classmethod
    def of(cls, dictionary: AtomDictionary | Labelling) -> LabelsOnly:
        """The labels of a dictionary that is at hand, with or without its atoms."""
        stats = {name: dictionary.stats[name] for name in STATS if name in dictionary.stats}
        places = dictionary.provenance.loc[:, list(PLACE)].reset_index(drop=True)
        return cls(dictionary.spec, dictionary.config, stats, places, dictionary.path)

    def check_corpus(self, corpus: Corpus) -> None:
        """Raises UserError unless `corpus` has the text of the labels."""
        if corpus.fingerprint != self.spec.corpus_fingerprint:
            raise UserError(
                f"The text of corpus {corpus.id} is not the one these labels come from ({self.spec.corpus}); "
                "give the same file, unchanged."
            )

    def provenance(self, corpus: Corpus) -> pd.DataFrame:
        """The dictionary's whole provenance, its words read again from the corpus; errors are rounded.

        Raises UserError when `corpus` has another text, or lacks a place that a label names.
        """
        self.check_corpus(corpus)
        spans = zip(self.places["char_start"].tolist(), self.places["char_end"].tolist(), strict=True)
        wanted: dict[str, list[tuple[int, int, int]]] = {}  # row, char_start, char_end
        for row, (document, (start, end)) in enumerate(zip(self.places["document"].tolist(), spans, strict=True)):
            wanted.setdefault(document, []).append((row, start, end))
        words = {name: [""] * len(self.places) for name in ("token", "context_before", "context_after")}
        for document in corpus:
            for row, start, end in wanted.pop(document.id, ()):
                if end > len(document.text):
                    raise UserError(
                        f"A label names characters {start} to {end} of document {document.id}, which has "
                        f"{len(document.text)}; the labels are damaged: {_REMEDY}"
                    )
                words["token"][row] = document.text[start:end]
                words["context_before"][row] = document.text[max(0, start - CONTEXT_BEFORE) : start]
                words["context_after"][row] = document.text[end : end + CONTEXT_AFTER]
            if not wanted:
                break
        if wanted:
            raise UserError(
                f"Corpus {corpus.id} has no document {next(iter(wanted))[:80]!r}; the labels are damaged: {_REMEDY}"
            )
        return check(self.places.assign(**words), len(self), "the labels")


def write_labels(dictionary: AtomDictionary | LabelsOnly, path: str | Path) -> Path:
    """Write the labels of `dictionary` as the file `path`, in one rename; equal labels make equal files. Returns
    `path`. Raises UserError when it exists, cannot be written, or the disk is full.
    """
    import numpy as np

    path = user_path(path)
    if path.exists():
        raise UserError(f"{shown(path)} exists already; choose another name or remove it first.")
    labels = dictionary if isinstance(dictionary, LabelsOnly) else LabelsOnly.of(dictionary)
    places = labels.places
    documents = list(dict.fromkeys(places["document"].tolist()))
    number = {document: i for i, document in enumerate(documents)}
    columns: dict[str, np.ndarray] = {name: places[name].to_numpy() for name in PLACE if name != "document"}
    columns["document"] = np.array([number[document] for document in places["document"].tolist()])
    columns["error"] = np.rint(columns["error"].clip(0, 1) * ERROR_PARTS).astype(np.int64)
    columns["char_start"] = columns["char_end"] - columns["char_start"]  # a token's length packs better
    packed = {name: np.diff(values, prepend=0) if name in _DIFFERENCES else values for name, values in columns.items()}
    description = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "spec": labels.spec.to_dict(),
        "config": labels.config.to_dict(),
        "stats": finite(labels.stats),
        "documents": documents,
        "labels": {name: packed[name].tolist() for name in PLACE},
    }
    text = json.dumps(description, separators=(",", ":"), allow_nan=False)
    write_bytes(path, gzip.compress(text.encode(), 9, mtime=0))
    path.chmod(0o644)  # readable by everyone, as it is made to be shared
    return path


def read_labels(path: str | Path) -> LabelsOnly:
    """The labels in the file `path`, everything checked.

    Raises UserError when it is missing, no such file, of another format version, or damaged in any way.
    """
    path = user_path(path)
    description = _unpacked(path)
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise UserError(
            f"{shown(path)} does not hold the labels of a dictionary; choose a file NAME{SUFFIX} that itda wrote."
        )
    if description.get("format_version") != FORMAT_VERSION:
        raise UserError(
            f"{shown(path)} has format version {shown(description.get('format_version'))[:40]}, this program reads "
            f"{FORMAT_VERSION}; update itda-studio or export it anew."
        )
    for key, kind in (("spec", dict), ("config", dict), ("stats", dict), ("documents", list), ("labels", dict)):
        if not isinstance(description.get(key), kind):
            raise UserError(f"{shown(path)} is damaged ({key!r} is missing or of a wrong type); {_REMEDY}")
    check_spec(path, description["spec"])
    stats = {name: value for name, value in description["stats"].items() if name in STATS}
    check_stats(path, stats)
    for name in ("tokens", "windows"):  # they say which part of the corpus the labels are from
        if name in stats and stats[name] is None:
            raise UserError(f"{shown(path)} is damaged (stats.{name} is None, not a number); {_REMEDY}")
    config = config_of(path, description["config"])
    places = _places(path, description["documents"], description["labels"])
    return LabelsOnly(DictionarySpec.from_dict(description["spec"]), config, stats, places, path)


def _unpacked(path: Path) -> Any:
    if not path.is_file():
        raise UserError(f"{shown(path)} does not exist or is no file; check the path.")
    packed = read_bytes(path, _MOST_BYTES)
    unpacking = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)  # gzip's framing, its checksum compared
    try:
        text = unpacking.decompress(packed, _MOST_BYTES + 1)
    except zlib.error as error:
        raise UserError(
            f"{shown(path)} does not hold the labels of a dictionary (not packed by gzip: {error})."
        ) from None
    if len(text) > _MOST_BYTES:
        raise UserError(
            f"{shown(path)} unpacks to over {_MOST_BYTES // 2**20} MiB, more than any labels; it is not read."
        )
    if not unpacking.eof or unpacking.unused_data:
        raise UserError(f"{shown(path)} is damaged (it is cut off, or something was added); {_REMEDY}")
    return parse_json(text, path, strict=True, wide=True, remedy=_REMEDY)


def _places(path: Path, documents: list[Any], labels: dict[str, Any]) -> pd.DataFrame:
    """The frame `LabelsOnly.places`, or UserError."""
    import numpy as np
    import pandas as pd

    if not all(isinstance(document, str) for document in documents) or len(set(documents)) < len(documents):
        raise UserError(f"{shown(path)} is damaged (document ids that are no text, or twice the same); {_REMEDY}")
    if set(labels) != set(PLACE):
        raise UserError(
            f"{shown(path)} is damaged (labels have columns {shown(', '.join(sorted(labels)))[:200]}); {_REMEDY}"
        )
    columns = {name: _whole_numbers(path, name, labels[name]) for name in PLACE}
    if len({len(values) for values in columns.values()}) != 1 or not len(columns["atom"]):
        raise UserError(f"{shown(path)} is damaged (no labels, or columns of different lengths); {_REMEDY}")
    columns |= {name: np.cumsum(columns[name]) for name in _DIFFERENCES}
    length = columns["char_start"]
    columns["char_start"] = columns["char_end"] - length
    sound = {
        "atom": columns["atom"].min() == 0 and len(np.unique(columns["atom"])) == columns["atom"].max() + 1,
        "document": columns["document"].min() >= 0 and columns["document"].max() < len(documents),
        "window_start": bool((columns["window_start"] <= columns["char_end"]).all()),
        "char_start": length.min() >= 0,
        "error": columns["error"].min() >= 0 and columns["error"].max() <= ERROR_PARTS,
        **{name: columns[name].min() >= 0 for name in ("order", "position", "token_id")},
    }
    sound["window_start"] &= columns["window_start"].min() >= 0
    sound["char_start"] &= columns["char_start"].min() >= 0
    sound |= {name: sound.get(name, True) and columns[name].max() < MOST_NUMBER for name in _NUMBERS}
    if wrong := [name for name, fine in sound.items() if not fine]:
        raise UserError(f"{shown(path)} is damaged (column {', '.join(wrong)} is out of bounds); {_REMEDY}")
    frame = pd.DataFrame({name: columns[name] for name in PLACE})
    frame["document"] = np.array(documents, dtype=object)[columns["document"]]
    frame["error"] = columns["error"] / ERROR_PARTS
    return frame.astype({name: DTYPES[name] for name in PLACE})


def _whole_numbers(path: Path, name: str, values: Sequence[Any]) -> np.ndarray:
    """(n_labels,) int64, none so large that sums of them would not fit."""
    import numpy as np

    if not isinstance(values, list) or not all(type(value) is int and abs(value) < MOST_NUMBER for value in values):
        raise UserError(f"{shown(path)} is damaged (column {name} is not one of whole numbers); {_REMEDY}")
    return np.array(values, dtype=np.int64)
