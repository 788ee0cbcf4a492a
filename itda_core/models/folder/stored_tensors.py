"""What the safetensors files of a model hold, by their headers, and whether that is a model's weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from itda_core.errors import UserError
from itda_core.files.safetensors_header import METADATA, read_header
from itda_core.foreign import quoted

if TYPE_CHECKING:
    from torch import nn
    from transformers import PretrainedConfig

FLOATS = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}  # bytes, as safetensors names them; these are loaded as one dtype
_NARROW = ("F8", "F6", "F4")  # how the names of floating point types of one byte or less begin
# What older versions of transformers saved beside the weights and computes itself now: masks, positions, frequencies.
_COMPUTED = ("masked_bias", "inv_freq", "original_inv_freq", "position_ids", "cos_cached", "sin_cached", "version")
_MOST_LISTED = 3


class Stored(NamedTuple):
    """One tensor of a safetensors file."""

    file: Path
    dtype: str  # in safetensors' words
    shape: tuple[int, ...]
    start: int  # byte behind the header
    size: int  # bytes


def stored_tensors(files: Iterable[Path]) -> dict[str, Stored]:
    """The tensors of `files` by name. Raises UserError when one is damaged, or two files hold the same name."""
    found: dict[str, Stored] = {}
    for file in files:
        for name, entry in read_header(file, remedy="fetch or save it again.").items():
            if name == METADATA:
                continue
            if name in found:
                raise UserError(
                    f"Tensor {quoted(name)!r} is both in {found[name].file.name} and in {file}, so which one counts is "
                    "not known; fetch or save the model again."
                )
            start, end = entry["data_offsets"]
            found[name] = Stored(file, entry["dtype"], tuple(entry["shape"]), start, end - start)
    return found


def check_stored(
    name: str, stored: Mapping[str, Stored], config: PretrainedConfig, module: nn.Module, unexpected: Iterable[str]
) -> None:
    """Raises UserError where what a model's files hold is not its weights as they are: whole numbers without a
    quantisation that says what they stand for, and tensors (scales left over, of an adapter, of further layers) that
    have no place in the modules of `module` they are named after.

    name: of the model; unexpected: the names, as transformers renamed them, of tensors it had no place for. Whole heads
    and towers that were not asked for are no fault.
    """
    prefix = str(getattr(module, "base_model_prefix", ""))
    quantised = any(getattr(each, "quantization_config", None) for each in (config, config.get_text_config()))
    whole = {name.rpartition(".")[2] for name, x in module.state_dict().items() if not x.is_floating_point()}
    odd = sorted(
        tensor
        for tensor, one in stored.items()
        if one.dtype not in FLOATS
        and not one.dtype.startswith(_NARROW)
        and not _is_computed(tensor, one)
        and tensor.rpartition(".")[2] not in whole  # tables that are whole numbers, whatever module they are in
    )
    if odd and not quantised:
        kinds = ", ".join(sorted({stored[tensor].dtype for tensor in odd}))
        raise UserError(
            f"The weights of model {name} are not numbers a model computes with: {_listed(odd)} are stored as {kinds}, "
            "and its config.json has no quantization_config that says what they stand for; give the checkpoint before "
            "it was quantised, or one with its quantization_config."
        )
    modules = dict(module.named_modules())
    homeless = sorted(
        tensor
        for tensor in unexpected
        if any(_has_module(reading, modules) for reading in _readings(tensor, prefix))
        and not any(_is_computed(tensor, stored.get(reading)) for reading in _readings(tensor, prefix))
    )
    if homeless:
        raise UserError(
            f"The weights of model {name} hold {len(homeless):,} tensors that the model of its config.json has no "
            f"place for ({_listed(homeless)}): scales of a quantisation, an adapter or further layers, without which "
            "its activations would be others; give a checkpoint that is whole in itself, and the config.json that "
            "belongs to it."
        )


def _is_computed(name: str, one: Stored | None) -> bool:
    """Whether a tensor is of those that are computed anew: by its name, or a causal mask that is called a bias."""
    last = name.rpartition(".")[2]
    return last in _COMPUTED or (last == "bias" and one is not None and len(one.shape) > 2)


def _readings(name: str, prefix: str) -> tuple[str, str, str]:
    """What a tensor may be called in the whole model, and below its head."""
    return name, f"{prefix}.{name}", name.removeprefix(f"{prefix}.")


def _has_module(name: str, modules: Mapping[str, nn.Module]) -> bool:
    """Whether a tensor's name leads into a part of the model that is there. A tower, and the model itself, is none: a
    head of it that was not asked for is named as inside."""
    from transformers import PreTrainedModel

    parts = name.split(".")[:-1]
    paths = (".".join(parts[:n]) for n in range(len(parts), 0, -1))
    deepest = next((path for path in paths if path in modules), "")
    return not isinstance(modules[deepest], PreTrainedModel)


def _listed(names: list[str]) -> str:
    return ", ".join(map(quoted, names[:_MOST_LISTED])) + (", …" if len(names) > _MOST_LISTED else "")
