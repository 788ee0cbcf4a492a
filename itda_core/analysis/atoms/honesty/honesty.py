"""Whether labels tell the truth: does what an atom is labelled with say where the atom fires?

Of each bin of an atom's entries (a quarter by |coefficient|, and a sign; see drawn.py) some are drawn, those at a
label's own place left out. It is counted how many have in common with any of the atom's labels

- the token (its id),
- the class of token (token_class.py),
- the neighbourhood (neighbourhoods.py),
- the span and the kind of document, where the corpus knows them (attributes.py),

beside what chance would give. A share over several bins weighs each by its entries. Lift is share / chance; its
interval is Wilson's (1927) for the share, at 95%, for the number of examples that weigh as much as those of unequal
weights (Kish 1965), with chance taken as known. Examples of one text are not quite independent, so intervals are a
little narrow.

What follows from the counts is in tallies.py; the grade goes by the strongest quarter of an atom's entries, which is
where it matters what it is (grades.py).
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from itda_core.analysis.atoms.honesty.attributes import Attribute, Known, spans_and_kinds
from itda_core.analysis.atoms.honesty.context_vectors import Contexts, HashedWords
from itda_core.analysis.atoms.honesty.drawn import Drawn, drawn, own_places
from itda_core.analysis.atoms.honesty.neighbourhoods import Neighbourhoods
from itda_core.analysis.atoms.honesty.tallies import MEASURES, Tallies
from itda_core.analysis.atoms.honesty.token_class import class_of

if TYPE_CHECKING:
    from itda_core.analysis.atoms.index import AtomIndex, IndexedWindow
    from itda_core.dictionaries import AtomLabel

_WINDOWS_AT_ONCE = 256
_OF_DRAWING = 0.4  # of the whole time, about


def measure(
    index: AtomIndex, labels: Sequence[AtomLabel], truth: Known | None = None, contexts: Contexts | None = None
) -> Generator[float, None, Tallies]:
    """Whether `labels` tell where their atoms fire in the text of `index`; yields the share that is done, 0 to 1.

    labels: all labels of the dictionary. truth: what the corpus that they are from knows, if it is one that does.
    contexts: None for the hashing of words. Memory is bounded by the atoms and the tokens, whatever the entries.
    Raises UserError for a damaged index.
    """
    labels = sorted(labels, key=lambda label: label.atom)  # stable
    uses = index.sums["positive"] + index.sums["negative"]
    own, parts = own_places(index, labels), list[Drawn]()
    for part in drawn(index, own):
        parts.append(part)
        yield _OF_DRAWING * part.share
    entries = np.stack([part.entries for part in parts]).sum(0)
    atom, token, bins = (np.concatenate([getattr(part, name) for part in parts]) for name in ("atom", "token", "bin"))
    order = np.argsort(token, kind="stable")
    atom, token, bins = atom[order], token[order], bins[order]
    if contexts is None:
        contexts = HashedWords(text for _, windows in _windows(index) for text in (one.text for one in windows))
    near = Neighbourhoods(index, labels, contexts, uses)
    found, classes = np.zeros((2, len(token)), dtype=np.float32), np.full(index.description.tokens, -1, np.int32)
    for share, windows in _windows(index):
        for window in windows:
            _classify(index, window, classes)
        stretch = windows[0].first_token, windows[-1].first_token + windows[-1].n_tokens
        rows = slice(*np.searchsorted(token, stretch))
        found[:, rows] = near.near(windows, atom[rows], token[rows])
        yield _OF_DRAWING + (1 - _OF_DRAWING) * share
    tallies = Tallies.empty(entries, contexts.name, near.threshold)
    tallies.count_examples(atom, bins)
    everyone = np.bincount([label.atom for label in labels], minlength=len(uses)) > 0
    tallies.add("same_neighbourhood", atom, bins, found[0], found[1], everyone)
    for name, attribute in _attributes(index, labels, truth, classes, uses).items():
        common, chance = attribute.common(atom, token), attribute.chance(token)
        tallies.add(name, atom, bins, common, chance, attribute.defined)
    assert {*tallies.matches} <= {*MEASURES}
    return tallies


def _windows(index: AtomIndex) -> Generator[tuple[float, list[IndexedWindow]], None, None]:
    """All windows, some at a time, with the share that is done then."""
    n = index.description.windows
    for start in range(0, n, _WINDOWS_AT_ONCE):
        behind = min(n, start + _WINDOWS_AT_ONCE)
        yield behind / n, index.windows(range(start, behind))


def _classify(index: AtomIndex, window: IndexedWindow, classes: np.ndarray) -> None:
    """Writes the classes of a window's tokens to `classes`."""
    rows, text = slice(window.first_token, window.first_token + window.n_tokens), window.text
    starts = (index.all_tokens.char_start[rows] - window.window_start).tolist()
    ends = (index.all_tokens.char_end[rows] - window.window_start).tolist()
    classes[rows] = [
        class_of(text[start:end], text[max(0, start - 1) : start], text[end : end + 1])
        for start, end in zip(starts, ends, strict=True)
    ]


def _attributes(
    index: AtomIndex, labels: Sequence[AtomLabel], truth: Known | None, classes: np.ndarray, uses: np.ndarray
) -> dict[str, Attribute]:
    atoms = [label.atom for label in labels]
    own = [class_of(label.token, label.context_before, label.context_after) for label in labels]
    found = {
        "same_token": Attribute.of(index.all_tokens.token_id, atoms, [label.token_id for label in labels], uses),
        "same_class": Attribute.of(classes, atoms, own, uses),
    }
    names, numbers = index.kinds
    if truth is not None and names:
        of_tokens = numbers[index.all_tokens.window]
        spans, kinds = spans_and_kinds(index.spans, (names, of_tokens), labels, truth, uses)
        found |= {"same_span": spans, "same_kind": kinds}
    return found
