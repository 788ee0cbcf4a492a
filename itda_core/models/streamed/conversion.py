"""From a checkpoint's tensors to a model's parameters, the way transformers goes: the one place here that knows how it
loads."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import torch
from torch import nn
from transformers.conversion_mapping import get_model_conversion_mapping
from transformers.core_model_loading import (
    WeightConverter,
    WeightRenaming,
    convert_and_load_state_dict_in_model,
    dot_natural_key,
    rename_source_key,
)
from transformers.modeling_utils import LoadStateDictConfig, PreTrainedModel, local_torch_dtype

from itda_core.foreign import foreign
from itda_core.models.folder.config import refused
from itda_core.models.quiet_transformers import quiet_transformers
from itda_core.models.spec import ModelSpec

if TYPE_CHECKING:
    from transformers import PretrainedConfig

_NEVER_REACHED = "pooler"  # it reads the last block's output, and the pass ends there


def empty_model(config: PretrainedConfig, spec: ModelSpec, loader: str, dtype: torch.dtype) -> PreTrainedModel:
    """The model with parameters that take no memory, and buffers that have their values. Raises UserError when
    transformers, or the model's own code, refuses its config."""
    import transformers
    from accelerate import init_empty_weights

    auto: Any = getattr(transformers, loader)
    with (
        foreign(lambda cause: refused(spec, config, cause, "loaded")),
        local_torch_dtype(dtype),
        init_empty_weights(include_buffers=False),
    ):
        module = auto.from_config(config, dtype=dtype, trust_remote_code=spec.trust_remote_code)
    return module.eval().requires_grad_(False)


class TensorTargets(NamedTuple):
    """Where a checkpoint's tensors belong in a model."""

    blocks: tuple[tuple[str, ...], ...]  # the checkpoint's names per block
    outside: tuple[str, ...]  # of what lies outside the blocks in the same tower
    plain: dict[str, str]  # of tensors that are a parameter as they are: its name in the model
    homeless: tuple[str, ...]  # what is no part of the model, as transformers renames it


def tensor_targets(names: Sequence[str], module: PreTrainedModel, path: str) -> TensorTargets:
    """Where the tensors `names` belong in a model whose blocks are at `path`."""
    conversions = get_model_conversion_mapping(module)
    renamings = [entry for entry in conversions if isinstance(entry, WeightRenaming)]
    converters = [entry for entry in conversions if isinstance(entry, WeightConverter)]
    own, parameters = module.state_dict(), {name for name, _ in module.named_parameters()}
    tower = tower_of(module, path)
    of_block: list[list[str]] = [[] for _ in cast(nn.ModuleList, module.get_submodule(path))]
    outside: list[str] = []
    plain: dict[str, str] = {}
    homeless: list[str] = []
    for name in sorted(names, key=dot_natural_key):  # some renamings go by what came before
        target, converted = rename_source_key(name, renamings, converters, module.base_model_prefix, own)
        if target not in own and name in own:
            target, converted = name, None
        if converted is None and target in parameters:
            plain[name] = target
        if target not in own:
            homeless.append(target)
        elif target.startswith(f"{path}."):
            number = target.removeprefix(f"{path}.").partition(".")[0]
            of_block[int(number)].append(name)
        elif target.startswith(tower) and _NEVER_REACHED not in target:
            outside.append(name)
    ignored = [re.compile(pattern) for pattern in module._keys_to_ignore_on_load_unexpected or ()]
    homeless = [name for name in homeless if not any(pattern.search(name) for pattern in ignored)]
    return TensorTargets(tuple(map(tuple, of_block)), tuple(outside), plain, tuple(homeless))


def tower_of(module: nn.Module, path: str) -> str:
    """The prefix of the innermost model that the blocks at `path` are in: of a model with several towers, theirs."""
    prefixes = [path.rsplit(".", cut)[0] for cut in range(1, path.count(".") + 1)]
    inner = next((prefix for prefix in prefixes if isinstance(module.get_submodule(prefix), PreTrainedModel)), None)
    return "" if inner is None else f"{inner}."


def place(
    module: PreTrainedModel,
    tensors: dict[str, torch.Tensor],
    device: torch.device,
    dtype: torch.dtype,
    plain: Mapping[str, str],
) -> None:
    """Put tensors of the checkpoint where they belong, converted as transformers does when it loads a model.

    plain: see TensorTargets. Where all of `tensors` are so, transformers' loader, which looks at the whole model for
    every block, is not needed.
    """
    plan = module._get_dtype_plan(dtype)
    if not plan and all(name in plain for name in tensors):
        for name, tensor in tensors.items():
            owner, _, own = plain[name].rpartition(".")
            holder = module.get_submodule(owner)
            empty = holder._parameters[own]
            if empty is not None and empty.shape == tensor.shape:
                holder._parameters[own] = nn.Parameter(tensor.to(device, empty.dtype), requires_grad=False)
        return
    loading = LoadStateDictConfig(
        device_map={"": str(device)},
        dtype=dtype,
        dtype_plan=plan,
        weight_mapping=cast("list[WeightConverter | WeightRenaming]", get_model_conversion_mapping(module)),
    )
    with quiet_transformers():
        convert_and_load_state_dict_in_model(module, tensors, loading)
    module.requires_grad_(False)
