"""What a study of layer matching is asked to do: the same thing for the command line, a page and a job's worker."""

from __future__ import annotations

import shlex
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from itda_core.comparison.measures.table import ANCHORS, MEASURES, check_measures
from itda_core.dictionaries.config import TrainConfig
from itda_core.errors import UserError
from itda_core.files.dataclass_schema import read_as
from itda_core.models.spec import ModelSpec
from itda_core.runs.layers import format_layers
from itda_core.runs.training.request import DEFAULT_SITE, absolute_if_local, layers_and_config, option

TOKENS = 20_000
# Dictionaries of the bundled models match best about here (assets/docs/comparing.md); k=8 suits their width of 128.
DICTIONARIES = TrainConfig(tokens=TOKENS, k=8)


@dataclass(frozen=True)
class MatchRequest:
    """Several models to be matched, layer by layer, on one text by several measures of similarity."""

    models: tuple[str, ...]  # demo:0 .. demo:4, local folders or Hub ids
    corpus: str  # what Corpus.open takes
    config: TrainConfig = field(default_factory=lambda: DICTIONARIES)  # of ITDA's dictionaries; text for all measures
    layers: tuple[int, ...] | None = None  # 0-based; None: every layer
    site: str = DEFAULT_SITE
    measures: tuple[str, ...] = MEASURES
    anchors: int = ANCHORS  # of relative representations and soft codes
    revision: str | None = None
    device: str = "auto"
    dtype: str = "auto"
    offline: bool = False
    trust_remote_code: bool = False
    placement: str = "auto"

    def __post_init__(self) -> None:
        """Raises UserError for what cannot work whatever the models are."""
        if len(self.models) < 2:
            raise UserError(f"{len(self.models)} model(s) cannot be matched; name at least two.")
        check_measures(self.measures)
        if self.anchors < 1:
            raise UserError(f"anchors={self.anchors} leaves nothing to compare with; give 1 or more, say {ANCHORS}.")

    def specs(self) -> list[ModelSpec]:
        """The models with how they are loaded. Raises UserError for a device or dtype that does not exist."""
        return [
            ModelSpec(
                name, self.revision, self.device, self.dtype, self.offline, self.trust_remote_code, self.placement
            )
            for name in self.models
        ]

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; `from_dict` gives the same request again."""
        return {**asdict(self), "layers": format_layers(self.layers)}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> MatchRequest:
        """Raises UserError for keys that no request has, for those that are missing, and for values of another type."""
        what = "matching request"
        return read_as(cls, value, what, made=layers_and_config(value, what))

    def resolved(self) -> MatchRequest:
        """The same request with absolute paths, so that it means the same in every working directory."""
        models = tuple(absolute_if_local(name) for name in self.models)
        return replace(self, models=models, corpus=absolute_if_local(self.corpus))

    def arguments(self) -> list[str]:
        """The arguments of `itda match` that ask for this; what equals its default is left out."""
        arguments = [*self.models, "--corpus", self.corpus]
        if self.layers is not None:
            arguments += ["--layers", format_layers(self.layers)]
        if self.measures != MEASURES:
            arguments += ["--measures", ",".join(self.measures)]
        for setting in fields(TrainConfig):
            value, default = getattr(self.config, setting.name), getattr(DICTIONARIES, setting.name)
            if setting.name == "threshold" and self.config.selection != DICTIONARIES.selection:
                default = None
            elif setting.name == "sinks":
                value = 0 if value is None else value
                default = 0 if self.config.rule.keeps_sinks else default
            arguments += option(setting.name, value, default)
        names = ("site", "anchors", "revision", "device", "dtype", "offline", "trust_remote_code", "placement")
        default_request = MatchRequest(self.models, self.corpus)
        for name in names:
            arguments += option(name, getattr(self, name), getattr(default_request, name))
        return arguments

    def command(self) -> str:
        """The same study as a line for a terminal."""
        return shlex.join(["itda", "match", *self.arguments()])
