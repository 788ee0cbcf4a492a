"""What was found of a dictionary's labels, kept beside the index that it was found in.

`honesty.parquet` has one row per atom: its grade, the measures over its strongest quarter (`same_token_share` and so
on; those of the bundled ones leave them out), and the counts per bin, from which all else follows. `honesty.json` has
the summary, the method's version and the digest of the table; it is written last, so that a table without it is not
there yet.
"""

from __future__ import annotations

import io
from collections.abc import Generator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from itda_core.analysis.atoms.beside_index import BesideIndex
from itda_core.analysis.atoms.honesty.context_vectors import Contexts
from itda_core.analysis.atoms.honesty.drawn import BINS
from itda_core.analysis.atoms.honesty.grades import GRADES, DictionaryHonesty, grades, of_dictionary
from itda_core.analysis.atoms.honesty.honesty import Known, measure
from itda_core.analysis.atoms.honesty.tallies import MEASURES, METHOD_VERSION, Shares, Tallies
from itda_core.analysis.atoms.index import description_of
from itda_core.files.dataclass_schema import Unfit, from_json

if TYPE_CHECKING:
    from itda_core.analysis.atoms.index import AtomIndex
    from itda_core.dictionaries import AtomLabel

TABLE, SUMMARY = "honesty.parquet", "honesty.json"
_BESIDE = BesideIndex(
    table=TABLE,
    about=SUMMARY,
    format="itda-label-honesty",
    version=METHOD_VERSION,
    remedy="measure the labels' honesty again",
    most_bytes=4_096,
    holds=("summary",),
)


def measure_and_store(
    index: AtomIndex, labels: Sequence[AtomLabel], truth: Known | None = None, contexts: Contexts | None = None
) -> Generator[float, None, Tallies]:
    """As `honesty.measure`; what it finds is kept with `index`, in place of what was there.

    Raises UserError for a damaged index, and where the folder cannot be written or the disk is full.
    """
    tallies = yield from measure(index, labels, truth, contexts)
    store(index, tallies)
    return tallies


def store(index: AtomIndex, tallies: Tallies, *, small: bool = False) -> None:
    """Keep `tallies` with the index; small: without what follows from its counts, at half the size.

    Raises UserError where it cannot be written.
    """
    _BESIDE.store(index, _content(tallies, small), summary=asdict(of_dictionary(tallies)))


def stored_summary(folder: Path) -> DictionaryHonesty | None:
    """What is kept of the whole dictionary beside the index in `folder`, the other files unread; None as `stored` gives
    it. Raises UserError for damage, and where there is no index.
    """
    about = _BESIDE.about_of(folder, description_of(folder))
    if about is None:
        return None
    try:
        found = from_json(DictionaryHonesty, about["summary"])
    except Unfit as error:
        raise _BESIDE.damaged(folder, SUMMARY) from error
    if [one.grade for one in found.grades] != list(GRADES):
        raise _BESIDE.damaged(folder, SUMMARY)
    return found


def stored(index: AtomIndex) -> Tallies | None:
    """What is kept with `index`; None where nothing is, or only of another version of the method, or of another index
    that lay in the folder. Raises UserError for damage.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    kept = _BESIDE.read(index)
    if kept is None:
        return None
    about, content = kept
    try:
        table = pq.read_table(io.BytesIO(content))
        lists = {name: _matrix(table.column(name)) for name in table.column_names if name.startswith(("of_", "by_"))}
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise _BESIDE.damaged(index.folder, TABLE) from error
    summary = about["summary"]
    tallies = Tallies(lists["of_entries"], lists["of_examples"], summary["contexts"], summary["near"])
    for name in MEASURES:
        if f"by_{name}" in lists:
            tallies.matches[name] = lists[f"by_{name}"].astype(np.float32)
            tallies.chances[name] = lists[f"by_chance_{name}"].astype(np.float32)
            tallies.defined[name] = table.column(f"defined_{name}").to_numpy()
    return tallies


def _content(tallies: Tallies, small: bool) -> bytes:
    """The bytes of the table."""
    import pyarrow.parquet as pq

    table = _table(tallies)
    if small:
        table = table.select([name for name in table.column_names if not name.startswith(MEASURES)])
    buffer = io.BytesIO()
    # Chances hardly ever repeat: all their first bytes, then all their second ones, take a fifth less.
    apart = [f"by_chance_{name}.list.element" for name in tallies.chances]
    how: dict[str, Any] = {"use_dictionary": ["grade"], "use_byte_stream_split": apart}
    pq.write_table(table, buffer, compression="zstd", compression_level=19 if small else None, **how)
    return buffer.getvalue()


def _table(tallies: Tallies) -> Any:
    import pyarrow as pa

    numbers = grades(tallies)
    columns: dict[str, Any] = {
        "atom": pa.array(np.arange(len(numbers), dtype=np.int32)),
        "grade": pa.array([GRADES[i] for i in numbers]),
        "of_entries": _lists(tallies.entries),
        "of_examples": _lists(tallies.examples),
    }
    for name in MEASURES:
        if (found := tallies.shares(name)) is not None:
            for part, values in zip(Shares._fields, found, strict=True):
                columns[f"{name}_{part}"] = pa.array(values.astype(np.float32), from_pandas=True)  # NaN is null
            columns[f"by_{name}"] = _lists(tallies.matches[name])
            columns[f"by_chance_{name}"] = _lists(tallies.chances[name])
            columns[f"defined_{name}"] = pa.array(tallies.defined[name])
    return pa.table(columns)


def _lists(matrix: np.ndarray) -> Any:
    import pyarrow as pa

    return pa.FixedSizeListArray.from_arrays(pa.array(matrix.ravel()), BINS)


def _matrix(column: Any) -> np.ndarray:
    return column.combine_chunks().flatten().to_numpy().reshape(-1, BINS)
