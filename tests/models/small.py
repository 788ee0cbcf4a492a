"""A small model of any family that transformers knows: its config class with every size in it made small."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator
from typing import Any

N_LAYERS, WIDTH, CONTEXT = 3, 32, 64
MOST_PARAMETERS = 30_000_000
_SIZES: dict[str, Any] = {
    **dict.fromkeys(("hidden_size", "d_model", "n_embd", "dim", "emb_dim", "embed_dim", "word_embed_proj_dim"), WIDTH),
    **dict.fromkeys(("num_hidden_layers", "n_layer", "n_layers", "num_layers", "depth"), N_LAYERS),
    **dict.fromkeys(("encoder_layers", "decoder_layers", "num_decoder_layers", "num_encoder_layers"), N_LAYERS),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "num_heads"), 4),
    **dict.fromkeys(("encoder_attention_heads", "decoder_attention_heads"), 4),
    **dict.fromkeys(("num_key_value_heads", "num_kv_heads", "n_kv_heads"), 2),
    **dict.fromkeys(("intermediate_size", "ffn_dim", "d_ff", "n_inner", "hidden_dim", "ffn_hidden_size"), 48),
    **dict.fromkeys(("encoder_ffn_dim", "decoder_ffn_dim", "d_inner", "block_ff_dim", "mlp_dim"), 48),
    **dict.fromkeys(("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "seq_length"), CONTEXT),
    **dict.fromkeys(("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts"), 4),
    **dict.fromkeys(("num_experts_per_tok", "num_experts_per_token", "moe_topk", "moe_k", "top_k_experts"), 2),
    **dict.fromkeys(("moe_intermediate_size", "shared_expert_intermediate_size", "expert_ffn_hidden_size"), 16),
    **dict.fromkeys(("n_shared_experts", "n_group", "topk_group", "first_k_dense_replace", "num_shared_experts"), 1),
    **dict.fromkeys(("kv_lora_rank", "q_lora_rank", "qk_nope_head_dim", "v_head_dim"), 8),
    **dict.fromkeys(("head_dim", "d_kv", "d_head", "attention_head_dim", "kv_channels"), 8),
    **dict.fromkeys(("sliding_window", "window_size", "block_size", "local_attention"), 8),
    **dict.fromkeys(("state_size", "mamba_d_state", "ssm_state_size", "conv_kernel", "mamba_d_conv"), 4),
    **dict.fromkeys(("mamba_n_heads", "mamba_num_heads", "linear_num_value_heads"), 4),
    **dict.fromkeys(("mamba_d_head", "mamba_head_dim", "linear_key_head_dim", "linear_value_head_dim"), 16),
    **dict.fromkeys(("mamba_n_groups", "n_groups"), 1),
    "linear_num_key_heads": 2,
    "qk_rope_head_dim": 4,
    "rotary_dim": 4,
    "embedding_size": 16,
    "image_size": 8,
    "patch_size": 4,
    "vocab_size_per_layer_input": 500,
    "hidden_size_per_layer_input": 8,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "attention_window": 16,
}
# Where a family's sizes hang together in another way.
_OWN: dict[str, dict[str, Any]] = {
    "falcon_mamba": {"state_size": 4, "time_step_rank": 4},
    "gpt_neo": {"attention_types": [[["global", "local", "global"], 1]], "window_size": 8},
    "longformer": {"attention_window": [16] * N_LAYERS, "pad_token_id": 1, "max_position_embeddings": CONTEXT + 2},
    "lfm2": {"layer_types": ["conv", "full_attention", "conv"]},
    "mamba": {"state_size": 4, "time_step_rank": 4},
    "mamba2": {"num_heads": 8, "head_dim": 8, "n_groups": 1, "state_size": 4},
    "mobilebert": {"intra_bottleneck_size": 16, "true_hidden_size": 16, "embedding_size": 16},
    "roberta": {"pad_token_id": 1, "max_position_embeddings": CONTEXT + 2},
    "xlm-roberta": {"pad_token_id": 1, "max_position_embeddings": CONTEXT + 2},
    "nystromformer": {"num_landmarks": 8, "segment_means_seq_len": CONTEXT},
    "qwen2_vl": {"rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [1, 1, 2]}},
    "bloom": {"hidden_size": WIDTH, "n_layer": N_LAYERS, "n_head": 4},
}


class NotSmall(Exception):
    """Why no small model of a family can be made."""


def families() -> list[str]:
    """All model types that transformers has a config class for."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    return sorted(CONFIG_MAPPING.keys())


def loader_of(kind: str) -> str | None:
    """Transformers' class that makes a model of text of this type; None where there is none."""
    from transformers.models.auto import modeling_auto as auto

    if kind in auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES and kind in auto.MODEL_MAPPING_NAMES:
        return "AutoModel"
    if kind in auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        return "AutoModelForCausalLM"
    if kind in auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES:
        return "AutoModelForImageTextToText"
    if kind in auto.MODEL_MAPPING_NAMES:
        return "AutoModel"
    return None


def small_model(kind: str, n_vocabulary: int) -> Any:
    """A model of type `kind` with random weights, none of them left at zero or one. Raises NotSmall."""
    import torch
    import transformers as hf

    auto: Any = getattr(hf, loader_of(kind) or "AutoModel")
    why, first = "", None
    for config in _configs(kind, n_vocabulary):
        try:
            if isinstance(config, Exception):
                raise config
            with torch.device("meta"):
                size = sum(weight.numel() for weight in auto.from_config(copy.deepcopy(config)).parameters())
            if size > MOST_PARAMETERS:
                why = f"its smallest config here has {size:,} parameters"
                continue
            torch.manual_seed(0)
            made = auto.from_config(config)
        except Exception as error:
            why = why or f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
            continue
        with torch.no_grad():
            for parameter in made.parameters():
                if parameter.is_floating_point():
                    parameter.nan_to_num_().add_(0.05 * torch.randn_like(parameter))
        made.eval()
        first = made if first is None else first
        if not reads_text(made):
            break
        try:
            row = torch.tensor([[4, 5, 6]])
            with torch.no_grad():
                made(input_ids=row, attention_mask=torch.ones_like(row))
        except Exception:  # sizes that do not go together; where none do, it is the family
            continue
        return made
    if first is None:
        raise NotSmall(why)
    return first


def reads_text(made: Any) -> bool:
    """Whether a model is given token ids."""
    named = getattr(made, "main_input_name", "input_ids") == "input_ids"
    return named and bool({"input_ids", "args"} & set(inspect.signature(made.forward).parameters))


def _configs(kind: str, n_vocabulary: int) -> Iterator[Any]:
    """Configs of the type, each smaller in another way: not all sizes of a family go together."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    usual = {**_SIZES, "vocab_size": n_vocabulary}
    rope = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [1, 1, 2]}  # in three parts, as images have it
    variants: list[dict[str, Any]] = [
        usual,
        {**usual, "num_key_value_heads": 4, "num_kv_heads": 4},
        {name: size for name, size in usual.items() if name not in ("head_dim", "attention_head_dim")},
        {**usual, "hidden_size": 64, "d_model": 64, "head_dim": 16, "num_key_value_heads": 4},
        {**usual, "num_hidden_layers": 4, "n_layer": 4, "n_layers": 4, "num_layers": 4},
        {name: usual[name] for name in ("hidden_size", "num_hidden_layers", "intermediate_size", "vocab_size")},
        {name: usual[name] for name in ("num_hidden_layers", "vocab_size")},
        {**usual, "rope_parameters": rope},
        {**usual, "rope_parameters": {**rope, "partial_rotary_factor": 0.5}},
        *({**usual, "head_dim": size} for size in (64, 128)),
        {**usual, "hidden_size": 256, "head_dim": 64},
    ]
    for sizes in variants:
        try:
            yield _made(CONFIG_MAPPING[kind], {**sizes, **_OWN.get(kind, {})})
        except Exception as error:
            yield error


def _made(config_class: Any, sizes: dict[str, Any]) -> Any:
    """A config of the class with what it has of `sizes`, in the configs inside it too."""
    known = set(inspect.signature(config_class.__init__).parameters) | set(getattr(config_class, "attribute_map", {}))
    if "Vision" in config_class.__name__:
        known -= {"rope_parameters"}
    given = {name: size for name, size in sizes.items() if name in known}
    inner = getattr(config_class, "sub_configs", None) or {}
    if inner:
        default = config_class()
        for name in inner:
            part = getattr(default, name, None)
            if part is not None and not isinstance(part, dict):
                made = _made(type(part), sizes)
                given[name] = {**made.to_dict(), "model_type": part.model_type}
    return config_class(**given)
