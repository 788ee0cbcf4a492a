"""The request for a transfer of labels: the same for the command line, a page and a job's worker."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from itda_core.arguments import one_of
from itda_core.comparison.label_transfer.transfer import DRAWS, TOKENS, check_labels, check_options
from itda_core.dictionaries.config import METHODS
from itda_core.errors import UserError
from itda_core.files.paths import storable
from itda_core.models.spec import ModelSpec
from itda_core.runs.jobs.request_fields import JobRequest, Option, layers_option, one_option, parts, read_layers
from itda_core.runs.jobs.request_options import (
    KS,
    LABELS_TEXT,
    LIBRARY,
    SETTINGS,
    SPEC,
    absolute_if_local,
    at_ks,
    dictionary_folder,
    few,
)
from itda_core.runs.layers import existing_layers, format_layers
from itda_core.runs.library import Library
from itda_core.runs.rebuilding import open_labels

if TYPE_CHECKING:
    from itda_core.dictionaries import LabelsOnly

OWN_LAYERS = "own"  # each layer of which there are labels


def _layers_text(layers: Any) -> str:
    return layers if isinstance(layers, str) else format_layers(layers)


def _absolute_labels(labels: str, library: Library) -> str:
    """Raises UserError for a dictionary that does not exist."""
    path = os.path.expanduser(labels)
    return storable(os.path.abspath(path) if os.path.isfile(path) else library.find(labels))


_LABELS = Option(
    "Dictionaries, by name or folder, or files of labels alone.",
    metavar="LABELS...",
    argument=True,
    located=_absolute_labels,
    dictionaries=True,
)
_LAYERS = replace(
    layers_option("Layers of MODEL, for example 0,2-4, or all; those of the labels if left out.", shown=None),
    write=_layers_text,
    keep=_layers_text,
    fetch=lambda value, what: OWN_LAYERS if value == OWN_LAYERS else read_layers(value, what),
)
_OWN = Option(
    "MODEL's own dictionary of a layer; taken from the library if left out.",
    metavar="DICTIONARY",
    repeated=True,
    located=dictionary_folder,
    dictionaries=True,
)
_HELD_OUT = Option(
    "Text to measure on; what follows the labels' text if left out.", metavar="CORPUS", located=absolute_if_local
)


_KS = replace(KS, help="Atoms per token; the labels' own k if left out.")
_METHOD = Option(f"{one_of(METHODS)}; the labels' own if left out.")


@dataclass(frozen=True)
class TransferRequest(JobRequest):
    """Labels of one model, to be rebuilt and measured in another."""

    COMMAND = "transfer"
    CALLED = "transfer request"
    WRITTEN = (
        *("labels", "model", "layers", "k", "own", "method", "corpus", "held_out", "tokens", "draws", "seed"),
        *("library", *SETTINGS),
    )

    # Dictionaries, by name in the library or folder, or files of labels alone.
    labels: tuple[str, ...] = field(metadata=one_option(_LABELS))
    model: ModelSpec = field(metadata=parts(SPEC))  # into which
    # Of that model, 0-based; None: every layer.
    layers: tuple[int, ...] | Literal["own"] | None = field(default=OWN_LAYERS, metadata=one_option(_LAYERS))
    ks: tuple[int, ...] = field(default=(), metadata=one_option(_KS))
    method: str | None = field(default=None, metadata=one_option(_METHOD))
    # Dictionaries of that model; for others the library is searched.
    own: tuple[str, ...] = field(default=(), metadata=one_option(_OWN))
    # Where the labels' text is now; None: where they say.
    corpus: str | None = field(default=None, metadata=one_option(LABELS_TEXT))
    # Another text to measure on; None: what follows the labels' text.
    held_out: str | None = field(default=None, metadata=one_option(_HELD_OUT))
    tokens: int = field(default=TOKENS, metadata=one_option(Option("Tokens to measure on.")))
    draws: int = field(default=DRAWS, metadata=one_option(Option("Random dictionaries to compare with.")))
    seed: int = field(default=0, metadata=one_option(Option("Seed of the random dictionaries.")))
    # The folder names are looked up in; None: the user's library.
    library: str | None = field(default=None, metadata=one_option(LIBRARY))

    def __post_init__(self) -> None:
        """Raises UserError for what cannot work whatever the labels and the model are."""
        if not self.labels:
            raise UserError("No labels were named; name at least one dictionary.", field="labels")
        check_options(self.ks, self.method, self.tokens, self.draws)
        if self.seed < 0:
            raise UserError(f"seed={self.seed} is less than 0; give the seed of the draws, for example 0.")

    def about(self) -> str:
        """Whose labels, and the model."""
        return f"{few(self.labels)} into {Path(self.model.name).name}{at_ks(self.ks)}"

    def read_labels(self, library: Library) -> list[LabelsOnly]:
        """The labels. Raises UserError for those that do not exist, are damaged, or do not belong together."""
        labels = [open_labels(reference, library) for reference in self.labels]
        if len(kinds := {one.spec.site for one in labels}) != 1:
            raise UserError(
                f"The labels are of different sites ({', '.join(sorted(kinds))}); transfer them one at a time."
            )
        check_labels(labels, self.ks)
        return labels

    def target_layers(self, labels: Sequence[LabelsOnly], n_layers: int) -> tuple[int | None, ...]:
        """The layers of a model of `n_layers` that these labels go into; None is a site that belongs to no layer.

        Raises UserError when the model lacks one.
        """
        if not isinstance(self.layers, str):
            return existing_layers(self.layers, n_layers, self.model.name)
        own = sorted({one.spec.layer for one in labels}, key=lambda layer: -1 if layer is None else layer)
        existing_layers([layer for layer in own if layer is not None], n_layers, self.model.name)
        return tuple(own)
