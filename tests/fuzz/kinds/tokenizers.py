"""Tokenizers: the files of a bundled model's, damaged."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

from itda_core.models import ModelSpec, demo_folder
from itda_core.text import Document, windows
from tests.fuzz.damage import damage_file, damage_json_file
from tests.fuzz.harness import Kind

_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
_TEXTS = ("The little dog ran to the park.", " two  spaces\nand a line é👩 ", "<|endoftext|> x")


def _prepare(folder: Path) -> Path:
    """Its tokenizer's files and its config, without its weights."""
    prepared = folder / "prepared"
    prepared.mkdir()
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"):
        shutil.copy(demo_folder(0) / name, prepared)
    special = {"eos_token": "<|endoftext|>", "pad_token": {"content": "<|endoftext|>", "lstrip": False}}
    (prepared / "special_tokens_map.json").write_text(json.dumps(special))
    return prepared


def _attempt(prepared: Path, folder: Path, rng: random.Random) -> None:
    from tokenizers import Tokenizer

    from itda_core.models.tokenizer.loading import load_tokenizer

    copied = Path(shutil.copytree(prepared, folder / "model"))
    path = copied / rng.choice(_FILES)
    if rng.random() < 0.7:
        damage_json_file(path, rng)
    else:
        damage_file(path, rng)
    tokenizer = load_tokenizer(ModelSpec(str(copied)))
    own = Tokenizer.from_file(str(copied / "tokenizer.json"))  # it was found to be harmless
    own.no_truncation()
    own.no_padding()
    # The files beside it name special tokens, which are then special in texts too, as in transformers.
    own.add_special_tokens([token for token in tokenizer.all_special_tokens if own.token_to_id(token) is not None])
    for text in _TEXTS:
        cut = list(windows([Document("d", text)], tokenizer, context=1000))
        ids = [id for window in cut for id in window.token_ids]
        expected = own.encode(text, add_special_tokens=False).ids
        start = next((i for i in range(len(ids) + 1) if ids[i : i + len(expected)] == expected), None)
        assert start is not None, f"{text!r} is cut into {ids}, and by the file into {expected}"
        for window in cut:
            assert all(0 <= start <= end <= len(text) for start, end in window.spans)
            tokenizer.convert_ids_to_tokens(list(window.token_ids))
            tokenizer.decode(list(window.token_ids))


KINDS = [Kind("tokenizers", _prepare, _attempt, each=12)]
