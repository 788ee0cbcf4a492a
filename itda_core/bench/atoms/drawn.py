"""Codes and text drawn at random, about as those of a real dictionary are: few atoms come often, coefficients fall."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from itda_core.analysis.atoms.index_writer import Batch
from itda_core.bench.atoms.plan import AtomsPlan

_EXPONENT = 0.7  # an atom's share of the uses falls so with its rank
_FALL = 10.0  # slots over which coefficients fall to 1/e
_KINDS = ("letters", "news", "recipes", "stories")
_WORDS = np.array([f" {first}{rest}" for first in "bdfgklmnprstv" for rest in ("an", "ile", "or", "ume")], dtype=object)


def batches(plan: AtomsPlan) -> Iterator[Batch]:
    """What windows gave, until there are plan.tokens; drawn as they are asked for."""
    draw = np.random.default_rng(plan.seed)
    share = np.cumsum(np.arange(1, plan.atoms + 1) ** -_EXPONENT)
    which = draw.permutation(plan.atoms)
    for first in range(0, plan.tokens, plan.batch):
        n = min(plan.batch, plan.tokens - first)
        places = np.searchsorted(share, draw.random((n, plan.k), dtype=np.float32) * share[-1])
        indices = which[np.minimum(places, plan.atoms - 1)]
        fall = np.exp(-np.arange(plan.k) / _FALL)
        coefficients = (draw.standard_normal((n, plan.k), dtype=np.float32) * fall).astype(np.float32)
        yield with_text(indices, coefficients, np.linalg.norm(coefficients, axis=1), first, plan, draw)


def with_text(
    indices: np.ndarray,
    coefficients: np.ndarray,
    norms: np.ndarray,
    first: int,
    plan: AtomsPlan,
    draw: np.random.Generator,
) -> Batch:
    """The batch of these codes, (n_tokens, k) each, with words drawn for its tokens, numbered from `first`."""
    n = len(indices)
    words = _WORDS[draw.integers(len(_WORDS), size=n)]
    window, position = np.divmod(np.arange(n), plan.context)
    ends = np.cumsum([len(word) for word in words])
    starts = ends - [len(word) for word in words]
    begins = starts[:: plan.context]
    texts = ["".join(words[at : at + plan.context]) for at in range(0, n, plan.context)]
    number = first // plan.context
    return Batch(
        documents=[f"{_KINDS[i % 4]}-{number + i:06d}" for i in range(len(texts))],
        starts=[0] * len(texts),
        texts=texts,
        kinds=[_KINDS[i % 4] for i in range(len(texts))],
        tokens={
            "window": window,
            "position": position,
            "token_id": draw.integers(50_000, size=n),
            "char_start": starts - begins[window],
            "char_end": ends - begins[window],
            "norm": norms.astype(np.float32),
            "relative_error": draw.random(n, dtype=np.float32),
            "span": np.full(n, None, dtype=object),
        },
        indices=indices,
        coefficients=coefficients,
    )
