"""The request for an evaluation: the same for the command line, a page and a job's worker."""

from __future__ import annotations

from dataclasses import dataclass, field

from itda_core.runs.jobs.request_fields import JobRequest, Option, one_option
from itda_core.runs.jobs.request_options import (
    KS,
    LIBRARY,
    OTHER_MODEL,
    OWN_METHOD,
    SETTINGS,
    ModelSettings,
    absolute_if_local,
    at_ks,
    dictionary_folder,
    few,
)

_DICTIONARIES = Option(
    "Names or folders.", metavar="DICTIONARY...", argument=True, located=dictionary_folder, dictionaries=True
)
_CORPUS = Option(
    "Text to measure on; by default each dictionary's own, after the part it was built from.", located=absolute_if_local
)
_METHODS = Option(OWN_METHOD, name="method", metavar="M[,M...]")


@dataclass(frozen=True)
class EvaluateRequest(JobRequest, ModelSettings):
    """Dictionaries to be measured at several k and by several methods on one text."""

    COMMAND = "evaluate"
    CALLED = "evaluation request"
    WRITTEN = ("dictionaries", "k", "method", "corpus", "tokens", "model", *SETTINGS, "library")

    dictionaries: tuple[str, ...] = field(metadata=one_option(_DICTIONARIES))  # names in the library, or folders
    # What Corpus.open takes; None: what each was built on.
    corpus: str | None = field(default=None, metadata=one_option(_CORPUS))
    ks: tuple[int, ...] = field(default=(), metadata=one_option(KS))  # empty: each dictionary's own
    methods: tuple[str, ...] = field(default=(), metadata=one_option(_METHODS))  # empty: each dictionary's own
    # None: as many as an evaluation takes by default.
    tokens: int | None = field(default=None, metadata=one_option(Option("Tokens to measure on; 4096 if left out.")))
    # Where the dictionaries' model is now; None: where it was.
    model: str | None = field(default=None, metadata=one_option(OTHER_MODEL))
    # The folder names are looked up in; None: the user's library.
    library: str | None = field(default=None, metadata=one_option(LIBRARY))

    def about(self) -> str:
        """The dictionaries and the ks."""
        return f"{few(self.dictionaries)}{at_ks(self.ks)}"
