"""What is changed: a line for each atom, the pinned one first, and where the changes apply; all in the address."""

from __future__ import annotations

import streamlit as st

from itda_core.analysis.interventions.change import Change
from itda_core.analysis.interventions.written import MOST_CHANGES, change_of, text_of
from itda_core.errors import UserError
from pages.ui.forms import kept
from pages.ui.frame import address, effects_engine, engine
from pages.ui.frame.address import MARK, Listed, Refused, kept_choice
from pages.ui.frame.effects_engine import Wanted

_STRENGTH, _UNIT, _ADDED = "decompose.strength", "decompose.unit", "decompose.added"
_AT, _SPECIAL, _ALSO, _NEW = "decompose.where", "decompose.steer_special", "decompose.also", "decompose.another"
UNITS = {"own": "× its own", "max": "× its largest", "norm": "× the norm"}
_WHERE = {"token": "This token", "prompt": "The prompt", "generated": "What is written", "all": "All of it"}
_UNITS_ABOUT = (
    "Own: 0 removes the atom, 1 changes nothing, −1 reverses it. Largest: its largest coefficient in its index. "
    "Norm: of the token's activation, the dictionary's mean taken off."
)
WIDGETS = (_STRENGTH, _UNIT, _ADDED, _AT, _SPECIAL, _NEW)


def not_drawn() -> None:
    """The page ends before this form."""
    lines = [key for key in st.session_state if str(key).startswith(f"{_ALSO}.")]
    address.not_drawn(*WIDGETS, *map(str, lines))


def form(key: engine.DictionaryKey, pinned: int) -> tuple[Wanted, dict[str, object]]:
    """Draws the lines; what is wanted, and what the address says of it."""
    n_atoms = len(engine.dictionary(key))
    also = _arrive_also(n_atoms, pinned)
    indexed = effects_engine.largest(key, pinned) is not None
    first = _first(pinned, indexed=indexed)
    for change in also:
        _line(change, indexed=indexed)
    _another(n_atoms, pinned, also)
    if not indexed:
        st.caption(
            "Strength is not offered in the unit “× its largest”: there is no atom index of this dictionary, which "
            "would say how large the atom's coefficients are. The page Atoms makes one."
        )
    row = st.container(horizontal=True, gap="medium", vertical_alignment="bottom")
    with row.container(width="content"):
        where = kept_choice("Where", "where", _WHERE, key=_AT)
    with row.container(width="content"):
        special = kept.toggle(
            "special_too",
            "Special tokens too",
            key=_SPECIAL,
            help="Special tokens and attention sinks are left alone otherwise: they have no atoms of their own.",
        )
    texts = Listed(map(text_of, st.session_state[_ALSO]))
    address.leave("also", _ALSO, st.session_state[_ALSO], ())
    values = {
        "strength": None if first.strength == 0 else first.strength,
        "unit": None if first.unit == "own" else first.unit,
        "added": "True" if first.added else None,
        "also": texts or None,
        "where": None if where == "token" else where,
        "special_too": "True" if special else None,
    }
    return Wanted((text_of(first), *texts), where, special), values


class _Also(tuple[Change, ...]):
    """Changes of further atoms, and how the address writes them."""

    def __str__(self) -> str:
        return MARK.join(map(text_of, self))


def _arrive_also(n_atoms: int, pinned: int) -> _Also:
    """The other atoms' changes; the pinned atom has a line of its own."""

    def parse(given: str) -> _Also:
        texts = given.split(MARK)
        if len(texts) >= MOST_CHANGES:
            raise Refused(f"names more than {MOST_CHANGES - 1} further atoms")
        try:
            changes = [change_of(text, strength=0.0) for text in texts]
        except UserError as error:
            raise Refused(f"cannot be read ({str(error).rstrip('.')})") from None
        for change in changes:
            if not 0 <= change.atom < n_atoms:
                raise Refused(f"names atom {change.atom:,}, of atoms 0 to {n_atoms - 1:,}")
            if change.added and change.unit == "own":
                raise Refused("adds a multiple of an atom's own coefficient, which is scaling it")
        if len({change.atom for change in changes}) < len(changes):
            raise Refused("names an atom twice")
        return _Also(changes)

    found = address.arrive("also", _ALSO, parse, _Also(), within=n_atoms)
    if any(change.atom == pinned for change in found):
        st.session_state[_ALSO] = _Also(change for change in found if change.atom != pinned)
    return st.session_state[_ALSO]


def _first(pinned: int, *, indexed: bool) -> Change:
    row = st.container(horizontal=True, gap="medium", vertical_alignment="bottom")
    with row.container(width=150):
        strength = kept.real("strength", "Strength", 0.0, key=_STRENGTH, step=0.25, format="%.2f")
    with row.container(width="content"):
        unit = kept_choice("Unit", "unit", _units(indexed), key=_UNIT, help=_UNITS_ABOUT)
    added = False
    if unit == "own":
        address.not_drawn(_ADDED)
    else:
        with row.container(width="content"):
            added = kept.toggle("added", "Add", key=_ADDED, help="Add to the coefficient, not set it.")
    return Change(pinned, strength, unit, added=added)


def _units(indexed: bool) -> dict[str, str]:
    return {name: title for name, title in UNITS.items() if indexed or name != "max"}


def _line(change: Change, *, indexed: bool) -> None:
    """One more atom; its callbacks replace it in the list, which the next run draws."""
    base = f"{_ALSO}.{change.atom}"
    strength, unit, added = f"{base}.strength", f"{base}.unit", f"{base}.added"

    def moved() -> None:
        chosen = st.session_state.get(unit, change.unit)
        add = chosen != "own" and bool(st.session_state.get(added, change.added))
        one = Change(change.atom, float(st.session_state.get(strength, change.strength)), chosen, added=add)
        st.session_state[_ALSO] = _Also(one if old.atom == change.atom else old for old in st.session_state[_ALSO])

    def gone() -> None:
        st.session_state[_ALSO] = _Also(old for old in st.session_state[_ALSO] if old.atom != change.atom)
        address.not_drawn(strength, unit, added)

    st.session_state[strength], st.session_state[unit] = change.strength, change.unit
    row = st.container(horizontal=True, gap="medium", vertical_alignment="bottom")
    with row.container(width=150):
        title = f"Strength of atom {change.atom}"
        st.number_input(title, key=strength, step=0.25, format="%.2f", on_change=moved)
    with row.container(width="content"):
        units = _units(indexed or change.unit == "max")
        st.segmented_control(
            "Unit", list(units), format_func=units.__getitem__, key=unit, required=True, on_change=moved
        )
    if change.unit != "own":
        st.session_state[added] = change.added
        with row.container(width="content"):
            st.toggle("Add", key=added, on_change=moved)
    with row.container(width="content"):
        st.button(
            "Remove",
            icon=":material/close:",
            type="tertiary",
            key=f"{base}.gone",
            help=f"Leaves atom {change.atom} as it is",
            on_click=gone,
        )


def _another(n_atoms: int, pinned: int, also: _Also) -> None:
    """A field for the number of one more atom."""
    if len(also) + 1 >= MOST_CHANGES:
        st.caption(f"{MOST_CHANGES} atoms are the most that are changed at once.")
        return

    def more() -> None:
        atom = st.session_state.get(_NEW)
        if atom is None:
            return
        now: _Also = st.session_state[_ALSO]
        if atom != pinned and all(one.atom != atom for one in now):
            st.session_state[_ALSO] = _Also((*now, Change(int(atom), 0.0)))
        st.session_state[_NEW] = None

    st.number_input(
        "Another atom",
        0,
        n_atoms - 1,
        value=None,
        step=1,
        key=_NEW,
        width=150,
        placeholder="its number",
        help="Type the number of one more atom to change it as well.",
        on_change=more,
    )
