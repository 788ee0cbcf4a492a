"""The files of a folder that is kept, tensors and labels: written with a digest, read with a check of it.

Before anything is read, what a file says of its size is held against what it should hold, so that a small file cannot
ask for a large memory. Checking a digest reads the file once more, from memory as a rule, at 1.2 GB a second of one
core (measured on a Xeon with SHA instructions): 0.4 of the 55 ms that a bundled dictionary takes to load, and 0.9 s of
processor time for 65,536 atoms of 4,096 float32 numbers (1 GiB).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from itda_core.dictionaries.provenance import DTYPES, TEXTS
from itda_core.errors import UserError
from itda_core.files import foreign_file, open_regular, regular, shown
from itda_core.files.safetensors_header import METADATA, read_header

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow
    from pyarrow.parquet import FileMetaData
    from torch import Tensor

DIGESTS = "sha256"  # in a folder's JSON, which is written last: the digests of all its files by name, its own too
REMEDY = "restore it from a copy or train anew."
MOST_LABELS = 64  # of an atom; "consensus" gives at most 8
_MOST_HEADER_BYTES = 2**20  # of some ten tensors
_LEAST_TEXT_BYTES, _TEXT_BYTES_PER_LABEL = 64 * 2**20, 8192  # a label's texts have about 200
_FEW_LABELS = 100_000  # where a file has fewer bytes than labels beyond that, they are copies of each other


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> str:
    """A safetensors file; returns its digest. Written by us, because safetensors hides whether the disk is full."""
    from safetensors.torch import save as to_bytes

    return _write(path, to_bytes({name: tensor.contiguous() for name, tensor in tensors.items()}))


def read_tensors(
    path: Path,
    names: Collection[str],
    *,
    digest: str | None = None,
    shapes: Mapping[str, Sequence[int | None]] | None = None,
) -> dict[str, Tensor]:
    """The tensors `names` of a safetensors file.

    shapes: what some of them have to be, None where a length is free. Raises UserError when the file or one of the
    tensors is missing or broken, or the file is not the one with this digest (None: not known).
    """
    from safetensors import safe_open

    stated = tensor_shapes(path)
    if missing := [name for name in names if name not in stated]:
        raise UserError(f"{shown(path)} is damaged (no tensor {', '.join(missing)[:200]}); {REMEDY}")
    for name, wanted in (shapes or {}).items():
        check_shape(path, name, stated[name], wanted)
    with foreign_file(path, REMEDY), safe_open(path, framework="pt") as file:
        found = {name: file.get_tensor(name) for name in names}
    check_digest(path, digest)
    return found


def tensor_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Of all tensors of a safetensors file, from its header. Raises UserError when it is missing or damaged."""
    _check_there(path)
    header = read_header(path, _MOST_HEADER_BYTES)
    return {name: tuple(tensor["shape"]) for name, tensor in header.items() if name != METADATA}


def check_shape(path: Path, name: str, shape: Sequence[int], wanted: Sequence[int | None]) -> None:
    """Raises UserError unless a tensor's shape is the one wanted."""
    if len(shape) != len(wanted) or any(size not in (None, has) for has, size in zip(shape, wanted, strict=True)):
        expected = ", ".join("any" if size is None else str(size) for size in wanted)
        raise UserError(f"{shown(path)} is damaged ({name} has shape {tuple(shape)}, not ({expected})); {REMEDY}")


def write_frame(path: Path, frame: pd.DataFrame) -> str:
    """A parquet file; returns its digest."""
    return _write(path, frame.to_parquet(None, engine="pyarrow", index=False, compression="zstd"))


def read_frame(path: Path, n_atoms: int, *, digest: str | None = None) -> pd.DataFrame:
    """The table of the labels of `n_atoms` atoms in a parquet file, of a provenance's columns those that it has.

    Raises UserError when the file is missing or damaged, when it has too few or too many rows for so many atoms or more
    text than labels have, or when it is not the one with this digest (None: not known).
    """
    import pyarrow.parquet

    _check_there(path)
    size = regular(path).st_size
    with foreign_file(path, REMEDY):
        metadata = pyarrow.parquet.read_metadata(path)
        _check_size(path, metadata, n_atoms, size)
        columns = [name for name in DTYPES if name in metadata.schema.to_arrow_schema().names]
        # Text comes as numbers of distinct texts: a text that is repeated a million times is one text in memory.
        texts = [name for name in columns if name in TEXTS]
        with pyarrow.parquet.ParquetFile(path, metadata=metadata, read_dictionary=texts) as file:
            # Plain columns only: what pandas would rebuild from the file's metadata is not wanted from strangers.
            table = file.read(columns=columns, use_threads=False).replace_schema_metadata(None)
        table.validate(full=True)  # text that is none
        frame = _frame(path, table.unify_dictionaries())
    check_digest(path, digest)
    return frame


def digest_of(path: Path) -> str:
    """Hexadecimal sha256 of a file. Raises UserError when it cannot be read."""
    with open_regular(path) as file, foreign_file(path, REMEDY):
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_digest(path: Path, digest: str | None) -> None:
    """Raises UserError when a file is not the one with this digest; None: not known, as in older folders."""
    if digest is not None and digest_of(path) != digest:
        raise UserError(
            f"{shown(path)} is damaged (it is not what was written, its digest is another than the folder's JSON "
            f"says); {REMEDY}"
        )


def sealed(record: Mapping[str, Any], name: str, digests: Mapping[str, str]) -> dict[str, Any]:
    """What a folder's JSON file `name` says, with the digests of the other files, and its own, added."""
    as_read = json.loads(json.dumps(record, allow_nan=False))
    return {**as_read, DIGESTS: {**digests, name: _own_digest(as_read)}}


def is_as_sealed(record: Mapping[str, Any], name: str) -> bool:
    """Whether a folder's JSON file `name`, read, says what was written; true where it holds no digest of itself."""
    return record.get(DIGESTS, {}).get(name) in (None, _own_digest(record))


def identity_of(record: Mapping[str, Any]) -> str:
    """Hexadecimal sha256 of all that a folder's JSON file says, the digests of the other files among it: what tells one
    dictionary from another, whatever they are called. No file is read for it.
    """
    digests = record.get(DIGESTS, {})
    files = {name: digests[name] for name in sorted(digests) if Path(name).suffix != ".json"}
    return hashlib.sha256(json.dumps([_own_digest(record), files]).encode()).hexdigest()


def _own_digest(record: Mapping[str, Any]) -> str:
    """Of what JSON says besides its digests, however it is laid out."""
    rest = {name: value for name, value in record.items() if name != DIGESTS}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, allow_nan=False).encode()).hexdigest()


def _write(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def _check_there(path: Path) -> None:
    if not path.exists() and not path.is_symlink():
        raise UserError(f"{shown(path)} is missing; {REMEDY}")


def _check_size(path: Path, metadata: FileMetaData, n_atoms: int, n_bytes: int) -> None:
    """Raises UserError when the table cannot be one of the labels of `n_atoms` atoms, by what its metadata say."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    rows = max(metadata.num_rows, sum(group.num_rows for group in groups))
    if not n_atoms <= rows <= MOST_LABELS * n_atoms:
        raise UserError(
            f"{shown(path)} does not belong to these atoms (it has {rows:,} labels, the dictionary {n_atoms:,} atoms); "
            f"{REMEDY}"
        )
    if rows > _FEW_LABELS + n_bytes:
        raise UserError(f"{shown(path)} is damaged ({rows:,} labels in {n_bytes:,} bytes are no labels); {REMEDY}")
    columns = [group.column(number) for group in groups for number in range(group.num_columns)]
    text = sum(max(column.total_uncompressed_size, column.total_compressed_size, 0) for column in columns)
    _check_text_bytes(path, text, rows)


def _check_text_bytes(path: Path, n_bytes: int, rows: int) -> None:
    if n_bytes > max(_LEAST_TEXT_BYTES, rows * _TEXT_BYTES_PER_LABEL):
        raise UserError(
            f"{shown(path)} is damaged ({n_bytes / 2**20:,.0f} MiB of text in {rows:,} labels, more than any have); "
            f"{REMEDY}"
        )


def _frame(path: Path, table: pyarrow.Table) -> pd.DataFrame:
    """The table as pandas has it, once it is known how much that is."""
    import numpy as np
    import pandas as pd
    import pyarrow

    made: dict[str, Any] = {}
    texts = 0
    for name in table.column_names:
        column = table.column(name).combine_chunks()
        if pyarrow.types.is_dictionary(column.type) and not column.null_count:
            distinct = np.array(column.dictionary.to_pylist(), dtype=object)
            lengths = np.array([len(one.encode()) for one in distinct], dtype=np.int64)
            which = column.indices.to_numpy(zero_copy_only=False)
            texts += int(lengths[which].sum()) if len(which) else 0
            _check_text_bytes(path, texts, table.num_rows)
            made[name] = pd.Series(distinct[which] if len(which) else [], dtype="str")
        else:
            made[name] = column.to_pandas()
    return pd.DataFrame(made)
