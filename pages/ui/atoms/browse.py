"""All atoms of a dictionary: a table, sorted and filtered on the server, sent to the browser page by page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import streamlit as st

from itda_core.figures.honesty import SHORT_GRADES
from itda_core.figures_as_text import figure, signed
from itda_core.runs.atoms.notes import Notes
from pages.ui.atoms import chosen
from pages.ui.components.atom_table import Column, Row, atom_table
from pages.ui.frame import address, atoms_engine
from pages.ui.frame.atoms_engine import AtomRows
from pages.ui.frame.engine import DictionaryKey

PER_PAGE = 50
ADDRESS = ("sort", "down", "find", "only", "page")
_SORT, _DOWN, _FIND, _ONLY, _PAGE = (f"atoms.{name}" for name in ADDRESS)
_DENSE = 0.1  # share of tokens from which an atom counts as dense


class Label(NamedTuple):
    """An atom's only label in its context, or the tokens of its several labels, as all tables show it."""

    token: str
    context_before: str
    context_after: str


def label_of(rows: AtomRows, atom: int) -> Label:
    """What tables and the map say of an atom."""
    if rows.labels[atom] > 1:
        return Label(rows.names[atom], "", "")
    return Label(rows.token[atom], rows.before[atom], rows.after[atom])


_STAR = Column("star", "★", "2rem", number=False, help="Your own stars and notes (✎); starred ones first.")
_ATOM = Column("atom", "atom", "4.5rem", help="In the order in which they were added.")
_LABEL = Column(
    "label", "label in its context", "minmax(16rem, 1fr)", number=False,
    help="By the token's letters. Of an atom with several labels: their most frequent tokens.",
)  # fmt: skip
_ERROR = Column("error", "error", "4rem", help="Relative error when it was added; of sampled atoms, without it.")
_USED = (
    Column("share", "used by", "5rem", help="The share of tokens that use it."),
    Column("first", "first", "4rem", help="Of these, the share for which the pursuit took it first."),
    Column("mean", "mean", "4.5rem", help="Its mean coefficient where it is used."),
    Column("largest", "largest", "5rem", help="Its largest coefficient by size."),
    Column(
        "norm", "of norm", "4.5rem", help="Norm share: |coefficient| / norm of the activation, mean over its tokens."
    ),
)
_GRADE = Column(
    "grade",
    "honesty",
    "5.6rem",
    number=False,
    help="Whether its label says where it fires: on its own word, on its kind of place, or neither.",
)
_MISLEADS = SHORT_GRADES.index("misleads")
_WRITTEN: Mapping[str, Callable[[float], str]] = {
    "share": lambda value: figure(value, ".2%"),
    "first": lambda value: figure(value, ".0%"),
    "mean": signed,
    "largest": signed,
    "norm": lambda value: figure(value, ".0%"),
    "error": lambda value: figure(value, ".3f"),
}


def table(
    key: DictionaryKey,
    rows: AtomRows,
    notes: Notes,
    grades: np.ndarray | None = None,
    among: np.ndarray | None = None,
) -> np.ndarray:
    """Draws one page of the table and what it is filtered by; gives all atoms that pass, in the table's order.

    grades: (n_atoms,) which of GRADES each has, where that was measured; among: only these atoms (those of a lasso).
    """
    columns = (_STAR, _ATOM, _LABEL, *(_USED if rows.used else ()), *(() if grades is None else (_GRADE,)), _ERROR)
    sort, down = _order(columns, bool(rows.used))
    found = _filtered(key, rows, notes, grades, among)
    found = found[_sorted(rows, notes, grades, found, sort, down)]
    n_pages = max(1, -(-len(found) // PER_PAGE))
    address.arrive("page", _PAGE, address.whole(1, 10**9), 1)
    page = min(st.session_state[_PAGE], n_pages)
    shown = found[(page - 1) * PER_PAGE : page * PER_PAGE]
    st.caption(_counted(len(found), len(rows), page, n_pages))
    atom_table(
        columns,
        [_row(rows, notes, grades, atom) for atom in shown.tolist()],
        sort=sort,
        descending=down,
        empty="No atom passes these filters.",
        on_sort=lambda column: _sort_by(column, sort, down),
        on_open=chosen.choose,
        key="atoms.table",
    )
    _turn(page, n_pages)
    return found


def _turn(page: int, n_pages: int) -> None:
    """Another page of the table."""
    stamp = hash((n_pages, page))  # drawn anew, at the page shown, whenever that changes

    def turned() -> None:
        st.session_state[_PAGE] = st.session_state[f"atoms.turn.{stamp}"]

    if n_pages > 1:
        st.pagination(n_pages, default=page, key=f"atoms.turn.{stamp}", on_change=turned)
    address.leave("page", _PAGE, page, 1)


def _order(columns: tuple[Column, ...], used: bool) -> tuple[str, bool]:
    """By which column, and whether its largest values come first."""
    default = "share" if used else "atom"
    sort = address.arrive("sort", _SORT, address.one_of(*(column.name for column in columns)), default, within=used)
    address.leave("sort", _SORT, sort, default)
    down = address.arrive("down", _DOWN, address.one_of("yes", "no"), _down_first(sort), within=sort)
    address.leave("down", _DOWN, down, _down_first(sort))
    return sort, down == "yes"


def _down_first(sort: str) -> str:
    return "no" if sort in ("atom", "label") else "yes"


def _sort_by(column: str, sort: str, down: bool) -> None:
    """A title was clicked: by that column, or the other way round."""
    if column == sort:
        st.session_state[_DOWN] = "no" if down else "yes"
    else:
        st.session_state[_SORT] = column
        address.query.pop("down", None)
    st.session_state[_PAGE] = 1


def _filtered(
    key: DictionaryKey, rows: AtomRows, notes: Notes, grades: np.ndarray | None, among: np.ndarray | None
) -> np.ndarray:
    """The atoms that pass what is asked for."""
    address.arrive("find", _FIND, str, "")
    offered = {"all": "All", "starred": "Starred", "noted": "With a note"}
    if rows.used:
        offered |= {"alive": "Used", "dead": "Dead", "dense": f"Dense (over {_DENSE:.0%})"}
    if grades is not None:
        offered |= {"misleads": "Label misleads"}
    address.arrive("only", _ONLY, address.one_of(*offered), "all")
    if st.session_state[_ONLY] not in offered:
        st.session_state[_ONLY] = "all"

    def first_page() -> None:
        st.session_state[_PAGE] = 1

    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
        st.text_input(
            "Label contains",
            key=_FIND,
            placeholder="words of the token or its context",
            on_change=first_page,
            width=320,
            help="Capitals and accents make no difference.",
        )
        st.segmented_control(
            "Which atoms",
            list(offered),
            format_func=offered.__getitem__,
            key=_ONLY,
            required=True,
            on_change=first_page,
        )
    address.leave("find", _FIND, st.session_state[_FIND], "")
    address.leave("only", _ONLY, st.session_state[_ONLY], "all")
    keep = np.ones(len(rows), dtype=bool)
    if among is not None:
        keep[:] = False
        keep[among[(among >= 0) & (among < len(rows))]] = True
    only = st.session_state[_ONLY]
    keep &= grades == _MISLEADS if only == "misleads" and grades is not None else _of_sort(rows, notes, only)
    if words := st.session_state[_FIND].strip():
        from itda_core.analysis.atoms.examples import folded

        wanted = folded(words)
        keep &= np.fromiter((wanted in text for text in atoms_engine.folded_labels(key)), bool, len(rows))
    return np.flatnonzero(keep)


def _of_sort(rows: AtomRows, notes: Notes, only: str) -> np.ndarray:
    """Which atoms are of the sort that is asked for: (n_atoms,) bool."""
    if only in ("starred", "noted"):
        keep = np.zeros(len(rows), dtype=bool)
        named = [atom for atom, note in notes.by_atom.items() if note.star or only == "noted"]
        named = [atom for atom in named if atom < len(rows) and (only == "starred" or notes.of(atom).text)]
        keep[named] = True
        return keep
    if only == "all":
        return np.ones(len(rows), dtype=bool)
    share = rows.used["share"]
    return {"alive": share > 0, "dead": share == 0, "dense": share > _DENSE}[only]


def _sorted(
    rows: AtomRows, notes: Notes, grades: np.ndarray | None, atoms: np.ndarray, sort: str, down: bool
) -> np.ndarray:
    """The order of `atoms` by a column; of equal ones the lower atom comes first."""
    if sort == "label":
        words = [label_of(rows, int(atom)).token.strip().casefold() for atom in atoms]
        order = sorted(range(len(words)), key=words.__getitem__, reverse=down)
        return np.array(order, dtype=np.int64)
    if sort == "atom":
        values = rows.order.astype(np.float64)
    elif sort == "grade" and grades is not None:
        values = -grades.astype(np.float64)  # the most honest have the lowest number
    elif sort == "star":
        values = np.zeros(len(rows))
        for atom, note in notes.by_atom.items():
            if atom < len(rows):
                values[atom] = 2 * note.star + bool(note.text)
    else:
        values = rows.error if sort == "error" else rows.used[sort]
        if sort in ("mean", "largest"):
            values = np.abs(values)
    return np.lexsort((atoms, -values[atoms] if down else values[atoms]))


def _row(rows: AtomRows, notes: Notes, grades: np.ndarray | None, atom: int) -> Row:
    note, values = notes.of(atom), {**rows.used, "error": rows.error}
    cells = {name: write(float(values[name][atom])) for name, write in _WRITTEN.items() if name in values}
    if grades is not None:
        cells["grade"] = SHORT_GRADES[int(grades[atom])]
    cells |= {"atom": f"{atom:,}", "star": "★" * note.star + "✎" * bool(note.text)}
    if "share" in values and not values["share"][atom]:
        cells |= dict.fromkeys(("first", "mean", "largest", "norm"), "") | {"share": "dead"}
    return Row(atom, label_of(rows, atom), cells)


def _counted(n: int, of: int, page: int, n_pages: int) -> str:
    which = f"All {of:,} atoms" if n == of else f"{n:,} of {of:,} atoms"
    return f"{which}{f', page {page:,} of {n_pages:,}' if n_pages > 1 else ''}. A row opens its atom; a title sorts."
