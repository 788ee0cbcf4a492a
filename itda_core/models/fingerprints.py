"""Fingerprints that identify models and tokenizers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from itda_core.files import read_json
from itda_core.fingerprints import joined
from itda_core.models.folder.model_folder import CONFIG, weight_files

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

WHOLE_UP_TO = 2 * 2**30  # bytes of weights that are hashed whole
_EDGE = 2**20
# What a config.json says that changes no activation: who wrote it, what is asked of the whole model, how text is
# generated, what is dropped while training, and in which precision and by which kernel it computes by default.
_INERT = frozenset(
    {
        "architectures",
        "auto_map",
        "_name_or_path",
        "_commit_hash",
        "transformers_version",
        "transformers.js_config",
        "dtype",
        "torch_dtype",
        "_attn_implementation",
        "attn_implementation",
        "id2label",
        "label2id",
        "problem_type",
        "task_specific_params",
        "output_attentions",
        "output_hidden_states",
        "return_dict",
        "use_cache",
        "torchscript",
        "bos_token_id",
        "eos_token_id",
        "max_length",
        "temperature",
        "top_p",
        "top_k",
        "do_sample",
        "repetition_penalty",
        "initializer_range",
    }
)
_DROPPED = ("dropout", "pdrop", "drop_rate", "layerdrop")  # in a field's name: no activation while reading


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


def model_fingerprint(folder: Path, *, own_code: bool = False, whole_up_to: int = WHOLE_UP_TO) -> str:
    """Of all in a model folder that activations depend on: its weights (see `weights_fingerprint`), its config.json
    without what changes no activation, and with `own_code` the Python that comes with it. Earlier versions recorded the
    weights alone; `itda_core.fingerprints.same_model` compares both.

    Raises UserError when a file is missing or damaged.
    """
    digest = hashlib.sha256(json.dumps(_of_account(read_json(folder / CONFIG)), sort_keys=True).encode())
    for path in sorted(folder.glob("*.py")) if own_code else ():
        digest.update(path.name.encode("utf-8", "surrogateescape") + hashlib.sha256(path.read_bytes()).digest())
    return joined(weights_fingerprint(weight_files(folder), whole_up_to), digest.hexdigest())


def _of_account(part: Any) -> Any:
    """What a config says, however deep, without what changes no activation and what is not set."""
    if not isinstance(part, dict):
        return part
    return {
        name: _of_account(value)
        for name, value in part.items()
        if value is not None and name not in _INERT and not any(part in name for part in _DROPPED)
    }


def tokenizer_fingerprint(tokenizer: PreTrainedTokenizerFast) -> str:
    """Hexadecimal sha256 of a fast tokenizer's own serialisation, without the cutting and padding last asked of it."""
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    state.pop("truncation", None)
    state.pop("padding", None)
    return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()
