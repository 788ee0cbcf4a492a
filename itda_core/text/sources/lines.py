"""Lines of text out of a file of bytes."""

from __future__ import annotations

from collections.abc import Iterator
from io import BufferedReader

from itda_core.errors import UserError
from itda_core.text.sources.corpus_file import CorpusFile

LONGEST_LINE = 64 * 2**20  # bytes of one line of a table, which is held as a whole


def lines(
    file: CorpusFile, opened: BufferedReader, longest: int | None = None, *, in_pieces: bool = False
) -> Iterator[tuple[int, str]]:
    """Line number (from 1) and text of each line, its end kept.

    Raises UserError at the first byte that is not UTF-8 text, and at a line
    of more than `longest` bytes (LONGEST_LINE, if not given), which `in_pieces` comes in several pieces instead.
    """
    longest = longest or LONGEST_LINE
    offset, number, kept = 0, 1, b""
    while raw := opened.readline(longest if in_pieces else longest + 1):
        if not in_pieces and len(raw) > longest:
            raise UserError(
                f"Corpus file {file.path}: line {number} has more than {longest // 2**20} MiB; put large documents "
                "into .txt files, or on several lines."
            )
        if offset == 0 and raw.startswith(b"\xef\xbb\xbf"):
            raw, offset = raw[3:], 3
        if b"\0" in raw:
            at = offset + raw.index(b"\0")
            raise UserError(f"Corpus file {file.path} is binary (byte {at} is a zero); give a text file in UTF-8.")
        ended = raw.endswith(b"\n")
        raw, offset = kept + raw, offset - len(kept)
        try:
            text, kept = raw.decode("utf-8"), b""
        except UnicodeDecodeError as error:
            # A piece of a long line may end inside a character, whose other bytes come with the next piece.
            if ended or error.end < len(raw) or error.reason != "unexpected end of data" or not opened.peek(1):
                raise UserError(
                    f"Corpus file {file.path} is not UTF-8 (line {number}, byte {offset + error.start}); "
                    "save it as UTF-8 and try again."
                ) from None
            text, kept = raw[: error.start].decode("utf-8"), raw[error.start :]
        offset += len(raw)
        yield number, text
        number += ended
