"""What a transfer of labels is asked to do: the same thing for the command line, a page and a job's worker."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from itda_core.comparison.label_transfer.transfer import DRAWS, TOKENS, check_labels, check_wishes
from itda_core.errors import UserError
from itda_core.files.dataclass_schema import read_as
from itda_core.files.paths import storable
from itda_core.models.spec import ModelSpec
from itda_core.runs.layers import existing_layers, format_layers
from itda_core.runs.library import Library
from itda_core.runs.rebuilding import open_labels
from itda_core.runs.training.request import absolute_if_local, absolute_library, option, read_layers

if TYPE_CHECKING:
    from itda_core.dictionaries import LabelsOnly

OWN_LAYERS = "own"  # each layer of which there are labels


@dataclass(frozen=True)
class TransferRequest:
    """Labels of one model, to be rebuilt and measured in another."""

    labels: tuple[str, ...]  # dictionaries, by name in the library or folder, or files of labels alone
    model: ModelSpec  # into which
    layers: tuple[int, ...] | Literal["own"] | None = OWN_LAYERS  # of that model, 0-based; None: every layer
    ks: tuple[int, ...] = ()  # empty: the labels' own
    method: str | None = None  # None: the labels' own
    own: tuple[str, ...] = ()  # dictionaries of that model; for other layers they are looked for in the library
    corpus: str | None = None  # where the labels' text is now; None: where they say
    held_out: str | None = None  # another text to measure on; None: what follows the labels'
    tokens: int = TOKENS  # to measure on
    draws: int = DRAWS  # random dictionaries to compare with
    seed: int = 0  # of these
    library: str | None = None  # the folder names are looked up in; None: the user's library

    def __post_init__(self) -> None:
        """Raises UserError for what cannot work whatever the labels and the model are."""
        if not self.labels:
            raise UserError("No labels were named; name at least one dictionary.")
        check_wishes(self.ks, self.method, self.tokens, self.draws)
        if self.seed < 0:
            raise UserError(f"seed={self.seed} is less than 0; give the seed of the draws, for example 0.")

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; `from_dict` gives the same request again."""
        return {**asdict(self), "layers": self._layers()}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> TransferRequest:
        """Raises UserError for keys that no request has, for those that are missing, and for values of another type."""
        what, made = "transfer request", {}
        if isinstance(value, dict) and value.get("layers", OWN_LAYERS) != OWN_LAYERS:
            made["layers"] = read_layers(value["layers"], what)
        return read_as(cls, value, what, made=made)

    def resolved(self) -> TransferRequest:
        """The same request with absolute paths, so that it means the same in every working directory.

        Raises UserError for a dictionary that does not exist.
        """
        library = Library(self.library)
        return replace(
            self,
            labels=tuple(_absolute(name, library) for name in self.labels),
            model=replace(self.model, name=absolute_if_local(self.model.name)),
            own=tuple(str(library.find(name)) for name in self.own),
            corpus=None if self.corpus is None else absolute_if_local(self.corpus),
            held_out=None if self.held_out is None else absolute_if_local(self.held_out),
            library=absolute_library(self.library),
        )

    def arguments(self) -> list[str]:
        """The arguments of `itda transfer` that ask for this; what equals its default is left out."""
        arguments = [*self.labels, self.model.name]
        arguments += option("layers", self._layers(), OWN_LAYERS)
        arguments += option("k", ",".join(map(str, self.ks)), "")
        for name in self.own:
            arguments += ["--own", name]
        default = TransferRequest(self.labels, self.model)
        for name in ("method", "corpus", "held_out", "tokens", "draws", "seed", "library"):
            arguments += option(name, getattr(self, name), getattr(default, name))
        for name in ("revision", "device", "dtype", "offline", "trust_remote_code", "placement"):
            arguments += option(name, getattr(self.model, name), getattr(ModelSpec(self.model.name), name))
        return arguments

    def command(self) -> str:
        """The same transfer as a line for a terminal."""
        return shlex.join(["itda", "transfer", *self.arguments()])

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

    def _layers(self) -> str:
        return self.layers if isinstance(self.layers, str) else format_layers(self.layers)


def _absolute(labels: str, library: Library) -> str:
    path = os.path.expanduser(labels)
    return storable(os.path.abspath(path) if os.path.isfile(path) else library.find(labels))
