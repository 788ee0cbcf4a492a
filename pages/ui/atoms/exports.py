"""What of one atom can be taken along: all that is known of it as JSON, and as a page that opens without network."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from itda_core.analysis.atoms.together import certain
from itda_core.analysis.in_common import short_label
from itda_core.figures import honesty
from itda_core.figures.atom_page import atom_page
from itda_core.figures.page import Section, table
from itda_core.figures_as_text import signed
from itda_core.files.without_paths import without_paths
from itda_core.files.writing import finite
from itda_core.printable import visible_token
from itda_core.runs.atoms.notes import Note
from itda_core.runs.library import LibraryEntry
from pages.ui.atoms import about
from pages.ui.frame import shell

if TYPE_CHECKING:
    from itda_core.analysis.atoms.atom_report import AtomReport
    from itda_core.analysis.atoms.honesty.grades import AtomHonesty
    from itda_core.analysis.atoms.index_format import IndexDescription
    from itda_core.dictionaries import AtomLabel
    from pages.ui.frame.atoms_engine import Use


def exports(
    entry: LibraryEntry,
    labels: Sequence[AtomLabel],
    note: Note,
    found: Use | None,
    described: IndexDescription | None,
    report: Callable[[], AtomReport],
    honest: AtomHonesty | None,
) -> shell.Files:
    """report: makes what the JSON holds, which has the keys of `itda atoms show --json`; the page shows the rest."""
    atom = labels[0].atom
    stem = f"{entry.name}-atom-{atom}"

    def as_json() -> str:
        known: dict[str, Any] = {**report().to_dict(), "identity": entry.identity, "note": asdict(note)}
        if described is not None:
            told = asdict(described)
            for name in ("model", "corpus", "notes"):  # any of them may name a folder of this machine
                told[name] = without_paths(told[name])
            known["index"] = told
        return json.dumps(finite(known), indent=2, ensure_ascii=False)

    def page() -> str:
        facts = [without_paths(f"{entry.model}, {entry.site}, dictionary {entry.name}")]
        if described is not None:
            facts.append(without_paths(about.of_what(described)))
        return atom_page(
            f"Atom {atom}: {short_label([label.token for label in labels])}",
            [*facts, *([f"Note: {note.text}"] if note.text else [])],
            labels,
            used=None if found is None else about.facts(found.usage),
            told_of_use=about.SHARES,
            usage=None if found is None else found.usage,
            examples=None if found is None else found.examples,
            further=_further(report(), honest),
        )

    return {
        "JSON": (f"{stem}.json", "application/json", as_json),
        "Web page (works offline)": (f"{stem}.html", "text/html", page),
    }


def _further(report: AtomReport, honest: AtomHonesty | None) -> list[Section]:
    """What the page shows below the examples."""
    found = []
    if honest is not None:
        rows, told = list(honesty.in_common(honest).items()), f"{honesty.sentence(honest.grade)}. {honesty.ABOUT}"
        found.append(
            Section(
                "Does its label tell where it fires?",
                table(("", ""), rows),
                told,
            )
        )
    near = [(str(one.atom), signed(one.cosine, "+.3f")) for one in (*report.nearest, *report.opposite)]
    found.append(Section("Neighbours, by cosine", table(("atom", "cosine"), near, numbers=("atom", "cosine"))))
    if together := certain(report.together or ()):
        columns = ("atom", "tokens", "by chance", "lift", "lift surely above")
        rows = [
            (str(one.atom), f"{one.tokens:,}", f"{one.expected:.1f}", f"{one.lift:.1f}", f"{one.low:.1f}")
            for one in together
        ]
        note = "Pairs that cannot be told from chance are left out."
        found.append(Section("Fires together with", table(columns, rows, numbers=columns), note))
    if report.logits is not None:
        rows = [
            (visible_token(one.token), signed(one.logit, "+.3f"))
            for one in (*report.logits.raised, *report.logits.lowered)
        ]
        note = "By how much a token's logit changes per 1 of the coefficient, on the direct path alone."
        found.append(Section("What it writes", table(("token", "logit"), rows, numbers=("logit",)), note))
    return found
