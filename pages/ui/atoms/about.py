"""What an atom is: its labels in their source text, and how it is used, as figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from itda_core.analysis.in_common import in_common, short_label
from itda_core.figures import atoms as figures_atoms
from itda_core.figures_as_text import figure, signed
from pages.ui.components.charts import chart_config
from pages.ui.components.label_list import label_list
from pages.ui.components.plain_text import fact_table, heading, notice
from pages.ui.components.printable import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from itda_core.analysis.atoms.index_format import IndexDescription
    from itda_core.analysis.atoms.usage import AtomUsage
    from itda_core.dictionaries import AtomDictionary, AtomLabel

SHARES = (
    "Two shares. Norm share: |coefficient| / norm of the token's activation, the mean over the tokens that use the "
    "atom: how much of a token it is, where it is any of it. Energy share: its squared coefficients over the squared "
    "norms of all tokens of the index: how much of the text it is. A rare atom can be most of its few tokens and "
    "hardly any of the text. Both are of activations after centring."
)
_FIRST = 4  # labels that are shown at once


def title(labels: Sequence[AtomLabel], dictionary: AtomDictionary, name: str) -> None:
    """The atom's token or tokens, and where it comes from."""
    tokens = short_label([label.token for label in labels])
    label = labels[0]
    how = (
        f"number {label.order + 1:,} to be added, at relative error {label.error:.2f}"
        if not dictionary.config.rule.sized
        else f"relative error {label.error:.2f} without it"
    )
    several = f"the mean of {len(labels)} activations · " if len(labels) > 1 else ""
    heading(tokens, under=f"atom {label.atom} of {name} · {several}{how}", key="atoms.title")


def label_in_context(labels: Sequence[AtomLabel]) -> None:
    """Where the atom was seen; of many labels the first few, the others folded away."""
    st.markdown("**Its label**: where it was seen" if len(labels) == 1 else f"**Its {len(labels)} labels**")
    if shared := "; ".join(map(str, in_common(labels))):
        st.text(shared)
    label_list(labels[:_FIRST], empty="", key="atoms.labels")
    label = labels[0]
    if len(labels) == 1:
        st.text(f"document {visible(label.document)}, characters {label.char_start:,} to {label.char_end:,}")
    elif len(labels) > _FIRST:
        with st.expander(f"and {len(labels) - _FIRST} more"):
            label_list(labels[_FIRST:], empty="", key="atoms.labels.more")


def figures(usage: AtomUsage, about: IndexDescription) -> None:
    """How often and how strongly it is used."""
    st.markdown("**How it is used**", help=SHARES)
    fact_table(facts(usage), key="atoms.facts")
    st.text(visible(of_what(about)))


def facts(usage: AtomUsage) -> dict[str, str]:
    """The figures in words."""
    found = {"Used by": f"{_share(usage.usage)} of tokens: {usage.tokens:,} of {usage.of:,}"}
    if not usage.tokens:
        return found
    return {
        **found,
        "Comes first": f"{figure(usage.first_choice, '.0%')} of these: {usage.first:,} token{'s' * (usage.first != 1)}",
        "Coefficient": f"{signed(usage.min)} to {signed(usage.max)}, mean {signed(usage.mean)}",
        "Signs": f"{usage.positive:,} positive, {usage.negative:,} negative",
        "Norm share": f"{figure(usage.mean_share, '.0%')} of a token's norm on average, where it is used",
        "Energy share": f"{_share(usage.energy)} of the energy of all tokens",
    }


def of_what(about: IndexDescription) -> str:
    """Which text the figures are of."""
    return (
        f"Over {about.tokens:,} tokens of {about.corpus} ({about.text}), k = {about.k}, {about.method.upper()}; the "
        "page's other figures are of the same text."
    )


def dead(about: IndexDescription) -> None:
    """No token uses it."""
    notice(
        f"This atom is dead: none of the {about.tokens:,} tokens of the index uses it.",
        step="In other text, or at a larger k, it may be used: try your own below.",
        key="atoms.dead",
    )


def charts(usage: AtomUsage) -> None:
    """Its coefficients, and in which part of the text it comes."""
    drawn = [("Its coefficients, by sign", "coefficients", figures_atoms.coefficients(usage.histogram))]
    drawn.append(("Where in the window", "positions", figures_atoms.positions(usage.positions)))
    if usage.kinds:
        drawn.append(("By kind of document", "kinds", figures_atoms.kinds(usage.kinds)))
    with st.container(key="wrapping.atoms.charts"):
        columns = st.columns(len(drawn), gap="medium")
    for column, (name, key, chart) in zip(columns, drawn, strict=True):
        with column:
            st.markdown(f"**{name}**")
            st.plotly_chart(chart, key=f"atoms.{key}", config=chart_config(f"atom-{usage.atom}-{key}"))


def _share(value: float) -> str:
    return figure(value, ".2%" if value < 0.1 else ".1%")
