"""Short English passages from a seeded grammar, with the truth about every character.

The demo models are trained on these and the demo dictionaries are built on them. A label says what a piece
of text *is* (a person, a number, a quotation, ...), as the grammar knew it while writing. Labels are sure
where they stand; an unlabelled word may still belong to a category (`bread` in a fixed phrase of a template).

    >>> first = next(passages(1, kinds=["weather"]))
    >>> first.kind, first.id
    ('weather', 'weather-000000')
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import count

from .builder import Builder, Span
from .kinds import GRAMMAR, KINDS

__all__ = ["KINDS", "LABELS", "VERSION", "Passage", "Span", "passages"]

VERSION = 1  # raised whenever the output for some seed changes

# A passage outside these bounds is drawn again (characters).
_SHORTEST, _LONGEST = 150, 700

LABELS: tuple[str, ...] = (
    "action", "animal", "code_keyword", "code_name", "code_string", "colour", "comment", "feeling", "food",
    "negation", "number", "object", "occupation", "person", "place", "plant", "pronoun", "question",
    "quotation", "sport", "substance", "team", "time", "title", "unit", "vehicle", "verb_past", "weather",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Passage:
    """One short text with its labelled spans, outer spans before the ones inside them."""

    id: str
    kind: str
    text: str
    spans: tuple[Span, ...]

    def labels_at(self, character: int) -> tuple[str, ...]:
        """All labels covering that character: the kind first ("kind:story"), then from the outermost inwards."""
        if not 0 <= character < len(self.text):
            raise ValueError(
                f"character {character} is outside passage {self.id}; give one from 0 to {len(self.text) - 1}"
            )
        inside = (span.label for span in self.spans if span.start <= character < span.end)
        return (f"kind:{self.kind}", *dict.fromkeys(inside))


def passages(n: int | None = 20_000, *, seed: int = 0, kinds: Sequence[str] | None = None) -> Iterator[Passage]:
    """The first n passages of a seed, lazily and without repetition; None never ends.

    `kinds` limits the kinds; they come in a random order, each about as often as the others. The order in
    which they are named does not matter.
    """
    if n is not None and (isinstance(n, bool) or not isinstance(n, int) or n < 0):
        raise ValueError(f"n={n!r} is not a number of passages; give an integer from 0 upwards, or None for no end")
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise ValueError(f"seed={seed!r} is not an integer; give one, such as 0")
    if isinstance(kinds, str):
        raise ValueError(f"kinds={kinds!r} is a string; give a sequence of kinds, such as [{kinds!r}]")
    wanted = KINDS if kinds is None else tuple(kind for kind in KINDS if kind in kinds)
    unknown = [kind for kind in kinds or () if kind not in KINDS]
    if unknown:
        raise ValueError(f"no kind of passage is called {unknown[0]!r}; choose from {', '.join(KINDS)}")
    if not wanted:
        raise ValueError("kinds is empty; name at least one kind, or leave it out for all")
    return _generate(n, seed, wanted)


def _generate(n: int | None, seed: int, kinds: tuple[str, ...]) -> Iterator[Passage]:
    seen: set[bytes] = set()
    for index in range(n) if n is not None else count():
        kind = ""
        for attempt in count():
            generator = random.Random(f"{seed}:{index}:{attempt}")
            choice = kinds[int(generator.random() * len(kinds))]
            kind = kind or choice  # a redraw keeps the kind, so that no kind becomes rare
            builder = Builder(GRAMMAR, generator)
            builder.rule(f"{kind}_passage")
            text, spans = builder.finish()
            digest = blake2b(text.encode(), digest_size=16).digest()
            if _SHORTEST <= len(text) <= _LONGEST and digest not in seen:
                seen.add(digest)
                yield Passage(f"{kind}-{index:06d}", kind, text, spans)
                break
