"""Do a dictionary's labels tell the truth: read each atom's text again and compare the activation with the atom."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from itda_core.errors import UserError

if TYPE_CHECKING:
    from itda_core.dictionaries import AtomDictionary
    from itda_core.models import LanguageModel
    from itda_core.text import Corpus, Window

TRUE_ABOVE = 0.999  # cosine; other batches and devices move it by 1e-5, half precision by 1e-4


class _Place(NamedTuple):
    """Where a label says its activation arose."""

    document: str
    window_start: int
    position: int


@dataclass(frozen=True)
class LabelCheck:
    """One label: the cosine of its atom with the activation computed anew at the place it names."""

    atom: int
    token: str
    document: str
    cosine: float | None  # None: the corpus has no such place, or another token stands there

    @property
    def true(self) -> bool:
        return self.cosine is not None and self.cosine >= TRUE_ABOVE


@dataclass(frozen=True)
class Verification:
    """All checked labels of one dictionary, by atom."""

    checks: tuple[LabelCheck, ...]
    labels: int  # how many the dictionary has

    @property
    def wrong(self) -> tuple[LabelCheck, ...]:
        return tuple(check for check in self.checks if not check.true)

    @property
    def worst_cosine(self) -> float | None:
        """Of the labels whose place was found."""
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
    """Read the text of every label (or of a random `sample`) again and compare its activation with its atom.

    `on_progress` gets how many labels have been found so far, and how many there are to find. Raises UserError when
    model, tokenizer or corpus are not those the dictionary was built with, or when its atoms are means of several
    activations, which no single place can reproduce.
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
    if labels["atom"].duplicated().any():
        raise UserError("Atoms of this dictionary are means of several activations; only single ones can be verified.")
    if sample is not None and sample < 1:
        raise UserError(f"sample={sample} checks nothing; give at least 1.")
    rows = range(len(labels))
    if sample is not None and sample < len(labels):
        rows = sorted(random.Random(seed).sample(rows, sample))
    labels = labels.iloc[list(rows)]
    wanted: dict[_Place, list[int]] = {}  # rows of `labels`; one activation may bear two atoms only in a wrong file
    places = zip(labels["document"], labels["window_start"], labels["position"], strict=True)
    for row, (document, start, position) in enumerate(places):
        wanted.setdefault(_Place(str(document), int(start), int(position)), []).append(row)

    atoms = dictionary.atoms[torch.as_tensor(labels["atom"].to_numpy().copy())]
    token_ids = labels["token_id"].tolist()
    cosines: list[float | None] = [None] * len(labels)
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
                    vector = vectors[i].float().to(atoms.device) - dictionary.mean
                    cosines[row] = torch.nn.functional.cosine_similarity(vector, atoms[row], dim=0).item()
            left -= place in wanted
        if on_progress:
            on_progress(len(wanted) - left, len(wanted))
        if not left:
            break
    checks = [
        LabelCheck(int(atom), str(token), str(document), cosine)
        for atom, token, document, cosine in zip(
            labels["atom"], labels["token"], labels["document"], cosines, strict=True
        )
    ]
    return Verification(tuple(sorted(checks, key=lambda check: check.atom)), len(dictionary.provenance))


def _with_labels(cut: Iterator[Window], wanted: dict[_Place, list[int]]) -> Iterator[Window]:
    """Only the windows in which a label lies."""
    starts = {(place.document, place.window_start) for place in wanted}
    return (window for window in cut if (window.document, window.char_start) in starts)


def corpus_of(dictionary: AtomDictionary, reference: str | None = None) -> Corpus:
    """The corpus a dictionary was built on: by its id, or where `reference` says.

    A dictionary holds the name of a corpus file, not the folder it lay in. Raises UserError when it is not found.
    """
    from itda_core.text import Corpus

    if reference is not None:
        return Corpus.open(reference)
    name = dictionary.spec.corpus
    if name != "demo" and not name.startswith("hf:") and not Path(name.partition("#")[0]).is_file():
        raise UserError(f"The dictionary was built on the file {name}; say where it is with --corpus PATH.")
    return Corpus.open(name)
