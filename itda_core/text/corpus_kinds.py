"""Which corpora there are and how they are named, known without reading one. Whatever lists or opens them reads this.

A new kind of file is a file that reads it, and a row here.
"""

from __future__ import annotations

from dataclasses import dataclass

from itda_core.arguments import one_of


@dataclass(frozen=True)
class FileKind:
    """Files that are read as corpora."""

    ending: str
    reader: str  # a module with `choose`, `read` and `fingerprinted`, see sources.files.Reader
    always_alike: bool = False  # whether earlier versions cut and numbered all such documents as this one does


_SOURCES = "itda_core.text.sources"
FILES = (
    FileKind(".txt", f"{_SOURCES}.plain", always_alike=True),
    FileKind(".jsonl", f"{_SOURCES}.json_lines"),
    FileKind(".csv", f"{_SOURCES}.delimited"),
    FileKind(".parquet", f"{_SOURCES}.parquet"),
)
ENDINGS = tuple(kind.ending for kind in FILES)
A_FILE = f"a {one_of(ENDINGS)} file"


@dataclass(frozen=True)
class CorpusKind:
    """Corpora that are named and opened in one way."""

    grammar: str  # for people, how they are named
    open: str  # what opens them, as pkgutil.resolve_name reads it: a reference in, a document.Source out
    prefix: str | None = None  # what their names begin with; None: the grammar is the name

    def names(self, reference: str) -> bool:
        """Whether `reference` is of this kind."""
        return reference == self.grammar if self.prefix is None else reference.startswith(self.prefix)


DEMO = CorpusKind("demo", f"{_SOURCES}.demo:demo")
FILE = CorpusKind(A_FILE, f"{_SOURCES}.files:file", prefix="")
HUB = CorpusKind("hf:NAME[/CONFIG][@SPLIT][#COLUMN]", f"{_SOURCES}.hub:open_streamed", prefix="hf:")
GRAMMAR = f"{DEMO.grammar}, {FILE.grammar}, or {HUB.grammar}"


def kind_of(reference: str) -> CorpusKind:
    """The kind of corpus that `reference` names; what no other kind knows is a file."""
    return next(kind for kind in (DEMO, HUB, FILE) if kind.names(reference))
