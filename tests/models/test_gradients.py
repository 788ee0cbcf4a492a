"""Gradients at sites against central differences in float64, and against autograd on a hook of the test's own."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch

from itda_core.errors import UserError
from itda_core.models import LanguageModel
from itda_core.models.architecture import find_blocks
from itda_core.models.edits import shifted_logits
from itda_core.models.gradients import target_gradients
from itda_core.text.windows import Window, prompt_window

DECODERS = ("gpt2", "gpt_neox", "llama", "gemma2", "qwen2")
PROMPT = "The king of torsen, 42 loves"


def double(model: LanguageModel) -> LanguageModel:
    """The same model in float64."""
    wide = copy.copy(model)
    wide.module = copy.deepcopy(model.module).double()
    wide.blocks = find_blocks(wide.module, wide.module.config, model.name)
    return wide


def cut(model: LanguageModel) -> Window:
    return prompt_window(PROMPT, model.tokenizer, context=model.context)


def adding(shift: dict[int, torch.Tensor]) -> Callable[..., object]:
    """A hook that adds vectors to a block's output at positions."""

    def moved(_: torch.nn.Module, __: object, output: object) -> object:
        first = output[0] if isinstance(output, tuple) else output
        assert isinstance(first, torch.Tensor)
        first = first.clone()
        for position, vector in shift.items():
            first[0, position] += vector
        return (first, *output[1:]) if isinstance(output, tuple) else first

    return moved


def target_of(model: LanguageModel) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda logits: logits[-1, 7] - logits[-2, 9].square() + logits[-1].log_softmax(-1)[3]


@pytest.mark.parametrize("family", DECODERS)
def test_gradients_are_those_of_central_differences(family: str, model_of: Callable[[str], LanguageModel]) -> None:
    model, generator = double(model_of(family)), torch.Generator().manual_seed(0)
    window, sites = cut(model), [model.site("resid_post", layer) for layer in (0, 2)]
    target = target_of(model)
    found = target_gradients(model, window, sites, target)
    step = 1e-3
    for site in sites:
        assert site.layer is not None
        for position in (0, len(window) // 2, len(window) - 1):
            direction = torch.randn(model.d_model, generator=generator, dtype=torch.float64)
            values = []
            for by in (step * direction, -step * direction):
                handle = model.blocks.modules[site.layer].register_forward_hook(adding({position: by}))
                with torch.no_grad():
                    values.append(float(target(model.module(torch.tensor([window.token_ids])).logits[0])))
                handle.remove()
            expected = (values[0] - values[1]) / (2 * step)
            got = float(found.gradients[site][position].double() @ direction)
            assert got == pytest.approx(expected, rel=1e-3, abs=1e-3)


def test_activations_and_value_are_the_models_own(model_of: Callable[[str], LanguageModel]) -> None:
    model = model_of("llama")
    window, sites = cut(model), [model.site("resid_post", layer) for layer in (1, 3)]
    found = target_gradients(model, window, sites, target_of(model))
    own = model.capture(window, sites)
    for site in sites:
        torch.testing.assert_close(found.activations[site], own[site], rtol=1e-5, atol=1e-5)
    with torch.no_grad():
        logits = model.module(torch.tensor([window.token_ids])).logits[0].float()
    assert found.value == pytest.approx(float(target_of(model)(logits)), rel=1e-5)
    assert all(parameter.grad is None for parameter in model.module.parameters())


def test_scaled_activations_are_where_the_gradient_is_taken(model_of: Callable[[str], LanguageModel]) -> None:
    """A model that is linear behind its site has the same gradient everywhere; this one has not."""
    model = model_of("gpt2")
    window, site = cut(model), model.site("resid_post", 1)
    whole, half = (target_gradients(model, window, [site], target_of(model), scale=scale) for scale in (1.0, 0.5))
    torch.testing.assert_close(half.activations[site], whole.activations[site] * 0.5)
    assert not torch.allclose(half.gradients[site], whole.gradients[site], rtol=0.01)


def test_an_encoder_is_refused(model_of: Callable[[str], LanguageModel]) -> None:
    model = model_of("bert")
    with pytest.raises(UserError, match="predicts no next token"):
        target_gradients(model, cut(model), [model.site("resid_post", 1)], target_of(model))


@pytest.mark.parametrize("family", DECODERS)
def test_shifted_predictions_are_those_of_a_hook_of_ones_own(
    family: str, model_of: Callable[[str], LanguageModel]
) -> None:
    model = model_of(family)
    window, site = cut(model), model.site("resid_post", 1)
    generator = torch.Generator().manual_seed(1)
    shifts = [
        {},
        {1: torch.randn(model.d_model, generator=generator)},
        {0: torch.randn(model.d_model, generator=generator), 3: torch.randn(model.d_model, generator=generator)},
    ]
    positions = [2, len(window) - 1]
    got = shifted_logits(model, window, site, shifts, positions)
    for shift, logits in zip(shifts, got, strict=True):
        handle = model.blocks.modules[1].register_forward_hook(adding(shift))
        with torch.no_grad():
            own = model.module(torch.tensor([window.token_ids])).logits[0, positions]
        handle.remove()
        torch.testing.assert_close(logits, own, rtol=1e-4, atol=1e-4)


def test_shifts_that_do_not_fit_are_refused(model_of: Callable[[str], LanguageModel]) -> None:
    model = model_of("gpt2")
    window, site = cut(model), model.site("resid_post", 1)
    with pytest.raises(UserError, match="not in the window"):
        shifted_logits(model, window, site, [{len(window): torch.zeros(model.d_model)}], [0])
    with pytest.raises(UserError, match="width"):
        shifted_logits(model, window, site, [{0: torch.zeros(3)}], [0])
