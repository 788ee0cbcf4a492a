"""Check a dictionary's labels: read each atom's text again and compare its activation with the atom."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from itda_core.errors import UserError
from itda_core.text.corpus_kinds import FILE, kind_of

if TYPE_CHECKING:
    import torch

    from itda_core.dictionaries import AtomDictionary, AtomLabel, LabelsOnly
    from itda_core.models import LanguageModel
    from itda_core.text import Corpus, Window
    from itda_core.text.document import Document

TRUE_ABOVE = 0.999  # cosine, in half precision, which moves it by 1e-4 at most
TRUE_ABOVE_IN_FULL = 0.99998  # in float32 all through; other batches, processors and devices move it by 1e-6 at most
ERROR_WITHIN = 0.02  # of the error a label had when it entered
ROUNDING = 1e-3  # of an activation's norm: atoms stored in half precision are off by half of it
_TRIES = 24
_WINDOWS_AT_ONCE = 7  # no batch of a training's sixteen comes up again
_WINDOWS_WAITING = 512


class _TokenPosition(NamedTuple):
    """Where a label says its activation arose."""

    document: str
    window_start: int
    position: int


@dataclass(frozen=True)
class LabelCheck:
    """One atom: its cosine with the activation computed anew at its label's position, and what else is wrong in its
    labels.

    Of an atom with several labels it is the cosine with the normalised mean of all their activations' directions; token
    and document are the first label's.
    """

    atom: int
    token: str
    document: str
    cosine: float | None  # None: the corpus has no such place, or another token stands there
    labels: int = 1  # of the atom
    differs: tuple[str, ...] = ()  # columns of a provenance in which one of its labels is not as the text and model say
    least: float = TRUE_ABOVE  # the cosine it has to have

    @property
    def true(self) -> bool:
        return self.cosine is not None and self.cosine >= self.least and not self.differs


@dataclass(frozen=True)
class Verification:
    """All checked atoms of one dictionary, in their order."""

    checks: tuple[LabelCheck, ...]
    atoms: int  # how many the dictionary has
    labels: int  # how many labels it has
    errors_checked: bool = True  # whether the labels' errors could be computed anew
    fault: str | None = None  # a file that is not what was written: one sentence
    note: str | None = None  # what could not be checked: a sentence or two

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
    """Read the text of every atom (or of a random `sample` of them) again and hold all that is kept of it against it:

    - the activation (of an atom with several labels, the mean of theirs) against the atom. Windows of one length are
      read together, so that none is padded, and never those that were read together in the training: an activation that
      depends on what stood beside it does not come out again;
    - document, window, position, token, its text, its characters and the text around it against the corpus;
    - the order against the atoms', and the error against the one that the dictionary gives (entry_errors);
    - the dictionary's files, if it is on disk, against their digests.

    `on_progress` gets how many places have been found so far, and how many there are to find. Raises UserError when
    model, tokenizer or corpus are not those the dictionary was built with.
    """
    from itda_core.analysis.decompose import check_model
    from itda_core.dictionaries.provenance import to_labels

    check_model(model, dictionary)
    spec = dictionary.spec
    if model.tokenizer_fingerprint != spec.tokenizer_fingerprint:
        raise UserError(
            f"The dictionary was built with another tokenizer than {model.name} has now; load the same revision."
        )
    if corpus.fingerprint != spec.corpus_fingerprint:
        raise UserError(
            f"The text of corpus {corpus.id} is not the one the dictionary was built on ({spec.corpus}); "
            "give the same file, unchanged."
        )
    frame = dictionary.provenance
    if sample is not None and sample < 1:
        raise UserError(f"sample={sample} checks nothing; give at least 1.")
    if sample is not None and sample < len(dictionary):
        frame = frame.loc[frame["atom"].isin(random.Random(seed).sample(range(len(dictionary)), sample))]
    labels = to_labels(frame)
    found = _read_again(dictionary, model, corpus, labels, on_progress or (lambda _done, _total: None))
    differs = [_differences(label, one.token) for label, one in zip(labels, found, strict=True)]
    errors_checked = _check_errors(dictionary, labels, found, differs)
    checks = _checks(dictionary, labels, found, differs, _least_cosine(dictionary, model))
    fault, note = _files(dictionary)
    if not errors_checked:
        note = f"The errors of these labels cannot be computed anew and were not checked. {note or ''}".strip()
    return Verification(checks, len(dictionary), len(dictionary.provenance), errors_checked, fault, note)


class _Found(NamedTuple):
    """What stands where a label says it was seen."""

    token: AtomLabel | None  # what its label would be; None: there is no such place
    direction: torch.Tensor | None  # (d_model,) of its activation, the mean removed; None also where another token is


def _read_again(
    dictionary: AtomDictionary,
    model: LanguageModel,
    corpus: Corpus,
    labels: Sequence[AtomLabel],
    on_progress: Callable[[int, int], None],
) -> list[_Found]:
    """For each label what the text has at its place, and what the model makes of it."""
    import torch

    from itda_core.dictionaries.provenance import AtomLabel
    from itda_core.text import windows

    config = dictionary.config
    wanted: dict[_TokenPosition, list[int]] = {}  # rows of `labels`
    for row, label in enumerate(labels):
        wanted.setdefault(_TokenPosition(label.document, label.window_start, label.position), []).append(row)
    found = [_Found(None, None)] * len(labels)
    site = model.site(dictionary.spec.site, dictionary.spec.layer)
    texts = _documents(corpus, {place.document for place in wanted})
    which = "first" if config.windows == "first" else "all"
    cut = windows(texts, model.tokenizer, context=config.context, which=which)
    done = 0
    for alike in _of_one_length(_with_labels(cut, wanted)):
        for batch in model.stream(alike, [site], windows_per_batch=_WINDOWS_AT_ONCE):
            vectors = batch.activations[site].to(dictionary.mean.device) - dictionary.mean
            for i, token in enumerate(batch.tokens):
                place = _TokenPosition(token.window.document, token.window.char_start, token.position)
                for row in wanted.get(place, ()):
                    own = labels[row]
                    is_it = token.token_id == own.token_id
                    direction = torch.nn.functional.normalize(vectors[i], dim=0) if is_it else None
                    found[row] = _Found(AtomLabel.of(token, own.atom, own.error), direction)
                done += place in wanted
            on_progress(done, len(wanted))
    return found


def _documents(corpus: Corpus, names: set[str]) -> Iterator[Document]:
    """Those with these ids; the corpus is read no further than the last of them."""
    left = set(names)
    for document in corpus:
        if document.id in left:
            left.remove(document.id)
            yield document
        if not left:
            return


def _of_one_length(cut: Iterator[Window]) -> Iterator[list[Window]]:
    """The same windows in lists of one length each, so that reading a list together pads none."""
    waiting: dict[int, list[Window]] = {}
    count = 0
    for window in cut:
        waiting.setdefault(len(window), []).append(window)
        count += 1
        if count == _WINDOWS_WAITING:
            yield from waiting.values()
            waiting, count = {}, 0
    yield from waiting.values()


def _differences(label: AtomLabel, token: AtomLabel | None) -> list[str]:
    """In which of its columns, the error aside, a label is not what its place gives."""
    if token is None:
        return ["document, window_start or position"]
    names = ("order", "token_id", "token", "char_start", "char_end", "context_before", "context_after")
    return [name for name in names if getattr(label, name) != getattr(token, name)]


def _check_errors(
    dictionary: AtomDictionary, labels: Sequence[AtomLabel], found: Sequence[_Found], differs: Sequence[list[str]]
) -> bool:
    """Adds "error" where a label's is not the one computed anew; whether any could be.

    Where two atoms are about as good, rounding decides which one a pursuit takes, and the error ends elsewhere: what
    does not come out is tried again with activations that are off by about as much as rounding makes them.
    """
    import torch

    from itda_core.dictionaries.entry_errors import entry_errors

    rows = [row for row, one in enumerate(found) if one.direction is not None]
    directions = [one.direction for one in found if one.direction is not None]
    if not directions:
        return True
    draw = torch.Generator().manual_seed(0)
    x, scale = torch.stack(directions), 0.0
    for _ in range(1 + _TRIES):
        noise = torch.randn(x.shape, generator=draw).to(x) * (scale / x.shape[1] ** 0.5)
        again = torch.nn.functional.normalize(x + noise, dim=1)
        errors = entry_errors(dictionary, [labels[row].atom for row in rows], again)
        if errors is None:
            return False
        kept = torch.tensor([labels[row].error for row in rows]).to(errors)
        left = ((kept - errors).abs() > ERROR_WITHIN).nonzero()[:, 0].tolist()  # NaN is never among them
        rows, x, scale = [rows[i] for i in left], x[left], ROUNDING
        if not rows:
            break
    for row in rows:
        differs[row].append("error")
    return True


def _checks(
    dictionary: AtomDictionary,
    labels: Sequence[AtomLabel],
    found: Sequence[_Found],
    differs: Sequence[list[str]],
    least: float,
) -> tuple[LabelCheck, ...]:
    """One for each atom of `labels`, in their order."""
    import torch

    rows_of: dict[int, list[int]] = {}
    for row, label in enumerate(labels):
        rows_of.setdefault(label.atom, []).append(row)
    checks = []
    for atom, rows in sorted(rows_of.items()):
        directions = [direction for row in rows if (direction := found[row].direction) is not None]
        cosine = None
        if len(directions) == len(rows):
            mean = torch.stack(directions).sum(dim=0)
            cosine = torch.nn.functional.cosine_similarity(mean, dictionary.atoms[atom], dim=0).item()
        other = tuple(dict.fromkeys(name for row in rows for name in differs[row]))
        first = labels[rows[0]]
        checks.append(LabelCheck(atom, first.token, first.document, cosine, len(rows), other, least))
    return tuple(checks)


def _least_cosine(dictionary: AtomDictionary, model: LanguageModel) -> float:
    """What an atom's cosine has to be, by the precision in which its activations were computed then and now."""
    made = dictionary.stats.get("stream", {}).get("made", {}).get("dtype")
    return TRUE_ABOVE_IN_FULL if made == str(model.dtype) == "torch.float32" else TRUE_ABOVE


def _files(dictionary: AtomDictionary) -> tuple[str | None, str | None]:
    """Which of the dictionary's files on disk is not what was written, and what cannot be known of them."""
    from itda_core.dictionaries.storage.dictionary_folder import NO_DIGESTS, check_digests, has_digests

    path = dictionary.path
    if path is None or not path.is_dir():
        return None, None
    try:
        check_digests(path)
        return None, None if has_digests(path) else NO_DIGESTS
    except UserError as error:
        return str(error), None


def _with_labels(cut: Iterator[Window], wanted: Mapping[_TokenPosition, object]) -> Iterator[Window]:
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
    check_named(name)
    return Corpus.open(name)


def check_named(name: str) -> None:
    """Raises UserError when the name of a corpus alone, as a dictionary has it, does not lead to it."""
    if kind_of(name) is FILE and not Path(name.partition("#")[0]).is_file():
        raise UserError(
            f"The dictionary was built on the file {name}, which is not here; say where it is (in a terminal: --corpus "
            "PATH).",
            field="corpus",
        )
