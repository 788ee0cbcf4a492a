"""From a model's folder to its tokenizer, which is the one that its tokenizer.json describes."""

from __future__ import annotations

import hashlib
import math
import os
import shutil
import tempfile
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from itda_core import files
from itda_core.errors import UserError
from itda_core.files import remembered
from itda_core.foreign import foreign, quoted
from itda_core.models.folder.model_folder import CONFIG, model_folder
from itda_core.models.quiet_transformers import quiet_transformers
from itda_core.models.spec import ModelSpec
from itda_core.models.tokenizer.trial import Trial, tried

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

_OWN = "tokenizer.json"
# What transformers reads beside it, and what it makes a tokenizer of where there is no tokenizer.json.
_BESIDE = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")
_WITHOUT = ("vocab.json", "merges.txt", "vocab.txt", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model")
_NO_LIMIT = 10**30  # transformers' own number for it
_NAMED = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
_VERSION = 1  # of how a tokenizer is tried; another one tries anew

_notes: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()


class _Finding(NamedTuple):
    """What was found out about the tokenizer of a folder."""

    by_file: bool  # what transformers makes of it cuts texts otherwise than its tokenizer.json
    example: str  # a text that it does so with


def load_tokenizer(spec: ModelSpec) -> PreTrainedTokenizerFast:
    """The tokenizer of the model that `spec` names; its weights are not read. Raises UserError as `load_model`."""
    with quiet_transformers():
        return read_tokenizer(model_folder(spec).path, spec)


def read_tokenizer(folder: Path, spec: ModelSpec) -> PreTrainedTokenizerFast:
    """The tokenizer in a model's folder.

    One that is not bundled is tried in a process of its own before it comes into this one, once for each state of its
    files (see `trial`). Where transformers makes another tokenizer of a tokenizer.json than the file describes, the
    file's is taken, and `note_of` says so. Special tokens that the files beside it name are special in texts too, as
    they are in transformers. Raises UserError when there is none that can be read, or only a slow one.
    """
    if spec.name.startswith("demo:"):
        return _with_limit(_loaded(folder, spec))
    for name in (_OWN, *_BESIDE, *_WITHOUT):
        if os.path.lexists(folder / name) and not (folder / name).is_file():  # transformers would wait at a pipe
            raise UserError(f"{folder / name} is no file that can be read; put the tokenizer's file in its place.")
    own = folder / _OWN
    key = _key(folder, spec)
    finding, trial = _recalled(key), None
    recalled = finding is not None
    if finding is None:
        trial = _tried_file(own, spec) if own.is_file() else None
        tokenizer = _loaded(folder, spec)
        finding = _found(tokenizer, trial, spec)
    else:
        tokenizer = _loaded(folder, spec)
    if finding.by_file:
        tokenizer = _of_file(own, tokenizer, spec)
        _notes[tokenizer] = (
            f"The tokenizer of {spec.name} is read by its tokenizer.json alone: what transformers makes of it cuts "
            f"some texts differently{finding.example and f', for example {finding.example!r}'}."
        )
    tokenizer = _with_limit(tokenizer)
    if trial is not None and finding.by_file and _otherwise(_ids(tokenizer), trial):
        raise UserError(
            f"The tokenizer of model {spec.name} is not read as its tokenizer.json has it; save it again by the "
            "installed transformers, or give another model."
        )
    if not recalled:
        remembered.remember("tokenizers", key, {"by_file": finding.by_file, "example": finding.example})
    return tokenizer


def note_of(tokenizer: PreTrainedTokenizerBase) -> str | None:
    """A note on this tokenizer in one sentence; None when there is nothing to note."""
    return _notes.get(tokenizer)


def n_embeddings(module: nn.Module) -> int | None:
    """For how many tokens a model has embeddings; None where it does not say."""
    try:
        weight = module.get_input_embeddings().weight  # pyright: ignore[reportAttributeAccessIssue,reportCallIssue]
        return int(weight.shape[0]) if weight.dim() == 2 else None
    except (AttributeError, NotImplementedError, TypeError):
        return None


def check_ids(tokenizer: PreTrainedTokenizerBase, module: nn.Module, name: str) -> None:
    """Raises UserError when an ordinary token of `tokenizer` has no embedding in `module`.

    Special tokens that the model has none for are met in some working models: they are refused where a text has one.
    """
    table = n_embeddings(module)
    if table is None:
        return
    special = {id for id, token in tokenizer.added_tokens_decoder.items() if token.special}
    beyond = [(id, token) for token, id in tokenizer.get_vocab().items() if id >= table and id not in special]
    if beyond:
        id, token = min(beyond)
        raise UserError(
            f"The tokenizer of {name} gives token {id} ({quoted(token)!r}), but the model has embeddings for {table} "
            f"tokens (0 to {table - 1}); give the model the tokenizer it was trained with, or remove what was added to "
            "it."
        )


def _key(folder: Path, spec: ModelSpec) -> str:
    """What the finding depends on: all files that transformers reads."""
    import tokenizers
    import transformers

    digest = hashlib.sha256()
    for name in sorted({_OWN, CONFIG, *_BESIDE, *_WITHOUT, *(path.name for path in folder.glob("*.py"))}):
        path = folder / name
        if path.is_file():
            digest.update(f"{name} {path.stat().st_size} ".encode())
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return remembered.key_of(
        version=_VERSION,
        files=digest.hexdigest(),
        own_code=spec.trust_remote_code,
        tokenizers=tokenizers.__version__,
        transformers=transformers.__version__,
    )


def _recalled(key: str) -> _Finding | None:
    kept = remembered.recall("tokenizers", key)
    if isinstance(kept, dict) and isinstance(kept.get("by_file"), bool) and isinstance(kept.get("example"), str):
        return _Finding(kept["by_file"], kept["example"])
    return None


def _tried_file(own: Path, spec: ModelSpec) -> Trial:
    with foreign(lambda cause: _broken(own, spec, cause)):
        files.read_json(own)  # the tokenizers package does not say where it is no JSON
    trial = tried(own)
    if trial.error is not None:
        raise _broken(own, spec, trial.error)
    return trial


def _broken(own: Path, spec: ModelSpec, cause: str) -> UserError:
    import tokenizers

    return UserError(
        f"The file {own.name} of model {spec.name} cannot be used by the installed tokenizers package "
        f"({tokenizers.__version__}): {quoted(cause).rstrip('.')}. Restore the file from a copy, save it again, or, if "
        "a newer package wrote it, update tokenizers."
    )


def _found(tokenizer: PreTrainedTokenizerFast, trial: Trial | None, spec: ModelSpec) -> _Finding:
    """Tries what transformers made, and compares it with what the file itself gives."""
    with tempfile.TemporaryDirectory(prefix="itda-tokenizer-") as folder:
        made = Path(folder) / _OWN
        with foreign(lambda cause: _broken(made, spec, cause)):
            made.write_text(tokenizer.backend_tokenizer.to_str(), encoding="utf-8")
        by_transformers = tried(made)
    if trial is None:
        if by_transformers.error is not None:
            raise UserError(
                f"The tokenizer that transformers makes of the files of model {spec.name} cannot be used: "
                f"{by_transformers.error}. Add a tokenizer.json to its folder."
            )
        return _Finding(by_file=False, example="")
    if by_transformers.error is not None:
        return _Finding(by_file=True, example="")
    made_of = dict(by_transformers.texts)
    other = _otherwise(lambda text: made_of.get(text), trial)
    return _Finding(by_file=other is not None, example=quoted(other or ""))


def _otherwise(ids_of: Callable[[str], list[int] | None], trial: Trial) -> str | None:
    """A text that is cut otherwise than in the trial; None where none is."""
    return next((text for text, ids in trial.texts if (found := ids_of(text)) is not None and found != ids), None)


def _ids(tokenizer: PreTrainedTokenizerFast) -> Callable[[str], list[int]]:
    return lambda text: list(tokenizer.backend_tokenizer.encode(text, add_special_tokens=False).ids)


def _loaded(folder: Path, spec: ModelSpec) -> PreTrainedTokenizerFast:
    """As transformers reads it. Raises UserError as `read_tokenizer`."""
    for name in _BESIDE:
        if (folder / name).is_file():  # transformers does not say which file is damaged
            with foreign(lambda cause, name=name: UserError(f"{folder / name} is damaged ({cause}); restore it.")):
                files.read_json(folder / name)
    with foreign(lambda cause: _refusal(folder, spec, cause)):
        tokenizer = _by_transformers(folder, spec)
    if not tokenizer.is_fast:
        raise UserError(
            f"Model {spec.name} has a slow tokenizer only, which cannot say which characters a token stands for; add a "
            "tokenizer.json to its folder, or use another model."
        )
    return tokenizer


def _by_transformers(folder: Path, spec: ModelSpec) -> PreTrainedTokenizerFast:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(
        folder, use_fast=True, trust_remote_code=spec.trust_remote_code, local_files_only=True
    )


def _refusal(folder: Path, spec: ModelSpec, cause: str) -> UserError:
    """Why transformers cannot read the tokenizer: which file it is, and what helps."""
    if not spec.trust_remote_code and ("trust_remote_code" in cause or "custom code" in cause):
        return UserError(
            f"The tokenizer of model {spec.name} needs Python code of its own to run; if you trust its authors, load "
            "it with trust_remote_code."
        )
    if not (folder / _OWN).is_file():
        there = [name for name in (*_BESIDE, *_WITHOUT) if (folder / name).is_file()]
        return UserError(
            f"Model {spec.name} has no tokenizer that can be read ({cause}); what its folder has of one is "
            f"{', '.join(there) or 'nothing'}. Add a tokenizer.json to it."
        )
    guilty = [] if spec.trust_remote_code else _guilty(folder, spec)
    if len(guilty) == 1:
        return UserError(
            f"The file {guilty[0]} of model {spec.name} cannot be used by transformers ({cause}); mend or remove "
            "it: the tokenizer.json beside it is whole."
        )
    return UserError(
        f"The tokenizer of model {spec.name} cannot be read by transformers ({cause}), though its tokenizer.json is "
        "whole; "
        + (f"take {' and '.join(guilty)} away." if guilty else "give another model, or install another version of it.")
    )


def _guilty(folder: Path, spec: ModelSpec) -> list[str]:
    """The files beside tokenizer.json without which transformers reads it: one, if that is enough, or all of them;
    none where that does not help."""
    templates = [path.name for path in folder.glob("*.jinja")]
    there = [name for name in (*_BESIDE, *templates, *_WITHOUT) if (folder / name).is_file()]
    for without in (*([name] for name in there), there):
        with tempfile.TemporaryDirectory(prefix="itda-tokenizer-") as scratch:
            for name in {_OWN, CONFIG, *there}.difference(without):
                shutil.copy(folder / name, Path(scratch) / name)
            try:
                with foreign(UserError):
                    _by_transformers(Path(scratch), spec)
                return without
            except UserError:
                continue
    return []


def _of_file(own: Path, tokenizer: PreTrainedTokenizerFast, spec: ModelSpec) -> PreTrainedTokenizerFast:
    """The tokenizer that the file at `own` describes, with the special tokens of `tokenizer` that it knows."""
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    with foreign(lambda cause: _broken(own, spec, cause)):
        backend = Tokenizer.from_file(str(own))
        backend.no_truncation()
        backend.no_padding()
        named = {name: getattr(tokenizer, name, None) for name in _NAMED}
        known = {
            name: token
            for name, token in named.items()
            if isinstance(token, str) and backend.token_to_id(token) is not None
        }
        return PreTrainedTokenizerFast(
            tokenizer_object=backend, model_max_length=tokenizer.model_max_length, **cast("dict[str, Any]", known)
        )


def _with_limit(tokenizer: PreTrainedTokenizerFast) -> PreTrainedTokenizerFast:
    """With a limit that is a number of tokens: none where its files say -1, a string, or anything else."""
    limit: Any = tokenizer.model_max_length
    whole = isinstance(limit, (int, float)) and not isinstance(limit, bool) and math.isfinite(limit) and limit >= 1
    tokenizer.model_max_length = int(limit) if whole else _NO_LIMIT
    return tokenizer
