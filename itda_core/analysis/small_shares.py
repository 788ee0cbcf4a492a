"""Which of a token's atoms are too weak to be shown at once: their labels mean little to a reader."""

from __future__ import annotations

from collections.abc import Sequence

from itda_core.analysis.decompose import AtomUse

SMALL = 0.05  # of a token's coefficients
_ALWAYS = 3  # of the strongest atoms, which are shown however small they are
_FEWEST = 2  # the line that says that some are folded away takes the room of one


def small_shares(uses: Sequence[AtomUse], pinned: int | None = None) -> set[int]:
    """The atoms of `uses` (strongest first) with a share below SMALL, beyond the first few, and not `pinned`."""
    small = {use.atom for use in uses[_ALWAYS:] if use.share < SMALL and use.atom != pinned}
    return small if len(small) >= _FEWEST else set()
