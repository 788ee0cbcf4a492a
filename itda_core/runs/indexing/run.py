"""One atom index from the request to its folder: what the command line and a job's worker both call."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from itda_core.errors import UserError
from itda_core.files import explained, shown, sweep
from itda_core.runs.indexing import indices
from itda_core.runs.indexing.request import IndexRequest
from itda_core.runs.indexing.status import IndexMade
from itda_core.runs.jobs.stopping import Interrupted
from itda_core.runs.library import Library
from itda_core.runs.model_of import model_of
from itda_core.runs.verify import corpus_of

if TYPE_CHECKING:
    from itda_core.analysis.atoms.build import IndexProgress
    from itda_core.analysis.atoms.index_format import IndexDescription
    from itda_core.dictionaries import AtomDictionary

CHECKPOINT_SECONDS = 60.0
READING = "encoding"  # the step from which on an interruption keeps what is done
_LOCK = ".lock"


@dataclass(frozen=True)
class IndexingProgress:
    """Where the making of an index stands."""

    step: str  # what is being done, for people
    share: float  # of the work that is done, 0 to 1
    tokens: int  # in the index so far
    seconds: float
    eta: float | None  # seconds to go; None while unknown
    notes: tuple[str, ...] = ()  # sentences about the text
    index: IndexMade | None = None  # at the end

    @property
    def done(self) -> bool:
        return self.index is not None


def index_dictionary(
    request: IndexRequest,
    *,
    on_step: Callable[[str], None] = lambda _: None,
    should_stop: Callable[[], bool] = lambda: False,
    resume: bool = False,
    work: Path | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> Generator[IndexingProgress, None, None]:
    """Make the index that `request` asks for, among those of its dictionary (indices); the last progress names it.

    One that is there already is not made again; a damaged one in its place is.

    - `work`: where what was encoded is kept until the end (None: beside the indices); with `resume`, work that was
      stopped or killed there goes on;
    - `should_stop`: asked after each batch; True ends the work by Interrupted, and what is done is kept.

    Raises UserError as analysis.atoms.index_atoms, `model_of` and `corpus_of` do.
    """
    from itda_core.analysis.atoms.build import index_atoms
    from itda_core.dictionaries import AtomDictionary
    from itda_core.text.passages.truth import truth_of

    library = Library(request.library)
    on_step("reading the dictionary")
    dictionary = AtomDictionary.load(library.find(request.dictionary))
    assert dictionary.identity is not None, "a dictionary that was loaded has one"
    if request.tokens < 1:
        raise UserError(f"tokens={request.tokens} indexes nothing; give at least 1.", field="tokens")
    on_step("opening the corpus")
    corpus = corpus_of(dictionary, request.corpus)
    target = indices.folder_for(dictionary.identity, corpus.fingerprint, request.tokens)
    if (there := _made_already(target)) is not None:
        yield _finished(dictionary, target, there, ("This index is there already; it was not made again.",))
        return
    on_step("loading the model")
    model = model_of(dictionary, request.model, **request.loading(), head=False)
    with _work_folder(target, work) as kept:
        on_step(READING)
        sweep(target.parent)
        where = {"folder": target, "work": kept, "resume": resume, "checkpoint_seconds": checkpoint_seconds}
        making = index_atoms(model, dictionary, corpus, tokens=request.tokens, truth=truth_of(corpus), **where)
        with closing(making):
            for progress in making:
                if progress.done and progress.description is not None:
                    indices.remember_source(target, request.corpus or dictionary.spec.corpus)
                    yield _finished(dictionary, target, progress.description, (*model.notes, *progress.notes))
                    continue
                yield _told(progress, model.notes)
                if should_stop():
                    making.close()
                    raise Interrupted(progress.tokens, request.tokens)


def _told(progress: IndexProgress, notes: tuple[str, ...]) -> IndexingProgress:
    """`progress`, with what is to be said of the model before what is to be said of the text."""
    own = {one.name: getattr(progress, one.name) for one in fields(IndexingProgress) if one.name != "index"}
    return IndexingProgress(**{**own, "notes": (*notes, *progress.notes)})


def _finished(
    dictionary: AtomDictionary, folder: Path, said: IndexDescription, notes: tuple[str, ...]
) -> IndexingProgress:
    made = IndexMade(
        folder=str(folder),
        dictionary=str(dictionary.path),
        identity=str(dictionary.identity),
        bytes=indices.size_of(folder),
        **{name: getattr(said, name) for name in ("corpus", "text", "tokens", "windows", "entries", "sinks_left_out")},
        seconds=said.seconds,
    )
    return IndexingProgress("done", 1.0, said.tokens, said.seconds, 0.0, notes, made)


def _made_already(target: Path) -> IndexDescription | None:
    """What the index says that is there already; a damaged one is removed."""
    from itda_core.analysis.atoms.index import AtomIndex

    if not target.exists():
        return None
    try:
        return AtomIndex.open(target).description
    except UserError:
        indices.remove(target)
        return None


@contextmanager
def _work_folder(target: Path, given: Path | None) -> Iterator[Path]:
    """Where what is encoded is kept, for this process alone; removed once the index is there."""
    work = given or target.with_name(f".work-{target.name}")
    with explained(work):
        work.mkdir(parents=True, exist_ok=True)
    lock = FileLock(work / _LOCK)
    try:
        lock.acquire(timeout=0.5)
    except Timeout:
        raise UserError(f"Another process is making this index in {shown(work)}; wait for it or stop it.") from None
    try:
        yield work
    finally:
        lock.release()
        if target.exists():
            indices.remove(work)
