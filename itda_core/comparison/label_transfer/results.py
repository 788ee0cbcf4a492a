"""What a transfer of labels found: one cell for each dictionary's labels, site and k, and the table of them all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from itda_core.errors import UserError
from itda_core.files.dataclass_schema import read_as

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Transfer:
    """The labels of one dictionary in one site of another model, at one k.

    FVU is the fraction of variance unexplained of the held-out tokens, relative error the mean of |x - x_hat|^2 /
    |x|^2 (x after centring, if centred), l0 the mean number of distinct atoms per token.
    """

    labels: str  # whose they are, for people
    labels_layer: int | None
    model: str  # in which they were rebuilt
    layer: int | None
    site: str
    k: int
    method: str
    atoms: int  # of the rebuilt dictionary, and of each random one
    comparable: float  # of the labels, how many could be used, 0 to 1
    tokens: int  # measured on
    fvu: float | None
    relative_error: float | None
    l0: float | None
    own_atoms: int | None  # of the model's own dictionary at the site; None where none was given
    own_fvu: float | None
    own_relative_error: float | None
    own_l0: float | None
    random_fvu: float | None  # mean over the draws
    random_sd: float | None  # their standard deviation; None for fewer than two
    random_relative_error: float | None
    random_l0: float | None
    places: int | None = None  # of the labels, that the rebuilt atoms are made of; more than one each of a consensus

    @property
    def gain(self) -> float | None:
        """How far the labels go from chance to the model's own dictionary: 0 as a random draw, 1 as its own; below 0
        worse than a draw. None where the own dictionary is missing, or does not do better than the draws by more than
        two of their standard deviations, which leaves nothing to gain.
        """
        if self.fvu is None or self.own_fvu is None or self.random_fvu is None:
            return None
        difference = self.random_fvu - self.own_fvu
        return None if difference <= 2 * (self.random_sd or 0.0) else (self.random_fvu - self.fvu) / difference

    @property
    def below_random(self) -> float | None:
        """The part that the labels explain of what random places leave unexplained: 1 - FVU / random FVU, below 0
        where they are worse. Unlike `gain` it needs no dictionary of the model's own. None without draws.
        """
        return None if self.fvu is None or not self.random_fvu else 1 - self.fvu / self.random_fvu

    @property
    def place(self) -> str:
        """Where in the model, for people."""
        return self.site if self.layer is None else f"layer {self.layer}"

    @property
    def labels_place(self) -> str:
        """The layer of the labels; where there is none, the name of their dictionary."""
        return self.labels if self.labels_layer is None else f"layer {self.labels_layer}"

    def to_dict(self) -> dict[str, Any]:
        """JSON-able: the fields and `gain`; `from_dict` gives the same again."""
        return {**vars(self), "gain": self.gain}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Transfer:
        """Raises UserError for what `to_dict` did not make."""
        return read_as(cls, _without_gain(value), "transfer")


@dataclass(frozen=True)
class TransferTable:
    """Several dictionaries' labels in several sites of one model, all on the same held-out tokens."""

    model: str
    corpus: str
    held_out: str  # name of the corpus of the held-out tokens
    tokens: int
    draws: int
    cells: tuple[Transfer, ...]  # labels by labels, for each site by site, for each all k

    @property
    def ks(self) -> tuple[int, ...]:
        """Those that were measured, ascending."""
        return tuple(sorted({cell.k for cell in self.cells}))

    def at(self, k: int) -> list[Transfer]:
        """The cells of one k. Raises UserError when nothing was measured there."""
        found = [cell for cell in self.cells if cell.k == k]
        if not found:
            raise UserError(f"k={k} was not measured; choose among {', '.join(map(str, self.ks))}.")
        return found

    def paired(self, k: int) -> list[Transfer]:
        """The cells at k of labels that went into the layer they are of; for a layer of which there are no labels,
        those that explain it best. Raises UserError when nothing was measured at that k.
        """
        by_place: dict[str, list[Transfer]] = {}
        for cell in self.at(k):
            by_place.setdefault(cell.place, []).append(cell)
        found: list[Transfer] = []
        for cells in by_place.values():
            alike = [cell for cell in cells if cell.labels_layer == cell.layer]
            found += alike or [min(cells, key=lambda cell: float("inf") if cell.fvu is None else cell.fvu)]
        return found

    def matrix(self, figure: str, k: int) -> np.ndarray:
        """(n_labels, n_sites) float64 of one field or figure of Transfer (such as `gain`) at k; NaN where it is None.

        Raises UserError when nothing was measured at that k.
        """
        import numpy as np

        at = self.at(k)
        n_sites = len(_sites(at))
        values = [getattr(cell, figure) for cell in at]
        return np.array([np.nan if value is None else value for value in values], dtype=float).reshape(-1, n_sites)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; `from_dict` gives the same table again."""
        return {**vars(self), "cells": [cell.to_dict() for cell in self.cells]}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> TransferTable:
        """Raises UserError for what `to_dict` did not make."""
        if isinstance(value, dict) and isinstance(value.get("cells"), list):
            value = {**value, "cells": [_without_gain(cell) for cell in value["cells"]]}
        table = read_as(cls, value, "transfer table")
        uneven = any(len(table.at(k)) % len(_sites(table.at(k))) for k in table.ks)
        if not table.cells or uneven or any(cell.own_atoms is None != cell.own_fvu is None for cell in table.cells):
            raise UserError("The transfer table lacks cells, or figures of them; make it anew.")
        return table


class TransferStep(NamedTuple):
    """Where the making of a table stands."""

    step: str  # what is being done
    share: float  # of that step, 0 to 1
    table: TransferTable | None = None  # on the last one only


def _sites(cells: Sequence[Transfer]) -> set[tuple[int | None, str]]:
    """The places that labels were rebuilt in."""
    return {(cell.layer, cell.site) for cell in cells}


def _without_gain(value: object) -> object:
    """The fields without `gain`, which follows from them."""
    return {name: v for name, v in value.items() if name != "gain"} if isinstance(value, dict) else value
