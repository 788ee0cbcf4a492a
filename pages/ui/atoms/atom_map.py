"""All atoms as points in the plane: near each other where they point the same way."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

import numpy as np
import streamlit as st

from itda_core.analysis.atoms.honesty.grades import GRADES
from itda_core.figures import atoms as figures_atoms
from itda_core.figures.honesty import sentence
from itda_core.runs.library import LibraryEntry
from pages.ui.atoms import chosen, laying_out
from pages.ui.atoms.browse import label_of
from pages.ui.components.charts import chart_config
from pages.ui.components.printable import visible, visible_token
from pages.ui.frame import atoms_engine
from pages.ui.frame.address import kept_choice
from pages.ui.frame.atoms_engine import AtomRows, IndexKey
from pages.ui.frame.engine import DictionaryKey

ADDRESS = ("colour", *laying_out.ADDRESS)
_LASSO = "atoms.lasso"  # the atoms of the last lasso, and of which dictionary
_MOST_TOKENS = 11  # that have a colour of their own; the twelfth is all others'
_SHARES = (0.0, 0.001, 0.01, 0.1)  # of tokens, between the classes of frequency


class _Classes(NamedTuple):
    names: list[str]
    number: np.ndarray  # (n_atoms,) which of `names`


def chosen_by_lasso(key: DictionaryKey) -> np.ndarray | None:
    """The atoms inside the last lasso, if there is one."""
    about, atoms = st.session_state.get(_LASSO, (None, None))
    return np.array(atoms, dtype=np.int64) if about == key.path and atoms else None


def forget_lasso() -> None:
    """All atoms are listed again."""
    st.session_state.pop(_LASSO, None)


def atom_map(
    entry: LibraryEntry, key: DictionaryKey, rows: AtomRows, index_of: IndexKey | None, grades: np.ndarray | None
) -> None:
    """The map: a click opens an atom, a lasso makes a list of those inside."""
    offered = {"token": "Token"}
    if index_of is not None:
        if atoms_engine.main_kinds(index_of, len(rows))[0]:
            offered["kind"] = "Kind of document"
        offered["frequency"] = "Frequency"
    if grades is not None:
        offered["honesty"] = "Honesty"
    with st.container(horizontal=True, gap="medium", vertical_alignment="top"):
        colour = kept_choice(
            "Colour by",
            "colour",
            offered,
            key="atoms.colour",
            help="Token: of the label. Kind of document: the one in which the largest share of tokens uses the atom. "
            "Frequency: the share of tokens that use it.",
        )
        asked = laying_out.choice()
    layout = laying_out.layout(entry, key, asked)
    if colour == "honesty" and grades is not None:
        classes = _Classes(list(map(sentence, GRADES)), grades)
    else:
        classes = _classes(colour, rows, index_of)
    names = [_named(rows, atom) for atom in range(len(rows))] if len(rows) <= figures_atoms.MOST_HOVERED else ()
    chart = figures_atoms.atom_map(layout.places, classes.names, classes.number, names)
    at = f"atoms.map.{hash((key, colour, layout.explained))}"

    def selected() -> None:
        _selected(key, st.session_state[at]["selection"])

    st.plotly_chart(
        chart,
        key=at,
        on_select=selected,
        selection_mode=("points", "lasso", "box"),
        config={**chart_config("atoms"), "modeBarButtons": [["lasso2d", "zoom2d", "pan2d", "resetScale2d", "toImage"]]},
    )
    told = (
        "UMAP of the atoms"
        if layout.explained is None
        else f"PCA of the atoms, with {layout.explained:.0%} of their variance"
    )
    st.caption(f"{told}. A click opens an atom, a lasso lists those inside below.")


def _selected(key: DictionaryKey, selection: Any) -> None:
    """A click opens its atom; more than one point, or a lasso, becomes the list."""
    atoms = sorted({int(_first(point["customdata"])) for point in selection["points"]})
    if len(atoms) == 1 and not (selection.get("lasso") or selection.get("box")):
        chosen.choose(atoms[0])
    elif atoms:
        st.session_state[_LASSO] = (key.path, atoms)
    else:
        forget_lasso()


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, (list, tuple)) else value


def _classes(colour: str, rows: AtomRows, index_of: IndexKey | None) -> _Classes:
    if colour == "kind" and index_of is not None:
        names, number = atoms_engine.main_kinds(index_of, len(rows))
        return _most(list(names), number, "not used")
    if colour == "frequency" and rows.used:
        share = rows.used["share"]
        names = ["dead", *(f"up to {high:.1%}" for high in _SHARES[1:]), f"over {_SHARES[-1]:.0%}"]
        return _Classes(names, np.searchsorted(_SHARES, share, side="left"))
    tokens = [token.strip(" ").casefold() or token for token in rows.token]
    counts = Counter(tokens)
    named = [token for token, count in counts.most_common(_MOST_TOKENS) if count > 1]
    place = {token: i for i, token in enumerate(named)}
    number = np.array([place.get(token, len(named)) for token in tokens])
    return _Classes([*map(visible_token, named), "other tokens"], number)


def _most(names: list[str], number: np.ndarray, otherwise: str) -> _Classes:
    """The classes with the most members, at most as many as have a colour; all others together."""
    counts = np.bincount(number[number >= 0], minlength=len(names))
    order = [i for i in np.argsort(-counts, kind="stable").tolist() if counts[i]][:_MOST_TOKENS]
    place = {old: new for new, old in enumerate(order)}
    rest = "others" if len(order) < int((counts > 0).sum()) else otherwise
    return _Classes([*(names[i] for i in order), rest], np.array([place.get(int(i), len(order)) for i in number]))


def _named(rows: AtomRows, atom: int) -> str:
    label = label_of(rows, atom)
    if rows.labels[atom] > 1:
        return label.token
    return f"{visible(label.context_before[-24:])}⟦{visible_token(label.token)}⟧{visible(label.context_after[:12])}"
