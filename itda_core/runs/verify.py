"""Do a dictionary's labels tell the truth: read each atom's text again and compare the activation with the atom."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from itda_core.errors import UserError

if TYPE_CHECKING:
    from itda_core.dictionaries import AtomDictionary, LabelsOnly
    from itda_core.models import LanguageModel
    from itda_core.text import Corpus, Window

TRUE_ABOVE = 0.999  # cosine; other batches, processors and devices move it by 1e-5 at most, half precision by 1e-4


class _Place(NamedTuple):
    """Where a label says its activation arose."""

    document: str
    window_start: int
    position: int


@dataclass(frozen=True)
class LabelCheck:
    """One atom: its cosine with the activation computed anew at the place its label names.

    Of an atom with several labels it is the cosine with the normalised mean of all their activations' directions; token
    and document are the first label's.
    """

    atom: int
    token: str
    document: str
    cosine: float | None  # None: the corpus has no such place, or another token stands there
    labels: int = 1  # of the atom

    @property
    def true(self) -> bool:
        return self.cosine is not None and self.cosine >= TRUE_ABOVE


@dataclass(frozen=True)
class Verification:
    """All checked atoms of one dictionary, in their order."""

    checks: tuple[LabelCheck, ...]
    atoms: int  # how many the dictionary has
    labels: int  # likewise

    @property
    def wrong(self) -> tuple[LabelCheck, ...]:
        return tuple(check for check in self.checks if not check.true)

    @property
    def worst_cosine(self) -> float | None:
        """Of the atoms all of whose places were found."""
        return min((check.cosine for check in self.checks if check.cosine is not None), default=None)


def verify(
    dictionary: AtomDictionary,
    model: LanguageModel,
    corpus: Corpus,
    sample: int | None = None,
    *,
    seed: int = 0,
    on_progress: Callable[[int, int], None] | None = None,
) -> Verification:
    """Read the text of every atom (or of a random `sample` of them) again and compare its activation with the atom; for
    one with several labels, the mean of their activations.

    `on_progress` gets how many places have been found so far, and how many there are to find. Raises UserError when
    model, tokenizer or corpus are not those the dictionary was built with.
    """
    import torch

    from itda_core.analysis.decompose import check_model
    from itda_core.text import windows

    check_model(model, dictionary)
    spec, config = dictionary.spec, dictionary.config
    if model.tokenizer_fingerprint != spec.tokenizer_fingerprint:
        raise UserError(
            f"The dictionary was built with another tokenizer than {model.name} has now; load the same revision."
        )
    if corpus.fingerprint != spec.corpus_fingerprint:
        raise UserError(
            f"The text of corpus {corpus.id} is not the one the dictionary was built on ({spec.corpus}); "
            "give the same file, unchanged."
        )
    labels = dictionary.provenance
    if sample is not None and sample < 1:
        raise UserError(f"sample={sample} checks nothing; give at least 1.")
    if sample is not None and sample < len(dictionary):
        labels = labels[labels["atom"].isin(random.Random(seed).sample(range(len(dictionary)), sample))]
    wanted: dict[_Place, list[int]] = {}  # rows of `labels`
    places = zip(labels["document"], labels["window_start"], labels["position"], strict=True)
    for row, (document, start, position) in enumerate(places):
        wanted.setdefault(_Place(str(document), int(start), int(position)), []).append(row)

    token_ids = labels["token_id"].tolist()
    directions: list[torch.Tensor | None] = [None] * len(labels)
    site = model.site(spec.site, spec.layer)
    documents = {place.document for place in wanted}
    texts = (document for document in corpus if document.id in documents)
    which = "first" if config.windows == "first" else "all"
    cut = windows(texts, model.tokenizer, context=config.context, which=which)
    left = len(wanted)
    for batch in model.stream(_with_labels(cut, wanted), [site]):
        vectors = batch.activations[site]
        for i, token in enumerate(batch.tokens):
            place = _Place(token.window.document, token.window.char_start, token.position)
            for row in wanted.get(place, ()):
                if token.token_id == token_ids[row]:
                    vector = vectors[i].float().to(dictionary.mean.device) - dictionary.mean
                    directions[row] = torch.nn.functional.normalize(vector, dim=0)
            left -= place in wanted
        if on_progress:
            on_progress(len(wanted) - left, len(wanted))
        if not left:
            break
    rows_of: dict[int, list[int]] = {}
    for row, atom in enumerate(labels["atom"].tolist()):
        rows_of.setdefault(atom, []).append(row)
    checks = []
    for atom, rows in sorted(rows_of.items()):
        found = [direction for row in rows if (direction := directions[row]) is not None]
        cosine = None
        if len(found) == len(rows):
            mean = torch.stack(found).sum(dim=0)
            cosine = torch.nn.functional.cosine_similarity(mean, dictionary.atoms[atom], dim=0).item()
        first = labels.iloc[rows[0]]
        checks.append(LabelCheck(atom, str(first["token"]), str(first["document"]), cosine, len(rows)))
    return Verification(tuple(checks), len(dictionary), len(dictionary.provenance))


def _with_labels(cut: Iterator[Window], wanted: dict[_Place, list[int]]) -> Iterator[Window]:
    """Only the windows in which a label lies."""
    starts = {(place.document, place.window_start) for place in wanted}
    return (window for window in cut if (window.document, window.char_start) in starts)


def corpus_of(dictionary: AtomDictionary | LabelsOnly, reference: str | None = None) -> Corpus:
    """The corpus a dictionary (or its labels) was built on: by its id, or where `reference` says.

    Raises UserError as `corpus_named`.
    """
    return corpus_named(dictionary.spec.corpus, reference)


def corpus_named(name: str, reference: str | None = None) -> Corpus:
    """The corpus that dictionaries call `name`, or the one at `reference`.

    A dictionary holds the name of a corpus file, not the folder it lay in. Raises UserError when it is not found.
    """
    from itda_core.text import Corpus

    if reference is not None:
        return Corpus.open(reference)
    if name != "demo" and not name.startswith("hf:") and not Path(name.partition("#")[0]).is_file():
        raise UserError(f"The dictionary was built on the file {name}; say where it is with --corpus PATH.")
    return Corpus.open(name)
