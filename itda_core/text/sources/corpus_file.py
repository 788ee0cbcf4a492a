"""One file of text: regular, and the same at every reading."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, cast

from itda_core.errors import UserError
from itda_core.files import open_regular, regular


@dataclass(frozen=True)
class CorpusFile:
    """A regular file, and how it was when the corpus was opened: other text under the same labels is never read."""

    path: Path
    size: int  # bytes
    modified: int  # nanoseconds since the epoch

    @classmethod
    def at(cls, path: Path) -> CorpusFile:
        """The file at `path`, links followed.

        Raises UserError when there is none, when it is something else (a pipe, a device, a link to itself), cannot be
        looked at, is empty, or has a name that is not UTF-8, which nothing that is kept could hold.
        """
        try:
            str(path).encode("utf-8")
        except UnicodeEncodeError:
            raise UserError(f"The name of the corpus file {path} is not UTF-8; rename it.") from None
        if os.path.exists(path) and not os.path.isfile(path):
            raise UserError(
                f"Corpus file {path} is a pipe, a device or a socket; save its text as a file and give that."
            )
        found = regular(path)
        if not found.st_size:
            raise UserError(f"Corpus file {path} is empty; give one with at least one document.")
        return cls(path, found.st_size, found.st_mtime_ns)

    @property
    def name(self) -> str:
        """Without its folder, as in the ids of documents."""
        return self.path.name

    @contextmanager
    def opened(self) -> Iterator[BufferedReader]:
        """The open file; an error while the block runs is reported as a change of the file if it changed.

        Raises UserError when it is no longer what it was when the corpus was opened, or cannot be read.
        """
        with open_regular(self.path) as file:
            self.check(file)
            try:
                yield cast("BufferedReader", file)
            except UserError:
                self.check(file)
                raise
            except OSError as error:
                reason = error.strerror or type(error).__name__
                raise UserError(
                    f"Corpus file {self.path} cannot be read ({reason}); check the disk, or read a copy of it."
                ) from None
            self.check(file)

    def check(self, file: BinaryIO) -> None:
        """Raises UserError when the open `file` is not what it was when the corpus was opened."""
        now = os.fstat(file.fileno())
        if (now.st_size, now.st_mtime_ns) != (self.size, self.modified):
            raise UserError(
                f"Corpus file {self.path} has changed since it was opened; begin again, with a copy that nothing "
                "writes to."
            )
