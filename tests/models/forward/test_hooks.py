"""Hooks: what they see, what they replace, and that none stays behind."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
import torch
from torch import nn

from itda_core.errors import UserError
from itda_core.models import LanguageModel, Site
from itda_core.models.architecture import Blocks
from itda_core.models.forward.hooks import hooked

IDS = torch.tensor([[5, 6, 7, 8]])


def hooks_on(model: LanguageModel) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.module.modules())


def test_hooks_are_removed_after_an_error_inside(tiny_model: LanguageModel) -> None:
    sites = [tiny_model.site("resid_post", 1), tiny_model.site("resid_pre", 2), tiny_model.site("mlp_out", 0)]
    before = hooks_on(tiny_model)
    with hooked(tiny_model, sites, lambda *_: None):
        assert hooks_on(tiny_model) == before + 3
    with pytest.raises(ZeroDivisionError), hooked(tiny_model, sites, lambda *_: None):
        raise ZeroDivisionError

    def fail(*_: object) -> None:
        raise KeyError

    with pytest.raises(KeyError), hooked(tiny_model, sites, fail):
        tiny_model.module(IDS)
    with pytest.raises(UserError), hooked(tiny_model, [sites[0], Site("resid_post", 9)], fail):
        pass
    with hooked(tiny_model, sites, lambda *_: None, stop=True):
        tiny_model.module(IDS)
        pytest.fail("the forward pass did not stop")
    assert hooks_on(tiny_model) == before


def test_reading_changes_nothing(model: LanguageModel) -> None:
    with torch.no_grad():
        plain = model.module(IDS)[0]
        with hooked(model, [model.site("resid_post", 1), model.site("resid_pre", 2)], lambda *_: None):
            assert torch.equal(model.module(IDS)[0], plain)


def test_replacing_a_blocks_output_is_replacing_the_next_ones_input(model: LanguageModel) -> None:
    values = torch.randn(1, 4, model.d_model, generator=torch.Generator().manual_seed(0))
    results = []
    with torch.no_grad():
        plain = model.module(IDS)[0]
        for site in (model.site("resid_post", 1), model.site("resid_pre", 2)):
            with hooked(model, [site], lambda *_: values):
                results.append(model.module(IDS)[0])
    assert torch.equal(*results)
    assert not torch.allclose(results[0], plain, atol=1e-3)


class _OldBlock(nn.Module):
    """Returns a tuple and takes its input by name, as blocks did in older code."""

    def forward(self, hidden_states: torch.Tensor) -> tuple[torch.Tensor, str]:
        return hidden_states + 1, "kept"


def test_blocks_that_return_tuples_and_take_keywords(tiny_model: LanguageModel) -> None:
    block = _OldBlock()
    model: LanguageModel = object.__new__(LanguageModel)
    model.spec, model.module, model.lock = tiny_model.spec, tiny_model.module, threading.RLock()
    model.blocks = Blocks("h", (block,))
    seen = {}

    def visit(site: Site, activation: torch.Tensor) -> torch.Tensor:
        seen[site.kind] = activation
        return activation * 10

    with hooked(model, [Site("resid_pre", 0), Site("resid_post", 0)], visit):
        output = block(hidden_states=torch.ones(1, 1, 2))
    assert torch.equal(seen["resid_pre"], torch.ones(1, 1, 2))
    assert torch.equal(seen["resid_post"], torch.full((1, 1, 2), 11.0))
    assert torch.equal(output[0], torch.full((1, 1, 2), 110.0))
    assert output[1] == "kept"


def test_threads_that_share_a_model_do_not_see_each_other(model_of: Callable[[str], LanguageModel]) -> None:
    model = model_of("llama")
    site = model.site("resid_post", 1)
    wrong: list[object] = []

    def run(tokens: int) -> None:
        ids = torch.arange(tokens)[None]
        for _ in range(20):
            shapes: list[int] = []

            def visit(_: Site, activation: torch.Tensor, shapes: list[int] = shapes) -> None:
                shapes.append(activation.shape[1])

            with torch.no_grad(), hooked(model, [site], visit):
                model.module(ids)
            if shapes != [tokens]:
                wrong.append(shapes)

    threads = [threading.Thread(target=run, args=(n,)) for n in (3, 5, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
