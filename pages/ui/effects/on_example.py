"""What an atom does at one of the places where it fires: its part in the next token, and a way to change it there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import streamlit as st

from itda_core.errors import UserError
from itda_core.figures_as_text import figure, signed
from itda_core.runs.library import LibraryEntry
from pages.ui.components.plain_text import notice, problem
from pages.ui.components.printable import visible, visible_token
from pages.ui.effects import change, switch
from pages.ui.forms import kept
from pages.ui.frame import address, atoms_engine, effects_engine, engine, navigation
from pages.ui.frame.atoms_engine import IndexKey, Place
from pages.ui.frame.effects_engine import AtomPart, Prompted, Pursued

if TYPE_CHECKING:
    from itda_core.analysis.atoms.examples import Example

_SWITCH, _EXAMPLE = "atoms.here", "atoms.example"
_ASKED = (_EXAMPLE, *change.WIDGETS)
WIDGETS = (_SWITCH, *_ASKED)
_BEFORE, _AFTER = 60, 30  # characters around an example's token


def draw(
    entry: LibraryEntry, key: engine.DictionaryKey, index_of: IndexKey, found: atoms_engine.Use
) -> dict[str, object]:
    """Draws the section, of which at first only its switch is seen; gives what the address says of it."""
    atom, examples = found.usage.atom, _examples(found)
    if not examples:
        address.not_drawn(*WIDGETS)
        return {}
    st.subheader("What it does here", anchor=False)
    opened, values = switch.opened(
        *(key, "here", "Its part in what the model predicts at an example"),
        widget=_SWITCH,
        help="One backward pass, and one forward pass without the atom.",
    )
    if not opened:
        address.not_drawn(*_ASKED)
        return values
    token, strongest = _chosen(key, atom, examples)
    values["example"] = None if token == strongest else token
    described = atoms_engine.index(index_of, len(engine.dictionary(key))).description
    how = Pursued(described.k, described.method, False)
    try:
        with st.spinner("Asking the model…", show_time=True):
            place = atoms_engine.in_decompose(key, index_of, token)
            part = effects_engine.atom_part(key, Prompted(place.prompt, place.token, how), atom)
    except UserError as error:
        address.not_drawn(*change.WIDGETS)
        problem(error, key="atoms.here.problem")
        return values
    _show(atom, part)
    _way(entry, atom, place, how)
    return values | change.draw(key, place.prompt, place.token, atom, how)


def _examples(found: atoms_engine.Use) -> dict[int, Example]:
    """The index's number of their token -> the examples, the strongest first."""
    listed = (*found.examples.positive, *found.examples.negative)
    drawn = [one for part in found.examples.quantiles for one in part.examples]
    strongest_first = sorted(listed, key=lambda one: -abs(one.coefficient))
    return {one.token: one for one in (*strongest_first, *drawn)}


def _chosen(key: engine.DictionaryKey, atom: int, examples: Mapping[int, Example]) -> tuple[int, int]:
    """The example of the address and the strongest one, by the numbers of their tokens."""
    strongest = next(iter(examples))

    def parse(given: str) -> int:
        token = kept.whole(given)
        if token not in examples:
            raise address.Refused(f"is none of the examples of atom {atom}")
        return token

    address.arrive("example", _EXAMPLE, parse, strongest, within=(key.path, atom))
    token = st.selectbox("Example", list(examples), key=_EXAMPLE, format_func=lambda one: _in_context(examples[one]))
    address.leave("example", _EXAMPLE, token, strongest)
    return token, strongest


def _in_context(one: Example) -> str:
    low, high = one.char_start - one.window_start, one.char_end - one.window_start
    before, token, after = one.text[max(0, low - _BEFORE) : low], one.text[low:high], one.text[high : high + _AFTER]
    return f"{signed(one.coefficient)}  {visible(before)}⟦{visible(token)}⟧{visible(after)}"


def _show(atom: int, part: AtomPart) -> None:
    """What is predicted, and the atom's part in it."""
    target = visible_token(part.target)
    st.text(
        f"Behind the marked token the model finds “{target}” likeliest: probability {figure(part.probability, '.1%')}, "
        f"logit {signed(part.value)}."
    )
    if part.effect is None or part.removed is None:
        notice(
            f"Where this text is read alone, the token does not use atom {atom}: the passage began earlier.",
            step="Choose another example.",
            key="atoms.here.unused",
        )
        return
    row = st.container(horizontal=True, gap="small", border=True, key="atoms.here.measures")
    about = "Coefficient × (atom · gradient): what the atom adds to that logit, to first order."
    row.metric("Effect", signed(part.effect, "+.3f"), width="content", help=about)
    about = "What the logit really changes by when the atom is taken out at this token."
    row.metric("If removed", signed(part.removed, "+.3f"), width="content", help=about)
    about = "By the size of its effect, among all atoms at all tokens that have any."
    row.metric("Rank", f"{part.rank} of {part.parts}" if part.rank else "none", width="content", help=about)


def _way(entry: LibraryEntry, atom: int, place: Place, how: Pursued) -> None:
    """To the same place in Decompose, with all atoms' parts."""
    there = {"dictionary": entry.name, "atom": atom, "prompt": place.prompt, "token": place.token, "why": "True"}
    asked = {"k": how.k, "method": how.method, "signs": "positive" if how.non_negative else "any"}
    navigation.link("Decompose", there | asked, label="All atoms' parts, in Decompose")
