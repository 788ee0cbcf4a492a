"""What was found by an atom index and is kept beside it: a table, and a JSON file that says what it belongs to.

The JSON file is written last, so that a table without it is not there yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from itda_core.errors import UserError
from itda_core.files import read_json, shown
from itda_core.files.reading import read_bytes
from itda_core.files.writing import finite, write_bytes, write_json

if TYPE_CHECKING:
    from itda_core.analysis.atoms.index import AtomIndex
    from itda_core.analysis.atoms.index_format import IndexDescription


@dataclass(frozen=True)
class BesideIndex:
    """One such pair of files."""

    table: str
    about: str
    format: str
    version: int  # of the method: what another one found counts as not there
    remedy: str  # what to do where it is damaged, as an imperative
    most_bytes: int  # of the table, per atom
    holds: tuple[str, ...] = ()  # what else the JSON file must hold, each an object

    def store(self, index: AtomIndex, content: bytes, **more: Any) -> None:
        """Keep `content` as the table, in place of what is there; more: what else the JSON file says.

        Raises UserError where it cannot be written.
        """
        about = {
            **self._belongs_to(index.description),
            "digest": sha256(content).hexdigest(),
            **finite(more),
        }
        (index.folder / self.about).unlink(missing_ok=True)
        write_bytes(index.folder / self.table, content)
        write_json(index.folder / self.about, about)

    def about_of(self, folder: Path, index: IndexDescription) -> dict[str, Any] | None:
        """What the JSON file in `folder` says; None where there is none, or only one of another version of the method,
        or of another index that lay there. Raises UserError for damage.
        """
        path = folder / self.about
        if not path.exists():
            return None
        about = read_json(path, strict=True)
        if not isinstance(about, dict) or any(not isinstance(about.get(name), dict) for name in self.holds):
            raise self.damaged(folder, self.about)
        if any(about.get(name) != value for name, value in self._belongs_to(index).items()):
            return None
        return about

    def read(self, index: AtomIndex) -> tuple[dict[str, Any], bytes] | None:
        """What the JSON file says, and the bytes of the table; None as `about_of`. Raises UserError for damage."""
        about = self.about_of(index.folder, index.description)
        if about is None:
            return None
        path = index.folder / self.table
        most = self.most_bytes * (1 + index.description.n_atoms)
        content = read_bytes(path, most) if path.exists() else b""
        if sha256(content).hexdigest() != about.get("digest"):
            raise self.damaged(index.folder, self.table)
        return about, content

    def damaged(self, folder: Path, name: str) -> UserError:
        """The error for a file that does not hold what it should."""
        return UserError(f"{shown(folder / name)} is damaged; {self.remedy}.")

    def _belongs_to(self, index: IndexDescription) -> dict[str, Any]:
        return {
            "format": self.format,
            "method_version": self.version,
            "dictionary": index.dictionary,
            "index_created": index.created,
        }
