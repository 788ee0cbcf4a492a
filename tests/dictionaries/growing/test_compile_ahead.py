"""What `make setup` compiles is all that pursuits and trainings on a CPU call."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from itda_core.dictionaries import TrainConfig
from itda_core.dictionaries.growing import sequential_compiled
from itda_core.dictionaries.growing.compile_ahead import compile_all
from itda_core.dictionaries.growing.sequential import SequentialSelection
from itda_core.pursuit import encode
from itda_core.pursuit.kernels import cpu, screened


def compiled_by_now() -> dict[str, int]:
    """How many kinds of arguments each function that Python calls was compiled for."""
    found: dict[str, Any] = {
        f"{module.__name__}.{name}": value
        for module in (cpu, screened, sequential_compiled)
        for name, value in vars(module).items()
        if hasattr(value, "signatures")
    }
    return {name: len(value.signatures) for name, value in found.items()}


@pytest.mark.parametrize("method", ["mp", "omp", "gp"])
def test_nothing_is_left_to_compile(method: str) -> None:
    compile_all()
    before = compiled_by_now()
    assert {"_matching", "_gradient", "enter"} <= {name.rpartition(".")[2] for name, n in before.items() if n}
    x = torch.randn(60, 8, generator=torch.Generator().manual_seed(0))
    growing = SequentialSelection(TrainConfig(k=3, method=method), 8, x.device)
    growing.judge(x)
    growing.restore(growing.atoms)
    for non_negative in (False, True):
        encode(x, growing.atoms, 3, method, non_negative=non_negative)
        encode(x, growing.atoms, 3, method, growing.gram, non_negative=non_negative)
    assert compiled_by_now() == before
