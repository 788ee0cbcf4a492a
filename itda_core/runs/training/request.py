"""What a training is asked to do: the same thing for the command line, a page and a job's worker."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from itda_core.dictionaries.config import LOOSENED, TrainConfig
from itda_core.errors import UserError
from itda_core.files.dataclass_schema import read_as
from itda_core.files.paths import expanded, storable
from itda_core.models.spec import ModelSpec
from itda_core.runs.layers import format_layers, parse_layers

DEFAULT_SITE = "resid_post"


@dataclass(frozen=True)
class TrainRequest:
    """One training: dictionaries of several layers of one model, grown on one corpus in one pass."""

    model: ModelSpec
    layers: tuple[int, ...] | None  # 0-based; None: every layer
    corpus: str  # what Corpus.open takes
    config: TrainConfig = field(default_factory=TrainConfig)
    site: str = DEFAULT_SITE
    library: str | None = None  # the folder the dictionaries go to; None: the user's library
    initial: tuple[str, ...] = ()  # dictionaries to begin with, at most one per layer: names in the library or folders
    keep_activations: bool = False  # write down what the model gives, for the next training on the same text

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; `from_dict` gives the same request again."""
        return {
            "model": asdict(self.model),
            "layers": format_layers(self.layers),
            "corpus": self.corpus,
            "config": asdict(self.config),
            "site": self.site,
            "library": self.library,
            "initial": list(self.initial),
            "keep_activations": self.keep_activations,
        }

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> TrainRequest:
        """Raises UserError for keys that no request has, for those that are missing, and for values of another type."""
        what = "training request"
        if isinstance(value, dict):
            value = {"keep_activations": False, "initial": [], **value}  # older requests do not say
            if isinstance(value.get("model"), dict):
                value["model"] = {"placement": "auto", **value["model"]}
        return read_as(cls, value, what, made=layers_and_config(value, what))

    def resolved(self) -> TrainRequest:
        """The same request with absolute paths, so that it means the same in every working directory."""
        return replace(
            self,
            model=replace(self.model, name=absolute_if_local(self.model.name)),
            corpus=absolute_if_local(self.corpus),
            library=absolute_library(self.library),
            initial=tuple(_absolute_if_dictionary(name) for name in self.initial),
        )

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

    def arguments(self) -> list[str]:
        """The arguments of `itda train` that ask for this; what equals its default is left out."""
        model, config = self.model, self.config
        default_model, default_config = ModelSpec("demo:0"), TrainConfig()
        default_threshold = default_config.threshold if config.selection == default_config.selection else None
        arguments = [model.name, "--layers", format_layers(self.layers), "--corpus", self.corpus]
        if self.site != DEFAULT_SITE:
            arguments += ["--site", self.site]
        for name in (setting.name for setting in fields(TrainConfig)):
            value, default = getattr(config, name), getattr(default_config, name)
            if name == "threshold":
                default = default_threshold
            elif name == "sinks" and (value is None or config.rule.keeps_sinks):
                value, default = 0, (0 if config.rule.keeps_sinks else default)
            arguments += option(name, value, default)
        for name in ("revision", "device", "dtype", "offline", "trust_remote_code", "placement"):
            arguments += option(name, getattr(model, name), getattr(default_model, name))
        if self.library is not None:
            arguments += ["--library", self.library]
        for name in self.initial:
            arguments += ["--initial", name]
        return arguments + option("keep_activations", self.keep_activations, False)

    def command(self) -> str:
        """The same training as a line for a terminal."""
        return shlex.join(["itda", "train", *self.arguments()])


def absolute_if_local(name: str) -> str:
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


def absolute_library(folder: str | None) -> str | None:
    """The folder of another library, made absolute; None for the user's. Raises UserError for a `~` without a home."""
    return None if folder is None else storable(expanded(folder).absolute())


def _absolute_if_dictionary(name: str) -> str:
    """`name`, made absolute when it is a dictionary's folder; what a library calls a dictionary is kept."""
    path = os.path.expanduser(name)
    return storable(os.path.abspath(path)) if os.path.isfile(os.path.join(path, "dictionary.json")) else name


def option(name: str, value: object, default: object) -> list[str]:
    """A setting as an option of the command line, `[]` where it has its default."""
    if value == default:
        return []
    flag = "--" + name.replace("_", "-")
    return [flag] if value is True else [flag, str(value)]


def layers_and_config(value: object, what: str) -> dict[str, Any]:
    """What a request read from JSON says of its layers and its dictionaries' settings, as far as it has these keys.

    Settings that it lacks have their default: older requests do not say them. Raises UserError for what cannot be read.
    """
    if not isinstance(value, dict):
        return {}
    made: dict[str, Any] = {}
    if "layers" in value:
        made["layers"] = read_layers(value["layers"], what)
    if "config" in value:
        made["config"] = read_as(TrainConfig, value["config"], f"{what}'s config", whole=False)
    return made


def read_layers(value: object, what: str) -> tuple[int, ...] | None:
    """Layers as format_layers wrote them. Raises UserError for anything else."""
    if not isinstance(value, str):
        raise UserError(f"The {what}'s layers are not text such as 0,2-4; mend that or make it anew.")
    return parse_layers(value)
