"""How large the pages of a Parquet column are, read off their headers before anything is unpacked.

The reader unpacks a page as a whole, and a few kilobytes can unpack to gigabytes, so this is looked at first. A page's
header is a structure in Thrift's compact protocol (parquet.thrift, PageHeader), of which the first three fields and the
number of values are read, and the rest is skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BufferedReader
from typing import NamedTuple

from itda_core.errors import UserError
from itda_core.text.sources.corpus_file import CorpusFile

LARGEST_PAGE = 2**30  # bytes unpacked; writers aim at 1 MiB, but put a thousand texts into one, however long they are
_SWOLLEN = 128 * 2**20  # bytes unpacked from which a page is looked at more closely:
_MOST_SWELLING = 100  # bytes out of one; text becomes three to ten times as large
_HEADER = 2**16  # bytes; statistics may hold the least and the greatest text
_LARGEST_HEADER = 2**24
_HEADERS_OF_VALUES = (5, 8)  # the fields of a PageHeader that tell a data page's number of values, as their first


class _Page(NamedTuple):
    unpacked: int  # bytes
    packed: int
    values: int  # of a data page; 0 of a dictionary
    header: int  # bytes


def largest_page(file: CorpusFile, opened: BufferedReader, start: int, length: int, values: int) -> int:
    """The bytes of the largest page, unpacked, of the column chunk of `length` bytes and `values` cells at `start`.

    Raises UserError when what stands there is no page, or one that would take too much memory.
    """
    largest = read = 0
    at = start
    while read < values and at < start + length:
        page = _page(file, opened, at)
        if page.unpacked > LARGEST_PAGE or page.unpacked > max(_SWOLLEN, _MOST_SWELLING * page.packed):
            raise UserError(
                f"Corpus file {file.path} unpacks to {page.unpacked / 2**20:,.0f} MiB in one piece (the page at byte "
                f"{at:,}), more than is held at once; write it with fewer rows to a row group, and divide single texts "
                "as long as that."
            )
        largest, read, at = max(largest, page.unpacked), read + page.values, at + page.header + page.packed
    return largest


def _page(file: CorpusFile, opened: BufferedReader, at: int) -> _Page:
    size = _HEADER
    while True:
        opened.seek(at)
        raw = opened.read(size)
        try:
            return _parsed(raw)
        except IndexError:
            if len(raw) == size <= _LARGEST_HEADER:
                size *= 16
                continue
        except (ValueError, RecursionError):
            pass
        raise UserError(f"Corpus file {file.path} is damaged (no page at byte {at:,}); write it again.")


def _parsed(raw: bytes) -> _Page:
    """Raises IndexError where `raw` ends too early, ValueError where it is no page's header."""
    fields = _Fields(raw)
    whole = {2: 0, 3: 0}
    values = 0
    for number, kind in fields.each():
        if number in whole and kind == _I32:
            whole[number] = fields.whole()
        elif number in _HEADERS_OF_VALUES and kind == _STRUCT:
            for inner, inner_kind in fields.each():
                if inner == 1 and inner_kind == _I32:
                    values = fields.whole()
                else:
                    fields.skip(inner_kind)
        else:
            fields.skip(kind)
    if min(*whole.values(), values) < 0:
        raise ValueError("sizes below zero")
    return _Page(whole[2], whole[3], values, fields.at)


_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)


class _Fields:
    """Reads the fields of structures, from the beginning of some bytes."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self.at = 0  # bytes read

    def each(self) -> Iterator[tuple[int, int]]:
        """Number and kind of each field of a structure; the caller reads or skips it before the next."""
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self.whole()
            yield number, head & 15

    def whole(self) -> int:
        """A whole number with its sign."""
        value = self._varint()
        return (value >> 1) ^ -(value & 1)

    def skip(self, kind: int, depth: int = 0) -> None:
        """Leaves out what stands here."""
        if depth > 20:
            raise ValueError("too deep")
        if kind == _BYTE:
            self._byte()
        elif kind in (_I16, _I32, _I64):
            self._varint()
        elif kind == _DOUBLE:
            self._leave(8)
        elif kind == _BINARY:
            self._leave(self._varint())
        elif kind in (_LIST, _SET):
            self._skip_list(depth)
        elif kind == _STRUCT:
            for _, inner in self.each():
                self.skip(inner, depth + 1)
        elif kind not in (_TRUE, _FALSE):  # of a page's header, none is a map
            raise ValueError("an unknown field")

    def _skip_list(self, depth: int) -> None:
        head = self._byte()
        count = head >> 4 if head >> 4 < 15 else self._varint()
        kind = head & 15
        if count > len(self._raw):
            raise ValueError("a list too long")
        for _ in range(count):
            if kind in (_TRUE, _FALSE):  # within a list, each takes a byte
                self._byte()
            else:
                self.skip(kind, depth + 1)

    def _leave(self, count: int) -> None:
        self.at += count
        if self.at > len(self._raw):
            raise IndexError

    def _byte(self) -> int:
        value = self._raw[self.at]
        self.at += 1
        return value

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7
            if shift > 63:
                raise ValueError("a number too long")
