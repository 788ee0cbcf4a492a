"""Which text dictionaries are to be measured on, and what is known of it beforehand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import streamlit as st

from itda_core.errors import UserError
from itda_core.files import read_json
from itda_core.runs.library import LibraryEntry
from itda_core.text.corpus_kinds import A_FILE
from pages.ui.components.plain_text import notice
from pages.ui.forms import columns_of_text, corpus_location
from pages.ui.forms.field_faults import FieldFaults
from pages.ui.frame import address, beforehand

ADDRESS = ("text", columns_of_text.ADDRESS, corpus_location.ADDRESS)
_OWN, _OTHER = "Their own text", "Another text"
_TEXT, _SOURCE, _WHERE = "evaluate.text", "evaluate.text.source", "evaluate.text.where"


@dataclass(frozen=True)
class Text:
    """What was chosen; `check` looks at it."""

    own: bool
    given: str  # of another text, or where the file of their own text is now; "" where nothing was given
    missing: tuple[str, ...]  # files of their own text whose place is not known
    mixed: bool  # they were built on several texts, some of them missing
    found: tuple[str, ...] = ()  # their own texts whose name alone leads to them

    def check(self, *, offline: bool) -> None:
        """Raises UserError when it is not said which text is meant, and when that cannot be read.

        offline: the Hub may not be asked.
        """
        if self.own and self.mixed:
            raise UserError(
                f"The dictionaries were built on several texts, one of them the file {self.missing[0]}; measure those "
                "of one text at a time, or choose another text for all."
            )
        if self.own and self.missing and not self.given:
            raise UserError(f"The dictionaries were built on the file {self.missing[0]}; say where it is now.")
        if not self.own and not self.given:
            raise UserError("No text was named; name one, or measure on the dictionaries' own.")
        for text in filter(None, (self.given, *self.found)):
            beforehand.check_text(text, offline=offline)


def choose(entries: Sequence[LibraryEntry], field_faults: FieldFaults, *, offline: bool) -> Text:
    """Draws the choice, and says what the text is to the dictionaries. offline: the Hub may not be asked."""
    other = address.arrive("text", _TEXT, str, "")
    source = st.segmented_control(
        "Text to measure on",
        (_OWN, _OTHER),
        default=_OTHER if other else _OWN,
        required=True,
        key=_SOURCE,
        help="Their own text is the one that each dictionary was built on, after the part that was read. Another text "
        "shows how well they carry over.",
    )
    if source == _OTHER:
        given = st.text_input(
            "Which text",
            key=_TEXT,
            on_change=columns_of_text.forget,
            placeholder="demo, /path/to/text.txt or hf:NAME/CONFIG@SPLIT#COLUMN",
            help=f"demo for the bundled text; {A_FILE} (a column may follow it: "
            "reviews.csv#body); or a Hugging Face data set, streamed.",
        ).strip()
        address.leave("text", _TEXT, given, "")
        given = columns_of_text.choose(given, "evaluate.text")
        field_faults.beside("corpus")
        if given != "demo":
            columns_of_text.first_rows(given, "evaluate.text", offline=offline)
        st.caption(
            "The part of this text that the dictionaries have read is left out. Passages that it shares with a text of "
            "another name are not recognised."
        )
        return Text(False, given, (), False)
    st.session_state[_TEXT] = ""
    address.leave("text", _TEXT, "", "")
    return _own(entries, field_faults)


def _own(entries: Sequence[LibraryEntry], field_faults: FieldFaults) -> Text:
    corpora = tuple(dict.fromkeys(entry.corpus or "" for entry in entries))
    missing = tuple(name for name in corpora if not corpus_location.findable(name))
    if missing and len(corpora) > 1:
        field_faults.beside("corpus")
        return Text(True, "", missing, True)
    given = ""
    if missing:
        given = corpus_location.where_now(missing[0], _WHERE)
    field_faults.beside("corpus")
    _say_held_out(entries)
    return Text(True, given, missing, False, tuple(name for name in corpora if name not in missing))


class _Read(NamedTuple):
    """What of its text a dictionary was built from."""

    corpus: str
    context: str  # tokens per window
    tokens: int
    windows: int | None  # that these tokens come from; None where that is not recorded
    mean: bool  # its mean may come from further on


def _say_held_out(entries: Sequence[LibraryEntry]) -> None:
    """What is left out because the dictionaries were built from it; a warning where that is not known."""
    read = {entry.name: _read(entry) for entry in entries}
    unknown = [name for name, part in read.items() if part is None]
    if unknown:
        notice(
            f"{unknown[0]} does not say how much of its text it was built from: its figures would be of training text, "
            "and look better than on other text.",
            step="Choose another text to measure it on text it has never read.",
            kind="warning",
            key="evaluate.text.unknown",
        )
    elif read:
        most: dict[tuple[str, str], _Read] = {}
        for part in filter(None, read.values()):
            place = part.corpus, part.context
            most[place] = max(part, most.get(place, part), key=lambda one: (one.windows or 0, one.tokens))
        places = "; ".join(dict.fromkeys(map(_place, most.values())))
        notice(f"Held-out text: {places}.", key="evaluate.text.held")


def _place(part: _Read) -> str:
    """Where the held-out text begins, as the figures say it later: windows that were read from are left out whole."""
    if part.windows is None:
        return f"{part.corpus} after token {part.tokens:,}"
    least = "at least " if part.mean else ""
    return f"{part.corpus} after {least}its first {part.windows:,} windows, of which {part.tokens:,} tokens were taken"


def _read(entry: LibraryEntry) -> _Read | None:
    try:
        said = read_json(entry.path / "dictionary.json")
        stats, config = said.get("stats", {}), said.get("config", {})
        tokens, windows = stats.get("tokens"), stats.get("windows")
        context, mean = config.get("context"), bool(config.get("centre"))
    except (UserError, AttributeError):
        return None
    if not isinstance(tokens, int):
        return None
    return _Read(entry.corpus or "", str(context), tokens, windows if isinstance(windows, int) else None, mean)
