"""A checkpoint of Llama's shape with random weights, written shard by shard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import save_file

from itda_core.bench.streaming.plan import StreamPlan
from itda_core.files import explained, write_json
from itda_core.models.folder.model_folder import INDEX

_SPREAD = 0.02  # standard deviation of the weights, as Llama begins


def make_model(plan: StreamPlan, folder: Path) -> None:
    """Write config, tokenizer, shards and index of the plan's model to `folder`; one shard is in memory at a time.

    Raises UserError when the disk is full.
    """
    from transformers import LlamaConfig

    config = LlamaConfig(
        vocab_size=plan.vocabulary,
        hidden_size=plan.d_model,
        intermediate_size=plan.d_mlp,
        num_hidden_layers=plan.layers,
        num_attention_heads=plan.heads,
        num_key_value_heads=plan.heads,
        max_position_embeddings=plan.context,
        tie_word_embeddings=False,
        bos_token_id=0,
        eos_token_id=0,
        architectures=["LlamaForCausalLM"],
        dtype="float32",
    )
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        config.save_pretrained(folder)
        _tokenizer(folder, plan.context)
        draw = torch.Generator().manual_seed(0)
        groups = list(_shards(_shapes(plan), plan.shards))
        map_: dict[str, str] = {}
        for number, shapes in enumerate(groups, 1):
            name = f"model-{number:05d}-of-{len(groups):05d}.safetensors"
            tensors = {
                key: torch.ones(shape) if len(shape) == 1 else torch.empty(shape).normal_(0, _SPREAD, generator=draw)
                for key, shape in shapes.items()
            }
            save_file(tensors, folder / name, metadata={"format": "pt"})
            map_ |= dict.fromkeys(shapes, name)
        total = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
        write_json(folder / INDEX, {"metadata": {"total_size": total}, "weight_map": map_})


def _shapes(plan: StreamPlan) -> dict[str, tuple[int, ...]]:
    d, mlp = plan.d_model, plan.d_mlp
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (plan.vocabulary, d)}
    for layer in range(plan.layers):
        block = f"model.layers.{layer}"
        shapes |= {f"{block}.self_attn.{name}_proj.weight": (d, d) for name in "qkvo"}
        shapes |= {f"{block}.mlp.{name}_proj.weight": (mlp, d) for name in ("gate", "up")}
        shapes[f"{block}.mlp.down_proj.weight"] = (d, mlp)
        shapes |= {f"{block}.{name}_layernorm.weight": (d,) for name in ("input", "post_attention")}
    return shapes | {"model.norm.weight": (d,), "lm_head.weight": (plan.vocabulary, d)}


def _shards(shapes: dict[str, tuple[int, ...]], count: int) -> Iterator[dict[str, tuple[int, ...]]]:
    """`count` parts of about the same number of tensors, in order; a block may lie in two of them, as it often does."""
    names = list(shapes)
    for part in range(count):
        yield {name: shapes[name] for name in names[part * len(names) // count : (part + 1) * len(names) // count]}


def _tokenizer(folder: Path, context: int) -> None:
    """One token per byte, which needs no training."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = ["<|endoftext|>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(models.BPE({token: i for i, token in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|endoftext|>", model_max_length=context)
    fast.save_pretrained(folder)
