"""dictionary.json: what a dictionary was grown from, how, and how well it does; every field checked as it is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any

from itda_core.dictionaries.config import TrainConfig
from itda_core.dictionaries.spec import DictionarySpec
from itda_core.dictionaries.storage.digested_files import DIGESTS, REMEDY
from itda_core.dictionaries.storage.json_schema import (
    Form,
    anything,
    check,
    listed,
    number,
    optional,
    row,
    table,
    text,
    truth,
    whole,
)
from itda_core.errors import UserError
from itda_core.files import read_json, shown

FORMAT, FORMAT_VERSION = "itda-dictionary", 1
SPECIFICATION = "dictionary.json"
RUN = "run"  # which training made it, where one did that may be resumed
MOST_BYTES = 4 * 2**20  # it has a few thousand
_FIRST_YEAR, _LAST_YEAR = 1970, 9000  # beyond, a time cannot be told in every zone
_COUNT = whole()
_LAYER = optional(whole(0, 1_000_000))

SPEC = table(
    {
        **{name: text() for name in ("model", "weights_fingerprint", "tokenizer_fingerprint", "site")},
        **{name: text() for name in ("corpus", "corpus_fingerprint")},
        "revision": optional(text()),
        "layer": _LAYER,
        "d_model": whole(1, 2**31),
    }
)
_STAGE = table(
    {
        "threshold": optional(number()),
        "atoms": optional(_COUNT),
        "tokens": optional(_COUNT),
        **dict.fromkeys(("begun", "passes", "tokens_read", "atoms_before", "atoms_added"), _COUNT),
    },
    others=anything(),
)
TOTALS = row(_COUNT, _COUNT, _COUNT, number(0), _COUNT)  # see growth.Totals
_STREAM = table(  # snapshot_of says which of them a training needs that goes on
    {},
    {
        **dict.fromkeys(("windows", "whole", "skip", "tokens", "passes", "pass_begun", "special"), _COUNT),
        "totals": TOTALS,
        "made": table(
            {}, {"dtype": text(), "windows per batch": _COUNT, "initial": optional(text())}, others=anything()
        ),
    },
    others=anything(),
)
_REBUILT = table(
    {
        **{name: text() for name in ("model", "weights_fingerprint", "site")},
        "layer": _LAYER,
        "same_tokenizer": truth(),
        **dict.fromkeys(("atoms", "labels", "atoms_left_out"), _COUNT),
        "labels_left_out": table({}, others=_COUNT),
    },
    others=anything(),
)
_INITIAL = table(
    {"name": optional(text()), "atoms": _COUNT, "selection": text(), "fingerprint": text()}, others=anything()
)
_FIGURES = ("mean_relative_error", "fvu", "relative_error", "threshold_cosine")
_COUNTS = (
    *("tokens", "windows", "fvu_tokens", "duplicate_atoms", "special_tokens_left_out", "zero_activations_left_out"),
    *("sinks_left_out", "fvu_sinks_left_out"),
)
_FORMS: dict[str, Form] = {
    **{name: optional(number()) for name in _FIGURES},
    **{name: optional(_COUNT) for name in _COUNTS},
    "norm_median": optional(number(0)),
    "seconds": number(0),
    "tokens_per_second": number(0),
    "reading": table(
        {"tokens": _COUNT, "seconds": number(0)}, {"loading": number(0), "measuring": number(0)}, others=anything()
    ),
    "fvu_text": text(),
    "passes": whole(1),
    "stages": listed(_STAGE),
    "stream": _STREAM,
    "rebuilt": _REBUILT,
    "initial": _INITIAL,
}
STATS = table({}, _FORMS, others=anything())


def read_description(path: Path) -> dict[str, Any]:
    """What dictionary.json in the folder `path` says, every field of its type and within bounds.

    Raises UserError when the folder is no dictionary, or the file is of another format version or damaged.
    """
    if not path.is_dir():
        raise UserError(f"{shown(path)} does not exist; check the path, or list what there is with itda library list.")
    file = path / SPECIFICATION
    if not file.exists() and not file.is_symlink():
        raise UserError(f"{shown(path)} is not a dictionary (it has no {SPECIFICATION}); choose a folder itda wrote.")
    description = read_json(file, most_bytes=MOST_BYTES, strict=True)
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        raise UserError(f"{shown(file)} does not describe a dictionary of atoms; choose a folder that itda wrote.")
    if description.get("format_version") != FORMAT_VERSION or description["format_version"] is True:
        version = shown(repr(description.get("format_version")))[:40]
        raise UserError(
            f"{shown(file)} has format version {version}, this program reads {FORMAT_VERSION}; "
            "update itda-studio or train it anew."
        )
    for key, kind in (("atoms", int), ("spec", dict), ("config", dict), ("stats", dict), ("created", str)):
        if not isinstance(description.get(key), kind) or isinstance(description[key], bool):
            raise UserError(f"{shown(file)} is damaged ({key!r} is missing or of a wrong type); {REMEDY}")
    check(
        description,
        table({"atoms": whole(1, 2**40), "created": text()}, {RUN: text()}, others=anything()),
        file,
        REMEDY,
    )
    check_spec(file, description["spec"])
    check_stats(file, description["stats"])
    _check_created(file, description["created"])
    check(description.get(DIGESTS, {}), table({}, others=text(64)), f"{file}: {DIGESTS}", REMEDY)
    return description


def check_spec(file: Path, spec: dict[str, Any]) -> None:
    """Raises UserError, naming `file`, unless `spec` has the fields of a DictionarySpec and no others."""
    if unknown := sorted(set(spec) - {field.name for field in fields(DictionarySpec)}):
        raise UserError(
            f"{shown(file)} is damaged (unknown keys spec.{shown(', spec.'.join(unknown))[:200]}); {REMEDY}"
        )
    check({"spec": spec}, table({"spec": SPEC}), file, REMEDY)


def check_stats(file: Path, stats: dict[str, Any]) -> None:
    """Raises UserError, naming `file`, when a figure that is computed with, or shown, is none."""
    check({"stats": stats}, table({"stats": STATS}), file, REMEDY)


def config_of(file: Path, values: Mapping[str, Any]) -> TrainConfig:
    """The settings that `file` holds. Raises UserError, naming it, for unknown ones and bad values."""
    try:
        return TrainConfig.from_dict({"sinks": None, **values})  # older ones left no sink out
    except UserError as error:
        raise UserError(f"{shown(file)} is damaged: {shown(error)}") from None


def _check_created(file: Path, created: str) -> None:
    try:
        year = datetime.fromisoformat(created).year
    except ValueError:
        year = 0
    if not _FIRST_YEAR <= year <= _LAST_YEAR:
        raise UserError(f"{shown(file)} is damaged (created is {shown(created)[:40]!r}, not a date); {REMEDY}")
