"""An atom index made of a model, a dictionary and a text: every token encoded once, by the dictionary's own pursuit."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from itda_core.analysis.atoms.index_format import IndexDescription
from itda_core.analysis.decompose import defaults
from itda_core.analysis.evaluate import check_reads, name_of
from itda_core.analysis.evaluation_batches import batches, default_windows_per_batch
from itda_core.analysis.evaluation_text import evaluation_text, n_text
from itda_core.arguments import plain, user_path
from itda_core.dictionaries.dictionary import AtomDictionary
from itda_core.errors import UserError
from itda_core.files import explained, partial_folder, shown
from itda_core.text.corpus import Corpus
from itda_core.time_left import time_left

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from itda_core.analysis.atoms.index_writer import Batch, IndexWriter
    from itda_core.analysis.evaluation_text import EvaluationText
    from itda_core.models import LanguageModel
    from itda_core.text import TokenRef, Window

TOKENS = 100_000  # indexed by default
CHECKPOINT_SECONDS = 60.0
_SHARE_OF_READING = 0.97  # of the whole work; the rest puts the files together
_MOST_STEPS = 2**16  # a step is kept in 16 bits


class Truth(Protocol):
    """What a corpus knows of its text."""

    def kind(self, document: str) -> str | None:
        """What kind of text a document is; None where that is not known."""
        ...

    def spans(self, document: str, character: int) -> str | None:
        """What a character of it is, outermost first, joined by "/"; "" for nothing, None where that is not known."""
        ...


@dataclass(frozen=True)
class IndexProgress:
    """Where the making of an index stands."""

    step: str  # what is being done, for people
    share: float  # of the work that is done, 0 to 1
    tokens: int  # in the index so far
    seconds: float
    eta: float | None  # seconds to go; None while unknown
    notes: tuple[str, ...] = ()  # sentences about the text
    folder: Path | None = None  # of the index, at the end
    description: IndexDescription | None = None  # at the end
    done: bool = False


def index_atoms(
    model: LanguageModel,
    dictionary: AtomDictionary | str | Path,
    corpus: Corpus | str | Path,
    *,
    tokens: int | None = None,
    folder: str | Path,
    work: str | Path | None = None,
    resume: bool = False,
    truth: Truth | None = None,
    windows_per_batch: int | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> Generator[IndexProgress, None, None]:
    """Write the atom index `folder` (see index_format); the last progress (`done`) says what it holds.

    **Text.** As in an evaluation: windows of `corpus` as long as those the dictionary has read, behind the part that it
    was built from, up to the one in which the number of `tokens` is reached (None: TOKENS). Special tokens are left
    out, and so are those that the dictionary leaves out as attention sinks, which are counted.

    **Codes.** The dictionary's own k and pursuit. `truth` says what the text is, where anybody knows.

    **After a kill.** What was encoded is in `work` at the latest `checkpoint_seconds` later, or when this generator is
    closed; with `resume` the same call goes on from there, to an equal index. Where that is damaged or belongs to
    another call, it begins anew, and a note says so. Without `work`, nothing is kept.

    Memory holds one batch of windows and some 100,000 tokens' codes, whatever the length of the text.

    Raises UserError at once when the dictionary belongs to another model or tokenizer, was never saved, or the folder
    exists; later for a corpus without text, for activations that are not finite, and when the disk is full.
    """
    dictionary, corpus = AtomDictionary.of(dictionary), Corpus.of(corpus)
    tokens, windows_per_batch = plain(tokens), plain(windows_per_batch)
    tokens = TOKENS if tokens is None else tokens
    target, work = user_path(folder), None if work is None else user_path(work)
    if isinstance(tokens, bool) or not isinstance(tokens, int) or tokens < 1:
        raise UserError(f"tokens={tokens!r:.200} indexes nothing; give at least 1, for example {TOKENS}.")
    if windows_per_batch is not None and windows_per_batch < 1:
        raise UserError(f"windows_per_batch={windows_per_batch} is too small; use 1 or more.")
    check_reads(model, dictionary)
    if dictionary.identity is None:
        raise UserError(f"{name_of(dictionary)} was never saved, so that no index can say whose it is; save it first.")
    if (k := defaults(dictionary, None, None)[0]) > _MOST_STEPS:
        raise UserError(f"k={k} is more than the {_MOST_STEPS:,} steps that an index can hold; use a smaller k.")
    if target.exists():
        raise UserError(f"{shown(target)} exists already; choose another name or remove it first.")
    made = _Making(model, dictionary, corpus, tokens, truth, windows_per_batch, checkpoint_seconds)
    return made.run(target, work, resume=resume)


class _Making:
    """One index while it is made."""

    def __init__(
        self,
        model: LanguageModel,
        dictionary: AtomDictionary,
        corpus: Corpus,
        tokens: int,
        truth: Truth | None,
        windows_per_batch: int | None,
        checkpoint_seconds: float,
    ) -> None:
        self._model, self._corpus, self._tokens = model, corpus, tokens
        self._truth, self._checkpoint_seconds = truth, checkpoint_seconds
        self._dictionary = dictionary if dictionary.atoms.device == model.device else dictionary.to(model.device)
        self._site = model.site(dictionary.spec.site, dictionary.spec.layer)
        self._k, self._method = defaults(dictionary, None, None)
        self._at_once = windows_per_batch or default_windows_per_batch(model, dictionary.config.context)
        self._clock = _Clock()
        self._notes: list[str] = []  # about the text
        self._problem: str | None = None  # with earlier work

    def run(self, target: Path, work: Path | None, *, resume: bool) -> Generator[IndexProgress, None, None]:
        from itda_core.analysis.atoms.index_writer import IndexWriter

        yield self._now("finding text", 0.0, 0)
        keep = work is not None
        with ExitStack() as stack:
            if work is None:
                with explained(target):
                    target.parent.mkdir(parents=True, exist_ok=True)
                work = stack.enter_context(partial_folder(target.parent, target))
            settings = self._settings()
            writer = IndexWriter(work, settings, len(self._dictionary), self._k, resume=resume)
            self._problem = writer.problem
            self._clock.go_on(writer.reached.seconds)
            finding = evaluation_text(self._model, [self._dictionary], self._corpus, self._tokens)
            while isinstance(found := next(finding), int):
                if not found:  # it was built from another text
                    continue
                yield self._now(f"skipping the text that the dictionary was built from: {found:,} tokens", 0.0, 0)
            self._notes += [found.note] if found.note else []
            yield from self._read(writer, found, keep=keep)
            if writer.reached.tokens == 0:
                raise UserError(
                    f"Every token of this text is an attention sink to {name_of(self._dictionary)}; choose another "
                    "text, or train with --sinks 0."
                )
            self._notes += self._left_out(writer)
            description = self._description(found, writer)
            for share in writer.finish(target, description):
                all_of_it = _SHARE_OF_READING + (1 - _SHARE_OF_READING) * share
                yield self._now("writing the index", all_of_it, writer.reached.tokens)
        last = self._now("done", 1.0, writer.reached.tokens)
        yield replace(last, folder=target, description=description, done=True)

    def _settings(self) -> dict[str, Any]:
        """All that makes this index another than the next one, and its batches others."""
        return {
            "dictionary": self._dictionary.identity,
            "weights": self._model.fingerprint,
            "dtype": str(self._model.dtype),
            "corpus": self._corpus.fingerprint,
            "tokens": self._tokens,
            "at once": self._at_once,
            "truth": self._truth is not None,
        }

    def _read(self, writer: IndexWriter, text: EvaluationText, *, keep: bool) -> Iterator[IndexProgress]:
        """Encode all windows that are not in `writer` yet; keep: what was encoded, now and then and when closed."""
        begun, saved = writer.reached.windows, time.monotonic()
        passed = n_done = 0
        try:
            for windows in batches(text.windows, self._tokens, self._at_once):
                passed += len(windows)
                n_done += sum(map(n_text, windows))
                share = _SHARE_OF_READING * min(1.0, n_done / self._tokens)
                if passed <= begun:  # another process kept them
                    self._clock.begin(share)
                    continue
                writer.take(self._encoded(windows), self._clock.seconds)
                if keep and time.monotonic() - saved >= self._checkpoint_seconds:
                    writer.save()
                    saved = time.monotonic()
                yield self._now("encoding", share, writer.reached.tokens)
        except GeneratorExit:
            if keep:
                writer.save()
            raise
        if n_done < self._tokens:
            self._notes.append(f"The text ended after {n_done:,} of {self._tokens:,} tokens.")

    def _encoded(self, windows: list[Window]) -> Batch:
        """One forward pass, and the codes of its tokens."""
        from itda_core.analysis.atoms.index_writer import Batch
        from itda_core.dictionaries.growing.sinks import norms, sinks_in
        from itda_core.pursuit import relative_error

        (batch,) = self._model.stream(windows, [self._site], windows_per_batch=len(windows))
        x = batch.activations[self._site]
        sinks = sinks_in(x, self._dictionary.sink_norm)
        x = x[~sinks]
        code = self._dictionary.encode(x)
        mean = self._dictionary.mean if self._dictionary.config.centre else 0
        error = relative_error(x - mean, self._dictionary.decode(code) - mean)
        taken = [token for token, sink in zip(batch.tokens, sinks.tolist(), strict=True) if not sink]
        truth = self._truth
        return Batch(
            documents=[window.document for window in windows],
            starts=[window.char_start for window in windows],
            texts=[_text(window) for window in windows],
            kinds=[None if truth is None else truth.kind(window.document) for window in windows],
            tokens=self._columns(windows, taken) | {"norm": _array(norms(x - mean)), "relative_error": _array(error)},
            indices=_array(code.indices),
            coefficients=_array(code.coefficients),
            sinks=int(sinks.sum()),
        )

    def _columns(self, windows: list[Window], tokens: list[TokenRef]) -> dict[str, Any]:
        """What is known of tokens without their activations, by columns of tokens.parquet."""
        import numpy as np

        places = {id(window): place for place, window in enumerate(windows)}
        rows = [(places[id(one.window)], one.position, one.token_id, one.char_start, one.char_end) for one in tokens]
        whole = np.array(rows, dtype=np.int64).reshape(len(tokens), 5)
        spans = np.empty(len(tokens), dtype=object)
        if self._truth is not None:
            for row, one in enumerate(tokens):
                spans[row] = self._truth.spans(one.window.document, one.char_end - 1) if one.char_end else ""
        names = ("window", "position", "token_id", "char_start", "char_end")
        return dict(zip(names, whole.T, strict=True)) | {"span": spans}

    def _left_out(self, writer: IndexWriter) -> list[str]:
        sinks = writer.reached.sinks
        return (
            [f"{sinks:,} attention sinks were left out, as they were when the dictionary was built."] if sinks else []
        )

    def _description(self, text: EvaluationText, writer: IndexWriter) -> IndexDescription:
        spec, reached = self._dictionary.spec, writer.reached
        return IndexDescription(
            dictionary=str(self._dictionary.identity),
            model=spec.model,
            weights_fingerprint=self._model.fingerprint,
            layer=spec.layer,
            site=spec.site,
            n_atoms=len(self._dictionary),
            k=self._k,
            method=self._method,
            corpus=self._corpus.id,
            corpus_fingerprint=self._corpus.fingerprint,
            text=text.held[0],
            context=self._dictionary.config.context,
            tokens=reached.tokens,
            windows=reached.windows,
            entries=reached.entries,
            slots=self._k,
            sinks_left_out=reached.sinks,
            energy=reached.energy,
            notes=tuple(self._notes),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            seconds=self._clock.seconds,
        )

    def _now(self, step: str, share: float, tokens: int) -> IndexProgress:
        notes = (*([] if self._problem is None else [self._problem]), *self._notes)
        return IndexProgress(step, share, tokens, self._clock.seconds, self._clock.left(share), notes)


class _Clock:
    """Seconds of work, those of earlier processes too, and how long it still takes."""

    def __init__(self) -> None:
        self._began = self._since_at = time.monotonic()
        self._earlier = self._since = 0.0

    def go_on(self, seconds: float) -> None:
        """Work took `seconds` before this process."""
        self._earlier = seconds

    def begin(self, share: float) -> None:
        """What was done up to here was not done now."""
        self._since, self._since_at = share, time.monotonic()

    @property
    def seconds(self) -> float:
        return self._earlier + time.monotonic() - self._began

    def left(self, share: float) -> float | None:
        return time_left(share, time.monotonic() - self._since_at, since=self._since)


def _text(window: Window) -> str:
    """The document's characters from the window's first to its last token's end."""
    return window.text[window.char_start : max(end for _, end in window.spans)]


def _array(x: Tensor) -> np.ndarray:
    return x.detach().cpu().numpy()
