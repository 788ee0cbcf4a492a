"""How often each kind of token ends a prefix."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class TokenCounts(NamedTuple):
    """How often each kind of token ends a comparable prefix of two sets. A kind is what both tokenizers end there:
    a token id where they are one tokenizer, a pair of ids where they are two. Arrays (n_kinds,) int64.
    """

    first: np.ndarray  # labels of the first set
    second: np.ndarray
    text: np.ndarray  # comparable prefixes
