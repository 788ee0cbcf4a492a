"""What is near an atom: atoms that point its way, atoms used at the same tokens, tokens whose logits it moves."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from itda_core.analysis.atoms.together import certain
from itda_core.errors import UserError
from itda_core.figures import atoms as figures_atoms
from itda_core.figures_as_text import figure, signed
from pages.ui.atoms import chosen
from pages.ui.atoms.browse import label_of
from pages.ui.components.atom_table import Column, Row, atom_table
from pages.ui.components.charts import chart_config
from pages.ui.components.plain_text import problem
from pages.ui.frame import atoms_engine, engine
from pages.ui.frame.address import kept_choice
from pages.ui.frame.atoms_engine import AtomRows, IndexKey
from pages.ui.frame.engine import DictionaryKey

ADDRESS = ("near", "with")
_NOT_SURE = "With no other atom it fires more often than by chance, as far as this text can tell."
_ATOM = Column("atom", "atom", "3.6rem", sorts=False)
_LABEL = Column("label", "label in its context", "minmax(10rem, 1fr)", number=False, sorts=False)


def neighbours(key: DictionaryKey, rows: AtomRows, atom: int) -> None:
    """The atoms that point the same way, or against it."""
    st.markdown("**Neighbours**")
    found = atoms_engine.neighbours(key, atom)
    which = kept_choice("Which", "near", {"nearest": "Nearest", "opposite": "Most opposite"}, key="atoms.near")
    listed = found.neighbours if which == "nearest" else found.opposite
    _listed(
        rows,
        [(one.atom, {"cosine": signed(one.cosine, "+.3f")}) for one in listed],
        (Column("cosine", "cosine", "4.2rem", sorts=False),),
        empty="No atom has such a cosine with it.",
        key="atoms.neighbours",
    )
    st.caption("By the cosine between atoms.")


def together(key: DictionaryKey, rows: AtomRows, index_of: IndexKey, atom: int) -> None:
    """The atoms that are used at the same tokens."""
    st.markdown("**Fires together with**")
    by = kept_choice(
        "Ranked by",
        "with",
        {"lift": "Lift", "tokens": "Count"},
        key="atoms.with",
        help="Lift: how many times as often as by chance both are used at a token. Ranked by a lower limit of it, "
        "so that a single meeting of two rare atoms is not on top. Count: with which it is used most often.",
    )
    try:
        listed = atoms_engine.together(key, index_of, atom, by)
    except UserError as error:
        problem(error, kind="warning", key="atoms.together.problem")
        return
    found = listed
    if by == "lift":
        listed = certain(found)
    _listed(
        rows,
        [
            (
                one.atom,
                {
                    "tokens": f"{one.tokens:,}",
                    "chance": figure(one.expected, ",.1f"),
                    "lift": f"{one.lift:,.1f} (≥ {figure(one.low, ',.1f')})",
                },
            )
            for one in listed
        ],
        (
            Column("tokens", "tokens", "3.4rem", sorts=False),
            Column("chance", "chance", "3.6rem", sorts=False),
            Column("lift", "lift", "6.4rem", sorts=False),
        ),
        empty=_NOT_SURE if found else "No other atom is used at any of its tokens.",
        key="atoms.together",
    )
    if by == "lift":
        said = (
            "above which it surely is, by which pairs are ranked. Pairs that cannot be told from chance are left out."
        )
    else:
        said = "above which it surely is. Where the limit is below 1, it may all be chance."
    st.caption(f"Tokens at which both are used; how many by chance; lift, and the limit {said}")


def _listed(
    rows: AtomRows,
    found: Sequence[tuple[int, dict[str, str]]],
    columns: Sequence[Column],
    *,
    empty: str,
    key: str,
) -> None:
    shown = [Row(atom, label_of(rows, atom), cells | {"atom": f"{atom:,}"}) for atom, cells in found]
    atom_table((_ATOM, _LABEL, *columns), shown, empty=empty, on_open=chosen.choose, key=key)


def writes(key: DictionaryKey, index_of: IndexKey | None, atom: int, *, bundled: bool) -> atoms_engine.Written | None:
    """The tokens whose logits it raises and lowers most; a reason where there are none."""
    st.markdown("**What it writes**")
    found = atoms_engine.kept_logits(index_of, atom, len(engine.dictionary(key)))
    if found is None:
        if not atoms_engine.model_at_hand(key, bundled=bundled) and not st.button(
            "Load the model", key="atoms.writes.load", help="It is needed for its final norm and its unembedding."
        ):
            return None
        try:
            with st.spinner("Asking the model…", show_time=True):
                found = atoms_engine.written(key, index_of, atom)
        except UserError as error:
            problem(error, kind="warning", key="atoms.writes.problem")
            return None
    if found.logits is None:
        st.text(found.why)
        return found
    raised = [(one.token, one.logit) for one in found.logits.raised]
    lowered = [(one.token, one.logit) for one in found.logits.lowered]
    st.plotly_chart(
        figures_atoms.logits(raised, lowered), key="atoms.logits", config=chart_config(f"atom-{atom}-writes")
    )
    st.caption(
        "The tokens whose logits it raises and lowers most, by the direct path alone: through the model's final norm "
        "and unembedding, past all later layers. A dot in front stands for a space."
    )
    return found
