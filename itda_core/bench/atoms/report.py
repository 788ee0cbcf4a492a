"""What the bench of atom indices found, as a JSON object and as rows of a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from itda_core.bench.atoms.run import AtomsBench

COLUMNS = ("case", "entries", "s", "M entries/s", "MB", "peak MiB", "beside encoding", "page ms", "cold page ms")
NUMBERS = COLUMNS[1:]


def to_json(found: AtomsBench) -> dict[str, Any]:
    """Plain values only; None where there is no number. Seconds, bytes."""
    plan = found.plan
    case = {
        "name": plan.name,
        "n_atoms": plan.atoms,
        "d_model": plan.d_model,
        "k": plan.k,
        "tokens": plan.tokens,
        "seconds": found.seconds,
        "textbook_seconds": None,
        "speedup": None,
        "limit_seconds": None,
        "fraction_of_limit": None,
        "peak_bytes": found.peak_bytes,
        "entries": found.entries,
        "entries_per_second": found.entries_per_second,
        "index_bytes": found.index_bytes,
        "encoded_tokens": plan.encoded,
        "encoding_seconds": found.encoding_seconds,
        "whole_seconds": found.whole_seconds,
        "whole_beside_encoding": found.whole_seconds / found.encoding_seconds,
        "pages": plan.pages,
        "first_page_seconds": found.pages.first,
        "page_seconds": found.pages.median,
        "slowest_page_seconds": found.pages.slowest,
        "cold_page_seconds": found.pages.cold,
        "notes": list(_notes(found)),
    }
    return {"machine": asdict(found.machine), "cases": [case]}


def rows(found: AtomsBench) -> Iterator[tuple[object, ...]]:
    """One row, in the order of COLUMNS."""
    yield (
        found.plan.name,
        f"{found.entries:,}",
        f"{found.seconds:.2f}",
        f"{found.entries_per_second / 1e6:.1f}",
        f"{found.index_bytes / 1e6:.0f}",
        None if found.peak_bytes is None else f"{found.peak_bytes / 2**20:.0f}",
        f"{found.whole_seconds / found.encoding_seconds:.2f}x",
        f"{1000 * found.pages.median:.1f}",
        None if found.pages.cold is None else f"{1000 * found.pages.cold:.1f}",
    )


def remarks(found: AtomsBench) -> Iterator[str]:
    """What the table cannot hold: the machine first."""
    plan = found.plan
    yield str(found.machine)
    yield (
        f"Seconds from codes to the finished index. Beside encoding: {plan.encoded:,} tokens of {plan.d_model} "
        f"dimensions encoded and indexed took {found.whole_seconds:.2f} s, encoded alone "
        f"{found.encoding_seconds:.2f} s (medians of {plan.repeats}); the model's forward pass counts in neither."
    )
    yield (
        f"A page is an atom's figures and examples, the median of {plan.pages} random atoms; the slowest took "
        f"{1000 * found.pages.slowest:.0f} ms, opening the index and the first page {1000 * found.pages.first:.0f} ms."
    )
    yield from _notes(found)


def _notes(found: AtomsBench) -> Iterator[str]:
    if found.peak_bytes is None:
        yield "The memory could not be measured."
    if found.pages.cold is None:
        yield "This system cannot be asked to forget files, so that no page was read cold."
