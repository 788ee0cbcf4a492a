"""What an atom writes, against finite differences of each family's own final norm and head, in double precision."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from itda_core.analysis.atoms.logits.direct_logits import TYPICAL, DirectPath, NoDirectPath, middle
from itda_core.models import LanguageModel, load_model
from itda_core.models.tokenizer.token_text import token_text
from itda_core.text import Document, windows
from tests.conftest import D_MODEL, N_LAYERS, generated_text

# Where Hugging Face's code of each family has the norm behind its last block.
FINAL_NORM = {
    "gpt2": "transformer.ln_f",
    "gpt_neox": "gpt_neox.final_layer_norm",
    "llama": "model.norm",
    "gemma2": "model.norm",
    "qwen2": "model.norm",
}
FAMILIES = pytest.mark.parametrize("family", FINAL_NORM)


@pytest.fixture(scope="module")
def model_of(model_folder_of: Callable[[str], Path]) -> Callable[[str], LanguageModel]:
    """A tiny model of the family in double precision, loaded once."""
    loaded: dict[str, LanguageModel] = {}

    def load(family: str) -> LanguageModel:
        if family not in loaded:
            loaded[family] = in_double(load_model(str(model_folder_of(family))))
        return loaded[family]

    return load


def in_double(model: LanguageModel) -> LanguageModel:
    model.module.to(dtype=torch.float64)  # pyright: ignore[reportCallIssue]
    return model


def some_windows(model: LanguageModel) -> list:
    documents = [Document(str(i), text) for i, text in enumerate(generated_text(12, seed=5))]
    return list(windows(documents, model.tokenizer, context=32))


def normed(norm: Any, x: torch.Tensor) -> torch.Tensor:
    """What the model's own norm computes, written out: many of them compute in single precision within."""
    weight = norm.get_parameter("weight")
    if hasattr(norm, "bias"):
        centred = x - x.mean(-1, keepdim=True)
        found = centred / (centred.square().mean(-1, keepdim=True) + norm.eps).sqrt() * weight + norm.bias
    else:
        weight = 1 + weight if "Gemma" in type(norm).__name__ else weight
        eps = norm.eps if hasattr(norm, "eps") else norm.variance_epsilon
        found = weight * x / (x.square().mean(-1, keepdim=True) + eps).sqrt()
    torch.testing.assert_close(found, norm(x), rtol=1e-5, atol=1e-5)
    return found


def head(model: LanguageModel, norm: str, x: torch.Tensor) -> torch.Tensor:
    """Final norm and unembedding, and what the family's config asks for behind them."""
    config = model.module.config
    unembedding: Any = model.module.get_output_embeddings()
    logits = unembedding(normed(model.module.get_submodule(norm), x))
    logits = logits / getattr(config, "logits_scaling", 1.0)
    cap = getattr(config, "final_logit_softcapping", None)
    return logits if cap is None else cap * torch.tanh(logits / cap)


def differences(model: LanguageModel, norm: str, x: torch.Tensor, along: torch.Tensor) -> torch.Tensor:
    x, step = x.double(), 1e-4
    return (head(model, norm, x + step * along) - head(model, norm, x - step * along)) / (2 * step)


def direction(seed: int = 0) -> torch.Tensor:
    made = torch.randn(D_MODEL, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return made / made.norm()


@FAMILIES
@pytest.mark.parametrize("site", ["resid_post", "resid_pre"])
def test_logits_are_the_derivative_of_the_final_norm_and_head(model_of, family: str, site: str) -> None:
    model = model_of(family)
    path = DirectPath.of_site(model, model.site(site, 1), some_windows(model))
    wanted = differences(model, FINAL_NORM[family], path.measured.typical, direction())
    torch.testing.assert_close(path.logits(direction()), wanted.mean(0), rtol=1e-5, atol=1e-7)
    assert wanted.std(0).max() > 0.01 * wanted.abs().max()  # it does matter where it is taken


@FAMILIES
def test_the_tokens_are_those_with_the_largest_and_the_smallest(model_of, family: str) -> None:
    model = model_of(family)
    path = DirectPath.of_site(model, model.site("resid_post", N_LAYERS - 1), some_windows(model))
    logits = path.logits(direction(1)).tolist()[: len(model.tokenizer)]
    found = path.of(direction(1))
    ids = sorted(range(len(logits)), key=lambda id: logits[id])
    for given, wanted in (found.lowered, ids[:10]), (found.raised, ids[::-1][:10]):
        assert [(one.token, one.logit) for one in given] == [
            (token_text(model.tokenizer, i), logits[i]) for i in wanted
        ]


def test_which_activations_are_typical_does_not_hang_on_a_rounding() -> None:
    """Processors round otherwise, so that of two nearly equal norms now one and now the other is the larger."""
    generator = torch.Generator().manual_seed(0)
    n = 1142
    ranks = torch.randperm(n, generator=generator)
    norms = 50 + (ranks // 2) * 0.1  # two and two are nearly equal
    chosen = middle(norms)
    for _ in range(5):
        rounded = norms * (1 + 1e-7 * torch.randn(n, generator=generator))
        assert (rounded.argsort(stable=True) != norms.argsort(stable=True)).any()
        assert middle(rounded).tolist() == chosen.tolist()
    assert len(set(chosen.tolist())) == TYPICAL
    assert all(n / 4 - 1 <= ranks[place] <= 3 * n / 4 for place in chosen)
    places = chosen.sort().values
    assert (places.diff() < n / 8).all(), "they are spread over the text"
    assert 0.3 * n < ranks[chosen].double().mean() < 0.7 * n


@pytest.mark.parametrize("n", [1, 2, 5, 40])
def test_of_few_activations_all_in_the_middle_half_are_typical(n: int) -> None:
    norms = torch.arange(n).float()
    expected = [place for place in range(n) if (n - 1) / 4 <= place <= 3 * (n - 1) / 4] or list(range(n))
    assert sorted(middle(norms).tolist()) == expected[:TYPICAL]


@FAMILIES
def test_typical_activations_are_of_the_stream_that_the_norm_reads(model_of, family: str) -> None:
    """Whatever the site: each is an activation behind the last block, its norm in the middle half of all."""
    model = model_of(family)
    last = model.site("resid_post", N_LAYERS - 1)
    x = torch.cat([batch.activations[last] for batch in model.stream(some_windows(model), [last])])
    typical = DirectPath.of_site(model, model.site("resid_pre", 0), some_windows(model)).measured.typical
    low, high = x.norm(dim=-1).quantile(torch.tensor([0.25, 0.75]))
    assert len(typical) == 32
    for row in typical:
        assert (x == row).all(-1).any()
        assert low - 1e-3 <= row.norm() <= high + 1e-3


@pytest.mark.parametrize("family", ["gpt2", "gpt_neox", "llama", "qwen2"])
@pytest.mark.parametrize("site", ["attn_out", "mlp_out"])
def test_what_is_added_to_the_stream_has_the_same_path_as_the_stream(model_of, family: str, site: str) -> None:
    model = model_of(family)
    text = some_windows(model)
    added = DirectPath.of_site(model, model.site(site, 0), text).logits(direction())
    torch.testing.assert_close(added, DirectPath.of_site(model, model.site("resid_post", 3), text).logits(direction()))


def test_the_inside_of_an_mlp_counts_where_it_is_what_the_mlp_gives(model_of) -> None:
    model = model_of("gpt2")
    text = some_windows(model)
    inner = DirectPath.of_site(model, model.site("transformer.h.2.mlp.c_proj"), text).logits(direction())
    torch.testing.assert_close(inner, DirectPath.of_site(model, model.site("mlp_out", 2), text).logits(direction()))


def test_a_multiplier_on_the_way_to_the_stream_counts(tmp_path: Path) -> None:
    """Granite multiplies what attention and MLP give before it adds them, and divides its logits."""
    import transformers

    from tests.conftest import CONTEXT, byte_level

    tokenizer = byte_level("gpt2")
    torch.manual_seed(0)
    config = transformers.GraniteConfig(
        vocab_size=len(tokenizer), hidden_size=D_MODEL, num_hidden_layers=2, num_attention_heads=4, bos_token_id=1,
        num_key_value_heads=2, intermediate_size=64, max_position_embeddings=CONTEXT, initializer_range=0.1,
        residual_multiplier=0.25, logits_scaling=3.0, eos_token_id=0, pad_token_id=0,
    )  # fmt: skip
    transformers.GraniteForCausalLM(config).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    model = in_double(load_model(str(tmp_path)))
    text = some_windows(model)
    of_mlp, of_stream = (DirectPath.of_site(model, model.site(site, 0), text) for site in ("mlp_out", "resid_post"))
    torch.testing.assert_close(of_mlp.logits(direction()), 0.25 * of_stream.logits(direction()))
    wanted = differences(model, "model.norm", of_stream.measured.typical, direction())
    torch.testing.assert_close(of_stream.logits(direction()), wanted.mean(0), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("family", "site", "reason"),
    [
        ("bert", "resid_post", "predicts no next token"),
        ("gemma2", "mlp_out", "does not add what blocks.1.hook_mlp_out gives to its residual stream as it is"),
        ("gemma2", "attn_out", "does not add"),
        ("gpt2", "transformer.h.1.mlp.c_fc", "has 128 dimensions, the residual stream of .* has 32"),
        ("gpt2", "transformer.h.1.ln_1", "does not add"),
        ("llama", "model.layers.1.self_attn.q_proj", "does not add"),
    ],
)
def test_without_a_direct_path_there_is_a_reason(model_of, family: str, site: str, reason: str) -> None:
    model = model_of(family)
    with pytest.raises(NoDirectPath, match=reason):
        DirectPath.of_site(model, model.site(site, None if "." in site else 1), some_windows(model))


def test_a_model_without_its_head_has_no_logits(model_folder_of) -> None:
    model = load_model(str(model_folder_of("gpt2")), head=False)
    with pytest.raises(NoDirectPath, match="predicts no next token"):
        DirectPath.of_site(model, model.site("resid_post", 1), some_windows(model))


def test_an_atom_of_another_width_is_refused(model_of) -> None:
    model = model_of("gpt2")
    path = DirectPath.of_site(model, model.site("resid_post", 1), some_windows(model))
    with pytest.raises(NoDirectPath, match=r"The atom has 33 dimensions, the residual stream of .* has 32"):
        path.of(torch.ones(33))


def test_the_model_stays_as_it_was(model_of) -> None:
    model = model_of("llama")
    text = some_windows(model)
    site = model.site("resid_post", 1)
    before = model.capture(text[0], [site])[site]
    DirectPath.of_site(model, site, text).of(direction())
    assert torch.equal(model.capture(text[0], [site])[site], before)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.module.modules())
