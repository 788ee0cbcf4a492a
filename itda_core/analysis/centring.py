"""Over what relative errors and cosines are measured, in words: it depends on whether a dictionary is centred.

Both are of x and x_hat after the dictionary's mean was removed, if it is centred (`TrainConfig.centre`). The mean is a
large part of most activations, so that figures with and without it do not stand on one scale. FVU does: it is over the
activations' distance from their own mean, whatever the dictionary's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_REMOVED = {
    True: ", the dictionary's mean removed from both",
    False: "",
    None: "; of a centred dictionary, its mean removed from both",
}
_MOST_NAMED = 3


def relative_error_words(centred: bool | None) -> str:
    """What the relative error is; `centred` is None where it differs or is not known."""
    what = "squared distance of the reconstruction from the activation, over the squared length of the activation"
    return f"{what}{_REMOVED[centred]}"


def cosine_words(centred: bool | None) -> str:
    """What the cosine is of; `centred` is None where it differs or is not known."""
    return f"of the activation and its reconstruction{_REMOVED[centred]}"


def in_common(centred: Iterable[bool | None]) -> bool | None:
    """Whether all are centred, or none; None where they differ or one is not known."""
    found = set(centred)
    return found.pop() if len(found) == 1 else None


def not_over_the_same(named: Sequence[tuple[str, bool | None]]) -> str:
    """That figures of these dictionaries (a name, whether it is centred) are on two scales; "" where they are not."""
    removed = list(dict.fromkeys(name for name, centred in named if centred))
    kept = list(dict.fromkeys(name for name, centred in named if centred is False))
    if not removed or not kept:
        return ""
    return (
        "Relative errors and cosines here are not over the same thing: the dictionary's mean is removed for "
        f"{_listed(removed)}, not for {_listed(kept)}. FVU is comparable."
    )


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    parts = list(names) if more <= 0 else [*names[:_MOST_NAMED], f"{more} more"]
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))
