"""What a safetensors file says it holds, read from its first bytes: 8 of length, then JSON."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, TypeGuard

from itda_core.errors import UserError
from itda_core.files import open_regular, parse_json, shown

MOST_HEADER_BYTES = 100 * 2**20  # safetensors' own limit
METADATA = "__metadata__"
_REMEDY = "restore it from a copy or make it anew."

_BITS = {
    **dict.fromkeys(("F64", "I64", "U64", "C64"), 64),
    **dict.fromkeys(("F32", "I32", "U32"), 32),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 16),
    **dict.fromkeys(("I8", "U8", "BOOL", "F8_E4M3", "F8_E5M2", "F8_E8M0"), 8),
}


def read_header(path: Path, most_bytes: int = MOST_HEADER_BYTES, *, remedy: str = _REMEDY) -> dict[str, Any]:
    """By tensor its `dtype`, `shape` and `data_offsets` (bytes behind the header), and METADATA where there is some.

    What is said is held against the file: each tensor has as many bytes as its shape asks for, lies inside the file,
    and nothing follows the last. No tensor is read. Raises UserError when the file is missing, is no regular file, or
    is damaged (the message ends with `remedy`), and where the header itself has over `most_bytes`.
    """
    with open_regular(path) as file:
        size = path.stat().st_size
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or not 2 <= length <= min(most_bytes, size - 8):
            raise _damaged(path, "its length is not what its beginning says", remedy)
        header = parse_json(file.read(length), path, remedy=remedy)
    if not isinstance(header, dict):
        raise _damaged(path, "its header names no tensors", remedy)
    ends = [_end(path, name, tensor, remedy) for name, tensor in header.items() if name != METADATA]
    if max(ends, default=0) != size - 8 - length:
        raise _damaged(path, "its length is not what its header says", remedy)
    return header


def _end(path: Path, name: str, tensor: Any, remedy: str) -> int:
    """Where a tensor ends. Raises UserError when what is said of it cannot be."""
    fields: dict[str, Any] = tensor if isinstance(tensor, dict) else {}
    dtype, shape, offsets = (fields.get(key) for key in ("dtype", "shape", "data_offsets"))
    if not (isinstance(dtype, str) and _counts(shape) and _counts(offsets) and len(offsets) == 2):
        raise _damaged(path, f"what its header says of tensor {shown(name)[:80]}", remedy)
    start, end = offsets
    bits = _BITS.get(dtype)
    if start > end or (bits is not None and (end - start) * 8 != math.prod(shape) * bits):
        raise _damaged(path, f"the place of tensor {shown(name)[:80]} does not fit its shape", remedy)
    return end


def _counts(values: Any) -> TypeGuard[list[int]]:
    return isinstance(values, list) and all(type(value) is int and 0 <= value < 2**62 for value in values)


def _damaged(path: Path, why: str, remedy: str) -> UserError:
    return UserError(f"{shown(path)} is damaged ({why}); {remedy}")
