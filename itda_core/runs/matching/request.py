"""The request for a study of layer matching: the same for the command line, a page and a job's worker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from itda_core.arguments import one_of
from itda_core.comparison.measures.table import ANCHORS, MEASURES, check_measures
from itda_core.dictionaries.config import SELECTIONS, SINKS, TrainConfig
from itda_core.errors import UserError
from itda_core.models.spec import ModelSpec
from itda_core.runs.jobs.request_fields import JobRequest, Option, layers_option, one_option, parts
from itda_core.runs.jobs.request_options import (
    CONFIG,
    CORPUS,
    DEFAULT_SITE,
    SETTINGS,
    ModelSettings,
    absolute_if_local,
    few,
)

TOKENS = 20_000
# Dictionaries of the bundled models match best near these (assets/docs/comparing.md); k=8 suits their width of 128.
DICTIONARIES = TrainConfig(tokens=TOKENS, k=8)

_MODELS = Option(
    "demo:0 ... demo:4, local folders, Hub ids.", metavar="MODEL...", argument=True, located=absolute_if_local
)
_LAYERS = layers_option("For example 0,2-4, or all, if the models have equally many.", shown="all")
_SITE = Option("resid_post, resid_pre, attn_out, mlp_out or a module path.")
_MEASURES = Option(f"{', '.join(MEASURES)}; all of them if left out.", metavar="M[,M...]", shown=None)
_ANCHORS = Option("Anchor tokens, by which relative representations and codes describe the others.")
_HELP = {
    "tokens": "Tokens to compare on, the first of the corpus.",
    "k": "Atoms per token, while dictionaries grow.",
    "selection": f"{one_of(SELECTIONS)}, see itda train.",
    "threshold": "Error above which an activation becomes an atom, see itda train.",
    "atoms": "Stop growing at this many atoms, see itda train.",
    "sinks": f"Leave out attention sinks: tokens with norms above this many medians (default {SINKS:g}; 0: none).",
    "seed": "Seed of the anchors and of selections that draw at random.",
}
_CONFIG: Mapping[str, Option] = MappingProxyType(
    {name: replace(option, help=_HELP.get(name, option.help)) for name, option in CONFIG.items()}
)


@dataclass(frozen=True)
class MatchRequest(JobRequest, ModelSettings):
    """Several models to be matched, layer by layer, on one text by several measures of similarity."""

    COMMAND = "match"
    CALLED = "matching request"
    WRITTEN = ("models", "corpus", "layers", "measures", *_CONFIG, "site", "anchors", *SETTINGS)

    models: tuple[str, ...] = field(metadata=one_option(_MODELS))  # demo:0 .. demo:4, local folders or Hub ids
    corpus: str = field(metadata=one_option(CORPUS))  # what Corpus.open takes
    # The configuration of ITDA's dictionaries; all measures use its text.
    config: TrainConfig = field(default_factory=lambda: DICTIONARIES, metadata=parts(_CONFIG, whole=False))
    layers: tuple[int, ...] | None = field(default=None, metadata=one_option(_LAYERS))  # 0-based; None: every layer
    site: str = field(default=DEFAULT_SITE, metadata=one_option(_SITE))
    measures: tuple[str, ...] = field(default=MEASURES, metadata=one_option(_MEASURES))
    anchors: int = field(default=ANCHORS, metadata=one_option(_ANCHORS))  # of relative representations and soft codes

    def __post_init__(self) -> None:
        """Raises UserError for what cannot work whatever the models are."""
        if len(self.models) < 2:
            raise UserError(f"{len(self.models)} model(s) cannot be matched; name at least two.", field="models")
        check_measures(self.measures)
        if self.anchors < 1:
            raise UserError(f"anchors={self.anchors} leaves nothing to compare with; give 1 or more, say {ANCHORS}.")

    def about(self) -> str:
        """The models and the text."""
        return f"{few(self.models)}, {Path(self.corpus).name}"

    def specs(self) -> list[ModelSpec]:
        """The models with how they are loaded. Raises UserError for a device or dtype that does not exist."""
        return [self.spec(name) for name in self.models]
