"""Label sets that cannot be compared, and why."""

from __future__ import annotations

from collections.abc import Sequence

from itda_core.comparison.label_sets import LabelSet
from itda_core.errors import UserError


def check(sets: Sequence[LabelSet]) -> None:
    """Raises UserError when two of `sets` are of different corpora, or there are fewer than two, or one is empty."""
    if len(sets) < 2:
        raise UserError(f"A comparison takes at least two dictionaries, not {len(sets)}; name another.")
    for one in sets:
        if not len(one):
            raise UserError(f"{one.name} has no labels, so there is nothing to compare; choose another dictionary.")
        if one.corpus != sets[0].corpus:
            raise UserError(
                f"{sets[0].name} and {one.name} were built on different corpora ({described_corpus(sets[0])} and "
                f"{described_corpus(one)}), so their labels name different texts; train both on the same corpus."
            )


def described_corpus(one: LabelSet) -> str:
    """Its name and the beginning of its fingerprint."""
    return f"{one.specs[0].corpus if one.specs else 'text'} {one.corpus[:8]}"


def refusal(one: LabelSet, other: LabelSet) -> UserError:
    """What to say of two sets that have no comparable prefix."""
    a, b = one.reading, other.reading
    pairs = (
        ("context", a.context, b.context),
        ("windows", a.windows, b.windows),
        ("tokenizer", a.tokenizer[:8], b.tokenizer[:8]),
    )
    different = [f"{name} {first} and {second}" for name, first, second in pairs if first != second]
    reason = f" ({', '.join(different)})" if different else ""
    return UserError(
        f"Nothing of {one.name} and {other.name} is comparable: no prefix was read by both models{reason}; train both "
        "with the same context and windows, on the same part of the text."
    )
