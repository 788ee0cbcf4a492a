"""What an evaluation is asked to do: the same thing for the command line, a page and a job's worker."""

from __future__ import annotations

import shlex
from dataclasses import asdict, dataclass, replace
from typing import Any

from itda_core.files.dataclass_schema import read_as
from itda_core.runs.library import Library
from itda_core.runs.training.request import absolute_if_local, absolute_library, option


@dataclass(frozen=True)
class EvaluateRequest:
    """Dictionaries to be measured at several k and by several methods on one text."""

    dictionaries: tuple[str, ...]  # names in the library, or folders
    corpus: str | None = None  # what Corpus.open takes; None: what each dictionary was built on
    ks: tuple[int, ...] = ()  # empty: each dictionary's own
    methods: tuple[str, ...] = ()  # empty: each dictionary's own
    tokens: int | None = None  # None: as many as an evaluation takes by default
    model: str | None = None  # where the dictionaries' model is now; None: where it was
    revision: str | None = None
    device: str = "auto"
    dtype: str = "auto"
    offline: bool = False
    trust_remote_code: bool = False
    library: str | None = None  # the folder names are looked up in; None: the user's library

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; `from_dict` gives the same request again."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> EvaluateRequest:
        """Raises UserError for keys that no request has, for those that are missing, and for values of another type."""
        return read_as(cls, value, "evaluation request")

    def resolved(self) -> EvaluateRequest:
        """The same request with absolute paths, so that it means the same in every working directory.

        Raises UserError for a dictionary that does not exist.
        """
        library = Library(self.library)
        return replace(
            self,
            dictionaries=tuple(str(library.find(name)) for name in self.dictionaries),
            corpus=None if self.corpus is None else absolute_if_local(self.corpus),
            model=None if self.model is None else absolute_if_local(self.model),
            library=absolute_library(self.library),
        )

    def arguments(self) -> list[str]:
        """The arguments of `itda evaluate` that ask for this; what equals its default is left out."""
        arguments = list(self.dictionaries)
        for flag, values in (("--k", self.ks), ("--method", self.methods)):
            if values:
                arguments += [flag, ",".join(map(str, values))]
        kept = ("corpus", "tokens", "model", "revision", "device", "dtype", "offline", "trust_remote_code", "library")
        default = EvaluateRequest(())
        for name in kept:
            arguments += option(name, getattr(self, name), getattr(default, name))
        return arguments

    def command(self) -> str:
        """The same evaluation as a line for a terminal."""
        return shlex.join(["itda", "evaluate", *self.arguments()])
