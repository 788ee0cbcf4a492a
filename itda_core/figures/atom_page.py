"""One atom as a page that anyone can open: its labels, how it is used, where it fires. No script, no network.

All text of corpora and models is escaped here; figures are drawn as SVG.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from itda_core.figures import atoms as charts
from itda_core.figures.page import Section, page, side_by_side, table
from itda_core.figures.svg import chart
from itda_core.figures_as_text import figure, signed
from itda_core.printable import visible, visible_token
from itda_core.text.running_text import running

if TYPE_CHECKING:
    from itda_core.analysis.atoms.examples import Example, Examples
    from itda_core.analysis.atoms.usage import AtomUsage
    from itda_core.dictionaries import AtomLabel

_DEEPEST = 0.55
_COLOURS = {True: "99,102,241", False: "234,88,12"}
_BEFORE, _AFTER = 24, 12  # tokens around an example's own


def atom_page(
    title: str,
    facts: Sequence[str],
    labels: Sequence[AtomLabel],
    *,
    used: Mapping[str, str] | None = None,
    told_of_use: str = "",
    usage: AtomUsage | None = None,
    examples: Examples | None = None,
    further: Sequence[Section] = (),
) -> str:
    """The whole page. facts: lines below the title; used: names and values of its use, told_of_use: what has to be
    known to read them; further: sections at the end."""
    places = [
        f"<li><bdi>{escape(visible(label.context_before))}<mark>{escape(visible_token(label.token))}</mark>"
        f"{escape(visible(label.context_after))}</bdi> "
        f"<span class='muted'>{escape(visible(label.document))}</span></li>"
        for label in labels
    ]
    name = "Its label: where it was seen" if len(labels) == 1 else f"Its {len(labels)} labels: where it was seen"
    sections: list[Section | str] = [Section(name, f"<ol>{''.join(places)}</ol>")]
    if used:
        sections.append(Section("How it is used", table(("", ""), list(used.items())), told_of_use))
    if usage is not None and usage.tokens:
        sections.append(_charts(usage))
    if examples is not None and usage is not None:
        sections += _examples(examples, max(abs(usage.max), abs(usage.min)) or 1.0)
    return page(title, facts, [*sections, *further])


def _charts(usage: AtomUsage) -> str:
    drawn = [
        Section("Its coefficients, by sign", chart(charts.coefficients(usage.histogram, still=True))),
        Section("Where in the window", chart(charts.positions(usage.positions))),
    ]
    if usage.kinds:
        rows = [
            (visible(kind.name), figure(kind.share, ".2%"), f"{kind.uses:,} of {kind.tokens:,}")
            for kind in sorted(usage.kinds, key=lambda one: -one.share)
        ]
        columns = ("kind of document", "share of tokens", "tokens")
        drawn.append(Section("By kind of document", table(columns, rows, numbers=columns[1:])))
    return side_by_side(drawn)


def _examples(examples: Examples, top: float) -> list[Section]:
    """Where it fires, coloured on one scale."""
    note = f"Indigo: a positive coefficient; orange: a negative one; deepest at {top:.2f}."
    parts = [
        Section("Strongest, positive", _rows(examples.positive, top), note),
        Section("Strongest, negative", _rows(examples.negative, top), note),
    ]
    parts += [
        Section(
            f"From {signed(one.low)} to {signed(one.high)}",
            _rows(one.examples, top),
            f"Drawn at random from {one.entries:,} tokens.",
        )
        for one in reversed(examples.quantiles)
    ]
    return parts


def _rows(examples: Sequence[Example], top: float) -> str:
    if not examples:
        return '<div class="muted">None.</div>'
    rows = "\n".join(
        f'<tr><td class="num">{signed(one.coefficient)}</td><td><bdi>{_text(one, top)}</bdi></td>'
        f"<td>{escape(visible(one.kind or ''))}</td><td>{escape(visible(one.document))}</td>"
        f"<td>{f'{one.alike} more like it' if one.alike else ''}</td></tr>"
        for one in examples
    )
    return f'<table class="listed">{rows}</table>'


def _text(one: Example, top: float) -> str:
    """The tokens around the example's own, each with its colour."""
    low, high = max(0, one.at - _BEFORE), one.at + _AFTER + 1
    parts = ["… "] if low else []
    for piece in running(one.text, one.spans, one.coefficients, one.at, low, min(high, len(one.spans))):
        text, value = escape(visible(piece.text)), piece.value
        if value:
            alpha = _DEEPEST * min(1.0, abs(value) / top)
            style = f"background:rgba({_COLOURS[value > 0]},{alpha:.3f})"
            text = f'<span style="{style}" title="{signed(value)}">{text}</span>'
        parts.append(f"<b>{text}</b>" if piece.token == one.at else text)
    return "".join(parts) + (" …" if high < len(one.tokens) else "")
