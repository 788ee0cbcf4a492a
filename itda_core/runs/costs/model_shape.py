"""A model's parts: how many parameters and bytes stand before its blocks, in each of them, and behind."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from itda_core.errors import UserError
from itda_core.foreign import foreign
from itda_core.models.folder.config import architectures, own_classes, refused
from itda_core.models.spec import ModelSpec
from itda_core.runs.costs.model_description import ModelDescription

if TYPE_CHECKING:
    from torch import nn
    from transformers import PretrainedConfig, PreTrainedModel

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
EMBEDDING, HEAD, REST = "embedding", "head", "rest"


@dataclass(frozen=True)
class Part:
    """Some tensors of a model."""

    parameters: int = 0
    multiplied: int = 0  # entries of its matrices that one token is multiplied with; of experts, only the chosen
    stored_bytes: int = 0

    def __add__(self, other: Part) -> Part:
        return Part(
            self.parameters + other.parameters,
            self.multiplied + other.multiplied,
            self.stored_bytes + other.stored_bytes,
        )


@dataclass(frozen=True)
class ModelShape:
    """A model as a plan sees it."""

    name: str
    d_model: int
    attention_width: int  # of the queries, and of the values, of all heads together, on average; 0 without attention
    embedding: Part  # what the first block's input takes: token and position embeddings, their norms
    blocks: tuple[Part, ...]
    head: Part  # nothing of its own where it is tied to the embedding
    rest: Part  # last norm, pooler, other towers
    stored_dtype: str  # a key of BYTES
    checkpoint_bytes: int
    measured_bytes: bool  # from headers or an index; False: parameters times the size of the config's dtype

    @property
    def parameters(self) -> int:
        return sum((self.embedding, *self.blocks, self.head, self.rest), Part()).parameters


def model_shape(model: ModelDescription, *, trust_remote_code: bool = False) -> ModelShape:
    """Builds the model without weights (torch's meta device: 0.2 s for 405 billion parameters) and counts.

    Bytes are those of the checkpoint's tensors where their names are the model's; otherwise the checkpoint's total,
    shared out by parameters; without a checkpoint, parameters times the size of the config's dtype. Raises UserError
    when the config does not say which model it is, or its blocks cannot be told.
    """
    from itda_core.models.architecture import find_blocks

    module = _empty(model, trust_remote_code)
    text_config = model.config.get_text_config()
    blocks = find_blocks(module, model.config, model.name)
    if blocks.unknown:
        raise UserError(f"{blocks.unknown} Without its blocks it cannot be planned for.")
    path = blocks.path
    d_model = getattr(text_config, "hidden_size", None)
    if not isinstance(d_model, int):
        raise UserError(f"The config of model {model.name} names no width (hidden_size); name another model.")
    shares = _expert_share(text_config)
    parts: dict[str | int, Part] = {}
    dtype = _stored_dtype(model)
    sizes = _stored_sizes(module, model, dtype)
    roles = dict(_roles(module, path))
    for name, parameter in module.named_parameters():
        matrix = parameter.numel() if parameter.dim() > 1 else 0
        active = round(matrix * shares) if "experts" in name.split(".") else matrix
        role = roles[name]
        parts[role] = parts.get(role, Part()) + Part(parameter.numel(), active, sizes[name])
    none = Part()
    of_blocks = tuple(parts[key] for key in sorted(key for key in parts if isinstance(key, int)))
    total = sum(parts.values(), none)
    return ModelShape(
        name=model.name,
        d_model=d_model,
        attention_width=_attention_width(text_config),
        embedding=parts.get(EMBEDDING, none),
        blocks=of_blocks,
        head=parts.get(HEAD, none),
        rest=parts.get(REST, none),
        stored_dtype=dtype,
        checkpoint_bytes=total.stored_bytes if model.total_bytes is None else model.total_bytes,
        measured_bytes=model.total_bytes is not None,
    )


def _empty(model: ModelDescription, trust_remote_code: bool) -> PreTrainedModel:
    """The model its config names, every tensor of it without memory."""
    import torch
    import transformers

    config = model.config
    named = next(iter(architectures(config)), None)
    own_code = own_classes(config)
    spec = ModelSpec(model.name, trust_remote_code=trust_remote_code)
    with foreign(lambda cause: refused(spec, config, cause, "planned for")), torch.device("meta"):
        if own_code and trust_remote_code:
            kind = "AutoModelForCausalLM" if "AutoModelForCausalLM" in own_code else "AutoModel"
            return getattr(transformers, kind).from_config(config, trust_remote_code=True)
        if named is not None and _is_model(getattr(transformers, named, None)):
            return getattr(transformers, named)(config)
        return transformers.AutoModel.from_config(config)


def _is_model(named: object) -> bool:
    from transformers import PreTrainedModel

    return isinstance(named, type) and issubclass(named, PreTrainedModel)


def _roles(module: PreTrainedModel, path: str) -> Iterator[tuple[str, str | int]]:
    """Of each parameter by name: the number of its block, or EMBEDDING, HEAD or REST.

    What belongs to EMBEDDING is registered ahead of the blocks in the smallest module that holds both the blocks and
    the token embeddings, so that another tower's tensors do not count.
    """
    stem = _common(path, _path_of(module, module.get_input_embeddings()))
    head = module.get_output_embeddings()
    in_head = {id(parameter) for parameter in head.parameters()} if head is not None else set()
    in_blocks = re.compile(rf"{re.escape(path)}\.(\d+)\.")
    behind = False
    for name, parameter in module.named_parameters():
        number = in_blocks.match(name)
        behind = behind or number is not None
        if number is not None:
            yield name, int(number.group(1))
        elif not behind and name.startswith(stem):
            yield name, EMBEDDING
        else:
            yield name, HEAD if id(parameter) in in_head else REST


def _path_of(module: nn.Module, part: nn.Module | None) -> str:
    return next((name for name, child in module.named_modules() if child is part), "")


def _common(path: str, other: str) -> str:
    """The path of the module that holds both, with a dot behind it; "" for the model itself."""
    shared: list[str] = []
    for one, two in zip(path.split(".")[:-1], other.split(".")[:-1], strict=False):
        if one != two:
            break
        shared.append(f"{one}.")
    return "".join(shared)


def _stored_sizes(module: PreTrainedModel, model: ModelDescription, dtype: str) -> dict[str, int]:
    """Bytes of each parameter in the checkpoint, see `model_shape`."""
    counts = {name: parameter.numel() for name, parameter in module.named_parameters()}
    if model.total_bytes is None:
        return {name: count * BYTES[dtype] for name, count in counts.items()}
    prefix = f"{module.base_model_prefix}."
    sizes: dict[str, int] = {}
    for stored, size in model.tensor_bytes.items():
        for name in (stored, prefix + stored, stored.removeprefix(prefix)):
            if name in counts:
                sizes[name] = size
                break
    if len(sizes) == len(counts):
        return sizes
    per_parameter = model.total_bytes / max(1, sum(counts.values()))
    return {name: round(count * per_parameter) for name, count in counts.items()}


def _stored_dtype(model: ModelDescription) -> str:
    """The config's dtype; float32 where it has none, or one that no weights are computed in."""
    stated = getattr(model.config.get_text_config(), "dtype", None) or getattr(model.config, "dtype", None)
    name = str(stated).removeprefix("torch.")
    return name if name in BYTES else "float32"


def _expert_share(config: PretrainedConfig) -> float:
    """Which part of a mixture's experts one token goes through; 1 without a mixture."""
    chosen = _count(config, "num_experts_per_tok")
    fields = ("num_local_experts", "num_experts", "n_routed_experts")
    every = next((count for field in fields if (count := _count(config, field))), None)
    return chosen / every if chosen and every else 1.0


def _attention_width(config: PretrainedConfig) -> int:
    heads = _count(config, "num_attention_heads")
    if heads is None:
        return 0
    usual = _count(config, "head_dim") or config.hidden_size // heads
    keys, values = (_count(config, field) or usual for field in ("qk_head_dim", "v_head_dim"))
    return heads * (keys + values) // 2


def _count(config: PretrainedConfig, field: str) -> int | None:
    """A whole number above 0 that the config says; None where it says none (or a list of them, one a layer)."""
    stated = getattr(config, field, None)
    return stated if isinstance(stated, int) and stated > 0 else None
