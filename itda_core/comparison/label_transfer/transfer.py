"""Do labels carry over: one model's labels, atoms of another model at the same places, and how well these explain it.

A dictionary's labels say where in a text its model showed something of its own. Rebuilt from another model's
activations at the same prefixes, they are a dictionary of that model. Where it reconstructs the other model's held-out
activations nearly as well as that model's own dictionary, and better than a random draw of activations from the same
text, the two models single out the same places.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING

from itda_core.arguments import plain, plain_list
from itda_core.comparison.label_transfer.results import Transfer, TransferStep, TransferTable
from itda_core.dictionaries.config import METHODS, check_choice
from itda_core.errors import UserError

if TYPE_CHECKING:
    from itda_core.dictionaries import AtomDictionary, LabelsOnly
    from itda_core.models import LanguageModel, Site
    from itda_core.text import Corpus

TOKENS = 4096  # held out, measured on by default
DRAWS = 3  # random dictionaries
MOST_DRAWS = 1000  # each is grown and measured: more take days, and say no more


def check_options(ks: Sequence[int] | None, method: str | None, tokens: int, draws: int) -> None:
    """Raises UserError for what `transfer_table` cannot be asked whatever the labels and the model are."""
    if tokens < 1:
        raise UserError(f"tokens={tokens} measures nothing; give at least 1, for example {TOKENS}.", field="tokens")
    if not 0 <= draws <= MOST_DRAWS:
        raise UserError(
            f"draws={draws} is not from 0 to {MOST_DRAWS}; say how many random dictionaries to compare with.",
            field="draws",
        )
    if (low := next((k for k in ks or () if k < 1), None)) is not None:
        raise UserError(f"k={low} uses no atom; give at least 1.", field="k")
    if method is not None:
        check_choice("method", method, METHODS)


def check_labels(labels: Sequence[LabelsOnly], ks: Sequence[int] | None) -> None:
    """Raises UserError for labels that no table can hold together, and for a k above a dictionary's atoms."""
    if not labels:
        raise UserError("Nothing to transfer; name at least one dictionary's labels.")
    readings = {(one.config.context, one.config.windows) for one in labels}
    if len(readings) > 1:
        lengths = ", ".join(str(context) for context, _ in sorted(readings))
        raise UserError(
            f"These labels are places in windows of different kinds ({lengths} tokens); transfer them one at a time."
        )
    texts = {one.spec.corpus_fingerprint: one.spec.corpus for one in labels}
    if len(texts) > 1:
        raise UserError(
            f"These labels are places in different texts ({', '.join(texts.values())}); transfer them one at a time."
        )
    fewest = min(labels, key=len)
    if ks and max(ks) > len(fewest):
        raise UserError(
            f"k={max(ks)} exceeds the {len(fewest):,} atoms of {fewest.spec.model}'s dictionary; give a smaller k.",
            field="k",
        )


def transfer(
    labels: LabelsOnly,
    model: LanguageModel,
    corpus: Corpus,
    site: Site,
    *,
    k: int | None = None,
    own: AtomDictionary | None = None,
    tokens: int = TOKENS,
    draws: int = DRAWS,
    seed: int = 0,
    held_out: Corpus | None = None,
) -> Transfer:
    """`transfer_table` for one dictionary's labels and one site, at one k."""
    table = transfer_table(
        [labels],
        model,
        corpus,
        [site],
        own=[] if own is None else [own],
        ks=None if k is None else [k],
        tokens=tokens,
        draws=draws,
        seed=seed,
        held_out=held_out,
    )
    return table.cells[0]


def transfer_table(
    labels: Sequence[LabelsOnly],
    model: LanguageModel,
    corpus: Corpus,
    sites: Sequence[Site],
    *,
    own: Sequence[AtomDictionary] = (),
    ks: Sequence[int] | None = None,
    method: str | None = None,
    tokens: int = TOKENS,
    draws: int = DRAWS,
    seed: int = 0,
    held_out: Corpus | None = None,
    on_progress: Callable[[str, float], None] | None = None,
) -> TransferTable:
    """The table that `transfer_steps` ends with; `on_progress` gets each step, and the share of it that is done."""
    steps = transfer_steps(
        labels,
        model,
        corpus,
        sites,
        own=own,
        ks=ks,
        method=method,
        tokens=tokens,
        draws=draws,
        seed=seed,
        held_out=held_out,
    )
    for progress in steps:
        if progress.table is not None:
            return progress.table
        if on_progress is not None:
            on_progress(progress.step, progress.share)
    raise AssertionError("the last step has the table")


def transfer_steps(
    labels: Sequence[LabelsOnly],
    model: LanguageModel,
    corpus: Corpus,
    sites: Sequence[Site],
    *,
    own: Sequence[AtomDictionary] = (),
    ks: Sequence[int] | None = None,
    method: str | None = None,
    tokens: int = TOKENS,
    draws: int = DRAWS,
    seed: int = 0,
    held_out: Corpus | None = None,
) -> Generator[TransferStep, None, None]:
    """Rebuild each of `labels` at each of `sites` of `model` and measure it beside own and random dictionaries;
    the last step has the table.

    - `own`: dictionaries of `model` on this corpus, at most one per site; measured at the same k by the same method;
    - random dictionaries: `draws` of them, each of as many activations as the rebuilt one has atoms, drawn uniformly
      from the part of the corpus that the labels come from, treated alike (centred, without attention sinks). The
      draws follow from `seed` and the prefixes alone;
    - `ks`, `method`: as the labels' dictionary was grown if left out;
    - held out are the first `tokens` tokens of `corpus` behind all that the labels or `own` were built from, or of the
      corpus `held_out`; the same for every cell.

    The corpus is read once by the tokenizer alone, to draw places, and once by the model: the windows with a place that
    is wanted, and the held-out ones. Held are the activations of those places at all sites.

    Raises UserError at once for labels of other windows, another corpus and a k above the number of atoms; later where
    nothing is comparable (rebuilding.rebuild), and where too little text is left.
    """
    from itda_core.comparison.label_transfer.transferring import Transferring

    ks = None if ks is None else plain_list(ks)
    tokens, draws, seed = plain(tokens), plain(draws), plain(seed)
    check_labels(labels, ks)
    if not sites:
        raise UserError("Nothing to transfer into; name at least one layer.")
    check_options(ks, method, tokens, draws)
    if held_out is not None and held_out.fingerprint == corpus.fingerprint:
        raise UserError(f"{held_out.id} is the text the labels come from; leave it out, or name another corpus.")
    transferring = Transferring(labels, model, corpus, sites, own)
    return transferring.steps(ks, method, tokens, draws, seed, held_out)
