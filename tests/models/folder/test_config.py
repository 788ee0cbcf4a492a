"""Configs that transformers refuses, own code that fails, and what no activation needs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from itda_core.errors import UserError
from itda_core.models import LanguageModel, ModelSpec, load_model
from itda_core.models.loading import load_skeleton
from itda_core.runs.costs.model_description import describe
from itda_core.runs.costs.model_shape import model_shape
from itda_core.text import prompt_window


@pytest.fixture
def folder(tiny_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_folder, tmp_path / "model"))


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def refused(folder: Path, **options: bool) -> list[str]:
    """What loading, streaming and planning say, each in one sentence."""
    spec = ModelSpec(str(folder), device="cpu", **options)  # pyright: ignore[reportArgumentType]
    said = []
    for use in (load_model, load_skeleton, lambda spec: model_shape(describe(spec), trust_remote_code=True)):
        with pytest.raises(UserError) as error:
            use(spec)
        said.append(str(error.value))
        assert "\n" not in said[-1]
        assert len(said[-1]) < 700
    return said


def activations(model: LanguageModel) -> torch.Tensor:
    site = model.site("resid_post", model.n_layers - 1)
    return model.capture(prompt_window("ba de ki lo mu", model.tokenizer, context=32), [site])[site]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"layer_norm_epsilon": "1e-5"}, "layer_norm_epsilon"),
        ({"n_head": 5}, "num_heads"),
        ({"pad_token_id": 4000}, "pad_token_id 4000, and a vocab_size of 500"),
        ({"n_layer": 1_000_000}, "n_layer 1000000"),
        ({"n_layer": 10**30}, "n_layer 1e+30"),
        ({"n_layer": 0}, "0 layers"),
        ({"n_embd": "wide"}, "n_embd"),
        ({"activation_function": "no such"}, "no such"),
    ],
)
def test_a_config_that_is_refused_names_the_field(folder: Path, changes: dict[str, object], named: str) -> None:
    edit(folder / "config.json", **changes)
    for said in refused(folder):
        assert named in said


@pytest.mark.parametrize("config", ["[]", "null", "3", '"x"', "{", ""])
def test_a_config_that_is_no_table(folder: Path, config: str) -> None:
    (folder / "config.json").write_text(config)
    for said in refused(folder):
        assert "config.json is damaged" in said


@pytest.mark.parametrize("attention", ["flash_attention_2", "kernels-community/flash-attn", "no such"])
def test_attention_that_is_not_here_is_computed_by_torch(
    folder: Path, tiny_model: LanguageModel, attention: str
) -> None:
    edit(folder / "config.json", _attn_implementation=attention)
    torch.testing.assert_close(activations(load_model(str(folder))), activations(tiny_model))
    assert load_skeleton(ModelSpec(str(folder), device="cpu")).n_layers == 4


@pytest.mark.parametrize("generation", ["{,}", "[]", '{"temperature": "hot", "num_beams": -3}', "\ud800"])
def test_how_text_is_generated_is_not_needed(folder: Path, tiny_model: LanguageModel, generation: str) -> None:
    (folder / "generation_config.json").write_bytes(generation.encode("utf-8", "surrogatepass"))
    torch.testing.assert_close(activations(load_model(str(folder))), activations(tiny_model))


@pytest.mark.parametrize("limit", [-1, 0, None, 1e30])
def test_a_tokenizers_limit_that_is_none_leaves_the_models_own(folder: Path, limit: object) -> None:
    edit(folder / "tokenizer_config.json", model_max_length=limit)
    assert load_model(str(folder)).context == 64


def test_limits_in_words_are_none() -> None:
    from types import SimpleNamespace
    from typing import Any

    from itda_core.models.architecture import DEFAULT_CONTEXT, context_length

    class Config:
        max_position_embeddings: Any = 128

        def get_text_config(self) -> Config:
            return self

    config: Any = Config()
    module = torch.nn.Module()
    for stated in ("256", -1, True, float("nan"), None, [7]):
        tokenizer: Any = SimpleNamespace(model_max_length=stated)
        assert context_length(module, config, tokenizer) == 128, stated
    config.max_position_embeddings = "128"
    assert context_length(module, config, tokenizer) == DEFAULT_CONTEXT
    tokenizer.model_max_length = 77.0
    assert context_length(module, config, tokenizer) == 77


OWN = """
from transformers import GPT2Config, GPT2LMHeadModel
class OwnConfig(GPT2Config):
    model_type = "own"
class OwnModel(GPT2LMHeadModel):
    config_class = OwnConfig
    def __init__(self, config):
        super().__init__(config)
        {in_init}
    def forward(self, *args, **kwargs):
        {in_forward}
        return super().forward(*args, **kwargs)
"""


def own_code(folder: Path, code: str) -> None:
    (folder / "modeling_own.py").write_text(code)
    names = {"AutoConfig": "modeling_own.OwnConfig", "AutoModelForCausalLM": "modeling_own.OwnModel"}
    edit(folder / "config.json", model_type="own", architectures=["OwnModel"], auto_map=names)


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Own code is copied into a folder of its own."""
    from transformers import dynamic_module_utils

    monkeypatch.setattr(dynamic_module_utils, "HF_MODULES_CACHE", str(tmp_path / "modules"))


@pytest.mark.usefixtures("own_home")
@pytest.mark.parametrize(
    ("code", "named"),
    [
        ("nothing_of_that_name", "NameError: name 'nothing_of_that_name' is not defined"),
        ("assert config.n_embd == 7, 'width 7 only'", "AssertionError: width 7 only"),
        ("raise BaseException('of no kind')", "BaseException: of no kind"),
        ("OwnModel.forward()", "TypeError"),
    ],
)
def test_own_code_that_fails_is_named(folder: Path, code: str, named: str) -> None:
    own_code(folder, OWN.format(in_init=code, in_forward="pass"))
    for said in refused(folder, trust_remote_code=True):
        assert named in said
        assert "its own code raised an error" in said


@pytest.mark.usefixtures("own_home")
def test_own_code_that_cannot_be_imported(folder: Path) -> None:
    own_code(folder, "class OwnConfig(:\n")
    assert "SyntaxError" in refused(folder, trust_remote_code=True)[0]
    own_code(folder, "import a_package_of_next_year\n" + OWN.format(in_init="pass", in_forward="pass"))
    said = refused(folder, trust_remote_code=True)[0]
    assert "a_package_of_next_year" in said
    assert said.endswith("install what is missing into the environment that runs this.")


@pytest.mark.usefixtures("own_home")
def test_a_forward_pass_that_fails_is_a_sentence(folder: Path) -> None:
    own_code(folder, OWN.format(in_init="pass", in_forward="raise LookupError('lost')"))
    model = load_model(ModelSpec(str(folder), device="cpu", trust_remote_code=True))
    with pytest.raises(UserError, match=r"fails in the model's own code \(LookupError: lost\)"):
        activations(model)


@pytest.mark.usefixtures("own_home")
def test_who_ends_the_program_ends_it(folder: Path) -> None:
    own_code(folder, OWN.format(in_init="raise KeyboardInterrupt", in_forward="pass"))
    with pytest.raises(KeyboardInterrupt):
        load_model(ModelSpec(str(folder), device="cpu", trust_remote_code=True))


def test_names_that_no_file_system_takes() -> None:
    for name in ("~nobody9/m", "./" + "x" * 300, "/" + "a/" * 3000, "./\0", "./\udc80"):
        with pytest.raises(UserError, match="does not exist"):
            load_model(name)
        with pytest.raises(UserError, match="does not exist"):
            describe(ModelSpec(name))
