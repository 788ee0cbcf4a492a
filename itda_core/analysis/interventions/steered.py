"""What came of changing atoms: the effect, what was written, and a curve over strength; with the marks as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from itda_core.analysis.interventions.effect import CurvePoint, Effect, Piece
from itda_core.analysis.interventions.written import text_of

_MOST_NAMED = 12  # tokens in a sentence


@dataclass(frozen=True)
class Continuations:
    """What follows the prompt, without the changes and with them."""

    new_tokens: int  # asked for
    temperature: float
    seed: int
    before: tuple[Piece, ...]
    after: tuple[Piece, ...]
    ended: bool = True  # False where it was stopped on the way


@dataclass(frozen=True)
class Curve:
    """Strengths of the first change, and the next token whose probability is told at each."""

    next_token: str
    points: tuple[CurvePoint, ...]


@dataclass(frozen=True)
class Steered:
    """All of it; what was not asked for is None."""

    effect: Effect
    continuations: Continuations | None = None
    curve: Curve | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values: the keys of `itda steer --json`."""
        effect, written = self.effect, self.continuations
        first = effect.changes[0]
        changed = [{**asdict(one), "strengths": one.strengths._asdict(), "moved": one.moved} for one in effect.changed]
        return {
            "model": effect.model,
            "dictionary": effect.dictionary,
            "layer": effect.layer,
            "site": effect.site,
            "prompt": effect.prompt,
            "tokens": [
                {"text": text, "changed": mark} for text, mark in zip(effect.tokens, effect.marked, strict=True)
            ],
            "token": effect.token,
            "atoms": [change.atom for change in effect.changes],
            **{"strength": first.strength, "unit": first.unit, "added": first.added, "where": effect.where},
            "changes": [text_of(change) for change in effect.changes],
            "special": effect.include_special,
            "before": _side(effect.before, () if written is None else written.before),
            "after": _side(effect.after, () if written is None else written.after),
            "written": None
            if written is None
            else {name: [asdict(piece) for piece in getattr(written, name)] for name in ("before", "after")},
            "reconstruction_only": {
                "predictions": [asdict(one) for one in effect.reconstruction_only],
                "kl": effect.kl_reconstruction_only,
                "kl_unchanged": effect.kl_reconstruction_unchanged,
            },
            "compared": [asdict(one) for one in effect.compared],
            **{"kl": effect.kl, "loss_before": effect.loss_before, "loss_after": effect.loss_after},
            "changed": changed,
            "curve": None if self.curve is None else asdict(self.curve),
            "warning": effect.warning,
            "new_tokens": 0 if written is None else written.new_tokens,
            "seed": 0 if written is None else written.seed,
            "temperature": 0.0 if written is None else written.temperature,
            "ended": written is None or written.ended,
        }


def joined(pieces: Sequence[Piece]) -> str:
    """The text of the pieces."""
    return "".join(piece.text for piece in pieces)


def where_changed(effect: Effect) -> str:
    """At which tokens of the prompt atoms were changed, in words."""
    places = [i for i, mark in enumerate(effect.marked) if mark]
    if not places:
        if effect.where == "generated":
            return "Nothing is changed in the prompt."
        said = "Nothing is changed in the prompt: no atom has another coefficient there than before."
        if any(change.unit == "own" and change.strength != 1 for change in effect.changes):
            said += " Where an atom is not used its own coefficient is 0, and so is any multiple of it; give the "
            said += "strength in another unit to change it there."
        return said
    named = ", ".join(map(str, places[:_MOST_NAMED])) + (", …" if len(places) > _MOST_NAMED else "")
    return f"Atoms are changed at {len(places)} of the prompt's {len(effect.tokens)} tokens: {named}."


def _side(predictions: Sequence[Any], pieces: Sequence[Piece]) -> dict[str, Any]:
    return {"predictions": [asdict(one) for one in predictions], "text": joined(pieces)}
