"""What a dictionary was grown from."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import Any

from itda_core.arguments import plain


@dataclass(frozen=True)
class DictionarySpec:
    """What a dictionary was grown from."""

    model: str  # "demo:0", a local folder or a Hub id
    revision: str | None
    weights_fingerprint: str
    tokenizer_fingerprint: str
    layer: int | None  # 0-based; None for a module path without a block number
    site: str  # "resid_post" and its like, or a module path
    d_model: int
    corpus: str
    corpus_fingerprint: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "model", os.fspath(self.model))  # frozen; a path and NumPy's numbers are taken as well
        object.__setattr__(self, "layer", plain(self.layer))
        object.__setattr__(self, "d_model", plain(self.d_model))

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> DictionarySpec:
        """The specification with these fields, which a caller has checked."""
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """The fields, JSON-able; `from_dict` gives the same again."""
        return asdict(self)
