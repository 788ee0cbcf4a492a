"""Finding a transformer's blocks, and the modules inside them, by structure."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from torch import nn

from itda_core.errors import UserError
from itda_core.foreign import foreign
from itda_core.models.folder.context import limit_of, stated_limits

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

DEFAULT_CONTEXT = 2048  # tokens, for models without any limit of their own
# Paths inside a block, the first that exists counts. Where a submodule itself adds the residual (BERT, BLOOM, MPT) or
# normalises (BERT, MPNet), the projection before this is the one that corresponds.
_ATTENTION = (
    "attention.output.dense",
    "attention.attn",
    "self_attention.dense",
    "self_attn",
    "attn",
    "attention",
    "self_attention",
)
_MLP = (
    "output.dense",
    "mlp.dense_4h_to_h",
    "ffn.down_proj",
    "mlp",
    "feed_forward",
    "ffn",
    "block_sparse_moe",
    "feedforward",
    "fc2",
)
_POSITIONS_FIRST = ("xlnet",)  # their blocks work on (positions, batch, width)
FILLS_UP = ("longformer", "big_bird", "reformer")  # they append padding of their own, to whole blocks of attention
_MOST_LISTED = 40  # modules in one error message


class Blocks(NamedTuple):
    """A model's transformer blocks, or why they cannot be told."""

    path: str  # of the ModuleList inside the model
    modules: tuple[nn.Module, ...]
    unknown: str | None = None  # one sentence; then there are no modules


def find_blocks(module: nn.Module, config: PretrainedConfig, name: str) -> Blocks:
    """The transformer blocks: the one ModuleList as long as the config's `num_hidden_layers`.

    Lists inside a block (experts) do not count; of a model with several towers the language model's counts. Where there
    is no such list, or more than one, `unknown` says so and what modules there are: they can still be read by path.
    Raises UserError for encoder-decoders, for models whose layers share one block (ALBERT), and for those whose blocks
    do not work on (batch, positions, width).
    """
    if getattr(config, "is_encoder_decoder", False):
        raise UserError(
            f"Model {name} is an encoder-decoder ({config.model_type}), which has two stacks of blocks; give a decoder "
            "or an encoder."
        )
    if config.model_type in _POSITIONS_FIRST:
        raise UserError(
            f"Model {name} ({config.model_type}) computes with positions before windows, which is not read here; give "
            "another model."
        )
    text_config = config.get_text_config()
    n_layers = getattr(text_config, "num_hidden_layers", None)
    n_groups = getattr(text_config, "num_hidden_groups", n_layers)
    if isinstance(n_layers, int) and isinstance(n_groups, int) and n_groups < n_layers:
        raise UserError(
            f"Model {name} ({config.model_type}) runs {n_groups} block(s) {n_layers} times, so a block has no "
            "activation of its own; give a model whose layers have their own weights, for example BERT."
        )
    lists = {path: child for path, child in module.named_modules() if isinstance(child, nn.ModuleList)}
    fitting = [path for path, child in lists.items() if len(child) == n_layers]
    fitting = [path for path in fitting if not any(path.startswith(f"{other}.") for other in fitting)]
    if len(fitting) > 1 and text_config is not config:
        named = [path for path in fitting if "language_model" in path or "text_model" in path] or fitting
        others = [path.split(".") for path in fitting if path not in named]
        # With an encoder and a decoder of text of equal depth it is unclear which of them is meant.
        if not (any("decoder" in path for path in others) and any("encoder" in path.split(".") for path in named)):
            fitting = named
    if len(fitting) == 1:
        return Blocks(fitting[0], tuple(lists[fitting[0]]))
    candidates = ", ".join(f"{path} ({len(child)})" for path, child in lists.items()) or "none"
    listed = outline(module)
    return Blocks(
        "",
        (),
        f"The blocks of model {name} ({config.model_type}) cannot be told: its config says {n_layers} layers, its "
        f"lists of modules are: {candidates}. Give as site the path of the module to read, for example "
        f"{_example(listed)}; there are {', '.join(listed)}.",
    )


def stated_layers(config: PretrainedConfig) -> int:
    """How many layers the config says the language model has; 1 where it does not say."""
    stated = getattr(config.get_text_config(), "num_hidden_layers", None)
    return stated if isinstance(stated, int) and stated > 0 else 1


def width(module: PreTrainedModel, config: PretrainedConfig) -> int:
    """The residual stream's width: the config's `hidden_size`, or that of the token embeddings where it has none."""
    stated = getattr(config.get_text_config(), "hidden_size", None)
    if isinstance(stated, int) and not isinstance(stated, bool):
        return stated
    with foreign(
        lambda cause: UserError(
            f"How wide the vectors of a {config.model_type} model are cannot be told: its config.json says no "
            f"hidden_size, and its embeddings are not to be had ({cause}); give another model."
        )
    ):
        return module.get_input_embeddings().get_parameter("weight").shape[-1]


def inside_block(block: nn.Module, kind: str, name: str, path: str = "") -> nn.Module:
    """The attention (kind "attn_out") or MLP ("mlp_out") of a block.

    path: of the block, for the message. Raises UserError, with what the block consists of, when it has none such.
    """
    for inner in _ATTENTION if kind == "attn_out" else _MLP:
        found = submodule(block, inner)
        if found is not None:
            return found
    children = {child: sum(weight.numel() for weight in part.parameters()) for child, part in block.named_children()}
    where = f"{path}." if path else ""
    largest = max(children, key=lambda child: children[child], default="0")
    raise UserError(
        f"Site {kind} is not known for block {path or type(block).__name__} of model {name}, which consists of "
        f"{', '.join(children) or 'nothing'}; give a module's path instead, for example {where}{largest}."
    )


def outline(module: nn.Module) -> list[str]:
    """The paths of the modules inside, outer ones first, the number of a list's members written as `{layer}`.

    Modules in lists within lists (experts) are left out; at most 40, then how many more there are.
    """
    patterns: Counter[str] = Counter()
    for path, _ in module.named_modules():
        pattern = re.sub(r"(?:(?<=\.)|^)\d+(?=\.|$)", "{layer}", path)
        if path and pattern.count("{layer}") < 2:
            patterns[pattern] += 1
    ordered = sorted(patterns, key=lambda pattern: pattern.count("."))
    listed = [f"{one} ({patterns[one]})" if "{layer}" in one else one for one in ordered[:_MOST_LISTED]]
    return listed + ([f"{len(ordered) - _MOST_LISTED} more inside these"] if len(ordered) > _MOST_LISTED else [])


def submodule(module: nn.Module, path: str) -> nn.Module | None:
    """The module at `path` inside `module`; None when there is none."""
    try:
        return module.get_submodule(path)
    except AttributeError:
        return None


def _example(listed: list[str]) -> str:
    """One of an outline's paths, of a list's member where there is one."""
    numbered = next((one for one in listed if "{layer}" in one), None)
    return (numbered or next(iter(listed), "")).partition(" ")[0]


def context_length(module: nn.Module, config: PretrainedConfig, tokenizer: PreTrainedTokenizerBase) -> int:
    """How many tokens the model takes at once, special ones included: the least of its and its tokenizer's limits."""
    text_config = config.get_text_config()
    limits = stated_limits(lambda field: getattr(text_config, field, None), tokenizer.model_max_length)
    for path, child in module.named_modules():
        # RoBERTa and its kin start counting positions after the padding's, so the table is longer than the context.
        if path.endswith("position_embeddings") and isinstance(child, nn.Embedding) and child.padding_idx is not None:
            limits.extend(filter(None, [limit_of(child.num_embeddings - child.padding_idx - 1)]))
    return min(limits, default=DEFAULT_CONTEXT)
