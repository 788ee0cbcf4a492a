"""What is known of a model before its weights are: its config, and how many bytes its tensors take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from itda_core import files, hub
from itda_core.errors import UserError
from itda_core.models.folder.config import read_config
from itda_core.models.folder.model_folder import INDEX, WEIGHTS, is_local, is_path, model_folder, weight_files
from itda_core.models.spec import ModelSpec
from itda_core.runs.costs.known_models import KNOWN

if TYPE_CHECKING:
    from transformers import PretrainedConfig

_MOST_BYTES = 2**60  # an exabyte: beyond, an index does not say how large a model is


@dataclass(frozen=True)
class ModelDescription:
    """A model's config, and what its checkpoint takes as far as that is known."""

    name: str
    config: PretrainedConfig
    folder: Path | None  # where the weights are; None: not on this machine
    total_bytes: int | None  # of all tensors; None: only the config is known
    tensor_bytes: Mapping[str, int]  # by the checkpoint's own names; empty where the weights are not here


def describe(spec: ModelSpec) -> ModelDescription:
    """Describe a model on this machine by config.json and the headers of its weights, one on the Hub by config.json
    and the index of its weights (nothing else is fetched), one of KNOWN by public figures.

    Raises UserError when there is no such model, when the Hub cannot be reached, or when its config says too little.
    """
    if known := KNOWN.get(spec.name.lower()):
        from transformers import AutoConfig

        return ModelDescription(spec.name, AutoConfig.for_model(**known), None, None, {})
    here = _folder(spec)
    if here is not None:
        sizes = _tensor_bytes(here)
        return ModelDescription(spec.name, read_config(here, spec), here, sum(sizes.values()), sizes)
    one_file = False
    if not spec.offline:  # a dead network is noticed by one request, not by retries
        there = hub.repository("model", spec.name, spec.revision).siblings or ()
        one_file = any(file.rfilename == WEIGHTS for file in there)  # then an index beside it does not count
    config = _fetched(spec, "config.json")
    if config is None:
        raise UserError(
            f"Model {spec.name} cannot be planned for: its config.json is not "
            + ("on this machine, and offline is set; plan once with a network, " if spec.offline else "there; ")
            + f"name a local folder, demo:0, or one of {', '.join(KNOWN)}."
        )
    size = None if one_file else _indexed_bytes(spec)
    return ModelDescription(spec.name, read_config(config.parent, spec), None, size, {})


def _folder(spec: ModelSpec) -> Path | None:
    """The model's folder; None for a Hub model that is not on this machine whole."""
    try:
        return model_folder(replace(spec, offline=True)).path
    except UserError:
        if is_local(spec.name) or is_path(spec.name):
            raise
        return None


def _fetched(spec: ModelSpec, name: str) -> Path | None:
    """One file of a model on the Hub, from the local cache where it is there; None where there is no such file."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    with hub.explained("model", spec.name, spec.revision), hub.bars_on_terminals_only():
        try:
            return Path(hf_hub_download(spec.name, name, revision=spec.revision, local_files_only=spec.offline))
        except EntryNotFoundError:
            return None


def _indexed_bytes(spec: ModelSpec) -> int | None:
    """The bytes of all tensors by the index of the shards; None where the weights are one file, without an index."""
    path = _fetched(spec, INDEX)
    index = None if path is None else files.read_json(path)
    metadata = index.get("metadata") if isinstance(index, dict) else None
    size = metadata.get("total_size") if isinstance(metadata, dict) else None
    return int(size) if isinstance(size, (int, float)) and 0 < size < _MOST_BYTES else None


def _tensor_bytes(folder: Path) -> dict[str, int]:
    """Bytes of each tensor, from the headers of the weights alone."""
    from itda_core.models.folder.stored_tensors import stored_tensors

    return {name: one.size for name, one in stored_tensors(weight_files(folder)).items()}
