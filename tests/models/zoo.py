"""Tiny models of many families with random weights, as ordinary model folders."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tests.conftest import CONTEXT, D_MODEL, byte_level, word_piece

N_LAYERS = 3
USUAL: dict[str, Any] = {
    "hidden_size": D_MODEL,
    "num_hidden_layers": N_LAYERS,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": CONTEXT,
    "bos_token_id": 1,
    "eos_token_id": 0,
    "pad_token_id": 0,
}
GPT2 = {"n_embd": D_MODEL, "n_layer": N_LAYERS, "n_head": 4, "n_positions": CONTEXT}
GROUPED = {**USUAL, "num_key_value_heads": 2}  # grouped-query attention
OWN_HEAD_DIM = {**GROUPED, "head_dim": 8}
SLIDING = {**OWN_HEAD_DIM, "sliding_window": 8}
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16}
LATENT = {  # DeepSeek's attention, and experts from the second block on
    **USUAL,
    "kv_lora_rank": 8,
    "q_lora_rank": 8,
    "qk_nope_head_dim": 8,
    "qk_rope_head_dim": 4,
    "v_head_dim": 8,
    "n_routed_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 16,
    "first_k_dense_replace": 1,
    "n_group": 1,
    "topk_group": 1,
}
ROBERTA = {**USUAL, "pad_token_id": 1, "max_position_embeddings": CONTEXT + 2}


@dataclass(frozen=True)
class Family:
    """How to make a tiny model, and where Hugging Face's code has its parts."""

    model_type: str
    config: dict[str, Any]
    blocks: str = "model.layers"  # in the whole model
    attention: str | None = "self_attn"  # what computes attn_out, inside a block; None: a block has no attention
    mlp: str | None = "mlp"
    encoder: bool = False
    has_head: bool = True  # that predicts the next token
    counts_positions: bool = True  # from the first id, padding or not, unless told; False: from the mask or the ids
    embeddings_first: bool = True  # in Hugging Face's hidden_states; False: the first block's output is
    text_config: dict[str, Any] = field(default_factory=dict)  # of a model with several towers


_encoder = partial(Family, encoder=True, has_head=False)
_bert_like = partial(_encoder, blocks="encoder.layer", attention="attention.output.dense", mlp="output.dense")
_transformer = partial(Family, blocks="transformer.h", attention="attn")
VISION = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
FAMILIES = {
    "gpt2": _transformer("gpt2", GPT2),
    "gpt_neo": _transformer(
        "gpt_neo",
        {
            **USUAL,
            "num_layers": N_LAYERS,
            "num_heads": 4,
            "attention_types": [[["global", "local", "global"], 1]],
            "window_size": 8,
        },
    ),
    "gpt_bigcode": _transformer("gpt_bigcode", GPT2),
    "gpt_neox": Family("gpt_neox", USUAL, "gpt_neox.layers", "attention"),
    "gptj": _transformer("gptj", {**GPT2, "rotary_dim": 4}),
    "opt": Family(
        "opt",
        {**USUAL, "ffn_dim": 48, "word_embed_proj_dim": D_MODEL},
        "model.decoder.layers",
        mlp="fc2",
        counts_positions=False,
    ),
    "bloom": _transformer(
        "bloom",
        {"hidden_size": D_MODEL, "n_layer": N_LAYERS, "n_head": 4},
        attention="self_attention.dense",
        mlp="mlp.dense_4h_to_h",
    ),
    "falcon": _transformer("falcon", USUAL, attention="self_attention"),
    "falcon_new": _transformer(
        "falcon", {**USUAL, "new_decoder_architecture": True, "num_kv_heads": 2}, attention="self_attention"
    ),
    "falcon_alibi": _transformer("falcon", {**USUAL, "alibi": True}, attention="self_attention"),
    "mpt": Family(
        "mpt",
        {"d_model": D_MODEL, "n_layers": N_LAYERS, "n_heads": 4, "max_seq_len": CONTEXT},
        "transformer.blocks",
        "attn",
        "ffn.down_proj",
    ),
    "phi": Family("phi", USUAL),
    "phi3": Family("phi3", GROUPED),
    "stablelm": Family("stablelm", GROUPED),
    "llama": Family("llama", GROUPED),
    "llama_tied": Family("llama", {**GROUPED, "tie_word_embeddings": True}),
    "mistral": Family("mistral", SLIDING),
    "mixtral": Family("mixtral", {**GROUPED, "num_local_experts": 4, "num_experts_per_tok": 2}),
    "qwen2": Family("qwen2", GROUPED),
    "qwen2_moe": Family("qwen2_moe", {**GROUPED, **EXPERTS, "shared_expert_intermediate_size": 16}),
    "qwen3": Family("qwen3", OWN_HEAD_DIM),
    "qwen3_moe": Family("qwen3_moe", {**OWN_HEAD_DIM, **EXPERTS}),
    "gemma": Family("gemma", OWN_HEAD_DIM),
    "gemma2": Family("gemma2", SLIDING),
    "gemma3_text": Family("gemma3_text", {**SLIDING, "sliding_window_pattern": 2}),
    "olmo": Family("olmo", USUAL),
    "olmo2": Family("olmo2", USUAL),
    "olmoe": Family("olmoe", {**GROUPED, "num_experts": 4, "num_experts_per_tok": 2}),
    "cohere": Family("cohere", GROUPED),
    "cohere2": Family("cohere2", SLIDING),
    "granite": Family("granite", GROUPED),
    "starcoder2": Family("starcoder2", GROUPED),
    "smollm3": Family("smollm3", GROUPED),
    "glm4": Family("glm4", OWN_HEAD_DIM),
    "gpt_oss": Family("gpt_oss", {**SLIDING, "num_local_experts": 4, "num_experts_per_tok": 2}),
    "deepseek_v2": Family("deepseek_v2", LATENT),
    "deepseek_v3": Family("deepseek_v3", LATENT),
    "lfm2": Family("lfm2", {**GROUPED, "layer_types": ["conv", "full_attention", "conv"]}, mlp="feed_forward"),
    "mamba": Family(
        "mamba",
        {"hidden_size": D_MODEL, "num_hidden_layers": N_LAYERS, "state_size": 4},
        "backbone.layers",
        None,
        None,
        embeddings_first=False,
    ),
    "mamba2": Family(
        "mamba2",
        {
            "hidden_size": D_MODEL,
            "num_hidden_layers": N_LAYERS,
            "state_size": 4,
            "num_heads": 8,
            "head_dim": 8,
            "n_groups": 1,
        },
        "backbone.layers",
        None,
        None,
        embeddings_first=False,
    ),
    "bert": _bert_like("bert", USUAL),
    "roberta": _bert_like("roberta", ROBERTA, counts_positions=False),
    "xlm_roberta": _bert_like("xlm-roberta", ROBERTA, counts_positions=False),
    "electra": _bert_like("electra", {**USUAL, "embedding_size": 16}),
    "deberta_v2": _bert_like(
        "deberta-v2",
        {
            **USUAL,
            "relative_attention": True,
            "position_buckets": 8,
            "pos_att_type": ["p2c", "c2p"],
            "norm_rel_ebd": "layer_norm",
            "share_att_key": True,
        },
    ),
    "mpnet": _bert_like("mpnet", ROBERTA, attention="attention.attn", counts_positions=False),
    "distilbert": _encoder(
        "distilbert",
        {"dim": D_MODEL, "n_layers": N_LAYERS, "n_heads": 4, "hidden_dim": 48, "max_position_embeddings": CONTEXT},
        "transformer.layer",
        "attention",
        "ffn",
    ),
    "modernbert": _encoder(
        "modernbert",
        {**USUAL, "cls_token_id": 1, "sep_token_id": 2, "local_attention": 8},
        "layers",
        "attn",
    ),
    "llava": Family(
        "llava",
        {
            "vision_config": {**VISION, "model_type": "clip_vision_model", "image_size": 8, "patch_size": 4},
            "image_token_index": 5,
        },
        "model.language_model.layers",
        text_config={**GROUPED, "model_type": "llama"},
    ),
    "gemma3": Family(
        "gemma3",
        {"vision_config": {**VISION, "image_size": 8, "patch_size": 4}, "mm_tokens_per_image": 4},
        "model.language_model.layers",
        text_config={**SLIDING, "sliding_window_pattern": 2},
    ),
    "qwen2_vl": Family(  # positions of its own, from the mask
        "qwen2_vl",
        {"vision_config": {"embed_dim": 16, "hidden_size": D_MODEL, "depth": 2, "num_heads": 2, "patch_size": 4}},
        "model.language_model.layers",
        text_config={
            **GROUPED,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [1, 1, 2]},
        },
        counts_positions=False,
    ),
}


def network(family: Family, n_vocabulary: int) -> Any:
    """The model with random weights; norms and biases are not left at ones and zeros, which would hide mistakes."""
    import torch
    import transformers as hf

    own: dict[str, Any] = {"vocab_size": n_vocabulary, **family.config}
    if family.text_config:
        own = {**family.config, "text_config": {"vocab_size": n_vocabulary, **family.text_config}}
    config = hf.AutoConfig.for_model(family.model_type, **own)
    auto: Any = hf.AutoModelForCausalLM if family.has_head else hf.AutoModel
    if family.text_config:
        auto = hf.AutoModelForImageTextToText
    with torch.random.fork_rng([]), torch.no_grad():  # other tests draw what they would have drawn
        torch.manual_seed(0)
        made = auto.from_config(config)
        for parameter in made.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return made.eval()


def folder_of(family: Family, parent: Path) -> Path:
    """Save a tiny model of the family, with a tokenizer, into a new folder inside `parent`."""
    tokenizer = word_piece() if family.encoder else byte_level("llama")  # begins with <bos>
    made = network(family, len(tokenizer))
    folder = parent / "model"
    made.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
