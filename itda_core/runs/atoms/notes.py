"""One's own notes and stars for atoms: kept beside the library, by the identity of the dictionary.

A rename of the dictionary changes nothing, and bundled dictionaries, which cannot be written to, have notes as well.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from itda_core.errors import UserError
from itda_core.files import explained, read_json, shown, write_json
from itda_core.files.home import home
from itda_core.foreign import valid

FORMAT, FORMAT_VERSION = "itda-notes", 1
MOST_CHARACTERS = 4_000  # of one note
MOST_ATOMS = 10_000_000  # a note on a higher number is no note
_lock = threading.Lock()  # of one process; what two processes write at the same moment, the later one wins


@dataclass(frozen=True)
class Note:
    """What somebody has to say about one atom."""

    star: bool = False
    text: str = ""

    @property
    def empty(self) -> bool:
        """Whether it says nothing, so that it need not be kept."""
        return not (self.star or self.text)


@dataclass(frozen=True)
class Notes:
    """The notes on one dictionary's atoms, those that say something, and how many could not be read."""

    by_atom: Mapping[int, Note] = field(default_factory=dict)
    unreadable: int = 0
    problem: str = ""  # one sentence; the file as it is could not be read at all

    def of(self, atom: int) -> Note:
        """The note on `atom`; an empty one where there is none."""
        return self.by_atom.get(atom, Note())

    @property
    def starred(self) -> tuple[int, ...]:
        """The atoms with a star, in order."""
        return tuple(sorted(atom for atom, note in self.by_atom.items() if note.star))


def path_of(identity: str) -> Path:
    """Where the notes on the dictionary of this identity lie, if there are any."""
    assert identity.isalnum(), "hexadecimal"
    return home() / "notes" / f"{identity}.json"


def read_notes(identity: str | None) -> Notes:
    """The notes on a dictionary; what of them is damaged is left out, and said. None: one without an identity."""
    if identity is None or not path_of(identity).exists():
        return Notes()
    try:
        return parsed(read_json(path_of(identity)))
    except UserError as error:
        return Notes(problem=str(error))


def keep_note(identity: str, atom: int, *, star: bool | None = None, text: str | None = None) -> Notes:
    """Change the note on `atom` (None: that part stays as it is) and give all notes as they are now.

    Where what was kept cannot be read, its file is put aside first, under a name of its own, and nothing of it is lost.
    Raises UserError for a text of more than MOST_CHARACTERS, and when nothing can be written.
    """
    if text is not None and len(text) > MOST_CHARACTERS:
        raise UserError(f"The note has {len(text):,} characters; shorten it to {MOST_CHARACTERS:,}.", field="note")
    with _lock:
        found = read_notes(identity)
        if found.problem or found.unreadable:
            _put_aside(path_of(identity))
        note = found.of(atom)
        note = replace(note, star=note.star if star is None else star, text=note.text if text is None else valid(text))
        kept = {**found.by_atom, atom: note}
        if note.empty:
            del kept[atom]
        _write(identity, Notes(kept))
        return Notes(kept)


def add_notes(identity: str, more: Notes) -> None:
    """Add the notes of somebody else's copy; where both say something of an atom, both texts are kept.

    Raises UserError when nothing can be written.
    """
    if not more.by_atom:
        return
    with _lock:
        found = read_notes(identity)
        if found.problem or found.unreadable:
            _put_aside(path_of(identity))
        kept = dict(found.by_atom)
        for atom, note in more.by_atom.items():
            kept[atom] = _joined(kept.get(atom, Note()), note)
        _write(identity, Notes(kept))


def to_json(notes: Notes) -> dict[str, Any]:
    """The notes as their file holds them."""
    rows = [{"atom": atom, **asdict(note)} for atom, note in sorted(notes.by_atom.items())]
    return {"format": FORMAT, "format_version": FORMAT_VERSION, "notes": rows}


def parsed(found: Any) -> Notes:
    """The notes in the JSON of a file; rows that are none are counted. Raises UserError for what is no such file."""
    rows = found.get("notes") if isinstance(found, dict) else None
    if not isinstance(found, dict) or found.get("format") != FORMAT or not isinstance(rows, list):
        raise UserError("The notes are damaged (they are not what this program writes); restore them from a copy.")
    if found.get("format_version") != FORMAT_VERSION:
        version = shown(repr(found.get("format_version")))[:20]
        raise UserError(f"The notes have format version {version}, this program reads {FORMAT_VERSION}; update it.")
    by_atom: dict[int, Note] = {}
    unreadable = 0
    for row in rows:
        atom, note = _row(row)
        if note is None or atom in by_atom:
            unreadable += 1
        elif not note.empty:
            by_atom[atom] = note
    return Notes(by_atom, unreadable)


def _row(row: Any) -> tuple[int, Note | None]:
    if not isinstance(row, dict):
        return -1, None
    atom, star, text = row.get("atom"), row.get("star", False), row.get("text", "")
    if isinstance(atom, bool) or not isinstance(atom, int) or not 0 <= atom < MOST_ATOMS:
        return -1, None
    if not isinstance(star, bool) or not isinstance(text, str):
        return -1, None
    return atom, Note(star, valid(text[:MOST_CHARACTERS]))


def _joined(own: Note, other: Note) -> Note:
    """Both notes as one: nothing is said twice, and nothing of one's own is cut off."""
    text = own.text
    if other.text and other.text not in text:
        text = f"{text}\n\n{other.text}" if text else other.text
    return Note(own.star or other.star, text if len(text) <= MOST_CHARACTERS else own.text or text[:MOST_CHARACTERS])


def _write(identity: str, notes: Notes) -> None:
    write_json(path_of(identity), to_json(notes))


def _put_aside(path: Path) -> None:
    """Keeps a file that cannot be read whole under the first free name beside it."""
    number = 1
    while (aside := path.with_name(f"{path.stem}.damaged-{number}.json")).exists():
        number += 1
    with explained(path):
        path.replace(aside)
