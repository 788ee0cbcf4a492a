"""What the atoms of a dictionary write, kept beside its index, so that it is told before the model is loaded.

`logits.parquet` has one row per atom: the tokens it raises and lowers most (`raised`, `lowered`) and by how much
(`raised_by`, `lowered_by`).
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from itda_core.analysis.atoms.beside_index import BesideIndex
from itda_core.analysis.atoms.logits.direct_logits import METHOD_VERSION, DirectLogits, TokenLogit

if TYPE_CHECKING:
    from itda_core.analysis.atoms.index import AtomIndex

TABLE, ABOUT = "logits.parquet", "logits.json"
_SIDES = ("raised", "lowered")
_BESIDE = BesideIndex(
    table=TABLE,
    about=ABOUT,
    format="itda-direct-logits",
    version=METHOD_VERSION,
    remedy="remove it and logits.json",
    most_bytes=16_384,
)


def store(index: AtomIndex, found: Sequence[DirectLogits]) -> None:
    """Keep with `index` what each of its atoms writes, in place of what is there.

    Raises UserError where it cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, Any] = {}
    for side in _SIDES:
        listed = [getattr(one, side) for one in found]
        columns[side] = pa.array([[token.token for token in one] for one in listed], pa.list_(pa.string()))
        columns[f"{side}_by"] = pa.array([[token.logit for token in one] for one in listed], pa.list_(pa.float32()))
    buffer = io.BytesIO()
    how: dict[str, Any] = {
        "use_dictionary": [f"{side}.list.element" for side in _SIDES],
        "use_byte_stream_split": [f"{side}_by.list.element" for side in _SIDES],
    }
    pq.write_table(pa.table(columns), buffer, compression="zstd", compression_level=19, **how)
    _BESIDE.store(index, buffer.getvalue())


def stored(index: AtomIndex, atom: int) -> DirectLogits | None:
    """What `atom` writes, as it is kept with `index`; None where nothing is, or only of another version of the method,
    or of another index that lay in the folder. Raises UserError for damage.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    kept = _BESIDE.read(index)
    if kept is None:
        return None
    try:
        row = pq.read_table(io.BytesIO(kept[1])).slice(atom, 1).to_pylist()[0]
        return DirectLogits(*(_tokens(row[side], row[f"{side}_by"]) for side in _SIDES))
    except (pa.ArrowException, OSError, ValueError, LookupError, TypeError) as error:
        raise _BESIDE.damaged(index.folder, TABLE) from error


def _tokens(tokens: list[str], logits: list[float]) -> tuple[TokenLogit, ...]:
    return tuple(TokenLogit(token, logit) for token, logit in zip(tokens, logits, strict=True))
