"""The activations of a bench: read once, in memory, the same for everyone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Literal, NamedTuple, cast

import torch
from torch import Tensor

from itda_core.bench.training.plan import WINDOWS_PER_BATCH, TrainingPlan
from itda_core.bench.training.replay import Replay
from itda_core.dictionaries.config import SINKS
from itda_core.dictionaries.growing.sinks import median_norm, sinks_in
from itda_core.errors import UserError
from itda_core.text import Corpus, Document, Window, windows

if TYPE_CHECKING:
    from itda_core.models import LanguageModel


class Harvest(NamedTuple):
    """What was read. Each tensor (n_tokens, d_model) float32, in the corpus's order; special tokens and attention sinks
    are left out.
    """

    source: Replay
    corpus: Corpus  # the documents that were read, and no others
    all: Tensor  # the plan's `read` tokens, or as many as the corpus has
    training: Tensor  # the first of them
    held: Tensor  # the last of them
    lengths: tuple[int, ...]  # tokens of each window
    sinks: int  # tokens left out for their norm

    def batches(self, x: Tensor, windows_per_batch: int = WINDOWS_PER_BATCH) -> list[Tensor]:
        """x, the first tokens of all, cut as forward passes of so many windows would cut it."""
        parts, start = [], 0
        for i in range(0, len(self.lengths), windows_per_batch):
            end = start + sum(self.lengths[i : i + windows_per_batch])
            if start < len(x) and end > start:
                parts.append(x[start:end])
            start = end
        return parts


def harvest(model: LanguageModel, plan: TrainingPlan) -> Harvest:
    """Read the plan's corpus with `model`.

    Raises UserError when the corpus has too few tokens, and for all that reading and the model refuse.
    """
    site = model.site(plan.site, plan.layer)
    corpus = Corpus.open(plan.corpus)
    if plan.lines_over is not None:
        corpus = lines_of(corpus, plan.lines_over)
    which = cast("Literal['all', 'first']", plan.windows)
    read = list(_whole_documents(windows(corpus, model.tokenizer, context=plan.context, which=which), plan.read))
    batches = model.stream(read, [site], windows_per_batch=WINDOWS_PER_BATCH)
    parts = [batch.activations[site] for batch in batches]
    x = torch.cat(parts) if parts else torch.zeros(0, model.d_model)
    median = median_norm(parts)
    keep = ~sinks_in(x, None if median is None else SINKS * median)
    source = Replay(model, site, read, x, keep)
    sinks, x = int((~keep).sum()), source.activations
    needed = plan.tokens + plan.held_out
    if len(x) < needed:
        raise UserError(
            f"Corpus {corpus.id} gave {len(x):,} tokens, special ones and attention sinks left out, too few for "
            f"{plan.tokens:,} to build from and {plan.held_out:,} held out; give a longer one, raise --read or lower "
            "--tokens."
        )
    text = {window.document: window.text for window in read}
    known = Corpus.from_documents(corpus.id, [Document(id, text) for id, text in text.items()])
    for _ in windows(known, source.tokenizer, context=plan.context, which=which):
        pass  # the tokenizer is asked everything once
    counted = x[: plan.read]
    return Harvest(source, known, counted, x[: plan.tokens], counted[-plan.held_out :], source.lengths, sinks)


def lines_of(corpus: Corpus, longer_than: int) -> Corpus:
    """Every line of more than `longer_than` characters, white space at its ends left out, as a document of its own.

    A text with one paragraph per line is thus read without its headings. Raises UserError when there is no such line.
    """
    documents = [
        Document(f"{document.id}/{number}", line.strip())
        for document in corpus
        for number, line in enumerate(document.text.splitlines())
        if len(line.strip()) > longer_than
    ]
    if not documents:
        raise UserError(f"Corpus {corpus.id} has no line of more than {longer_than} characters; lower --lines-over.")
    return Corpus.from_documents(f"{corpus.id} lines over {longer_than}", documents)


def _whole_documents(read: Iterable[Window], tokens: int) -> Iterator[Window]:
    """The windows of the first documents that have so many tokens together, special ones not counted."""
    count, last = 0, None
    for window in read:
        if count >= tokens and window.document != last:
            return
        count += len(window) - sum(window.special)
        last = window.document
        yield window
