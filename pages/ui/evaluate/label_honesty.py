"""Beside an evaluation's figures: whether the labels of its dictionaries tell where their atoms fire."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from itda_core.analysis.atoms.honesty.grades import GRADES, DictionaryHonesty, Measure
from itda_core.analysis.evaluate import Evaluation
from itda_core.errors import UserError
from itda_core.figures.honesty import ABOUT, SHORT_GRADES, TITLE, percent
from pages.ui.components.printable import NONE, visible
from pages.ui.frame import atoms_engine

_MEASURES = {"same_token": "same token", "same_kind": "same kind", "same_span": "same span"}
_HEADS: dict[str, str] = dict(zip(GRADES, SHORT_GRADES, strict=True))
_NAME_WIDTH = 144  # pixels, as in the table above


def label_honesty(results: Sequence[Evaluation]) -> None:
    """A row for each dictionary whose labels were measured; nothing where none was. Nothing is measured here."""
    found, lacking = measured(results)
    if not found:
        if lacking:
            st.caption(
                "Whether the labels of these dictionaries tell where their atoms fire was not measured: "
                "the page Atoms does it, and `itda atoms honesty` prints it."
            )
        return
    st.markdown(f"**{TITLE}**", help=ABOUT)
    said = (
        "By the text of each dictionary's atom index, which is another than that of this evaluation. Grades: share of "
        "all uses, and of the atoms in brackets. In common with the label: share of the strongest uses, and by chance "
        "in brackets."
    )
    if lacking:
        said += f" Not measured: {len(lacking)} of {len(found) + len(lacking)};"
        said += " the page Atoms does it, and `itda atoms honesty` prints it."
    st.caption(said)
    st.dataframe(
        frame_of(found),
        hide_index=True,
        placeholder=NONE,
        key="evaluate.honesty",
        height="content" if len(found) <= 10 else 387,
        column_config={
            "dictionary": st.column_config.TextColumn(width=_NAME_WIDTH, pinned=True),
            **{
                head: st.column_config.TextColumn(
                    width=96, help=f"Atoms of the grade “{grade}”: share of use (of atoms)."
                )
                for grade, head in _HEADS.items()
            },
            **{
                head: st.column_config.TextColumn(width=104, help="Share of the strongest uses (by chance).")
                for head in _MEASURES.values()
            },
        },
    )


def measured(results: Iterable[Evaluation]) -> tuple[dict[str, DictionaryHonesty], list[str]]:
    """By the dictionaries' names what is known of their labels; and the names of those of which nothing is."""
    found: dict[str, DictionaryHonesty] = {}
    lacking: list[str] = []
    for identity, name in {one.identity: Path(one.dictionary).name for one in results if one.identity}.items():
        try:
            index_of = atoms_engine.index_key(identity)
            known = None if index_of is None else atoms_engine.honesty(index_of)
        except UserError:  # the page Atoms and the library say what is wrong with it
            known = None
        if known is None:
            lacking.append(name)
        else:
            found[name] = known
    return found, lacking


def frame_of(found: dict[str, DictionaryHonesty]) -> pd.DataFrame:
    """The table's content: one row for each dictionary."""
    return pd.DataFrame(
        [
            {
                "dictionary": visible(name),
                **{_HEADS[one.grade]: f"{percent(one.share_of_use)} ({percent(one.share)})" for one in known.grades},
                **{head: _beside_chance(getattr(known.strongest, measure)) for measure, head in _MEASURES.items()},
            }
            for name, known in found.items()
        ]
    )


def _beside_chance(one: Measure | None) -> str | None:
    return None if one is None else f"{percent(one.share)} ({percent(one.chance)})"
