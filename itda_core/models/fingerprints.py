"""What tells two models' weights, and two tokenizers, apart."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

WHOLE_UP_TO = 2 * 2**30  # bytes of weights that are hashed whole
_EDGE = 2**20


def weights_fingerprint(paths: Sequence[Path], whole_up_to: int = WHOLE_UP_TO) -> str:
    """Hexadecimal sha256 over the content of safetensors files, in the order given.

    Of a checkpoint of more than `whole_up_to` bytes only each file's size, header (names, shapes and places of its
    tensors), first and last mebibyte of tensors are hashed, which takes milliseconds and tells different models apart,
    though not a change in the middle of a file.
    """
    digest = hashlib.sha256()
    whole = sum(path.stat().st_size for path in paths) <= whole_up_to
    for path in paths:
        with path.open("rb") as opened:
            if whole:
                digest.update(hashlib.file_digest(opened, "sha256").digest())
                continue
            size = path.stat().st_size
            header = 8 + int.from_bytes(opened.read(8), "little")
            opened.seek(0)
            digest.update(size.to_bytes(8, "little") + opened.read(header + _EDGE))
            opened.seek(max(0, size - _EDGE))
            digest.update(opened.read())
    return digest.hexdigest()


def tokenizer_fingerprint(tokenizer: PreTrainedTokenizerFast) -> str:
    """Hexadecimal sha256 of a fast tokenizer's own serialisation, without the cutting and padding last asked of it."""
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    state.pop("truncation", None)
    state.pop("padding", None)
    return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()
