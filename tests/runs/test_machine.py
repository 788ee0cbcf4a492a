from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from itda_core.runs import machine
from itda_core.runs.machine import model_cache, offline


def test_the_machine_is_the_one_the_system_describes() -> None:
    seen = machine()
    assert 1 <= seen.cores <= (os.cpu_count() or 1)
    assert 0 < seen.memory <= psutil.virtual_memory().total
    assert 0 < seen.memory_free <= seen.memory
    assert seen.device_name


def test_the_device_is_the_one_torch_would_choose() -> None:
    import torch

    expected = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    assert machine().device == expected


def test_the_model_cache_is_where_the_hub_library_keeps_it() -> None:
    from huggingface_hub import constants

    assert model_cache() == Path(constants.HF_HUB_CACHE)


def test_the_cache_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    assert model_cache() == tmp_path / "hub"
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "else"))
    assert model_cache() == tmp_path / "else"


@pytest.mark.parametrize(("value", "expected"), [("1", True), ("true", True), ("0", False), ("", False)])
def test_offline_follows_the_environment(monkeypatch: pytest.MonkeyPatch, value: str, expected: bool) -> None:
    monkeypatch.delenv("TRANSFORMERS_OFFLINE", raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", value)
    assert offline() is expected
