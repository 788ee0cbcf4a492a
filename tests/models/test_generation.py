"""Continuations against a plain loop with Hugging Face and a hook of the test's own, with and without a cache."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from itda_core.errors import UserError
from itda_core.models import LanguageModel
from itda_core.models.generation import generate
from itda_core.text.windows import prompt_window

DECODERS = ("gpt2", "gpt_neox", "llama", "gemma2", "qwen2")
PROMPT = "The king of torsen, 42 loves"


def plain(model: LanguageModel, layer: int, direction: torch.Tensor, n: int) -> tuple[list[int], list[torch.Tensor]]:
    """Greedy tokens and logits when `direction` is added at each token, everything computed anew each time."""
    ids = list(prompt_window(PROMPT, model.tokenizer, context=model.context).token_ids)
    written, logits = [], []

    def moved(_: torch.nn.Module, __: object, output: object) -> object:
        first = output[0] if isinstance(output, tuple) else output
        assert isinstance(first, torch.Tensor)
        return (first + direction, *output[1:]) if isinstance(output, tuple) else first + direction

    handle = model.blocks.modules[layer].register_forward_hook(moved)
    try:
        for _ in range(n):
            with torch.no_grad():
                logits.append(model.module(torch.tensor([ids]), use_cache=False).logits[0, -1].float())
            written.append(int(logits[-1].argmax()))
            ids.append(written[-1])
    finally:
        handle.remove()
    return written, logits


@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize("family", DECODERS)
def test_steered_text_is_that_of_a_plain_loop(
    family: str, cached: bool, model_of: Callable[[str], LanguageModel]
) -> None:
    model = model_of(family)
    window, site = prompt_window(PROMPT, model.tokenizer, context=model.context), model.site("resid_post", 1)
    direction = torch.randn(model.d_model, generator=torch.Generator().manual_seed(0))
    tokens, logits = plain(model, 1, direction, 12)
    seen: list[tuple[int, int]] = []

    def edit(x: torch.Tensor, first: int) -> torch.Tensor:
        seen.append((first, len(x)))
        return direction.expand(len(x), -1)

    found = list(generate(model, window, 12, site=site, edit=edit, cached=cached))
    stop = next((i + 1 for i, token in enumerate(tokens) if token == model.tokenizer.eos_token_id), 12)
    assert [one.token_id for one in found] == tokens[:stop]
    for one, own in zip(found, logits, strict=False):
        torch.testing.assert_close(one.logits, own, rtol=1e-4, atol=1e-4)
    n = len(window)
    if cached:
        assert seen == [(0, n), *((n + i, 1) for i in range(stop - 1))]
    else:
        assert seen == [(0, n + i) for i in range(stop)]


def test_drawn_text_depends_on_the_seed_alone(model_of: Callable[[str], LanguageModel]) -> None:
    model = model_of("gpt2")
    window = prompt_window(PROMPT, model.tokenizer, context=model.context)

    def drawn(seed: int, *, cached: bool = True) -> list[int]:
        return [one.token_id for one in generate(model, window, 15, temperature=1.0, seed=seed, cached=cached)]

    state = torch.random.get_rng_state()
    assert drawn(3) == drawn(3) == drawn(3, cached=False)
    assert drawn(3) != drawn(4)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_tokens_are_drawn_as_often_as_they_are_probable(model_of: Callable[[str], LanguageModel]) -> None:
    model = model_of("gpt2")
    window = prompt_window(PROMPT, model.tokenizer, context=model.context)
    counts = torch.zeros(len(model.tokenizer))
    for seed in range(400):
        (one,) = generate(model, window, 1, temperature=0.3, seed=seed)
        counts[one.token_id] += 1
    expected = (one.logits.double() / 0.3).softmax(-1)[: len(counts)] * 400
    likely = expected > 5
    chi_squared = float(((counts[likely] - expected[likely]) ** 2 / expected[likely]).sum())
    assert chi_squared < 3 * max(10, int(likely.sum()))  # the seeds are fixed: nothing here is left to chance


def test_it_ends_with_the_context(model_of: Callable[[str], LanguageModel]) -> None:
    model = model_of("llama")
    window = prompt_window(PROMPT, model.tokenizer, context=model.context)
    found = list(generate(model, window, 10_000))
    ended = found[-1].token_id == model.tokenizer.eos_token_id
    assert ended or len(window) + len(found) == model.context


def test_what_cannot_be_written_is_refused(model_of: Callable[[str], LanguageModel]) -> None:
    model = model_of("gpt2")
    window = prompt_window(PROMPT, model.tokenizer, context=model.context)
    for temperature in (float("nan"), -1.0):
        with pytest.raises(UserError, match="temperature"):
            generate(model, window, 3, temperature=temperature)
    with pytest.raises(UserError, match="cannot be written"):
        generate(model, window, -1)
    site = model.site("resid_post", 1)
    with pytest.raises(UserError, match="not finite"):
        list(generate(model, window, 3, site=site, edit=lambda x, _: torch.full_like(x, float("nan"))))
    encoder = model_of("bert")
    with pytest.raises(UserError, match="predicts no next token"):
        generate(encoder, prompt_window(PROMPT, encoder.tokenizer, context=64), 3)
