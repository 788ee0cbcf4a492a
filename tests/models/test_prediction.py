"""Predictions for whole windows against Hugging Face's own, one unpadded window at a time."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from itda_core.errors import UserError
from itda_core.models import LanguageModel
from itda_core.text import Document, Window, windows

TEXTS = ["The king of torsen, 42.", "Ba deki lo mura sentor vi zan? Theing er the ba. " * 3, "Zan!", "é👩 torlo"]
DECODERS = ("gpt2", "gpt_neox", "llama", "gemma2", "qwen2")


def cut(model: LanguageModel) -> list[Window]:
    documents = [Document(f"d{i}", text) for i, text in enumerate(TEXTS)]
    return list(windows(documents, model.tokenizer, context=24))


def pairs(window: Window) -> list[int]:
    """Positions of text that are followed by text."""
    return [i for i in range(len(window) - 1) if not window.special[i] and not window.special[i + 1]]


@pytest.mark.parametrize("family", DECODERS)
def test_predictions_are_hugging_faces_own(family: str, model_of: Callable[[str], LanguageModel]) -> None:
    model = model_of(family)
    cuts, site = cut(model), model.site("resid_post", 1)
    assert len({len(window) for window in cuts}) > 2
    got = model.predict(cuts, [site])
    logits, targets = [], []
    for window in cuts:
        with torch.no_grad():
            own = model.module(torch.tensor([window.token_ids])).logits[0]
        logits += [own[i] for i in pairs(window)]
        targets += [window.token_ids[i + 1] for i in pairs(window)]
    torch.testing.assert_close(got.logits, torch.stack(logits), atol=1e-4, rtol=1e-4)
    assert got.targets.tolist() == targets
    (streamed,) = model.stream(cuts, [site], windows_per_batch=len(cuts))
    assert torch.equal(got.activations[site], streamed.activations[site])


@pytest.mark.parametrize("family", DECODERS)
@pytest.mark.parametrize("kind", ["resid_post", "resid_pre", "mlp_out"])
def test_what_is_spliced_in_is_what_a_hook_of_ones_own_gives(
    family: str, kind: str, model_of: Callable[[str], LanguageModel]
) -> None:
    model = model_of(family)
    cuts, site = cut(model), model.site(kind, 2)
    n_tokens = sum(len(window.tokens()) for window in cuts)
    rows = torch.randn(n_tokens, model.d_model, generator=torch.Generator().manual_seed(0))
    block = model.blocks.modules[1 if kind == "resid_pre" else 2]  # block 2's input is block 1's output
    module = block.get_submodule("mlp") if kind == "mlp_out" else block
    expected, start = [], 0
    for window in cuts:
        text = [i for i, special in enumerate(window.special) if not special]
        mine = rows[start : start + len(text)]
        start += len(text)

        def splice(_: object, __: object, output: torch.Tensor, text=text, mine=mine) -> torch.Tensor:
            changed = output.clone()
            changed[0, text] = mine
            return changed

        handle = module.register_forward_hook(splice)
        try:
            with torch.no_grad():
                own = model.module(torch.tensor([window.token_ids])).logits[0]
        finally:
            handle.remove()
        expected += [own[i] for i in pairs(window)]
    got = model.predict_spliced(cuts, site, rows)
    torch.testing.assert_close(got, torch.stack(expected), atol=1e-4, rtol=1e-4)


def test_a_window_of_one_token_predicts_nothing(tiny_model: LanguageModel) -> None:
    (window,) = windows([Document("d", "the")], tiny_model.tokenizer, context=1, which="first")
    got = tiny_model.predict([window])
    assert got.logits.shape == (0, tiny_model.module.config.vocab_size)
    assert got.targets.shape == (0,)
    assert not got.activations


def test_what_is_refused(tiny_model: LanguageModel, model_of: Callable[[str], LanguageModel]) -> None:
    bert, cuts = model_of("bert"), cut(tiny_model)
    with pytest.raises(UserError, match="predicts no next token"):
        bert.predict(cut(bert))
    with pytest.raises(UserError, match="predicts no next token"):
        bert.predict_spliced(cut(bert), bert.site("resid_post", 0), torch.zeros(1, 32))
    n_tokens = sum(map(len, cuts))
    with pytest.raises(UserError, match=rf"\({n_tokens}, 31\), but .* has \({n_tokens}, 32\)"):
        tiny_model.predict_spliced(cuts, tiny_model.site("resid_post", 0), torch.zeros(n_tokens, 31))
    with pytest.raises(UserError, match="one row per token of text"):
        tiny_model.predict_spliced(cuts, tiny_model.site("resid_post", 0), torch.zeros(1, 32))
    (long,) = windows([Document("d", "a " * 90)], tiny_model.tokenizer, context=400)
    with pytest.raises(UserError, match="longer than the context"):
        tiny_model.predict([long])
