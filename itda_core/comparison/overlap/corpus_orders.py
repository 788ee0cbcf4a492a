"""What the order of the corpus does to Jaccard: dictionaries grown on the same documents in several orders.

A dictionary depends on the order of the text: of many similar occurrences, the first becomes the atom. So two models
that read in the same order agree more than two that do not, and a model's overlap with itself in another order is the
most that different orders can be expected to reach.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from itda_core.arguments import plain
from itda_core.comparison.label_sets import LabelSet
from itda_core.comparison.overlap.jaccard import JaccardMatrix, jaccard_matrix
from itda_core.dictionaries.config import SIZED
from itda_core.errors import UserError
from itda_core.text import Corpus, Document
from itda_core.text.windows import windows

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from itda_core.dictionaries import TrainConfig
    from itda_core.dictionaries.activation_source import ActivationSource


class Training(NamedTuple):
    """Dictionaries of some layers of one model, all from the same forward passes."""

    names: Sequence[str]  # what figures call them, one per layer
    load: Callable[[], ActivationSource]  # called when its turn comes
    layers: Sequence[int | None]
    config: TrainConfig
    site: str = "resid_post"


@dataclass(frozen=True, eq=False)
class OrderEffect:
    """Mean and standard deviation (n - 1) over orders of every cell; n dictionaries, named in `labels`.

    `same_*`: both dictionaries in the same order, one value per order. `other_*`: in two different orders, one value
    per ordered pair of orders (per pair on the diagonal); its diagonal is the ceiling of `other_*`. `null_jaccard`: by
    chance in different orders. Matrices (n, n); spreads are NaN where there is one value, chance where it is not known.
    """

    labels: tuple[str, ...]
    orders: int
    documents: tuple[int, ...]  # that each was grown on
    same_mean: np.ndarray
    same_sd: np.ndarray
    other_mean: np.ndarray
    other_sd: np.ndarray
    null_jaccard: np.ndarray

    @property
    def ceiling(self) -> np.ndarray:
        """(n,): each dictionary against itself in another order."""
        return np.diag(self.other_mean)

    def to_dict(self) -> dict[str, Any]:
        """Plain values; None where there is no spread, or chance is not known."""
        found: dict[str, Any] = {"labels": list(self.labels), "orders": self.orders, "documents": list(self.documents)}
        for name in ("same_mean", "same_sd", "other_mean", "other_sd", "null_jaccard"):
            rows = getattr(self, name).tolist()
            found[name] = [[None if value != value else value for value in row] for row in rows]
        return {**found, "ceiling": self.ceiling.tolist()}

    def sentence(self) -> str:
        """Within and across dictionaries, on average over all of them, in percent."""
        n = len(self.labels)
        pairs = np.triu_indices(n, 1)
        words = [f"A dictionary beside itself in another order: {self.ceiling.mean():.1%} on average"]
        if n > 1:
            words.append(f"two of them in the same order: {self.same_mean[pairs].mean():.1%}")
            words.append(f"in different orders: {self.other_mean[pairs].mean():.1%}")
        known = self.null_jaccard[~np.isnan(self.null_jaccard)]
        words.append(f"by chance: {known.mean():.1%}" if len(known) else "by chance: not known")
        return "; ".join(words) + "."


@dataclass(frozen=True)
class OrderProgress:
    """Where the trainings stand."""

    trained: int  # runs that are done: one per training and order
    total: int
    name: str  # of the (first) dictionary that is grown now
    order: int
    tokens: int  # read in the run at hand
    effect: OrderEffect | None = None  # on the last progress only


def order_effect(
    trainings: Sequence[Training], corpus: Corpus | str | Path, *, orders: int = 3, seed: int = 0
) -> Generator[OrderProgress, None, None]:
    """Run every training in each of several orders; yields while it does, and the effect at the end.

    The text of a training is the corpus's first documents, as many whole ones as its `config.tokens` reach into; the
    first order is the corpus's own. Only the labels of dictionaries are kept, of which the comparable ones count
    (module comparability).

    Raises UserError when fewer than two orders or no dictionary is asked for, or `config.atoms` may end a training
    before all of the text is read: different orders would then have read different text.
    """
    from itda_core.dictionaries import train

    orders, seed, corpus = plain(orders), plain(seed), Corpus.of(corpus)
    check_orders(orders)
    if not trainings:
        raise UserError("No dictionary was named; name at least one dictionary.")
    for config in (training.config for training in trainings):
        if config.atoms is not None and not config.rule.sized:
            raise UserError(
                f"atoms={config.atoms} can end a training early, after other text in each order; leave it "
                f"out, or choose selection={' or '.join(map(repr, SIZED))}."
            )
    found: list[list[LabelSet]] = [[] for _ in range(orders)]
    tokenizers: dict[str, PreTrainedTokenizerBase] = {}
    sizes: list[int] = []
    done, total = 0, len(trainings) * orders
    for names, load, layers, config, site in trainings:
        model = load()
        tokenizers[model.tokenizer_fingerprint] = model.tokenizer
        documents = _first_documents(corpus, model, config)
        sizes += [len(documents)] * len(layers)
        for order in range(orders):
            text = in_order(corpus, documents, order, seed)
            with closing(train(model, text, layers, replace(config, tokens=None), site=site)) as events:
                for event in events:
                    yield OrderProgress(done, total, names[0], order, event.tokens)
                    for dictionary, name in zip(event.dictionaries, names, strict=False):
                        found[order].append(replace(LabelSet.of(dictionary, name), corpus=corpus.fingerprint))
            done += 1
        del model
    every = jaccard_matrix([one for sets in found for one in sets], corpus=corpus, tokenizers=tokenizers)
    effect = _effect([name for training in trainings for name in training.names], every, sizes)
    yield OrderProgress(done, total, trainings[-1].names[0], orders - 1, 0, effect)


def check_orders(orders: int) -> None:
    """Raises UserError for fewer than two."""
    if orders < 2:
        raise UserError(f"orders={orders} shows no effect of the order; ask for at least 2.")


def in_order(corpus: Corpus, documents: Sequence[Document], order: int, seed: int) -> Corpus:
    """The documents in another order, under their own ids; order 0 is the one given. The order of two documents does
    not depend on the others, so that dictionaries of longer and shorter texts meet them alike.

    Its fingerprint differs from the corpus's, because a training can only go on in its own order.
    """
    ordered = list(documents)
    if order:
        ordered.sort(
            key=lambda one: hashlib.sha256(f"{seed} {order} {one.id}".encode("utf-8", "surrogatepass")).digest()
        )
    digest = _digest(f"{corpus.fingerprint} {len(ordered)} {seed} {order}")
    return Corpus(corpus.id, lambda: iter(ordered), lambda: digest)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


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


def _effect(names: Sequence[str], every: JaccardMatrix, documents: Sequence[int]) -> OrderEffect:
    """every: all dictionaries of the first order, then those of the next."""
    n = len(names)
    orders = len(every.labels) // n
    blocks, chance = (values.reshape(orders, n, orders, n) for values in (every.jaccard, every.null_jaccard))
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
        documents=tuple(documents),
        same_mean=same.mean(axis=0),
        same_sd=same.std(axis=0, ddof=1),
        other_mean=other.mean(axis=0),
        other_sd=other_sd,
        null_jaccard=np.mean([chance[a, :, b] for a, b in pairs] + [chance[b, :, a] for a, b in pairs], axis=0),
    )
