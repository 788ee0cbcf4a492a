"""What is to be known of the atoms of dictionaries in the library: their indices, their honesty, what they write."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from itda_core.errors import UserError

if TYPE_CHECKING:
    from itda_core.analysis.atoms.folded_labels import FoldedLabels
    from itda_core.analysis.atoms.honesty.attributes import Known
    from itda_core.analysis.atoms.honesty.context_vectors import Contexts
    from itda_core.analysis.atoms.honesty.tallies import Tallies
    from itda_core.analysis.atoms.index import AtomIndex
    from itda_core.analysis.atoms.logits.direct_logits import DirectPath
    from itda_core.analysis.atoms.prompt_search import TextCodes
    from itda_core.analysis.atoms.search import Found, Searched
    from itda_core.dictionaries import AtomDictionary
    from itda_core.models import LanguageModel

_WINDOWS = 16  # of text, from which the typical activations are taken


def index_of(dictionary: AtomDictionary) -> AtomIndex | None:
    """The index of `dictionary` that is shown; None where there is none. Raises UserError where all are damaged."""
    from itda_core.runs.indexing.indices import shown_of

    return None if dictionary.identity is None else shown_of(dictionary.identity)


def honesty_of(
    dictionary: AtomDictionary, index: AtomIndex, on_share: Callable[[float], None] | None = None
) -> Tallies:
    """Whether the labels of `dictionary` tell where its atoms fire: as it is kept beside `index`, else measured now and
    kept, where the folder can be written to. Raises UserError for a damaged index.
    """
    from itda_core.analysis.atoms.honesty.stored import store, stored
    from itda_core.runs.indexing.indices import BUNDLED

    try:
        if (kept := stored(index)) is not None:
            return kept
    except UserError:
        pass  # damaged: it is measured again
    found = measured_honesty(dictionary, index, on_share)
    if not index.folder.is_relative_to(BUNDLED):
        store(index, found)
    return found


def measured_honesty(
    dictionary: AtomDictionary,
    index: AtomIndex,
    on_share: Callable[[float], None] | None = None,
    contexts: Contexts | None = None,
) -> Tallies:
    """The same, measured now whatever is kept, and not kept; on_share gets the share that is done, 0 to 1.

    contexts: what compares the words around tokens; None for the hashing of words. Raises UserError for a damaged
    index.
    """
    from itda_core.analysis.atoms.honesty.honesty import measure
    from itda_core.dictionaries.provenance import to_labels

    work = measure(index, to_labels(dictionary.provenance), truth_about(dictionary), contexts)
    while True:
        try:
            share = next(work)
        except StopIteration as ended:
            return ended.value
        if on_share is not None:
            on_share(share)


def truth_about(dictionary: AtomDictionary) -> Known | None:
    """What the corpus of a dictionary's labels knows of its text, where it is the bundled one."""
    from itda_core.text import Corpus
    from itda_core.text.passages.truth import truth_of

    if dictionary.spec.corpus != "demo":
        return None
    corpus = Corpus.open("demo")
    return truth_of(corpus) if corpus.fingerprint == dictionary.spec.corpus_fingerprint else None


def direct_path_of(dictionary: AtomDictionary, model: LanguageModel, index: AtomIndex | None) -> DirectPath:
    """What the atoms of `dictionary` write, over text of its index, or of its labels where it has none.

    Raises direct_logits.NoDirectPath where there is no such path.
    """
    from itda_core.analysis.atoms.logits.direct_logits import DirectPath
    from itda_core.text import Document, windows

    if index is None:
        labels = [dictionary.label(atom) for atom in _spread(len(dictionary))]
        texts = [label.context_before + label.token + label.context_after for label in labels]
    else:
        texts = [window.text for window in index.windows(_spread(index.description.windows))]
    documents = [Document(str(i), text) for i, text in enumerate(texts) if text.strip()]
    context = min(model.context, 128)
    read = list(windows(documents, model.tokenizer, context=context, which="first"))
    return DirectPath.of_site(model, model.site(dictionary.spec.site, dictionary.spec.layer), read)


def search_atoms(
    dictionaries: Sequence[tuple[str, AtomDictionary]],
    text: str,
    by: str,
    n: int,
    model_for: Callable[[AtomDictionary], LanguageModel],
) -> list[Found]:
    """The first `n` atoms of all `dictionaries` (with their names) that `text` finds; by: see analysis.atoms.search.

    model_for: loads a dictionary's model; called for a prompt only. Raises UserError where there is nothing to search
    for, or where no dictionary has the index that a search by firing needs.
    """
    from itda_core.analysis.atoms.firing_search import firing_on, folded_windows
    from itda_core.analysis.atoms.folded_labels import folded_labels
    from itda_core.analysis.atoms.prompt_search import search_prompt
    from itda_core.analysis.atoms.search import BY, found_by, search_labels
    from itda_core.dictionaries.provenance import to_labels

    if by not in BY:
        raise UserError(f"by={by!r:.100} is unknown; choose one of {', '.join(BY)}.", field="by")
    indices = [index_of(dictionary) for _, dictionary in dictionaries]
    searched = [
        searched_by(name, folded_labels(to_labels(dictionary.provenance)), index)
        for (name, dictionary), index in zip(dictionaries, indices, strict=True)
    ]
    if by in ("token", "context"):
        return search_labels(searched, text, by, n)
    if by == "prompt":
        texts = [_codes(dictionary, model_for(dictionary), text) for _, dictionary in dictionaries]
        return search_prompt(searched, texts, n)
    if all(index is None for index in indices):
        raise UserError(
            f"A search by firing needs an index of {dictionaries[0][0]}; make one with itda atoms index, or search by "
            "token."
        )
    found: list[Found] = []
    for one, index in zip(searched, indices, strict=True):
        if index is not None:
            fires = firing_on(index, folded_windows(index), text, n)
            found += found_by(one, {atom.atom: (atom.score, atom.why) for atom in fires})
    return sorted(found, key=lambda one: -one.score)[:n]


def searched_by(name: str, labels: FoldedLabels, index: AtomIndex | None) -> Searched:
    """A dictionary ready to be searched, with what its index knows of each atom's use."""
    from itda_core.analysis.atoms.search import Searched

    if index is None:
        return Searched(name, labels)
    uses = index.sums["positive"] + index.sums["negative"]
    return Searched(name, labels, uses, index.description.tokens, index.sums["sum_share"])


def _codes(dictionary: AtomDictionary, model: LanguageModel, text: str) -> TextCodes:
    from itda_core.analysis.atoms.prompt_search import codes_of
    from itda_core.analysis.decompose import read_prompt

    return codes_of(dictionary, read_prompt(model, dictionary, text))


def _spread(n: int) -> list[int]:
    """At most _WINDOWS numbers below n, evenly spread."""
    return sorted({i * n // _WINDOWS for i in range(_WINDOWS)}) if n else []
