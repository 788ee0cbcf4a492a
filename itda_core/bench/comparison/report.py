"""What the comparison bench found, as a JSON object and as rows of a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from itda_core.bench.comparison.plan import TEXTBOOK
from itda_core.bench.comparison.run import CompareBench

COLUMNS = ("case", "pairs", "s", "sets", "speedup", "MiB")
NUMBERS = COLUMNS[1:]


def to_json(found: CompareBench) -> dict[str, Any]:
    """Plain values only; None where there is no number. Seconds, bytes."""
    plan = found.plan
    case = {
        "name": plan.name,
        "n_atoms": plan.atoms,
        "d_model": None,
        "k": None,
        "tokens": plan.documents * plan.tokens,
        "seconds": found.seconds,
        "textbook_seconds": found.textbook_seconds,
        "speedup": found.speedup,
        "limit_seconds": None,
        "fraction_of_limit": None,
        "peak_bytes": found.peak_bytes,
        "dictionaries": plan.dictionaries,
        "pairs": plan.pairs,
        "textbook": TEXTBOOK,
        "textbook_built_seconds": found.textbook_built_seconds,
        "textbook_pairs": found.textbook_pairs,
        "jaccard_median": found.jaccard_median,
        "jaccard_largest": found.jaccard_largest,
        "notes": list(_notes(found)),
    }
    return {"machine": asdict(found.machine), "cases": [case]}


def rows(found: CompareBench) -> Iterator[tuple[object, ...]]:
    """One row, in the order of COLUMNS."""
    yield (
        found.plan.name,
        f"{found.plan.pairs:,}",
        f"{found.seconds:.2f}",
        f"{found.textbook_seconds:.1f}",
        f"{found.speedup:.0f}x",
        None if found.peak_bytes is None else f"{found.peak_bytes / 2**20:.0f}",
    )


def remarks(found: CompareBench) -> Iterator[str]:
    """What the table cannot hold: the machine first."""
    yield str(found.machine)
    yield (
        f"Seconds from provenance frames to the Jaccard of every pair (median of {found.plan.repeats}), beside "
        f"{TEXTBOOK}, of which {found.textbook_built_seconds:.1f} s make the sets; the values are the same. "
        f"Median Jaccard {found.jaccard_median:.3f}, largest {found.jaccard_largest:.3f}."
    )
    yield from _notes(found)


def _notes(found: CompareBench) -> Iterator[str]:
    if found.textbook_pairs < found.plan.pairs:
        yield (
            f"{found.textbook_pairs:,} of {found.plan.pairs:,} pairs of sets, drawn at random, were timed, and their "
            "time was scaled up."
        )
    if found.peak_bytes is None:
        yield "The memory could not be measured."
