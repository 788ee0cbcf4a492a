"""Names in the order in which a person counts: step-200 before step-1000."""

from __future__ import annotations

import re


def natural(text: str) -> list[tuple[int, int, str]]:
    """What to sort `text` by: numbers in it as numbers, before letters; upper and lower case alike."""
    parts = re.split(r"(\d+)", text.casefold())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part]
