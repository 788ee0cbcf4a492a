"""Do labels carry over: one model's labels, atoms of another model at the same places, and how well these explain it.

A dictionary's labels say where in a text its model showed something of its own. Rebuilt from another model's
activations at the same prefixes, they are a dictionary of that model. Where it reconstructs the other model's held-out
activations nearly as well as that model's own dictionary, and better than a random draw of activations from the same
text, the two models single out the same places.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from itda_core.arguments import plain, plain_list
from itda_core.dictionaries.config import METHODS
from itda_core.errors import UserError
from itda_core.files.dataclass_schema import read_as

if TYPE_CHECKING:
    import numpy as np

    from itda_core.dictionaries import AtomDictionary, LabelsOnly
    from itda_core.models import LanguageModel, Site
    from itda_core.text import Corpus

TOKENS = 4096  # held out, measured on if nothing else is said
DRAWS = 3  # random dictionaries
MOST_DRAWS = 1000  # each is grown and measured: more take days, and say no more


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

    @property
    def gain(self) -> float | None:
        """How far the labels go from chance to the model's own dictionary: 0 as a random draw, 1 as its own; below 0
        worse than a draw. None where the own dictionary is missing, or does not do better than the draws by more than
        two of their standard deviations: there is no way to go.
        """
        if self.fvu is None or self.own_fvu is None or self.random_fvu is None:
            return None
        way = self.random_fvu - self.own_fvu
        return None if way <= 2 * (self.random_sd or 0.0) else (self.random_fvu - self.fvu) / way

    @property
    def below_random(self) -> float | None:
        """Of what random places leave unexplained, the part that the labels explain: 1 - FVU / random FVU, below 0
        where they are worse. Unlike `gain` it needs no dictionary of the model's own. None without draws.
        """
        return None if self.fvu is None or not self.random_fvu else 1 - self.fvu / self.random_fvu

    @property
    def place(self) -> str:
        """Where in the model, for people."""
        return self.site if self.layer is None else f"layer {self.layer}"

    @property
    def labels_place(self) -> str:
        """The layer the labels are of; whose they are where that is none."""
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


def _sites(cells: Sequence[Transfer]) -> set[tuple[int | None, str]]:
    """The places that labels were rebuilt in."""
    return {(cell.layer, cell.site) for cell in cells}


def _without_gain(value: object) -> object:
    """The fields alone, which `gain` follows from."""
    return {name: v for name, v in value.items() if name != "gain"} if isinstance(value, dict) else value


def check_wishes(ks: Sequence[int] | None, method: str | None, tokens: int, draws: int) -> None:
    """Raises UserError for what `transfer_table` cannot be asked whatever the labels and the model are."""
    if tokens < 1:
        raise UserError(f"tokens={tokens} measures nothing; give at least 1, for example {TOKENS}.")
    if not 0 <= draws <= MOST_DRAWS:
        raise UserError(
            f"draws={draws} is not from 0 to {MOST_DRAWS}; say how many random dictionaries to compare with."
        )
    if (low := next((k for k in ks or () if k < 1), None)) is not None:
        raise UserError(f"k={low} uses no atom; give at least 1.")
    if method is not None and method not in METHODS:
        raise UserError(f"method={method!r} does not exist; choose one of {', '.join(METHODS)}.")


def check_labels(labels: Sequence[LabelsOnly], ks: Sequence[int] | None) -> None:
    """Raises UserError for labels that no table can hold together, and for a k above a dictionary's atoms."""
    if not labels:
        raise UserError("Nothing to transfer; name at least one dictionary's labels.")
    readings = {(one.config.context, one.config.windows) for one in labels}
    if len(readings) > 1:
        lengths = ", ".join(str(context) for context, _ in sorted(readings))
        raise UserError(
            f"These labels are places in windows of different kinds ({lengths} tokens); transfer them one at a time."
        )
    texts = {one.spec.corpus_fingerprint: one.spec.corpus for one in labels}
    if len(texts) > 1:
        raise UserError(
            f"These labels are places in different texts ({', '.join(texts.values())}); transfer them one at a time."
        )
    fewest = min(labels, key=len)
    if ks and max(ks) > len(fewest):
        raise UserError(
            f"k={max(ks)} exceeds the {len(fewest):,} atoms of {fewest.spec.model}'s dictionary; give a smaller k."
        )


def transfer(
    labels: LabelsOnly,
    model: LanguageModel,
    corpus: Corpus,
    site: Site,
    *,
    k: int | None = None,
    own: AtomDictionary | None = None,
    tokens: int = TOKENS,
    draws: int = DRAWS,
    seed: int = 0,
    held_out: Corpus | None = None,
) -> Transfer:
    """`transfer_table` for one dictionary's labels and one site, at one k."""
    table = transfer_table(
        [labels],
        model,
        corpus,
        [site],
        own=[] if own is None else [own],
        ks=None if k is None else [k],
        tokens=tokens,
        draws=draws,
        seed=seed,
        held_out=held_out,
    )
    return table.cells[0]


def transfer_table(
    labels: Sequence[LabelsOnly],
    model: LanguageModel,
    corpus: Corpus,
    sites: Sequence[Site],
    *,
    own: Sequence[AtomDictionary] = (),
    ks: Sequence[int] | None = None,
    method: str | None = None,
    tokens: int = TOKENS,
    draws: int = DRAWS,
    seed: int = 0,
    held_out: Corpus | None = None,
    on_progress: Callable[[str, float], None] | None = None,
) -> TransferTable:
    """Rebuild each of `labels` at each of `sites` of `model` and measure it there, beside what else there is.

    - `own`: dictionaries of `model` on this corpus, at most one per site; measured at the same k by the same method;
    - random dictionaries: `draws` of them, each of as many activations as the rebuilt one has atoms, drawn uniformly
      from the stretch of the corpus that the labels come from, treated alike (centred, without attention sinks). The
      draws follow from `seed` and the prefixes alone;
    - `ks`, `method`: as the labels' dictionary was grown if left out;
    - held out are the first `tokens` tokens of `corpus` behind all that the labels or `own` were built from, or of the
      corpus `held_out`; the same for every cell.

    The corpus is read once by the tokenizer alone, to draw places, and once by the model: the windows with a place that
    is wanted, and the held-out ones. Held are the activations of those places at all sites. `on_progress` gets what
    is being done and the share of it that is done. Raises UserError for labels of other windows, another corpus, a k
    above the number of atoms, where nothing is comparable (rebuilding.rebuild), and where too little text is left.
    """
    from itda_core.comparison.label_transfer.transferring import Transferring

    ks = None if ks is None else plain_list(ks)
    tokens, draws, seed = plain(tokens), plain(draws), plain(seed)
    check_labels(labels, ks)
    if not sites:
        raise UserError("Nothing to transfer into; name at least one layer.")
    check_wishes(ks, method, tokens, draws)
    if held_out is not None and held_out.fingerprint == corpus.fingerprint:
        raise UserError(f"{held_out.id} is the text the labels come from; leave it out, or name another corpus.")
    work = Transferring(labels, model, corpus, sites, own, on_progress or (lambda step, share: None))
    cells, n_tokens = work.cells(ks, method, tokens, draws, seed, held_out)
    held_in = corpus if held_out is None else held_out
    return TransferTable(model.name, corpus.id, held_in.id, n_tokens, draws, tuple(cells))
