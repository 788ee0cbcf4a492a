"""Tensors as people have them: arrays of NumPy and lists of numbers are taken as well."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from itda_core.errors import UserError


def as_tensor(x: Any, what: str) -> Tensor:
    """`x` as a tensor: itself, or what an array of NumPy, a table or a list of rows of numbers holds, in its dtype.

    A list of Python's numbers becomes float32. what: the name it has in a message. Raises UserError for what is no
    table of numbers.
    """
    if isinstance(x, Tensor):
        return x
    try:
        if isinstance(x, Sequence) and not isinstance(x, (str, bytes)):
            return _of_list(x)
        return torch.from_numpy(_array(x))
    except (TypeError, ValueError, RuntimeError, OverflowError):
        raise UserError(
            f"{what} are given as {type(x).__name__}, which is no table of numbers; give a tensor, for example "
            "torch.from_numpy(array)."
        ) from None


def _of_list(x: Sequence[Any]) -> Tensor:
    if len(x) and isinstance(x[0], Tensor):
        return torch.stack(list(x))
    array = _array(x)
    own = any(hasattr(row, "dtype") for row in x)
    return torch.from_numpy(array if own or array.dtype != float else array.astype("float32"))


def _array(x: Any) -> Any:
    """An array that torch takes: in this machine's byte order, forwards, writable."""
    import numpy as np

    array = np.asarray(x)
    if array.dtype.kind not in "fiub" or np.ma.isMaskedArray(x):
        raise TypeError("no numbers, or some that do not count")
    array = array.astype(array.dtype.newbyteorder("="), copy=not array.flags.writeable)
    return np.ascontiguousarray(array).reshape(array.shape)
