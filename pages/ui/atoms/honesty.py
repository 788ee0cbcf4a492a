"""Whether an atom's label says where the atom fires: one grade in words, each figure beside chance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from itda_core.errors import UserError
from itda_core.figures_as_text import figure
from pages.ui.components.plain_text import fact_table, notice, problem
from pages.ui.frame import atoms_engine
from pages.ui.frame.atoms_engine import IndexKey
from pages.ui.frame.engine import DictionaryKey
from pages.ui.library.label_honesty import percent, times

if TYPE_CHECKING:
    from itda_core.analysis.atoms.honesty.grades import AtomHonesty, DictionaryHonesty, Measure

_NAMES = {
    "same_token": "Same token",
    "same_class": "Same sort of token",
    "same_neighbourhood": "Same neighbourhood",
    "same_span": "Same span of the text",
    "same_kind": "Same kind of document",
}
_ABOUT = (
    "Of the quarter of its tokens where the coefficient is largest by size, at most 32 of each sign; the label's own "
    "place is left out. By chance: with labels permuted among the atoms, weighted by use. Lift: how many times more "
    "often, with a 95% interval. Neighbourhood: the words around, hashed."
)


def of_atom(key: DictionaryKey, index_of: IndexKey, n_atoms: int, atom: int) -> AtomHonesty | None:
    """Draws the grade and what it rests on; gives it, if it was measured."""
    from itda_core.analysis.atoms.honesty.grades import of_atom as found_of

    st.markdown("**Does its label tell where it fires?**", help=_ABOUT)
    try:
        tallies = atoms_engine.tallies(index_of, n_atoms)
    except UserError as error:
        problem(error, kind="warning", key="atoms.honesty.problem")
        tallies = None
    if tallies is None:
        _measure(key, index_of)
        return None
    found = found_of(tallies, atom)
    kind = "warning" if found.grade == "label misleads" else "info"
    notice(f"{found.grade[:1].upper()}{found.grade[1:]}.", step=_rests_on(found), kind=kind, key="atoms.honesty")
    fact_table(facts(found), key="atoms.honesty.facts")
    return found


def _rests_on(found: AtomHonesty) -> str:
    return f"By {found.examples:,} of the strongest quarter of its {found.entries:,} uses."


def facts(found: AtomHonesty) -> dict[str, str]:
    """Each measure beside chance, in words; those of which nothing is known are left out."""
    return {name: _words(measure) for key, name in _NAMES.items() if (measure := getattr(found, key)) is not None}


def _words(measure: Measure) -> str:
    words = f"{percent(measure.share)}, by chance {percent(measure.chance)}"
    if measure.lift is None:
        return words
    interval = (
        "" if measure.low is None or measure.high is None else f" ({times(measure.low)} to {times(measure.high)})"
    )
    return f"{words}: {times(measure.lift)}×{interval}"


def _measure(key: DictionaryKey, index_of: IndexKey) -> None:
    """Offers to measure all atoms, which is done once."""
    st.caption("Not measured yet for this index. It takes some seconds to a few minutes, once for all atoms.")
    if not st.button("Measure all labels", icon=":material/fact_check:", key="atoms.honesty.measure"):
        return
    bar = st.progress(0.0, text="Measuring the labels of all atoms…")

    def shown(share: float) -> None:
        bar.progress(min(share, 1.0), text="Measuring the labels of all atoms…")

    try:
        atoms_engine.measure_honesty(key, index_of, shown)
    except UserError as error:
        bar.empty()
        problem(error, key="atoms.honesty.measure.problem")
        return
    st.rerun()


def of_dictionary(key: DictionaryKey, index_of: IndexKey, n_atoms: int) -> None:
    """The share of each grade; where nothing was measured, the way to it."""
    from itda_core.analysis.atoms.honesty.grades import of_dictionary as found_of

    try:
        tallies = atoms_engine.tallies(index_of, n_atoms)
    except UserError as error:
        problem(error, kind="warning", key="atoms.honesty.problem")
        tallies = None
    with st.expander("Do the labels tell where atoms fire?", icon=":material/fact_check:"):
        if tallies is None:
            _measure(key, index_of)
            return
        st.caption(_ABOUT)
        fact_table(shares(found_of(tallies)), key="atoms.honesty.shares")


def shares(found: DictionaryHonesty) -> dict[str, str]:
    """How many atoms have each grade."""
    return {
        f"{one.grade[:1].upper()}{one.grade[1:]}": f"{one.atoms:,} atoms ({figure(one.share, '.0%')}), "
        f"{figure(one.share_of_use, '.0%')} of all use"
        for one in found.grades
    }
