"""What the order of the corpus does to Jaccard: dictionaries grown on the same documents in several orders.

A dictionary depends on the order in which text comes. The same model against itself, in another order, is the most that
a Jaccard value can be expected to reach at these sizes: a ceiling to put beside every figure.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from itda_core.comparison.jaccard import jaccard_matrix
from itda_core.comparison.places import LabelSet
from itda_core.dictionaries.config import SIZED
from itda_core.errors import UserError
from itda_core.text import Corpus, Document
from itda_core.text.windows import windows

if TYPE_CHECKING:
    from itda_core.dictionaries import TrainConfig
    from itda_core.dictionaries.source import ActivationSource


@dataclass(frozen=True, eq=False)
class OrderEffect:
    """Mean and standard deviation (n - 1) over orders of every cell; n dictionaries, named in `labels`.

    `same_*`: both dictionaries in the same order, one value per order. `other_*`: in two different orders, one value
    per ordered pair of orders (per pair on the diagonal), which is the ceiling where row and column are one model's
    one layer. Matrices (n, n); spreads are NaN where there is one value.
    """

    labels: tuple[str, ...]
    orders: int
    documents: int
    same_mean: np.ndarray
    same_sd: np.ndarray
    other_mean: np.ndarray
    other_sd: np.ndarray

    @property
    def ceiling(self) -> np.ndarray:
        """(n,): each dictionary against itself in another order."""
        return np.diag(self.other_mean)

    def to_dict(self) -> dict[str, Any]:
        """Plain values; None where there is no spread."""
        found: dict[str, Any] = {"labels": list(self.labels), "orders": self.orders, "documents": self.documents}
        for name in ("same_mean", "same_sd", "other_mean", "other_sd"):
            rows = getattr(self, name).tolist()
            found[name] = [[None if value != value else value for value in row] for row in rows]
        return {**found, "ceiling": self.ceiling.tolist()}


@dataclass(frozen=True)
class OrderProgress:
    """Where the trainings stand."""

    trained: int  # dictionaries' runs that are done: one per model and order
    total: int
    model: str
    order: int
    tokens: int  # read in the run at hand
    effect: OrderEffect | None = None  # on the last progress only


def order_effect(
    models: Mapping[str, Callable[[], ActivationSource]],
    corpus: Corpus,
    layers: Sequence[int],
    config: TrainConfig,
    *,
    site: str = "resid_post",
    orders: int = 3,
    seed: int = 0,
) -> Generator[OrderProgress, None, None]:
    """Train a dictionary per model and layer in each of several orders; yields while it does, the effect at the end.

    models: by the name that figures give them, each to be loaded when its turn comes, one at a time. The text is the
    corpus's first documents, as many whole ones as `config.tokens` reach into by the first model's tokenizer; the first
    order is the corpus's own.

    Raises UserError when fewer than two orders or no layers are asked for, or `config.atoms` may end a training before
    all of the text is read: different orders would then have read different text.
    """
    from itda_core.dictionaries import train

    if orders < 2:
        raise UserError(f"orders={orders} shows no effect of the order; ask for at least 2.")
    if not models or not layers:
        raise UserError("Nothing to train was named; name at least one model and one layer.")
    if config.atoms is not None and config.selection not in SIZED:
        raise UserError(
            f"atoms={config.atoms} can end a training before the text is read, in every order elsewhere; leave it out, "
            f"or choose selection={' or '.join(map(repr, SIZED))}."
        )
    names = [f"{name} L{layer}" for name in models for layer in layers]
    found: list[list[LabelSet]] = [[] for _ in range(orders)]
    documents: tuple[Document, ...] = ()
    for i, (name, load) in enumerate(models.items()):
        model = load()
        if not documents:
            documents = _first_documents(corpus, model, config)
        for order in range(orders):
            text = in_order(corpus, documents, order, seed)
            whole = replace(config, tokens=None)
            with closing(train(model, text, layers, whole, site=site)) as events:
                for event in events:
                    yield OrderProgress(i * orders + order, len(models) * orders, name, order, event.tokens)
                    if event.done:
                        labelled = zip(event.dictionaries, layers, strict=True)
                        found[order] += [
                            replace(LabelSet.of(dictionary, f"{name} L{layer}"), corpus=corpus.fingerprint)
                            for dictionary, layer in labelled
                        ]
        del model
    total = len(models) * orders
    effect = _effect(names, found, len(documents))
    yield OrderProgress(total, total, names[-1].rpartition(" ")[0], orders - 1, 0, effect)


def in_order(corpus: Corpus, documents: Sequence[Document], order: int, seed: int) -> Corpus:
    """The documents in another order, under their own ids; order 0 is the one given.

    Its fingerprint is another one than the corpus's, because a training that goes on, goes on in the text's order.
    """
    shuffled = list(documents)
    if order:
        random.Random(f"{seed} {order}").shuffle(shuffled)
    digest = hashlib.sha256(f"{corpus.fingerprint} {len(shuffled)} {seed} {order}".encode()).hexdigest()
    return Corpus(corpus.id, lambda: iter(shuffled), lambda: digest)


def _first_documents(corpus: Corpus, model: ActivationSource, config: TrainConfig) -> tuple[Document, ...]:
    if config.tokens is None:
        return tuple(corpus)
    found: list[Document] = []
    read = 0
    for document in corpus:
        if read >= config.tokens:
            break
        found.append(document)
        which = "first" if config.windows == "first" else "all"
        for window in windows([document], model.tokenizer, context=config.context, which=which):
            read += sum(not special for special in window.special)
    return tuple(found)


def _effect(names: Sequence[str], found: Sequence[Sequence[LabelSet]], documents: int) -> OrderEffect:
    n, orders = len(names), len(found)
    every = jaccard_matrix([one for sets in found for one in sets]).jaccard
    blocks = every.reshape(orders, n, orders, n)
    same = np.stack([blocks[order, :, order] for order in range(orders)])
    pairs = list(combinations(range(orders), 2))
    other = np.stack([blocks[a, :, b] for a, b in pairs] + [blocks[b, :, a] for a, b in pairs])
    other_sd = other.std(axis=0, ddof=1)
    diagonal = other[: len(pairs), range(n), range(n)]  # the second half holds the same values
    spread = diagonal.std(axis=0, ddof=1) if len(pairs) > 1 else np.full(n, np.nan)
    other_sd[range(n), range(n)] = spread
    return OrderEffect(
        labels=tuple(names),
        orders=orders,
        documents=documents,
        same_mean=same.mean(axis=0),
        same_sd=same.std(axis=0, ddof=1),
        other_mean=other.mean(axis=0),
        other_sd=other_sd,
    )
