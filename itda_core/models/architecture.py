"""Finding a transformer's blocks, and the modules inside them, by structure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from torch import nn

from itda_core.errors import UserError

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedTokenizerBase

DEFAULT_CONTEXT = 2048  # tokens, for models without any limit of their own
_NO_LIMIT = 10**9  # tokenizers without a limit report an astronomical one
_CONTEXT_FIELDS = ("max_position_embeddings", "n_positions", "n_ctx", "seq_length", "max_seq_len")
# Paths inside a block, the first that exists counts. BERT-like blocks add the residual and normalise inside
# `attention` and `output`, so there the projection before this addition is the one that corresponds.
_ATTENTION = ("attention.output.dense", "self_attn", "attn", "attention", "self_attention")
_MLP = ("output.dense", "mlp", "feed_forward", "ffn", "block_sparse_moe", "feedforward", "fc2")


class Blocks(NamedTuple):
    path: str  # of the ModuleList inside the model
    modules: tuple[nn.Module, ...]


def find_blocks(module: nn.Module, config: PretrainedConfig, name: str) -> Blocks:
    """The transformer blocks: the one ModuleList as long as the config's `num_hidden_layers`.

    Lists inside a block (experts) do not count; of a model with several towers the language model's counts. Raises
    UserError, with the candidates, when there is none or more than one.
    """
    if getattr(config, "is_encoder_decoder", False):
        raise UserError(
            f"Model {name} is an encoder-decoder ({config.model_type}), which has two stacks of blocks; give a decoder "
            "or an encoder."
        )
    text_config = config.get_text_config()
    n_layers = getattr(text_config, "num_hidden_layers", None)
    lists = {path: child for path, child in module.named_modules() if isinstance(child, nn.ModuleList)}
    fitting = [path for path, child in lists.items() if len(child) == n_layers]
    fitting = [path for path in fitting if not any(path.startswith(f"{other}.") for other in fitting)]
    if len(fitting) > 1 and text_config is not config:
        fitting = [path for path in fitting if "language_model" in path or "text_model" in path] or fitting
    if len(fitting) != 1:
        candidates = ", ".join(f"{path} ({len(child)})" for path, child in lists.items()) or "none"
        raise UserError(
            f"The blocks of model {name} ({config.model_type}) cannot be told: its config says {n_layers} layers, its "
            f"lists of modules are: {candidates}. Give a model with one stack of blocks."
        )
    return Blocks(fitting[0], tuple(lists[fitting[0]]))


def inside_block(block: nn.Module, kind: str, name: str) -> nn.Module:
    """The attention (kind "attn_out") or MLP ("mlp_out") of a block. Raises UserError when it has none of that name."""
    for path in _ATTENTION if kind == "attn_out" else _MLP:
        found = _submodule(block, path)
        if found is not None:
            return found
    children = ", ".join(path for path, _ in block.named_children())
    raise UserError(
        f"Site {kind} is not known for model {name}: its blocks consist of {children}; give a module's path instead."
    )


def context_length(module: nn.Module, config: PretrainedConfig, tokenizer: PreTrainedTokenizerBase) -> int:
    """How many tokens the model takes at once, special ones included: the least of its and its tokenizer's limits."""
    text_config = config.get_text_config()
    fields = [getattr(text_config, field, None) for field in _CONTEXT_FIELDS]
    limits = [next((value for value in fields if isinstance(value, int) and value > 0), None)]
    for path, child in module.named_modules():
        # RoBERTa and its kin start counting positions after the padding's, so the table is longer than the context.
        if path.endswith("position_embeddings") and isinstance(child, nn.Embedding) and child.padding_idx is not None:
            limits.append(child.num_embeddings - child.padding_idx - 1)
    if tokenizer.model_max_length < _NO_LIMIT:
        limits.append(int(tokenizer.model_max_length))
    return min((limit for limit in limits if limit), default=DEFAULT_CONTEXT)


def _submodule(module: nn.Module, path: str) -> nn.Module | None:
    try:
        return module.get_submodule(path)
    except AttributeError:
        return None
