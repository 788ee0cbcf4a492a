"""How the tokens of a prompt are coloured: by error, by one atom, or by each token's strongest atom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from itda_core.analysis.in_common import tokens_of
from itda_core.figures_as_text import signed
from itda_core.printable import visible_token
from itda_core.text.running_text import part_of

if TYPE_CHECKING:
    from itda_core.analysis.decompose import TokenDecomposition

COLOURS = {"error": "Relative error", "atom": "Pinned atom", "strongest": "Strongest atom"}

_POSITIVE, _NEGATIVE = "99, 102, 241", "234, 88, 12"
# None is orange: that colour says that a coefficient is negative.
_HUES = ("16, 185, 129", "236, 72, 153", "14, 165, 233", "234, 179, 8", "168, 85, 247", "100, 116, 139")
_NAMED = 3  # of an atom's tokens, where there is little room
_DEEPEST = 0.55  # a deeper colour would swallow the text on it


class Shade(NamedTuple):
    """How a token is coloured, and what is said about it."""

    rgb: str
    alpha: float
    tip: str


def piece_marks(tokens: Sequence[TokenDecomposition]) -> list[str]:
    """`1/3`, `2/3`, `3/3` for tokens that are pieces of the same characters, "" for all others."""
    spans = [(0, 0) if token.special else (token.char_start, token.char_end) for token in tokens]
    parts = [part_of(spans, i) for i in range(len(spans))]
    return ["" if part is None else f"{part[0]}/{part[1]}" for part in parts]


def shading(
    tokens: Sequence[TokenDecomposition], colour: str, pinned: int | None
) -> tuple[list[Shade], dict[str, Any]]:
    """One Shade per token, and the legend that explains them."""
    if colour == "strongest":
        return _by_strongest(tokens)
    if colour == "atom" and pinned is not None:
        return _by_atom(tokens, pinned)
    return _by_error(tokens)


def _by_error(tokens: Sequence[TokenDecomposition]) -> tuple[list[Shade], dict[str, Any]]:
    top = max((t.relative_error for t in tokens if not t.special), default=0.0) or 1.0
    shades = [
        Shade(_POSITIVE, _DEEPEST * min(1.0, t.relative_error / top), f"relative error {t.relative_error:.3f}")
        for t in tokens
    ]
    ramp = [f"{_POSITIVE}, 0", f"{_POSITIVE}, {_DEEPEST}"]
    return shades, {"title": "Relative error", "ramp": ramp, "low": "0", "high": f"{top:.3f}"}


def _by_atom(tokens: Sequence[TokenDecomposition], atom: int) -> tuple[list[Shade], dict[str, Any]]:
    weights = [next((use.coefficient for use in t.atoms if use.atom == atom), 0.0) for t in tokens]
    top = max((abs(w) for w, t in zip(weights, tokens, strict=True) if not t.special), default=0.0) or 1.0
    shades = [
        Shade(
            _POSITIVE if weight >= 0 else _NEGATIVE,
            _DEEPEST * min(1.0, abs(weight) / top),
            f"coefficient of atom {atom}: {signed(weight)}" if weight else f"atom {atom} is not used here",
        )
        for weight in weights
    ]
    if not any(weights):
        return shades, {"title": f"Atom {atom} is used by no token of this prompt at this k"}
    signs = {weight > 0 for weight, token in zip(weights, tokens, strict=True) if weight and not token.special}
    low, high = ("0" if False not in signs else f"−{top:.2f}"), ("0" if True not in signs else f"+{top:.2f}")
    ramp = [f"{_NEGATIVE}, {_DEEPEST}", f"{_NEGATIVE}, 0"] if False in signs else []
    ramp += [f"{_POSITIVE}, 0", f"{_POSITIVE}, {_DEEPEST}"] if True in signs else []
    return shades, {"title": f"Coefficient of atom {atom}", "ramp": ramp, "low": low, "high": high}


def _by_strongest(tokens: Sequence[TokenDecomposition]) -> tuple[list[Shade], dict[str, Any]]:
    counts = Counter(t.atoms[0].atom for t in tokens if t.atoms and not t.special)
    names = {t.atoms[0].atom: tokens_of(t.atoms[0], _NAMED) for t in tokens if t.atoms}
    shared = [atom for atom, count in counts.most_common(len(_HUES)) if count > 1]
    hues = dict(zip(shared, _HUES, strict=False))
    shades = []
    for token in tokens:
        if not token.atoms:
            shades.append(Shade(_POSITIVE, 0.0, "no atom"))
            continue
        use = token.atoms[0]
        alpha = 0.1 + (_DEEPEST - 0.1) * use.share
        source = visible_token(tokens_of(use, _NAMED))
        tip = f"strongest: atom {use.atom}, from {source}, share {use.share:.0%}{', negative' * (use.coefficient < 0)}"
        shades.append(Shade(hues.get(use.atom, _POSITIVE), alpha, tip))
    entries = [
        {"rgb": hues[atom], "text": visible_token(names[atom]), "note": f"atom {atom} × {counts[atom]}"}
        for atom in shared
    ]
    entries.append(
        {"rgb": _POSITIVE, "text": "", "note": "Strongest for this token only. Deeper colour: larger share."}
    )
    return shades, {"title": "", "entries": entries}
