"""How long work still takes, going by what it took so far."""

from __future__ import annotations


def time_left(share: float, seconds: float, *, since: float = 0.0) -> float | None:
    """Seconds until all is done, when the work from the share `since` up to `share` took `seconds`; None where nothing
    was done in them.
    """
    return seconds / (share - since) * (1 - share) if share > since else None
