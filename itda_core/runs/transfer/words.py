"""The result of a transfer of labels in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING

from itda_core.errors import UserError
from itda_core.figures_as_text import figure

if TYPE_CHECKING:
    from itda_core.comparison.label_transfer.transfer import Transfer, TransferTable

_ALIKE = 1.25  # times as many atoms
_AVERAGED = 1.1  # places for each atom


def verdict(table: TransferTable, k: int) -> str:
    """Where the labels of `TransferTable.paired` stand between random positions and the model's own dictionaries.

    Raises UserError when nothing was measured at that k.
    """
    cells = table.paired(k)
    fvu = [cell.fvu for cell in cells if cell.fvu is not None]
    if not fvu:
        raise UserError(f"No FVU is known at k={k}: the held-out activations are all alike; measure on more text.")
    parts = [
        *(_gain_sentence(cells, table.model), _against_random(cells)),
        *(_means(cells, k), _averaged(cells), _sizes(cells)),
    ]
    return " ".join(filter(None, parts))


def _gain_sentence(cells: Sequence[Transfer], model: str) -> str:
    """The result on the scale from random positions to the model's own dictionaries."""
    if all(cell.own_fvu is None for cell in cells):
        return f"{model} has no known dictionary of this text, so the labels are compared with random places only."
    if all(cell.random_fvu is None for cell in cells):
        return ""
    gains = [cell.gain for cell in cells if cell.gain is not None]
    if not gains:
        return f"{model}'s own dictionaries do no better than random places here, so they set no scale."
    where = "" if len(cells) == 1 else f" {_layers(len(gains), len(cells))}"
    share = figure(fmean(gains), ".0%")
    return (
        f"Rebuilt in {model}, the labels come {share} of the way from random places (0%) to its own dictionary "
        f"(100%){where}."
    )


def _against_random(cells: Sequence[Transfer]) -> str:
    """Whether the labels explain more than random positions of the text do."""
    known = [(cell, cell.random_fvu, cell.random_sd) for cell in cells if cell.random_fvu is not None]
    judged = [(cell.fvu, mean, sd) for cell, mean, sd in known if sd is not None and cell.fvu is not None]
    if not judged:
        return ""
    better = sum(fvu < mean - 2 * sd for fvu, mean, sd in judged)
    worse = sum(fvu > mean + 2 * sd for fvu, mean, sd in judged)
    if len(judged) == 1:
        word = "better than" if better else "worse than" if worse else "as well as"
        return f"The labels explain it {word} random places; differences below two standard deviations count as none."
    return (
        f"The labels explain {better} of {len(judged)} layers better than random places do, and {worse} worse; "
        "differences below two standard deviations of the draws count as none."
    )


def _means(cells: Sequence[Transfer], k: int) -> str:
    named = (
        ("the labels", [cell.fvu for cell in cells]),
        ("its own dictionary", [cell.own_fvu for cell in cells]),
        ("random places", [cell.random_fvu for cell in cells]),
    )
    found = [f"{name} {fmean(known):.3f}" for name, values in named if (known := [value for value in values if value])]
    what = "Unexplained variance (FVU)" if len(cells) == 1 else "Mean unexplained variance (FVU)"
    return f"{what} at k = {k}: {', '.join(found)}."


def _averaged(cells: Sequence[Transfer]) -> str:
    """That the labels' atoms are means of several places, and the random ones are not."""
    each = [cell.places / cell.atoms for cell in cells if cell.places and cell.atoms and cell.random_fvu is not None]
    if not each or max(each) < _AVERAGED:
        return ""
    return (
        f"Each of the labels' atoms is the mean of {fmean(each):.1f} places on average, a random one is a single "
        "place: a part of the difference comes from the averaging."
    )


def _sizes(cells: Sequence[Transfer]) -> str:
    """That the labels' dictionaries are of sizes apart; those of one size lose a few labels that lie elsewhere."""
    sizes = [cell.atoms for cell in cells if cell.atoms]
    least, most = min(sizes, default=0), max(sizes, default=0)
    if most <= _ALIKE * least:
        return ""
    return (
        f"The labels make {least:,} to {most:,} atoms, so differences between layers may come from the sizes; transfer "
        "labels of dictionaries of one size."
    )


def _layers(some: int, of: int) -> str:
    if some == of:
        return f"(mean of all {of} layers)"
    return f"(mean of the {some} of {of} layers in which its own dictionary beats random places)"
