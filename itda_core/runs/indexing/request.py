"""The request for an atom index: the same for the command line, a page and a job's worker."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from itda_core.runs.jobs.request_fields import JobRequest, Option, one_option
from itda_core.runs.jobs.request_options import (
    DICTIONARY,
    LIBRARY,
    OTHER_MODEL,
    SETTINGS,
    ModelSettings,
    absolute_if_local,
)

TOKENS = 100_000

_CORPUS = Option(
    "Text to index; by default the dictionary's own, after the part it was built from.", located=absolute_if_local
)


@dataclass(frozen=True)
class IndexRequest(JobRequest, ModelSettings):
    """Where each atom of a dictionary fires in a text, kept so that it can be looked up at once.

    For example: itda atoms index demo-0-L3 --corpus demo --tokens 50000
    """

    COMMAND = "atoms index"
    CALLED = "index request"
    WRITTEN = ("dictionary", "corpus", "tokens", "model", *SETTINGS, "library")

    dictionary: str = field(metadata=one_option(DICTIONARY))  # a name in the library, or a folder
    # What Corpus.open takes; None: what the dictionary was built on.
    corpus: str | None = field(default=None, metadata=one_option(_CORPUS))
    tokens: int = field(default=TOKENS, metadata=one_option(Option("Tokens to index.")))
    # Where the dictionary's model is now; None: where it was.
    model: str | None = field(default=None, metadata=one_option(OTHER_MODEL))
    # The folder names are looked up in; None: the user's library.
    library: str | None = field(default=None, metadata=one_option(LIBRARY))

    def about(self) -> str:
        """The dictionary and how much of which text."""
        text = "its own text" if self.corpus is None else Path(self.corpus).name
        return f"{Path(self.dictionary).name}, {self.tokens:,} tokens of {text}"
