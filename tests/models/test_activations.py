"""Activations against Hugging Face's own hidden states and modules, for six families."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from itda_core.errors import UserError
from itda_core.models import LanguageModel, Site
from itda_core.models.forward.forward_pass import pad, read
from itda_core.text import Document, Window, prompt_window, windows

TEXTS = ["The king of torsen, 42.", "Ba deki lo mura sentor vi zan? Theing er the ba. " * 3, "Zan!", "", "é👩 torlo"]
DOCUMENTS = [Document(f"d{i}", text) for i, text in enumerate(TEXTS)]
FINAL_NORM = {
    "gpt2": "transformer.ln_f",
    "gpt_neox": "gpt_neox.final_layer_norm",
    "llama": "model.norm",
    "gemma2": "model.norm",
    "qwen2": "model.norm",
}


def cut(model: LanguageModel, context: int = 24) -> list[Window]:
    return list(windows(DOCUMENTS, model.tokenizer, context=context))


def hidden_states(model: LanguageModel, window: Window) -> list[torch.Tensor]:
    """Hugging Face's own, of one window alone: the embeddings, then each block's output (the last one normalised)."""
    with torch.no_grad():
        output = model.module(torch.tensor([window.token_ids]), output_hidden_states=True)
    return [state[0] for state in output.hidden_states]


def posts(model: LanguageModel) -> list[Site]:
    return [model.site("resid_post", layer) for layer in range(model.n_layers)]


def test_activations_are_hugging_faces_hidden_states(model: LanguageModel) -> None:
    pres = [model.site("resid_pre", layer) for layer in range(model.n_layers)]
    for window in cut(model):
        ours = model.capture(window, [*posts(model), *pres])
        theirs = hidden_states(model, window)
        for layer in range(model.n_layers):
            torch.testing.assert_close(ours[pres[layer]], theirs[layer], atol=1e-5, rtol=1e-5)
        for layer in range(model.n_layers - 1):
            torch.testing.assert_close(ours[posts(model)[layer]], theirs[layer + 1], atol=1e-5, rtol=1e-5)
            assert torch.equal(ours[posts(model)[layer]], ours[pres[layer + 1]])


def test_the_last_block_is_what_the_final_norm_is_applied_to(family: str, model: LanguageModel) -> None:
    for window in cut(model):
        last = model.capture(window, posts(model))[posts(model)[-1]]
        norm = model.module.get_submodule(FINAL_NORM[family]) if family in FINAL_NORM else torch.nn.Identity()
        torch.testing.assert_close(norm(last), hidden_states(model, window)[-1], atol=1e-5, rtol=1e-5)


def test_a_padded_batch_gives_what_each_window_gives_alone(model: LanguageModel) -> None:
    cuts = cut(model)
    assert len({len(window) for window in cuts}) > 2
    sites = [*posts(model), model.site("attn_out", 1), model.site("mlp_out", 2)]
    alone = [model.capture(window, sites) for window in cuts]
    for batch_size in (1, 3, 100):
        for site in sites:
            batches = list(model.stream(cuts, sites, windows_per_batch=batch_size))
            got = torch.cat([batch.activations[site] for batch in batches])
            expected = torch.cat([a[site][~torch.tensor(w.special)] for a, w in zip(alone, cuts, strict=True)])
            torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-4)


def test_the_stream_keeps_order_and_leaves_special_tokens_out(model: LanguageModel) -> None:
    cuts = cut(model)
    site = model.site("resid_post", 0)
    batches = list(model.stream(iter(cuts), [site], windows_per_batch=3))
    assert [batch.windows for batch in batches] == [*range(3, len(cuts), 3), len(cuts)]
    tokens = [token for batch in batches for token in batch.tokens]
    assert tokens == [token for window in cuts for token in window.tokens()]
    assert not any(token.special for token in tokens)
    for batch in batches:
        assert batch.activations[site].shape == (len(batch.tokens), model.d_model)
        assert batch.activations[site].dtype == torch.float32
        assert not batch.activations[site].requires_grad
    everything = list(model.stream(cuts, [site], windows_per_batch=3, include_special=True))
    assert sum(len(batch.tokens) for batch in everything) == sum(map(len, cuts))


def test_attention_and_mlp_add_up_to_the_block(model_of: Callable[[str], LanguageModel]) -> None:
    for family in ("gpt2", "gpt_neox", "llama", "qwen2"):
        model = model_of(family)
        sites = [model.site(kind, 2) for kind in ("resid_pre", "attn_out", "mlp_out", "resid_post")]
        pre, attention, mlp, post = model.capture(prompt_window(TEXTS[0], model.tokenizer, context=64), sites).values()
        torch.testing.assert_close(pre + attention + mlp, post, atol=1e-5, rtol=1e-5)


def test_gemma_2_sites_are_before_its_output_norms_and_berts_before_the_addition(
    model_of: Callable[[str], LanguageModel],
) -> None:
    kinds = ("resid_pre", "attn_out", "mlp_out", "resid_post")
    model = model_of("gemma2")
    values = model.capture(
        prompt_window(TEXTS[0], model.tokenizer, context=64), [model.site(kind, 2) for kind in kinds]
    )
    pre, attention, mlp, post = values.values()
    block = model.module.get_submodule("model.layers.2")
    expected = pre + block.get_submodule("post_attention_layernorm")(attention)
    expected = expected + block.get_submodule("post_feedforward_layernorm")(mlp)
    torch.testing.assert_close(expected, post, atol=1e-5, rtol=1e-5)
    model = model_of("bert")
    values = model.capture(
        prompt_window(TEXTS[0], model.tokenizer, context=64), [model.site(kind, 2) for kind in kinds]
    )
    pre, attention, mlp, post = values.values()
    block = model.module.get_submodule("encoder.layer.2")
    middle = block.get_submodule("attention.output.LayerNorm")(pre + attention)
    torch.testing.assert_close(block.get_submodule("output.LayerNorm")(middle + mlp), post, atol=1e-5, rtol=1e-5)


def test_a_site_by_its_module_path(tiny_model: LanguageModel) -> None:
    window = prompt_window(TEXTS[0], tiny_model.tokenizer, context=64)
    by_path, by_kind = tiny_model.site("transformer.h.1.mlp"), tiny_model.site("mlp_out", 1)
    widened = tiny_model.site("transformer.h.{layer}.mlp.c_fc", 1)
    values = tiny_model.capture(window, [by_path, by_kind, widened])
    assert torch.equal(values[by_path], values[by_kind])
    assert values[widened].shape == (len(window), 4 * tiny_model.d_model)


def test_the_forward_pass_stops_after_the_last_wanted_block(model: LanguageModel) -> None:
    ran: list[int] = []
    wanted = [model.site("resid_post", 0), model.site("resid_post", 2)]
    list(model.stream(cut(model)[:2], wanted))  # batches of this size have been held against windows alone
    counters = [
        block.register_forward_hook(lambda *_, layer=layer: ran.append(layer))
        for layer, block in enumerate(model.blocks.modules)
    ]
    try:
        list(model.stream(cut(model)[:2], wanted))
        assert ran == [0, 1, 2]
        ran.clear()
        model.capture(cut(model)[0], [model.site("resid_pre", 1)])
        assert ran == [0]
    finally:
        for counter in counters:
            counter.remove()


def test_true_activations_as_replacements_give_the_models_own_logits(family: str, model: LanguageModel) -> None:
    if family == "bert":
        with pytest.raises(UserError, match="predicts no next token"):
            model.next_token_logits(cut(model)[0], model.site("resid_post", 0), 0, torch.zeros(1, model.d_model))
        return
    window = prompt_window(TEXTS[0], model.tokenizer, context=64)
    with torch.no_grad():
        own = model.module(torch.tensor([window.token_ids])).logits[0]
    for kind in ("resid_pre", "resid_post", "mlp_out"):
        site = model.site(kind, 1)
        activations = model.capture(window, [site])[site]
        for position in (0, 3, len(window) - 1):
            got = model.next_token_logits(window, site, position, activations[position : position + 1])
            assert got.dtype == torch.float32
            torch.testing.assert_close(got, own[position : position + 1], atol=1e-4, rtol=1e-4)


def test_replacements_are_spliced_in_as_a_module_edit_would(tiny_model: LanguageModel) -> None:
    window = prompt_window(TEXTS[0], tiny_model.tokenizer, context=64)
    rows = torch.randn(70, tiny_model.d_model, generator=torch.Generator().manual_seed(1))
    got = tiny_model.next_token_logits(window, tiny_model.site("resid_post", 1), 4, rows)
    # The textbook way: run the remaining blocks, the final norm and the head by hand.
    states = hidden_states(tiny_model, window)[2][:5].repeat(70, 1, 1)
    states[:, 4] = rows
    transformer = tiny_model.module.get_submodule("transformer")
    with torch.no_grad():
        for layer in (2, 3):
            block = transformer.get_submodule(f"h.{layer}")
            normed = block.get_submodule("ln_1")(states)
            attention = block.get_submodule("attn")
            query, key, value = (
                part.view(70, 5, 4, 8).transpose(1, 2)
                for part in attention.get_submodule("c_attn")(normed).split(32, -1)
            )
            mixed = torch.nn.functional.scaled_dot_product_attention(query, key, value, is_causal=True)
            states = states + attention.get_submodule("c_proj")(mixed.transpose(1, 2).reshape(70, 5, 32))
            states = states + block.get_submodule("mlp")(block.get_submodule("ln_2")(states))
        expected = tiny_model.module.get_submodule("lm_head")(transformer.get_submodule("ln_f")(states))[:, 4]
    assert got.shape == (70, tiny_model.module.config.vocab_size)
    torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4)


def test_what_is_refused(tiny_model: LanguageModel) -> None:
    window = prompt_window(TEXTS[0], tiny_model.tokenizer, context=64)
    site = tiny_model.site("resid_post", 0)
    with pytest.raises(UserError, match=r"layer 7 of .* does not exist; it has layers 0 to 3"):
        tiny_model.site("resid_post", 7)
    with pytest.raises(UserError, match=r"layer 9 .* layers 0 to 3"):
        tiny_model.stream([window], [Site("mlp_out", 9)])
    with pytest.raises(UserError, match=r"'attn' of .* does not exist; give resid_post"):
        tiny_model.site("attn", 0)
    with pytest.raises(UserError, match="No site"):
        tiny_model.stream([window], [])
    with pytest.raises(UserError, match="windows_per_batch=0"):
        tiny_model.stream([window], [site], windows_per_batch=0)
    with pytest.raises(UserError, match="not one vector per token"):
        list(tiny_model.stream([window, window], [tiny_model.site("transformer.wpe")]))  # one row for all windows
    with pytest.raises(UserError, match="was not reached"):
        tiny_model.capture(window, [tiny_model.site("transformer.h.0.attn.attn_dropout")])
    with pytest.raises(UserError, match="longer than the context"):
        list(tiny_model.stream(windows([Document("d", "a " * 90)], tiny_model.tokenizer, context=80), [site]))
    with pytest.raises(UserError, match="Position 99"):
        tiny_model.next_token_logits(window, site, 99, torch.zeros(1, 32))
    with pytest.raises(UserError, match=r"width 31, but .* has 32"):
        tiny_model.next_token_logits(window, site, 0, torch.zeros(1, 31))
    with pytest.raises(UserError, match="one row per replacement"):
        tiny_model.next_token_logits(window, site, 0, torch.zeros(32))


def test_an_activation_that_is_not_finite_is_named(tiny_model: LanguageModel) -> None:
    overflowing = prompt_window("ba de ki", tiny_model.tokenizer, context=64)
    text = overflowing.tokens()[2].text

    def overflow(_: object, __: object, output: torch.Tensor) -> torch.Tensor:
        return output.index_fill(1, torch.tensor(2), float("inf"))

    handle = tiny_model.blocks.modules[1].register_forward_hook(overflow)
    try:
        with pytest.raises(UserError, match=rf"blocks.1.hook_resid_post .* not finite for token {text!r} \(position 2"):
            tiny_model.capture(overflowing, [tiny_model.site("resid_post", 1)])
    finally:
        handle.remove()


def test_only_one_batch_is_held(tiny_model: LanguageModel) -> None:
    asked: list[int] = []

    def lazily():
        for number, window in enumerate(cut(tiny_model, context=6)):
            asked.append(number)
            yield window

    stream = tiny_model.stream(lazily(), [tiny_model.site("resid_post", 0)], windows_per_batch=2)
    assert not asked
    next(stream)
    assert asked == [0, 1]


def test_reading_leaves_grad_mode_alone(tiny_model: LanguageModel) -> None:
    for _ in tiny_model.stream(cut(tiny_model), [tiny_model.site("resid_post", 0)], windows_per_batch=1):
        assert torch.is_grad_enabled()
    assert read(tiny_model, pad(tiny_model, cut(tiny_model)[:1]), [tiny_model.site("resid_post", 0)]).activations
