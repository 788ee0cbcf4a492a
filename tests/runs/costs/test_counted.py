from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from itda_core.models.architecture import find_blocks
from itda_core.models.spec import ModelSpec
from itda_core.runs.costs.counted import (
    Amount,
    dictionary_bytes,
    forward_operations,
    forward_seconds,
    growth_seconds,
    hidden_bytes,
    pursuit_operations,
)
from itda_core.runs.costs.machines import named_machine
from itda_core.runs.costs.model_description import describe
from itda_core.runs.costs.model_shape import ModelShape, model_shape
from itda_core.runs.costs.strategies import Harvest
from tests.conftest import FAMILIES, N_LAYERS

CONTEXT, WINDOWS = 32, 16


def amount(**changes: int) -> Amount:
    usual = Amount(tokens=WINDOWS * (CONTEXT - 1), context=CONTEXT, last_layer=N_LAYERS - 1, n_layers=1, atoms=10, k=4)
    return replace(usual, **changes)


def shape_at(folder: Path) -> ModelShape:
    return model_shape(describe(ModelSpec(str(folder))))


@pytest.mark.parametrize("family", FAMILIES)
def test_operations_are_those_that_torch_counts(family: str, model_folder_of: Callable[[str], Path]) -> None:
    from transformers import AutoModel

    module = AutoModel.from_pretrained(model_folder_of(family), attn_implementation="eager")
    path = find_blocks(module, module.config, family).path
    ids = torch.randint(0, 100, (WINDOWS, CONTEXT))
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(input_ids=ids, attention_mask=torch.ones_like(ids))
    counted = counter.get_flop_counts()
    blocks = [sum(counted[f"{type(module).__name__}.{path}.{layer}"].values()) for layer in range(N_LAYERS)]
    shape = shape_at(model_folder_of(family))
    assert amount().positions == WINDOWS * CONTEXT
    assert forward_operations(shape, amount()) == sum(blocks)
    assert forward_operations(shape, amount(last_layer=1)) == sum(blocks[:2])


def test_pursuits_are_counted_by_a_plain_loop() -> None:
    """A dictionary that grows evenly, atom by atom, over the tokens."""
    shape = model_shape(describe(ModelSpec("demo:0")))
    tokens, atoms, k = 2_000, 400, 8
    counted = 0
    for token in range(tokens):
        present = (token + 0.5) * atoms / tokens
        counted += 2 * present * (shape.d_model + k)
    for atom in range(atoms):
        counted += 2 * shape.d_model * (atom + 0.5)  # its row of the Gram matrix
    planned = pursuit_operations(shape, amount(tokens=tokens, atoms=atoms, k=k, n_layers=3))
    assert planned == pytest.approx(3 * counted, rel=1e-9)


def test_growth_takes_at_least_what_its_products_and_its_reading_take() -> None:
    on = named_machine("4090")
    given = amount(tokens=100_000, atoms=2_000, k=40)
    product = 100_000 * 2_000 * 512 / on.wide_matrix
    entering = sum((atom + 1024 / 2) * 512 * 8 for atom in range(2_000)) / on.memory_read
    seconds = growth_seconds(512, given, on)
    assert product + entering < seconds
    slower = growth_seconds(512, given, replace(on, device="cpu", wide_matrix=on.wide_matrix / 10))
    assert slower > 9 * product
    assert growth_seconds(512, replace(given, tokens=200_000), on) < 2 * seconds  # atoms enter once, however long it is


def test_forward_passes_take_longer_than_their_products() -> None:
    shape, on, given = model_shape(describe(ModelSpec("llama-3.1-8b"))), named_machine("h100"), amount(last_layer=31)
    products = forward_operations(shape, given) / (0.6 * 989.4e12)
    assert products < forward_seconds(shape, given, on, "bfloat16") < 2 * products
    assert forward_seconds(shape, given, on, "float32") > 10 * products
    halved = replace(on, memory_read=on.memory_read / 2, threads=2)
    assert forward_seconds(shape, given, halved, "bfloat16") == forward_seconds(shape, given, on, "bfloat16")


def test_memory_is_that_of_the_tensors() -> None:
    from itda_core.dictionaries.growing.buffers import GrowingAtoms

    shape = model_shape(describe(ModelSpec("demo:0")))
    given = amount(atoms=500)
    buffers = GrowingAtoms.of(torch.nn.functional.normalize(torch.randn(500, shape.d_model), dim=1))
    real = buffers.wide.nbytes + buffers.gram.nbytes
    assert real <= dictionary_bytes(shape.d_model, given) < 1.6 * real
    states = torch.zeros(WINDOWS, CONTEXT, shape.d_model, dtype=torch.bfloat16)
    assert hidden_bytes(shape, given, "bfloat16") == states.nbytes
    assert Harvest(shape, given, named_machine("3090"), "float32").computed(shape.blocks) == 4 * sum(
        block.parameters for block in shape.blocks
    )
