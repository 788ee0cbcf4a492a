"""An attribution as a page of its own that needs neither network nor script; all text is escaped."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING

from itda_core.figures import attribution as pictures
from itda_core.figures.effects import by_token
from itda_core.figures.heatmaps import matrix
from itda_core.figures.page import Section, page, side_by_side, table
from itda_core.figures.svg import chart
from itda_core.figures_as_text import figure, signed
from itda_core.printable import visible, visible_token

if TYPE_CHECKING:
    from itda_core.analysis.interventions.attribute import Attribution, LayerAttribution
    from itda_core.dictionaries import AtomLabel

_ATOMS_SHOWN = 40
_BEFORE, _AFTER = 40, 30  # characters around a label's token


def attribution_page(found: Attribution, labels: Mapping[int, AtomLabel], *, own: int = 0, command: str = "") -> str:
    """The whole page: what is explained, all layers where there are several, one layer's tokens and atoms.

    own: which of the layers is shown in full, by its place; labels: of its atoms; command: the same for a terminal.
    """
    layer = found.layers[own]
    title = f"{layer.dictionary}: why “{visible_token(found.target)}” comes next"
    along = f"the mean gradient along a path of {found.integrated} steps from zero" if found.integrated else ""
    facts = [
        f"{found.model} · {_place(layer)} · k = {layer.k}",
        why(found),
        f"Effect: coefficient × (atom · {along or 'gradient'}), in units of the target.",
    ]
    sections: list[Section | str] = [f"<pre>{escape(command)}</pre>"] if command else []
    sections.append(
        Section("The prompt", f"<bdi>{_marked(found)}</bdi>", "Marked: the token behind which is predicted.")
    )
    if len(found.layers) > 1:
        sections += _layers(found)
    charts = [Section(f"By token, {_place(layer)}", chart(by_token(found, layer=own)))]
    if layer.checked:
        drawn = chart(pictures.checked(found, layer=own))
        charts.append(Section("Checked by removing", drawn, pictures.agreement(layer)))
    sections += [side_by_side(charts), _atoms(found, layer, labels)]
    return page(title, facts, sections)


def why(found: Attribution) -> str:
    """What is explained, in a sentence."""
    against = "" if found.against is None else f" against “{visible_token(found.against)}”"
    return (
        f"“{visible_token(found.target)}”{against} behind token {found.token} "
        f"“{visible_token(found.tokens[found.token])}”: {found.kind} {signed(found.value)}, probability "
        f"{figure(found.probability, '.1%')}."
    )


def divided(layer: LayerAttribution, integrated: int) -> str:
    """How the effects of a layer divide, in a sentence."""
    along = f", along a path of {integrated} steps from zero" if integrated else ""
    if layer.path_change is not None:
        along += f" (the target really changes by {signed(layer.path_change, '+.3f')})"
    return (
        f"What atoms do not explain: {signed(sum(layer.error), '+.3f')}; the dictionary's mean: "
        f"{signed(sum(layer.mean), '+.3f')}; all parts together: {signed(layer.sum, '+.3f')}, which is "
        f"activation × gradient{along}."
    )


def too_coarse(found: Attribution) -> str:
    """Which layers' paths have too few steps for their sums; "" where none has."""
    from itda_core.analysis.interventions.attribute import MOST_GAP

    coarse = [str(layer.site if layer.layer is None else layer.layer) for layer in found.layers if layer.coarse]
    if not coarse:
        return ""
    which = f"layer{'' if len(coarse) == 1 else 's'} {', '.join(coarse)}" if len(found.layers) > 1 else "this layer"
    return (
        f"{found.integrated} steps are too few for the path of {which}: what they sum to is more than "
        f"{MOST_GAP:.0%} away from what the target really changes by, so single effects are off by as much; take more "
        "steps."
    )


def _place(layer: LayerAttribution) -> str:
    return layer.site if layer.layer is None else f"layer {layer.layer}, {layer.site}"


def _marked(found: Attribution) -> str:
    parts = [escape(visible(text)) for text, special in zip(found.tokens, found.special, strict=True) if not special]
    at = found.token - sum(found.special[: found.token])
    if not found.special[found.token]:
        parts[at] = f"<mark>{parts[at]}</mark>"
    return "".join(parts)


def _layers(found: Attribution) -> list[Section]:
    columns = ("layer", "dictionary", "atoms", "mean", "not explained", "sum", "share of atoms")
    rows = [
        (
            *("" if layer.layer is None else str(layer.layer), layer.dictionary),
            *(signed(float(told[name]), "+.3f") for name in ("atoms", "mean", "error", "sum")),
            figure(layer.explained, ".0%"),
        )
        for layer, told in ((layer, layer.to_dict()) for layer in found.layers)
    ]
    note = "The sum of the atoms' effects at each token and layer. Indigo raises the target, orange lowers it."
    shares = "Of all effects without their signs, the atoms' share; the rest is mean and what is not explained."
    return [
        Section("Over all layers", matrix(pictures.token_by_layer(found)), note),
        Section("By layer", table(columns, rows, numbers=(columns[0], *columns[2:])), shares),
    ]


def _atoms(found: Attribution, layer: LayerAttribution, labels: Mapping[int, AtomLabel]) -> Section:
    measured = {(one.token, one.atom): one.measured for one in layer.checked}
    rows = []
    for part in layer.parts[:_ATOMS_SHOWN]:
        change, label = measured.get((part.token, part.atom)), labels.get(part.atom)
        context = ""
        if label is not None:
            before, after = label.context_before[-_BEFORE:], label.context_after[:_AFTER]
            context = f"{visible(before)}⟦{visible(label.token)}⟧{visible(after)}"
        rows.append(
            (
                *(str(part.token), visible_token(found.tokens[part.token]), str(part.atom)),
                *(signed(part.effect, "+.3f"), "" if change is None else signed(change, "+.3f")),
                *(signed(part.coefficient, "+.2f"), context),
            )
        )
    columns = ("#", "token", "atom", "effect", "if removed", "coefficient", "where the atom was seen")
    listed = table(columns, rows, numbers=("#", "atom", "effect", "if removed", "coefficient"))
    more = len(layer.parts) - len(rows)
    left_out = f" {more:,} weaker ones are left out." if more > 0 else ""
    return Section(f"By atom, {_place(layer)}", listed, divided(layer, found.integrated) + left_out)
