"""Times and sizes as people read them."""

from __future__ import annotations

import math


def duration(seconds: float) -> str:
    """`8 s`, `3 min 20 s`, `2 h 05 min`, `4 d 07 h`; `–` for what is not known (NaN) or will never be (infinity)."""
    if not math.isfinite(seconds):
        return "–"
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 48 * 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} d {whole % 86400 // 3600:02d} h"


def size(count: int | float) -> str:
    """Bytes with a decimal unit: `2.1 MB`, `141 GB`."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.5:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 99.95 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:,.0f} TB" if value >= 99.95 else f"{value:.1f} TB"
