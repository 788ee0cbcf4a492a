"""Whether two recorded fingerprints of models are of one model, and how a fingerprint is shown."""

from __future__ import annotations

import re
from collections.abc import Iterable

# The sha256 of a model's weights, and behind it, since version 2, what of its config changes activations. Earlier
# records have the first part alone: nothing is known of the config that they were made with.
_FULL = re.compile(r"([0-9a-f]{64})\+[0-9a-f]{16}")
_SHOWN = 12  # digits of a sha256 by which people tell two apart
_MOST_BEHIND = 60  # characters behind the sha256; a model's has 16


def joined(weights: str, config: str) -> str:
    """The fingerprint of a model: hexadecimal sha256 of its weights, and of what beside them changes activations."""
    return f"{weights}+{config[:16]}"


def short(fingerprint: str) -> str:
    """A fingerprint for people: the beginning of its sha256, and what is behind the `+`, which alone may tell two
    apart."""
    digest, plus, behind = fingerprint.partition("+")
    return f"{digest[:_SHOWN]}{plus}{behind[:_MOST_BEHIND]}"


def same_model(one: str, other: str) -> bool:
    """Whether two fingerprints are of one model. One that was recorded before configs counted is compared by its
    weights alone."""
    if one == other:
        return True
    return one == weights_of(other) or weights_of(one) == other


def weights_of(fingerprint: str) -> str:
    """The part that the weights alone decide."""
    full = _FULL.fullmatch(fingerprint)
    return full[1] if full else fingerprint


def by_model(fingerprints: Iterable[str]) -> dict[str, str]:
    """Of each fingerprint the one that stands for its model: for one that was recorded without its config the first of
    the others with the same weights, if there is one; else itself."""
    given = list(dict.fromkeys(fingerprints))
    full: dict[str, str] = {}
    for one in given:
        if weights_of(one) != one:
            full.setdefault(weights_of(one), one)
    return {one: full.get(one, one) for one in given}
