"""From a model's name to the folder that holds it: bundled, local, or fetched from the Hub."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

from itda_core import files, hub
from itda_core.errors import UserError, about
from itda_core.foreign import quoted
from itda_core.models.spec import DEMO_MODELS, ModelSpec, demo_folder

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
_WANTED = ["*.json", "*.txt", "*.model", "*.jinja", WEIGHTS, "model-*-of-*.safetensors"]
_PLAIN = re.compile(r"[^/\\\0]{1,200}\.safetensors")  # a file's name without a folder
_RANKS = re.compile(r"shard-[0-9]{5}-model-[0-9]{5}-of-[0-9]{5}\.safetensors")  # transformers' name of one rank's part
_ADAPTER = ("adapter_config.json", "adapter_model.safetensors", "adapter_model.bin")  # peft's
_COMMIT = re.compile(r"[0-9a-f]{40}")


class ModelFolder(NamedTuple):
    path: Path
    revision: str | None  # the Hub's commit; None for a bundled or local folder


def model_folder(spec: ModelSpec) -> ModelFolder:
    """The folder with the config, tokenizer and weights of `spec`; from the Hub only safetensors are fetched.

    Raises UserError when there is no such model, when it is incomplete, gated, or the Hub cannot be reached.
    """
    with about("model"):
        return _local(spec) or _fetched(spec)


def folder_here(spec: ModelSpec) -> ModelFolder | None:
    """That of a model that is on this machine; None where it would have to be fetched from the Hub, which has it.

    Nothing is fetched; the Hub is asked only for what is not here. Raises UserError as `model_folder` does.
    """
    with about("model"):
        found = _local(spec)
        if found is None and (path := _cached(spec)) is not None:
            found = _checked(path, spec)
        if found is None:
            if spec.offline:
                raise _not_here(spec)
            hub.repository("model", spec.name, spec.revision)
        return found


def _local(spec: ModelSpec) -> ModelFolder | None:
    """That of a bundled model or of a folder; None for a Hub id."""
    if spec.name.startswith("demo:"):
        path = _demo(spec.name)
    elif is_local(spec.name) or is_path(spec.name):
        path = Path(os.path.expanduser(spec.name))
        if not os.path.isdir(path):
            what = "is a file" if os.path.exists(path) else "does not exist"
            raise UserError(f"Model folder {quoted(path)} {what}; give the folder that holds the model's config.json.")
    else:
        return None
    if spec.revision is not None:
        raise UserError(
            f"Model {spec.name} is a folder and has no revision {spec.revision!r}; leave the revision out.",
            field="revision",
        )
    _check(path, spec.name)
    return ModelFolder(path, None)


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a model folder that transformers loads, by name: every part of the project asks here.

    As transformers has it: the file or index that config.json's `transformers_weights` names; else model.safetensors,
    whatever lies beside it; else the files that the index names. Raises UserError when there are none, one is missing,
    or the index or that name is odd.
    """
    if any(_RANKS.fullmatch(path.name) for path in folder.glob("shard-*.safetensors")):
        raise UserError(
            f"Model folder {folder} holds a checkpoint of a distributed training (shard-…-model-….safetensors), which "
            "is not read here; save the model again with save_pretrained."
        )
    named = _named_weights(folder)
    if named is None:
        named = WEIGHTS if (folder / WEIGHTS).is_file() or not (folder / INDEX).is_file() else INDEX
    names = sorted(set(weight_map(folder / named).values())) if named.endswith(".index.json") else [named]
    paths = [folder / name for name in names]
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        if named == WEIGHTS and [*folder.glob("*.bin"), *folder.glob("*.pt"), *folder.glob("*.pth")]:
            raise UserError(
                f"Model folder {folder} has pickled weights only, which are never opened here because they can run "
                "code; convert them to safetensors."
            )
        listed = ", ".join(missing[:3]) + (", …" if len(missing) > 3 else "")
        raise UserError(f"Model folder {folder} lacks weights ({listed}); fetch it again.")
    return paths


def index_file(folder: Path) -> Path | None:
    """The index by which transformers finds the weights of a model folder; None where it needs none."""
    named = _named_weights(folder)
    if named is None:
        named = INDEX if (folder / INDEX).is_file() and not (folder / WEIGHTS).is_file() else WEIGHTS
    return folder / named if named.endswith(".index.json") else None


def weight_map(index: Path) -> dict[str, str]:
    """In which file each tensor is, by an index. Raises UserError for one that transformers does not load by."""
    content = files.read_json(index)
    found = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(found, dict) or not found:
        raise UserError(f"{index} names no files of weights (its weight_map is {_kind(found)}); fetch it again.")
    if not isinstance(content.get("metadata"), dict):
        raise UserError(f'{index} has no "metadata", without which transformers does not load by it; fetch it again.')
    for file in found.values():
        if not isinstance(file, str) or not _PLAIN.fullmatch(file):
            raise UserError(
                f"{index} names as a file of weights {quoted(file)!r}, which is no safetensors file of its folder; "
                "fetch it again."
            )
    return found


def _named_weights(folder: Path) -> str | None:
    """What config.json names as the weights, which hardly any does. Raises UserError where that is no safetensors file
    of the folder, and where the config is damaged."""
    config = folder / CONFIG
    content = files.read_json(config) if config.is_file() else None
    named = content.get("transformers_weights") if isinstance(content, dict) else None
    if named is None:
        return None
    if not isinstance(named, str) or not (_PLAIN.fullmatch(named) or named.endswith(".safetensors.index.json")):
        raise UserError(
            f"{config} names as its weights (transformers_weights) {quoted(named)!r}, which is no safetensors file of "
            "its folder; remove that entry, or name one."
        )
    if Path(named).name != named:
        raise UserError(f"{config} names weights in another folder ({quoted(named)}); put them beside it.")
    return named


def _kind(value: object) -> str:
    return "missing or null" if value is None else "empty" if value == {} else f"no table but {type(value).__name__}"


def is_local(name: str) -> bool:
    """Whether a model's name is that of a bundled model or of what lies on this machine."""
    return name.startswith("demo:") or os.path.exists(os.path.expanduser(name))


def is_path(name: str) -> bool:
    """Whether a model's name can only be a path, there or not: the Hub has no such names."""
    return name.startswith((".", "/", "~")) or "\\" in name or name.count("/") > 1


def _demo(name: str) -> Path:
    number = name.removeprefix("demo:")
    if not number.isdecimal():
        raise UserError(f"Model {name!r} does not exist; the bundled models are {', '.join(DEMO_MODELS)}.")
    path = demo_folder(int(number))
    if not path.is_dir():
        raise UserError(
            f"The bundled model {name} is missing from this installation ({path}); install from a complete copy of the "
            "project, or name another model."
        )
    return path


def _check(path: Path, name: str) -> None:
    adapter = next((file for file in _ADAPTER if (path / file).exists()), None)
    if not (path / CONFIG).is_file():
        if adapter is not None:
            raise UserError(
                f"{name} is an adapter ({adapter}) without the model it adapts; merge it into its base "
                "(merge_and_unload of peft), save that with save_pretrained and name its folder."
            )
        raise UserError(f"{name} is not a Hugging Face model folder (it has no config.json); give one that is.")
    if adapter is not None:
        raise UserError(
            f"Beside the weights of model {name} lies an adapter ({adapter}), which is not applied here; to read the "
            "base alone move it out of the folder, to read both merge them (merge_and_unload of peft) and save the "
            "result with save_pretrained."
        )
    weight_files(path)


def _fetched(spec: ModelSpec) -> ModelFolder:
    if not spec.offline:
        try:
            hub.repository("model", spec.name, spec.revision)
        except hub.HubUnreachable:
            path = _cached(spec)
            if path is None:
                raise
        else:
            path = _download(spec)
    else:
        path = _cached(spec)
        if path is None:
            raise _not_here(spec)
    return _checked(path, spec)


def _checked(path: Path, spec: ModelSpec) -> ModelFolder:
    """A folder of the Hub's cache, which is named for its commit. Raises UserError where it holds no model."""
    _check(path, spec.name)
    return ModelFolder(path, path.name if _COMMIT.fullmatch(path.name) else None)


def _not_here(spec: ModelSpec) -> UserError:
    return UserError(
        f"Model {spec.name} is not on this machine, and offline is set; load it once with a network, or name a local "
        "folder or demo:0."
    )


def _patterns(spec: ModelSpec) -> tuple[list[str], list[str] | None]:
    """What to fetch and what to skip: sub-folders hold other formats of the weights, and sometimes the model's code."""
    if spec.trust_remote_code:
        return [*_WANTED, "*.py"], None
    return _WANTED, ["*/*"]


def _download(spec: ModelSpec) -> Path:
    from huggingface_hub import constants, snapshot_download

    wanted, unwanted = _patterns(spec)
    cache = Path(constants.HF_HUB_CACHE)
    with hub.explained("model", spec.name, spec.revision), files.explained(cache), hub.bars_on_terminals_only():
        return Path(
            snapshot_download(spec.name, revision=spec.revision, allow_patterns=wanted, ignore_patterns=unwanted)
        )


def _cached(spec: ModelSpec) -> Path | None:
    """The model's folder in the Hub's local cache, if it is there."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    wanted, unwanted = _patterns(spec)
    try:
        return Path(
            snapshot_download(
                spec.name,
                revision=spec.revision,
                allow_patterns=wanted,
                ignore_patterns=unwanted,
                local_files_only=True,
            )
        )
    except (LocalEntryNotFoundError, HFValidationError):
        return None
