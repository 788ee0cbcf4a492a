"""From a model's folder to its tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from itda_core import files
from itda_core.errors import UserError
from itda_core.models.folders import model_folder
from itda_core.models.spec import ModelSpec

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


def load_tokenizer(spec: ModelSpec) -> PreTrainedTokenizerFast:
    """The tokenizer of the model that `spec` names; its weights are not read. Raises UserError as `load_model`."""
    from itda_core.models.loading import quiet

    with quiet():
        return read_tokenizer(model_folder(spec).path, spec)


def read_tokenizer(folder: Path, spec: ModelSpec) -> PreTrainedTokenizerFast:
    """The tokenizer in a model's folder. Raises UserError when there is none that can be read, or only a slow one."""
    from transformers import AutoTokenizer

    if (folder / "tokenizer.json").is_file():
        files.read_json(folder / "tokenizer.json")  # transformers does not say which file is damaged
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            folder, use_fast=True, trust_remote_code=spec.trust_remote_code, local_files_only=True
        )
    except (ValueError, KeyError, TypeError, AttributeError, ImportError, OSError) as error:
        raise UserError(
            f"Model {spec.name} has no tokenizer that can be read; add a tokenizer.json to its folder."
        ) from error
    if not tokenizer.is_fast:
        raise UserError(
            f"Model {spec.name} has a slow tokenizer only, which cannot say which characters a token stands for; add a "
            "tokenizer.json to its folder, or use another model."
        )
    return tokenizer
