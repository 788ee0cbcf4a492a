"""From a model's name to the folder that holds it: bundled, local, or fetched from the Hub."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from itda_core import files, hub
from itda_core.errors import UserError
from itda_core.models.spec import DEMO_MODELS, ModelSpec, demo_folder

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
_WANTED = ["*.json", "*.txt", "*.model", "*.jinja", WEIGHTS, "model-*-of-*.safetensors"]
_COMMIT = re.compile(r"[0-9a-f]{40}")


class ModelFolder(NamedTuple):
    path: Path
    revision: str | None  # the Hub's commit; None for a bundled or local folder


def model_folder(spec: ModelSpec) -> ModelFolder:
    """The folder with the config, tokenizer and weights of `spec`; from the Hub only safetensors are fetched.

    Raises UserError when there is no such model, when it is incomplete, gated, or the Hub cannot be reached.
    """
    if spec.name.startswith("demo:"):
        path = _demo(spec.name)
    elif Path(spec.name).expanduser().exists() or _is_path(spec.name):
        path = Path(spec.name).expanduser()
        if not path.is_dir():
            what = "is a file" if path.exists() else "does not exist"
            raise UserError(f"Model folder {path} {what}; give the folder that holds the model's config.json.")
    else:
        return _fetched(spec)
    if spec.revision is not None:
        raise UserError(f"Model {spec.name} is a folder and has no revision {spec.revision!r}; leave the revision out.")
    _check(path, spec.name)
    return ModelFolder(path, None)


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a model folder, by name. Raises UserError when there are none, or one is missing."""
    if (folder / INDEX).is_file():
        index = files.read_json(folder / INDEX)
        paths = sorted(folder / name for name in set(index.get("weight_map", {}).values()))
    else:
        paths = [folder / WEIGHTS]
    missing = [path.name for path in paths if not path.is_file()]
    if missing or not paths:
        if not (folder / INDEX).is_file() and [*folder.glob("*.bin"), *folder.glob("*.pt"), *folder.glob("*.pth")]:
            raise UserError(
                f"Model folder {folder} has pickled weights only, which are never opened here because they can run "
                "code; convert them to safetensors."
            )
        raise UserError(f"Model folder {folder} lacks weights ({', '.join(missing) or WEIGHTS}); fetch it again.")
    return paths


def _is_path(name: str) -> bool:
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
    if not (path / "config.json").is_file():
        raise UserError(f"{name} is not a Hugging Face model folder (it has no config.json); give one that is.")
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
            raise UserError(
                f"Model {spec.name} is not on this machine and offline was asked for; load it once with a network, or "
                "name a local folder or demo:0."
            )
    _check(path, spec.name)
    return ModelFolder(path, path.name if _COMMIT.fullmatch(path.name) else None)


def _patterns(spec: ModelSpec) -> tuple[list[str], list[str] | None]:
    """What to fetch and what to leave: sub-folders hold other formats of the weights, and at times the model's code."""
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
