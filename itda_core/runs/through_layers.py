"""The dictionaries of one model through its layers: of each layer the one most like a given one."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from itda_core.fingerprints import same_model
from itda_core.runs.library import LibraryEntry


def through_layers(
    entry: LibraryEntry, listed: Sequence[LibraryEntry], seen: Sequence[LibraryEntry] = ()
) -> dict[int, LibraryEntry]:
    """Layer -> the dictionary of `listed` for the same weights, site and selection, ascending; `entry` at its own.

    Of several at one layer one of `seen` is taken, those that one came from; then the one whose name differs in the
    layer alone, then the one of the same settings and nearly the same size. Empty where `entry` has no layer.
    """
    if entry.layer is None or entry.fingerprint is None:
        return {}
    found: dict[int, LibraryEntry] = {}
    for other in [*seen, *listed]:
        if _is_kin(entry, other):
            assert other.layer is not None
            best = found.get(other.layer)
            if best is None or (best not in seen and _likeness(entry, other) > _likeness(entry, best)):
                found[other.layer] = other
    found[entry.layer] = entry
    return dict(sorted(found.items()))


def _is_kin(entry: LibraryEntry, other: LibraryEntry) -> bool:
    if other.problem is not None or other.layer is None or other.fingerprint is None or entry.fingerprint is None:
        return False
    same = (other.site, other.selection) == (entry.site, entry.selection)
    return same and same_model(other.fingerprint, entry.fingerprint)


def _likeness(entry: LibraryEntry, other: LibraryEntry) -> tuple[float, ...]:
    """How much `other` is like `entry` apart from the layer, what weighs most first."""
    there = re.sub(rf"(?<![A-Za-z0-9])L{entry.layer}(?![0-9])", f"L{other.layer}", entry.name)
    size = abs(math.log(max(1, other.atoms or 1) / max(1, entry.atoms or 1)))
    settings = ("method", "k", "threshold", "corpus", "revision", "bundled")
    alike = (getattr(other, name) == getattr(entry, name) for name in settings)
    return (other.name == there, *alike, -size)
