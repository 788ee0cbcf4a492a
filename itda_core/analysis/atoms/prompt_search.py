"""Which atoms a text uses most, and more than usual: at which of its tokens, how strongly, and what is usual.

The share of an atom at a token is |coefficient| / norm of the activation (after centring, as in the index). p is its
mean over all tokens of the text, 0 where the atom is not used; q the same mean over the tokens of the index, to which
half a use of ordinary strength is added, so that of an atom that was never used there q is small and not 0. Atoms are
ranked by

    p ln(p / q)

in nats: how much of the text the atom stands for, times how surprising that much of it is. It is the atom's term of the
divergence of the text's shares from the index's (Kullback and Leibler 1951). The count of tokens alone would put first
whatever is rare, the share alone what is strong in any text. Only p > q is found. Without an index nothing is known of
the usual, and p ranks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from itda_core.analysis.atoms.search import RESULTS, Found, Searched, UsedAt, best_of, found_by
from itda_core.figures_as_text import signed, three_figures
from itda_core.printable import visible_token

if TYPE_CHECKING:
    from itda_core.analysis.decompose import PromptActivations
    from itda_core.dictionaries import AtomDictionary
    from itda_core.pursuit import SparseCode

STRONGEST = 3  # tokens of the text that are named for each atom


class TextCodes(NamedTuple):
    """A text by one dictionary; special tokens and attention sinks are left out, as in an index."""

    codes: SparseCode  # (n_tokens, k)
    norms: np.ndarray  # (n_tokens,) of the activations, after centring
    tokens: Sequence[str]  # (n_tokens,)
    places: Sequence[int]  # (n_tokens,) their numbers in the text, special tokens counted


def codes_of(dictionary: AtomDictionary, read: PromptActivations) -> TextCodes:
    """The text's codes by the dictionary's own k and pursuit. Raises UserError as `dictionary.encode`."""
    from itda_core.dictionaries.growing.sinks import norms, sinks_in

    sinks = sinks_in(read.x, dictionary.sink_norm).tolist()
    kept = [i for i, special in enumerate(read.window.special) if not special and not sinks[i]]
    x = read.x[kept].to(dictionary.atoms.device)
    centred = x - dictionary.mean.to(x) if dictionary.config.centre else x
    lengths = norms(centred).cpu().numpy().astype(np.float64)
    return TextCodes(dictionary.encode(x), lengths, [read.token_texts[i] for i in kept], kept)


def search_prompt(dictionaries: Sequence[Searched], texts: Sequence[TextCodes], n: int = RESULTS) -> list[Found]:
    """The first `n` atoms of all `dictionaries` that a text uses more than usual; texts: it, by each of them."""
    found = [_of_one(dictionary, text, n) for dictionary, text in zip(dictionaries, texts, strict=True)]
    return best_of(dictionaries, found, n)


def _of_one(dictionary: Searched, text: TextCodes, n: int) -> list[Found]:
    merged = text.codes.merged()
    indices, values = merged.indices.cpu().numpy(), merged.coefficients.double().cpu().numpy()
    shares = np.abs(values) / np.maximum(text.norms, 1e-300)[:, None]
    p = np.bincount(indices.ravel(), shares.ravel(), minlength=dictionary.labels.n_atoms) / max(1, len(values))
    usual, scores = _usual(dictionary), p
    if usual is not None:
        with np.errstate(divide="ignore", invalid="ignore"):
            scores = np.where(p > usual, p * np.log(p / usual), 0.0)
    order = np.lexsort((np.arange(len(scores)), -scores))[:n]
    chosen = {int(atom): (float(scores[atom]), "") for atom in order if scores[atom] > 0}
    found: list[Found] = []
    for one in found_by(dictionary, chosen):
        rows, slots = np.nonzero((indices == one.atom) & (values != 0))
        strongest = np.argsort(-np.abs(values[rows, slots]), kind="stable")
        chosen_slots = [(int(rows[i]), int(slots[i])) for i in strongest[:STRONGEST]]
        used_at = [UsedAt(text.places[row], text.tokens[row], float(values[row, slot])) for row, slot in chosen_slots]
        share, often = float(p[one.atom]), None if usual is None else float(usual[one.atom])
        why = _why(used_at, len(rows), share, often)
        found.append(replace(one, why=why, used_at=tuple(used_at), share=share, usual=often))
    return found


def _usual(dictionary: Searched) -> np.ndarray | None:
    """q of each atom: (n_atoms,); None without an index, and with one in which no token uses any atom."""
    if dictionary.shares is None or dictionary.uses is None or not dictionary.shares.any():
        return None
    ordinary = dictionary.shares.sum() / max(1, dictionary.uses.sum())
    return (dictionary.shares + 0.5 * ordinary) / (dictionary.tokens + 1)


def _why(used_at: Sequence[UsedAt], n: int, share: float, usual: float | None) -> str:
    """The strongest tokens with their coefficients, and the share of the text beside what is usual."""
    named = ", ".join(
        f"{signed(one.coefficient)} at “{visible_token(one.token.strip() or one.token)}”" for one in used_at
    )
    more = f" and {n - len(used_at)} more" if n > len(used_at) else ""
    of_text = f"{_percent(share)} of this text's norm"
    beside = (
        "no index says what is usual" if usual is None
        else f"{three_figures(share / usual)} times the usual {_percent(usual)}"
    )  # fmt: skip
    return f"{named}{more}: {of_text}, {beside}"


def _percent(share: float) -> str:
    return f"{100 * share:.2g}%" if share < 0.1 else f"{share:.0%}"
