"""Which layers a training reads, as a person writes them: `0,2-4` or `all`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from itda_core.errors import UserError

_MOST_DIGITS = 4  # no model has ten thousand blocks; a longer number is a slip


def parse_layers(text: str) -> tuple[int, ...] | None:
    """The layers `text` names, ascending, each once; None for `all`.

    Raises UserError when `text` is neither `all` nor a list of numbers and ranges.
    """
    cleaned = text.strip().lower()
    if cleaned == "all":
        return None
    layers: set[int] = set()
    for part in cleaned.split(","):
        match = re.fullmatch(rf"\s*(\d{{1,{_MOST_DIGITS}}})\s*(?:-\s*(\d{{1,{_MOST_DIGITS}}})\s*)?", part)
        if match is None:
            raise UserError(
                f"Layers {text!r} cannot be read; write numbers and ranges such as 0,2-4, or all.", field="layers"
            )
        first, last = int(match.group(1)), int(match.group(2) or match.group(1))
        if last < first:
            raise UserError(
                f"Layers {text!r}: the range {part.strip()} runs backwards; write {last}-{first}.", field="layers"
            )
        layers.update(range(first, last + 1))
    return tuple(sorted(layers))


def format_layers(layers: Sequence[int] | None) -> str:
    """The shortest text that `parse_layers` reads as `layers`."""
    if layers is None:
        return "all"
    parts: list[str] = []
    ordered = sorted(set(layers))
    start = 0
    for end in range(1, len(ordered) + 1):
        if end == len(ordered) or ordered[end] != ordered[end - 1] + 1:
            first, last = ordered[start], ordered[end - 1]
            parts.append(str(first) if first == last else f"{first}-{last}")
            start = end
    return ",".join(parts)


def existing_layers(layers: Sequence[int] | None, n_layers: int, model: str) -> tuple[int, ...]:
    """`layers` of a model with `n_layers` blocks, None meaning all. Raises UserError when one does not exist."""
    if layers is None:
        return tuple(range(n_layers))
    missing = [layer for layer in layers if not 0 <= layer < n_layers]
    if missing:
        named = ", ".join(str(layer) for layer in missing[:5]) + (", ..." if len(missing) > 5 else "")
        raise UserError(
            f"{model} has no layer {named}: it has {n_layers} layers, 0 to {n_layers - 1}; choose among these.",
            field="layers",
        )
    return tuple(layers)
