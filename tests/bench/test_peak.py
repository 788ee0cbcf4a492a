"""Peak memory: seen for allocations of known size, in this process and in one of its own."""

from __future__ import annotations

import time
from typing import Any

import psutil
import pytest
import torch

from itda_core.bench.peak import peak_growth
from itda_core.bench.pursuit.cases import Case
from itda_core.bench.pursuit.encoding_memory import code_bytes, encoding_bytes_apart
from itda_core.pursuit import matching_pursuit

MIB = 2**20


def test_a_block_that_was_freed_again_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[object] = []

    class Watched(psutil.Process):
        def memory_info(self) -> Any:
            looks.append(None)
            return super().memory_info()

    monkeypatch.setattr(psutil, "Process", Watched)

    def fill() -> None:
        block = torch.ones(64 * MIB)  # 256 MiB
        enough = len(looks) + 2
        while len(looks) < enough:  # on a busy machine the next look may be some time away
            time.sleep(0.001)
        del block

    assert 240 * MIB < peak_growth(fill, "cpu") < 300 * MIB


def test_a_call_that_holds_nothing_grows_by_little() -> None:
    assert peak_growth(lambda: time.sleep(0.05), "cpu") < 8 * MIB


def test_memory_does_not_grow_with_tokens() -> None:
    """Correlations of all 32,768 tokens would take 128 MiB, of the 8,192 tokens a quarter."""
    case = Case("mp", 1_024, 32, 4, 8_192)
    few, many = encoding_bytes_apart([case, Case("mp", 1_024, 32, 4, 32_768)]) or (0, 0)
    assert 0 < few < 32 * MIB
    assert many < few + 16 * MIB  # looking for NaN takes some bytes for each entry of x, of which there are 3 MiB more


def test_a_process_that_fails_gives_no_number() -> None:
    assert encoding_bytes_apart([Case("mp", 4, 8, 5, 16)]) is None  # k exceeds the atoms


def test_the_code_is_counted_as_it_is() -> None:
    x, atoms = torch.randn(7, 8), torch.eye(8)
    code = matching_pursuit(x, atoms, 3)
    assert code_bytes(Case("mp", 8, 8, 3, 7)) == code.indices.nbytes + code.coefficients.nbytes
