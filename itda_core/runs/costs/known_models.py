"""Models that can be planned for by name, without anything of theirs on this machine."""

from __future__ import annotations

from typing import Any

# What their config.json says (hidden_size, num_hidden_layers, ... as published with Llama 3.1, July 2024).
_LLAMA_3_1: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "vocab_size": 128_256,
    "num_key_value_heads": 8,
    "tie_word_embeddings": False,
    "dtype": "bfloat16",
}
KNOWN: dict[str, dict[str, Any]] = {
    "llama-3.1-8b": _LLAMA_3_1
    | {"num_hidden_layers": 32, "hidden_size": 4_096, "intermediate_size": 14_336, "num_attention_heads": 32},
    "llama-3.1-70b": _LLAMA_3_1
    | {"num_hidden_layers": 80, "hidden_size": 8_192, "intermediate_size": 28_672, "num_attention_heads": 64},
    "llama-3.1-405b": _LLAMA_3_1
    | {"num_hidden_layers": 126, "hidden_size": 16_384, "intermediate_size": 53_248, "num_attention_heads": 128},
}
