"""From a ModelSpec to a model that is ready to run."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from itda_core.errors import UserError
from itda_core.foreign import foreign, quoted
from itda_core.models.devices import device_of
from itda_core.models.folder.config import base_loader, has_base, read_config, refused, whole_loader
from itda_core.models.folder.model_folder import model_folder, weight_files
from itda_core.models.folder.stored_tensors import check_stored, stored_tensors
from itda_core.models.language_model import LanguageModel
from itda_core.models.placement import Room, choose, limits, needed_bytes, room
from itda_core.models.quiet_transformers import quiet_transformers
from itda_core.models.spec import ModelSpec
from itda_core.models.tokenizer.loading import read_tokenizer

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerFast

    from itda_core.models.streamed.skeleton import Skeleton

__all__ = ["LanguageModel", "load_model"]

_HALF = ("F16", "BF16")  # as safetensors names them
_WITH_HEAD = ("AutoModelForCausalLM", "AutoModelForImageTextToText")  # the classes that predict the next token


class _Unread:
    """In place of a folder's generation_config.json, which no activation needs: the model's own defaults."""

    def to_dict(self) -> dict[str, Any]:
        return {}


def load_model(spec: ModelSpec | str | Path, *, head: bool = True) -> LanguageModel:
    """The model and tokenizer that `spec` names, in evaluation mode, on its device.

    A causal language model comes with its head, anything else without one. `head=False` leaves it out: its memory is
    never taken, activations are the same to the bit, and sites keep their names. With dtype "auto" a CPU computes in
    float32 whatever the checkpoint holds; CUDA computes half-precision checkpoints in bfloat16.

    Placement "memory" puts all weights on the device. "spread" lets accelerate put them on every GPU (a device with a
    number: on that one), into main memory and at last on disk, from where they are read for each forward batch;
    activations come back to the first GPU and are those of "memory" up to the rounding of the devices that compute: on
    one device the same operations in the same shapes, so to the bit. "auto" is "memory" where that fits by the files'
    headers, and "spread" otherwise.

    Raises UserError when the model is unknown, incomplete, damaged, gated, needs code of its own, has only a slow
    tokenizer, or is to be streamed.
    """
    if not isinstance(spec, ModelSpec):
        spec = ModelSpec(os.fspath(spec) if isinstance(spec, os.PathLike) else spec)
    if spec.placement == "stream":
        raise UserError(
            f"Model {spec.name} cannot be streamed here: only itda train reads a model layer by layer; choose another "
            "placement, for example auto."
        )
    with quiet_transformers():
        found = _found(spec, head=head)
        folder, device, dtype = found.folder, found.device, found.dtype
        place = _place(spec, folder, device, dtype, head=not found.headless)
        module = _module(folder, spec, found.config, loader=found.loader, dtype=dtype, place=place)
    if place is None:
        try:
            module = module.to(device)  # pyright: ignore[reportArgumentType]
        except torch.OutOfMemoryError as error:
            raise _too_large(spec, device) from error
    elif place.gpus:
        device = torch.device("cuda", next(iter(place.gpus)))  # one with a number, as accelerate has it
    module.eval().requires_grad_(False)
    return LanguageModel(
        spec,
        module,
        found.tokenizer,
        folder=folder,
        revision=found.revision,
        has_lm_head=found.loader in _WITH_HEAD,
        headless=found.headless,
        device=device,
    )


def load_skeleton(spec: ModelSpec) -> Skeleton:
    """The same model for a harvest block by block (models.streamed): only what comes before its blocks is loaded.

    Raises UserError as `load_model` does, and when a checkpoint of its kind cannot be streamed.
    """
    from itda_core.models.streamed.skeleton import Skeleton

    with quiet_transformers():
        found = _found(spec, head=False)
        return Skeleton(
            spec,
            found.config,
            found.tokenizer,
            folder=found.folder,
            revision=found.revision,
            loader=found.loader,
            headless=found.headless,
            device=found.device,
            dtype=found.dtype,
        )


def load_outline(spec: ModelSpec) -> LanguageModel:
    """The same model without weights, which cannot be run: its blocks, sites, width and context, told in a moment.

    Raises UserError as `load_model` does for all but its weights.
    """
    from itda_core.models.streamed.conversion import empty_model

    with quiet_transformers():
        found = _found(spec, head=False)
        return LanguageModel(
            spec,
            empty_model(found.config, spec, found.loader, found.dtype),
            found.tokenizer,
            folder=found.folder,
            revision=found.revision,
            has_lm_head=False,
            headless=found.headless,
            device=found.device,
        )


def is_streamed(spec: ModelSpec) -> bool:
    """Whether a training streams the model from the disk: asked to, or with placement "auto" when its weights fit
    neither on the device nor on all GPUs and into main memory together. Raises UserError as `load_model` does."""
    if spec.placement != "auto":
        return spec.placement == "stream"
    folder, device = model_folder(spec).path, device_of(spec.device)
    if device.type == "mps":  # its memory is the main memory
        return False
    needed = needed_bytes(weight_files(folder), _dtype(spec, device, folder).itemsize, head=False)
    return choose(needed, room(device, others=":" not in spec.device)) == "disk"


class _Found(NamedTuple):
    """A model before its weights."""

    folder: Path
    revision: str | None
    config: PretrainedConfig
    tokenizer: PreTrainedTokenizerFast
    loader: str  # transformers' class that makes the model
    headless: bool  # it makes what lies below the head of the whole model
    device: torch.device
    dtype: torch.dtype


def _found(spec: ModelSpec, *, head: bool) -> _Found:
    device = device_of(spec.device)
    folder, revision = model_folder(spec)
    config = read_config(folder, spec)
    tokenizer = read_tokenizer(folder, spec)
    whole = whole_loader(config)
    headless = whole is not None and not head and has_base(config, spec)
    loader = base_loader(config) if whole is None or headless else whole
    return _Found(folder, revision, config, tokenizer, loader, headless, device, _dtype(spec, device, folder))


def _place(spec: ModelSpec, folder: Path, device: torch.device, dtype: torch.dtype, *, head: bool) -> Room | None:
    """What to spread the weights over; None for the device alone."""
    if device.type == "mps":  # its memory is the main memory
        if spec.placement == "spread":
            raise UserError(
                f"Model {spec.name} cannot be spread from {device}; choose device cpu, or placement memory."
            )
        return None
    if spec.placement == "memory":
        return None
    there = room(device, others=":" not in spec.device)
    if spec.placement == "spread":
        return there
    needed = needed_bytes(weight_files(folder), dtype.itemsize, head=head)
    return None if choose(needed, there) == "memory" else there


def _dtype(spec: ModelSpec, device: torch.device, folder: Path) -> torch.dtype:
    if spec.dtype != "auto":
        return getattr(torch, spec.dtype)
    if device.type == "cuda" and _stored_dtype(folder) in _HALF:
        return torch.bfloat16
    return torch.float32


def _stored_dtype(folder: Path) -> str:
    """The type of the first matrix of the weights, in safetensors' own words."""
    stored = stored_tensors(weight_files(folder)[:1]).values()
    return next((one.dtype for one in stored if len(one.shape) > 1), "F32")


def _damaged(spec: ModelSpec, cause: object) -> UserError:
    return UserError(f"The weights of model {spec.name} cannot be loaded ({quoted(cause)}); fetch or save it again.")


def _too_large(spec: ModelSpec, device: object) -> UserError:
    return UserError(
        f"Model {spec.name} does not fit into the memory of {device}; choose placement spread, or device cpu."
    )


def _module(
    folder: Path, spec: ModelSpec, config: PretrainedConfig, *, loader: str, dtype: torch.dtype, place: Room | None
) -> PreTrainedModel:
    import transformers

    auto: Any = getattr(transformers, loader)
    with ExitStack() as undone:
        placed: dict[str, Any] = {}
        if place is not None:
            # Weights on disk are read where they are, except those that are stored in another layout (experts).
            offloaded = Path(tempfile.mkdtemp(prefix="itda-offload-"))
            undone.callback(shutil.rmtree, offloaded, ignore_errors=True)
            placed = {"device_map": "auto", "max_memory": limits(place), "offload_folder": offloaded}
        with foreign(lambda cause: refused(spec, config, cause, "loaded")), _of_weights(spec):
            module, report = auto.from_pretrained(
                folder,
                config=config,
                dtype=dtype,  # left out, it would be the checkpoint's, and half precision on a CPU
                use_safetensors=True,
                local_files_only=True,
                trust_remote_code=spec.trust_remote_code,
                generation_config=_Unread(),
                ignore_mismatched_sizes=True,  # they are refused below, by name
                output_loading_info=True,
                **placed,
            )
        weakref.finalize(module, undone.pop_all().close)
    _check_complete(spec, report)
    check_stored(spec.name, stored_tensors(weight_files(folder)), config, module, report["unexpected_keys"])
    return module


@contextmanager
def _of_weights(spec: ModelSpec) -> Iterator[None]:
    """What the machine and damaged weights raise, as one sentence."""
    from safetensors import SafetensorError

    try:
        yield
    except SafetensorError as error:
        raise _damaged(spec, error) from error
    except torch.OutOfMemoryError as error:
        raise _too_large(spec, "the GPUs") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UserError(
                f"The disk is full: {tempfile.gettempdir()} does not hold the weights of {spec.name} that do not "
                "fit into memory; free some space or set TMPDIR to another folder."
            ) from error
        raise


def _check_complete(spec: ModelSpec, report: dict[str, Any]) -> None:
    """Raises UserError when tensors are missing or of another shape than the config says, by transformers' report."""
    for name, was, wanted in sorted(report["mismatched_keys"]):
        raise _damaged(spec, f"{name} has the shape {tuple(was)} and the model of its config.json {tuple(wanted)}")
    # A pooler reads the last block's output and is never asked for here, so it may be missing.
    missing = sorted(key for key in report["missing_keys"] if "pooler" not in key)
    if missing:
        raise UserError(
            f"The weights of model {spec.name} lack {len(missing)} tensors ({', '.join(missing[:3])}, …); fetch or "
            "save it again."
        )
