"""Options that several kinds of request share: the model, the text, and how dictionaries are grown."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from itda_core.arguments import one_of, whole_number
from itda_core.dictionaries.config import METHODS, SINKS, SIZED
from itda_core.dictionaries.selections import TABLE, TERMS
from itda_core.dictionaries.threshold import RELATIVE_ERROR
from itda_core.files.paths import expanded, storable
from itda_core.models.spec import ModelSpec
from itda_core.runs.jobs.request_fields import Option, one_option
from itda_core.runs.library import Library
from itda_core.text.corpus_kinds import GRAMMAR

DEFAULT_SITE = "resid_post"
MODELS = "demo:0 ... demo:4, a local folder or a Hub id."
_NAMED = 2  # dictionaries or models; more are counted


def absolute_if_local(name: str, _: Library | None = None) -> str:
    """`name`, made absolute when it is a file or a folder on this machine (`demo`, `hf:...` and Hub ids are kept).

    A column may follow a file's path, as in `reviews.csv#body`.
    """
    if name == "demo" or name.startswith(("demo:", "hf:")):
        return name
    file, mark, column = name.rpartition("#")
    for path, rest in ((name, ""), (file, mark + column)):
        path = os.path.expanduser(path)
        if path and os.path.exists(path):
            return storable(os.path.abspath(path)) + rest
    return name


def _absolute_library(folder: str, _: Library) -> str:
    """Raises UserError for a `~` without a home."""
    return storable(expanded(folder).absolute())


def dictionary_folder(name: str, library: Library) -> str:
    """The folder of a dictionary. Raises UserError when there is none of that name."""
    return str(library.find(name))


def few(paths: Sequence[str]) -> str:
    """The names of up to two dictionaries or models; of more, the first and how many others."""
    names = [Path(path).name for path in paths]
    return ", ".join(names) if len(names) <= _NAMED else f"{names[0]} and {len(names) - 1} more"


def at_ks(ks: Sequence[int]) -> str:
    """For example ", k = 10, 20"; nothing where none was asked for."""
    return f", k = {', '.join(map(str, ks))}" if ks else ""


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """How the models that a request names are loaded; ModelSpec is the same together with a name."""

    revision: str | None = field(default=None, metadata=one_option(Option("Branch, tag or commit of a Hub id.")))
    device: str = field(default="auto", metadata=one_option(Option("auto, cpu, cuda, cuda:1 or mps.")))
    dtype: str = field(default="auto", metadata=one_option(Option("auto, float32, bfloat16 or float16.")))
    offline: bool = field(default=False, metadata=one_option(Option("Use only what is already on this machine.")))
    trust_remote_code: bool = field(default=False, metadata=one_option(Option("Run the Python code of the model.")))
    placement: str = field(
        default="auto",
        metadata=one_option(
            Option(
                "Where the weights go: memory (all on the device), spread (over GPUs, main memory and disk, by "
                "accelerate), stream (itda train only: layer by layer from disk), or auto (memory if they fit).",
                added=True,
            )
        ),
    )

    def spec(self, name: str) -> ModelSpec:
        """The model `name`, to be loaded so. Raises UserError for a device or dtype that does not exist."""
        return ModelSpec(name, **self.loading())

    def loading(self) -> dict[str, Any]:
        """These settings alone, as ModelSpec and what loads models take them."""
        return {own.name: getattr(self, own.name) for own in fields(ModelSettings)}


SETTINGS: Mapping[str, Option] = MappingProxyType({own.name: own.metadata["option"] for own in fields(ModelSettings)})
SETTINGS_SHOWN = ("device", "dtype", "revision", "offline", "trust_remote_code", "placement")  # as --help lists them
MODEL = Option(MODELS, name="model", metavar="MODEL", argument=True, located=absolute_if_local)
SPEC: Mapping[str, Option] = MappingProxyType({"name": MODEL, **SETTINGS})
LIBRARY = Option(
    "Another library than your own ($ITDA_HOME/library).", name="library", metavar="DIR", located=_absolute_library
)
CORPUS = Option(f"{GRAMMAR}.", located=absolute_if_local)
KS = Option("Atoms per token; the dictionary's own k if left out.", name="k", metavar="N[,N...]", read=whole_number)
DICTIONARY = Option(
    "A name in the library or a folder.",
    metavar="DICTIONARY",
    argument=True,
    located=dictionary_folder,
    dictionaries=True,
)
OTHER_MODEL = Option(
    "Where the dictionary's model is now; its weights must be the same.", name="model", located=absolute_if_local
)
LABELS_TEXT = Option("Where the labels' text is now.", located=absolute_if_local)
_BY_WIDTH = one_of(one.name for one in TABLE if one.by_width)
_KEEPS_SINKS = one_of(one.name for one in TABLE if one.keeps_sinks)
OWN_METHOD = f"{one_of(METHODS)}; the dictionary's own if left out."

CONFIG: Mapping[str, Option] = MappingProxyType(
    {
        "k": Option("Atoms per token."),
        "method": Option(f"The pursuit that judges: {one_of(METHODS)}."),
        "selection": Option(f"How atoms are selected: {TERMS}."),
        "threshold": Option(
            "Error above which an activation becomes an atom: relative squared error, 0 to 1 "
            f"({RELATIVE_ERROR} if left out); with --selection {_BY_WIDTH} 2 (1 - cosine) / d_model "
            f"(cosine {math.sqrt(1 - RELATIVE_ERROR):.3f} if left out).",
            shown=None,
            implied=lambda config: replace(config, threshold=None).threshold,
        ),
        "atoms": Option(f"Stop growing at this many atoms; {' and '.join(SIZED)} end with exactly that many."),
        "centre": Option("Subtract the stream's mean first."),
        "tokens": Option("Tokens to read; the whole corpus if left out."),
        "context": Option("Tokens per window."),
        "windows": Option("all windows of a document, or only the first."),
        "seed": Option("Seed of selections that draw at random."),
        "sinks": Option(
            f"Leave out attention sinks, tokens whose norm is above so many medians; {SINKS:g} if left out, 0: leave "
            f"out none (so with --selection {_KEEPS_SINKS}).",
            shown=None,
            implied=lambda config: replace(config, sinks=SINKS).sinks,
            write=lambda sinks: str(sinks or 0),
        ),
    }
)
"""The settings of a TrainConfig, as options of `itda train`."""
