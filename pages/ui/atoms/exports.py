"""What of one atom can be taken along: all that is known of it as JSON, and as a page that opens without network."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from itda_core.figures.atom_page import atom_page
from itda_core.figures.page import Section
from itda_core.files.without_paths import without_paths
from itda_core.files.writing import finite
from itda_core.printable import visible_token
from itda_core.runs.atoms.notes import Note
from itda_core.runs.library import LibraryEntry
from pages.ui.atoms import about
from pages.ui.frame import shell

if TYPE_CHECKING:
    from itda_core.analysis.atoms.index_format import IndexDescription
    from itda_core.dictionaries import AtomLabel
    from pages.ui.frame.atoms_engine import Use


def exports(
    entry: LibraryEntry,
    labels: Sequence[AtomLabel],
    note: Note,
    found: Use | None,
    described: IndexDescription | None,
    more: Mapping[str, Any],
    further: Sequence[Section] = (),
) -> shell.Files:
    """more: what else the JSON holds; further: what else the page shows."""
    atom = labels[0].atom
    stem = f"{entry.name}-atom-{atom}"

    def as_json() -> str:
        known: dict[str, Any] = {
            "dictionary": entry.name,
            "identity": entry.identity,
            "atom": atom,
            "labels": [asdict(label) for label in labels],
            "note": asdict(note),
        }
        if found is not None and described is not None:
            told = asdict(described)
            for name in ("model", "corpus", "notes"):  # any of them may name a folder of this machine
                told[name] = without_paths(told[name])
            known |= {"index": told, "usage": asdict(found.usage), "examples": asdict(found.examples)}
        return json.dumps(finite({**known, **more}), indent=2, ensure_ascii=False)

    def page() -> str:
        facts = [without_paths(f"{entry.model}, {entry.site}, dictionary {entry.name}")]
        if described is not None:
            facts.append(without_paths(about.of_what(described)))
        return atom_page(
            f"Atom {atom}: {visible_token(labels[0].token)}",
            [*facts, *([f"Note: {note.text}"] if note.text else [])],
            labels,
            used=None if found is None else about.facts(found.usage),
            usage=None if found is None else found.usage,
            examples=None if found is None else found.examples,
            further=further,
        )

    return {
        "JSON": (f"{stem}.json", "application/json", as_json),
        "Web page (works offline)": (f"{stem}.html", "text/html", page),
    }
