from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from itda_core.errors import UserError
from itda_core.models.spec import ModelSpec
from itda_core.runs.costs.model_description import describe
from itda_core.runs.costs.model_shape import ModelShape, model_shape
from tests.conftest import FAMILIES, N_LAYERS
from tests.fake_hub import NO_HUB, serving

# Where each family's checkpoint keeps what comes ahead of the blocks, and the blocks.
EMBEDDINGS = {
    "gpt2": ("transformer.wte.", "transformer.wpe."),
    "gpt_neox": ("gpt_neox.embed_in.",),
    "llama": ("model.embed_tokens.",),
    "gemma2": ("model.embed_tokens.",),
    "qwen2": ("model.embed_tokens.",),
    "bert": ("embeddings.",),
}
BLOCK = {
    "gpt2": "transformer.h.{}.",
    "gpt_neox": "gpt_neox.layers.{}.",
    "llama": "model.layers.{}.",
    "gemma2": "model.layers.{}.",
    "qwen2": "model.layers.{}.",
    "bert": "encoder.layer.{}.",
}
HEADS = ("lm_head.", "embed_out.")


def shape_of(name: object, **options: object) -> ModelShape:
    return model_shape(describe(ModelSpec(str(name), **options)))  # type: ignore[arg-type]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_parts_are_those_of_the_checkpoint(family: str, model_folder_of: Callable[[str], Path]) -> None:
    folder = model_folder_of(family)
    weights = load_file(folder / "model.safetensors")

    def counted(*prefixes: str) -> tuple[int, int]:
        found = [tensor for name, tensor in weights.items() if name.startswith(prefixes)]
        return sum(tensor.numel() for tensor in found), sum(tensor.nbytes for tensor in found)

    shape = shape_of(folder)
    assert (shape.embedding.parameters, shape.embedding.stored_bytes) == counted(*EMBEDDINGS[family])
    assert len(shape.blocks) == N_LAYERS
    for layer, block in enumerate(shape.blocks):
        assert (block.parameters, block.stored_bytes) == counted(BLOCK[family].format(layer))
        assert block.parameters > 0
    assert (shape.head.parameters, shape.head.stored_bytes) == counted(*HEADS)
    assert shape.parameters == sum(tensor.numel() for tensor in weights.values())
    assert shape.checkpoint_bytes == sum(tensor.nbytes for tensor in weights.values())
    assert shape.measured_bytes


def test_a_checkpoint_in_half_precision_takes_half(model_folder_of: Callable[[str], Path], tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    folder = model_folder_of("llama")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
    model.save_pretrained(tmp_path, max_shard_size="40kB")
    half, single = shape_of(tmp_path), shape_of(folder)
    assert len(list(tmp_path.glob("*.safetensors"))) > 2
    assert half.stored_dtype == "bfloat16"
    assert [2 * block.stored_bytes for block in half.blocks] == [block.stored_bytes for block in single.blocks]
    assert 2 * half.checkpoint_bytes == single.checkpoint_bytes


@pytest.mark.parametrize(
    ("name", "parameters", "n_layers", "d_model"),
    [
        ("llama-3.1-8b", 8_030_261_248, 32, 4096),
        ("llama-3.1-70b", 70_553_706_496, 80, 8192),
        ("Llama-3.1-405B", 405_853_388_800, 126, 16384),
    ],
)
def test_the_known_models_have_the_published_sizes(name: str, parameters: int, n_layers: int, d_model: int) -> None:
    shape = shape_of(name)
    assert (shape.parameters, len(shape.blocks), shape.d_model) == (parameters, n_layers, d_model)
    assert shape.attention_width == d_model
    assert shape.checkpoint_bytes == 2 * parameters
    assert not shape.measured_bytes


def test_of_a_mixture_only_the_chosen_experts_are_multiplied(tmp_path: Path) -> None:
    """The checkpoint names every expert, the model holds them as one tensor: bytes are shared out by parameters."""
    from transformers import MixtralConfig, MixtralForCausalLM

    config = MixtralConfig(
        vocab_size=50, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, num_local_experts=4, num_experts_per_tok=2,
    )  # fmt: skip
    MixtralForCausalLM(config).save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    shape = shape_of(tmp_path)
    experts = 4 * 3 * 16 * 24
    attention = 2 * 16 * 16 + 2 * 16 * 8
    assert shape.blocks[1].parameters == experts + attention + 4 * 16 + 2 * 16
    assert shape.blocks[1].multiplied == experts // 2 + attention + 4 * 16
    assert shape.blocks[1].stored_bytes == pytest.approx(4 * shape.blocks[1].parameters, rel=1e-6)
    assert shape.checkpoint_bytes == sum(tensor.nbytes for tensor in weights.values())


def test_another_towers_tensors_are_no_embedding(tmp_path: Path) -> None:
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

    text = LlamaConfig(
        vocab_size=64, hidden_size=16, intermediate_size=24, num_hidden_layers=3, num_attention_heads=2,
    )  # fmt: skip
    vision = CLIPVisionConfig(
        hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2, image_size=28, patch_size=14
    )
    LlavaForConditionalGeneration(
        LlavaConfig(vision_config=vision, text_config=text, image_token_index=63)
    ).save_pretrained(tmp_path)
    shape = shape_of(tmp_path)
    assert shape.embedding.parameters == 64 * 16
    assert len(shape.blocks) == 3
    assert shape.head.parameters == 64 * 16
    assert shape.rest.parameters > 2 * 4 * 16 * 16  # the vision tower


def test_of_a_hub_model_only_config_and_index_are_fetched(
    model_folder_of: Callable[[str], Path], tmp_path: Path, use_hub: Callable[[str], None]
) -> None:
    from transformers import AutoModelForCausalLM

    AutoModelForCausalLM.from_pretrained(model_folder_of("llama")).save_pretrained(
        tmp_path / "stored", max_shard_size="40kB"
    )
    expected = shape_of(tmp_path / "stored")
    with serving(tmp_path / "stored") as (address, asked):
        use_hub(address)
        shape = shape_of("ours/tiny")
    assert not [line for line in asked if line.endswith(".safetensors")]
    assert (shape.blocks, shape.embedding, shape.head) == (expected.blocks, expected.embedding, expected.head)
    assert shape.checkpoint_bytes == expected.checkpoint_bytes
    use_hub(NO_HUB)
    assert shape_of("ours/tiny", offline=True) == shape  # what was fetched is in the cache


def test_a_hub_model_without_an_index_is_counted_by_its_config(
    model_folder_of: Callable[[str], Path], use_hub: Callable[[str], None]
) -> None:
    with serving(model_folder_of("llama")) as (address, asked):
        use_hub(address)
        shape = shape_of("ours/tiny")
    assert not [line for line in asked if line.endswith("model.safetensors")]
    assert not shape.measured_bytes
    assert shape.checkpoint_bytes == 4 * shape.parameters


@pytest.mark.parametrize("name", ["./missing", "/missing", "~/missing", "models/missing/model", r"models\missing"])
def test_a_path_is_not_asked_of_the_hub(name: str, use_hub: Callable[[str], None]) -> None:
    use_hub(NO_HUB)
    with pytest.raises(UserError, match=r"Model folder .* does not exist"):
        shape_of(name)


def test_what_cannot_be_told_is_said(
    tmp_path: Path, tiny_folder: Path, use_hub: Callable[[str], None], model_folder_of: Callable[[str], Path]
) -> None:
    use_hub(NO_HUB)
    with pytest.raises(UserError, match=r"cannot be reached for the model ours/tiny"):
        shape_of("ours/tiny")
    with pytest.raises(UserError, match=r"not on this machine, and offline is set"):
        shape_of("ours/tiny", offline=True)
    with pytest.raises(UserError, match=r"does not exist"):
        shape_of(tmp_path / "missing")
    folder = tmp_path / "model"
    shutil.copytree(tiny_folder, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "nothing_such"}))
    with pytest.raises(UserError, match=r"architecture 'nothing_such', which the installed"):
        shape_of(folder)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "model.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(UserError, match="damaged"):
        shape_of(folder)
