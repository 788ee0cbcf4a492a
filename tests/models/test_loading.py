"""Loading: dtypes, heads, damaged and unknown models."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from itda_core.errors import UserError
from itda_core.models import DEMO_MODELS, LanguageModel, ModelSpec, demo_folder, load_model
from itda_core.models import spec as spec_module
from itda_core.text import prompt_window

WEIGHTS = "model.safetensors"


@pytest.fixture
def copied(tiny_folder: Path, tmp_path: Path) -> Path:
    """A copy of the tiny GPT-2 to damage."""
    return Path(shutil.copytree(tiny_folder, tmp_path / "copied"))


def edit(path: Path, **changes: object) -> None:
    stated = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in stated.items() if value is not ...}))


def refused(spec: ModelSpec | str | Path) -> str:
    with pytest.raises(UserError) as error:
        load_model(spec if isinstance(spec, ModelSpec) else str(spec))
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_loaded_model(family: str, model: LanguageModel) -> None:
    assert (model.n_layers, model.d_model, model.context) == (4, 32, 64)
    assert model.has_lm_head == (family != "bert") == (model.module.get_output_embeddings() is not None)
    assert (model.device, model.dtype, model.revision) == (torch.device("cpu"), torch.float32, None)
    assert model.name == model.spec.name
    assert model.name.endswith(family)
    assert not model.module.training
    assert not any(parameter.requires_grad for parameter in model.module.parameters())
    assert (len(model.fingerprint), len(model.tokenizer_fingerprint)) == (64 + 1 + 16, 64)


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
def test_a_half_precision_checkpoint_is_computed_in_float32_on_a_cpu(copied: Path, half: torch.dtype) -> None:
    weights = {name: tensor.to(half) for name, tensor in load_file(copied / WEIGHTS).items()}
    save_file(weights, copied / WEIGHTS, metadata={"format": "pt"})
    edit(copied / "config.json", dtype=str(half).removeprefix("torch."))
    model = load_model(ModelSpec(str(copied), device="cpu"))
    assert {parameter.dtype for parameter in model.module.parameters()} == {torch.float32}
    embeddings = model.module.get_parameter("transformer.wte.weight")
    assert torch.equal(embeddings, weights["transformer.wte.weight"].float())
    asked = load_model(ModelSpec(str(copied), device="cpu", dtype="bfloat16"))
    assert asked.dtype == torch.bfloat16
    window = prompt_window("ba de ki", asked.tokenizer, context=64)
    activations = [m.capture(window, [m.site("resid_post", 3)])[m.site("resid_post", 3)] for m in (model, asked)]
    assert activations[1].dtype == torch.float32
    torch.testing.assert_close(*activations, atol=0.3, rtol=0.05)


def test_loading_is_silent(tiny_folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    load_model(str(tiny_folder))
    assert capfd.readouterr() == ("", "")


def test_fingerprints_tell_weights_and_tokenizers_apart(copied: Path, tiny_model: LanguageModel) -> None:
    same = load_model(str(copied))
    assert same.fingerprint == tiny_model.fingerprint
    assert same.tokenizer_fingerprint == tiny_model.tokenizer_fingerprint
    weights = load_file(copied / WEIGHTS)
    weights["transformer.wte.weight"][3, 3] += 1e-3
    save_file(weights, copied / WEIGHTS, metadata={"format": "pt"})
    edit(copied / "tokenizer.json", normalizer={"type": "Lowercase"})
    other = load_model(str(copied))
    assert other.fingerprint != tiny_model.fingerprint
    assert other.tokenizer_fingerprint != tiny_model.tokenizer_fingerprint


def test_cutting_and_padding_are_no_part_of_a_tokenizers_fingerprint(copied: Path) -> None:
    before = load_model(str(copied))
    assert before.tokenizer.pad_token is None
    print_before = before.tokenizer_fingerprint
    again = load_model(str(copied))
    again.tokenizer("some words", truncation=True, max_length=3)
    assert again.tokenizer_fingerprint == print_before


def test_a_checkpoint_in_shards(copied: Path, tiny_model: LanguageModel) -> None:
    (copied / WEIGHTS).unlink()
    tiny_model.module.save_pretrained(copied, max_shard_size="40KB")
    shards = sorted(copied.glob("model-*.safetensors"))
    assert len(shards) > 1
    window = prompt_window("ba de ki", tiny_model.tokenizer, context=64)
    site = tiny_model.site("resid_post", 3)
    sharded = load_model(str(copied))
    for (name, weight), (own, expected) in zip(
        sharded.module.named_parameters(), tiny_model.module.named_parameters(), strict=True
    ):
        assert (name, torch.equal(weight, expected)) == (own, True)
    # Where weights lie in memory may change how a product is added up.
    torch.testing.assert_close(sharded.capture(window, [site])[site], tiny_model.capture(window, [site])[site])
    shards[1].unlink()
    assert f"lacks weights ({shards[1].name})" in refused(copied)


def test_what_is_no_model_folder(tmp_path: Path, copied: Path) -> None:
    assert "does not exist" in refused(tmp_path / "none")
    assert "is not a Hugging Face model folder (it has no config.json)" in refused(tmp_path)
    assert "is a file" in refused(copied / "config.json")
    assert "has no revision 'main'" in refused(ModelSpec(str(copied), revision="main"))
    (copied / WEIGHTS).rename(copied / "pytorch_model.bin")
    assert "pickled weights only" in refused(copied)
    (copied / "pytorch_model.bin").unlink()
    assert "lacks weights" in refused(copied)


@pytest.mark.parametrize("damage", ["cut", "noise", "nothing"])
def test_damaged_weights(copied: Path, damage: str) -> None:
    whole = (copied / WEIGHTS).read_bytes()
    (copied / WEIGHTS).write_bytes({"cut": whole[:5000], "noise": b"\xff" * 5000, "nothing": b""}[damage])
    assert "weights of model" in refused(copied)


def test_weights_that_do_not_fit_the_config(copied: Path) -> None:
    weights = load_file(copied / WEIGHTS)
    del weights["transformer.h.2.mlp.c_fc.weight"]
    save_file(weights, copied / WEIGHTS, metadata={"format": "pt"})
    assert "lack 1 tensors (transformer.h.2.mlp.c_fc.weight" in refused(copied)
    edit(copied / "config.json", n_embd=64)
    assert "cannot be loaded" in refused(copied)


def test_damaged_configs_and_tokenizers(copied: Path) -> None:
    config, tokenizer = copied / "config.json", copied / "tokenizer.json"
    whole = tokenizer.read_text()
    tokenizer.write_text(whole[:500])
    assert "tokenizer.json is damaged" in refused(copied)
    tokenizer.unlink()
    assert "no tokenizer that can be read" in refused(copied)
    tokenizer.write_text(whole)
    edit(config, model_type="a-model-of-next-year")
    assert "names the architecture 'a-model-of-next-year'" in refused(copied)
    config.write_text("{")
    assert "config.json is damaged" in refused(copied)


def test_code_that_comes_with_a_model_is_not_run(copied: Path) -> None:
    trap = copied / "trap.py"
    trap.write_text(f"open({str(copied / 'ran')!r}, 'w').close()\n")
    edit(copied / "config.json", model_type="own", auto_map={"AutoConfig": "trap.C", "AutoModelForCausalLM": "trap.M"})
    assert "trust_remote_code" in refused(copied)
    edit(copied / "config.json", model_type="gpt2", architectures=["M"], auto_map={"AutoModelForCausalLM": "trap.M"})
    model = load_model(str(copied))  # transformers has this architecture itself
    assert type(model.module).__module__.startswith("transformers.")
    assert not (copied / "ran").exists()


def test_slow_tokenizers_are_refused(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import transformers

    class Slow:
        is_fast = False

    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", lambda *_, **__: Slow())
    assert "slow tokenizer only" in refused(copied)


def test_encoder_decoders_and_strange_stacks_are_refused(tmp_path: Path, tiny_folder: Path) -> None:
    import transformers as hf

    small: dict[str, Any] = {
        "vocab_size": 500,
        "d_model": 16,
        "encoder_layers": 2,
        "decoder_layers": 2,
        "encoder_attention_heads": 2,
    }
    small |= {"decoder_attention_heads": 2, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16, "max_position_embeddings": 64}
    hf.BartForConditionalGeneration(hf.BartConfig(**small)).save_pretrained(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tiny_folder / name, tmp_path)
    assert "is an encoder-decoder (bart)" in refused(tmp_path)


def test_devices_and_dtypes() -> None:
    wrongs: list[dict[str, Any]] = [{"device": "tpu"}, {"dtype": "int8"}, {"name": " "}]
    for wrong in wrongs:
        with pytest.raises(UserError):
            ModelSpec(**{"name": "demo:0", **wrong})
    if not torch.cuda.is_available():
        assert "Device cuda is not available" in refused(ModelSpec("demo:0", device="cuda"))


def test_demo_models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny_folder: Path) -> None:
    assert [demo_folder(i).name for i in range(len(DEMO_MODELS))] == [f"demo-{i}" for i in range(5)]
    assert "demo:5 does not exist; the bundled models are demo:0, demo:1" in refused("demo:5")
    assert "bundled models are" in refused("demo:first")
    monkeypatch.setattr(spec_module, "_DEMO_FOLDERS", tmp_path)
    assert "is missing from this installation" in refused("demo:1")
    shutil.copytree(tiny_folder, tmp_path / "demo-1")
    model = load_model("demo:1")
    assert (model.name, model.n_layers, model.spec) == ("demo:1", 4, ModelSpec("demo:1"))
