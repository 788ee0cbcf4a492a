"""The request for a training: the same for the command line, a page and a job's worker."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from itda_core.dictionaries.config import EXTENDED, LOOSENED, TrainConfig
from itda_core.errors import UserError
from itda_core.files.paths import storable
from itda_core.models.spec import ModelSpec
from itda_core.runs.jobs.request_fields import JobRequest, Option, layers_option, one_option, parts
from itda_core.runs.jobs.request_options import CONFIG, CORPUS, DEFAULT_SITE, LIBRARY, SETTINGS, SPEC
from itda_core.runs.library import Library
from itda_core.runs.names import check_name


def _layers_of_site(given: Mapping[str, Any]) -> tuple[int, ...]:
    """The layer in the site's name. Raises UserError where it holds none."""
    from itda_core.models.sites import KINDS, Site

    site = given["site"]
    named = None if site in KINDS or "{layer}" in site else Site.parse(site).layer
    if named is None:
        raise UserError("No layers were named; give --layers, for example --layers 0,2-4 or --layers all.")
    return (named,)


def _absolute_if_dictionary(name: str, _: Library) -> str:
    """`name`, made absolute when it is a dictionary's folder; what a library calls a dictionary is kept."""
    path = os.path.expanduser(name)
    return storable(os.path.abspath(path)) if os.path.isfile(os.path.join(path, "dictionary.json")) else name


_LAYERS = layers_option("For example 0,2-4, or all. Needed unless the site names its layer.", missing=_layers_of_site)
_SITE = Option("resid_post, resid_pre, attn_out, mlp_out, blocks.2.hook_resid_post or a module path.")
_INITIAL = Option(
    "Begin with the atoms of this dictionary, a name in the library or a folder, of the same model, site and corpus "
    f"({' and '.join(EXTENDED)} only); once for each layer that is to have one.",
    metavar="DICTIONARY",
    repeated=True,
    located=_absolute_if_dictionary,
    added=True,
    dictionaries=True,
)
_NAME = Option(
    "What the dictionary is called in the library; of several layers each has -L and its number behind it. Left out, "
    "it is called by its model, layer and site.",
    added=True,
)
_KEEP_ACTIVATIONS = Option(
    "Write the activations to disk; later trainings on the same text read them instead of running the model (itda "
    "library activations lists and removes them).",
    added=True,
)


@dataclass(frozen=True)
class TrainRequest(JobRequest):
    """One training: dictionaries of several layers of one model, grown on one corpus in one pass."""

    COMMAND = "train"
    CALLED = "training request"
    WRITTEN = (
        "model",
        "layers",
        "corpus",
        "site",
        *CONFIG,
        *SETTINGS,
        "name",
        "library",
        "initial",
        "keep_activations",
    )

    model: ModelSpec = field(metadata=parts(SPEC))
    layers: tuple[int, ...] | None = field(metadata=one_option(_LAYERS))  # 0-based; None: every layer
    corpus: str = field(metadata=one_option(CORPUS))  # what Corpus.open takes
    config: TrainConfig = field(default_factory=TrainConfig, metadata=parts(CONFIG, whole=False))
    site: str = field(default=DEFAULT_SITE, metadata=one_option(_SITE))
    # The folder the dictionaries go to; None: the user's library.
    library: str | None = field(default=None, metadata=one_option(LIBRARY))
    # Dictionaries to begin with, at most one per layer: names in the library or folders.
    initial: tuple[str, ...] = field(default=(), metadata=one_option(_INITIAL))
    # Whether to keep the activations for the next training on the same text.
    keep_activations: bool = field(default=False, metadata=one_option(_KEEP_ACTIVATIONS))

    # What the dictionary is called, or what the names of those of several layers begin with; None: by the library.
    name: str | None = field(default=None, metadata=one_option(_NAME))

    def __post_init__(self) -> None:
        """Raises UserError for a name that no dictionary can have, which would lead out of the library."""
        if self.name is not None:
            object.__setattr__(self, "name", check_name(self.name))  # frozen; white space around it is left out

    @property
    def one_layer(self) -> bool:
        """Whether it makes one dictionary, as far as the request tells."""
        return self.layers is not None and len(self.layers) == 1

    def name_of(self, layer: int | None) -> str | None:
        """What the dictionary of `layer` is to be called; None where the library names it."""
        if self.name is None or layer is None or self.one_layer:
            return self.name
        return f"{self.name}-L{layer}"

    def about(self) -> str:
        """The model and the text."""
        return f"{self.model.name}, {Path(self.corpus).name}"

    def key(self) -> str:
        """Twelve hexadecimal digits, equal where an unfinished run of one request can be continued by the other.

        Where the result is put, and what merely changes how the model is fetched or where it runs, does not count; nor
        do the settings that a training may loosen on its way (TrainConfig.goes_on_from).
        """
        value = self.resolved().to_dict()
        model, config = value["model"], value["config"]
        if self.config.rule.extends:
            config = {name: setting for name, setting in config.items() if name not in LOOSENED}
        counted = {
            "model": [model["name"], model["revision"], model["dtype"]],
            "layers": value["layers"],
            "corpus": value["corpus"],
            "config": config,
            "site": value["site"],
        }
        if self.initial:
            counted["initial"] = value["initial"]
        return hashlib.sha256(json.dumps(counted, sort_keys=True).encode()).hexdigest()[:12]
