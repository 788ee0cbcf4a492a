from __future__ import annotations

from pathlib import Path

import pytest

from itda_core.dictionaries.config import TrainConfig
from itda_core.errors import UserError
from itda_core.models.spec import ModelSpec
from itda_core.runs.costs.plan import Hardware, computing_dtype, plan
from itda_core.runs.costs.plan_report import plan_lines

ON_4090 = Hardware(gpu="4090")


def test_the_largest_llama_fits_one_consumer_card_only_layer_by_layer() -> None:
    found = plan(ModelSpec("llama-3.1-405b"), None, TrainConfig(tokens=1_000_000), ON_4090)
    whole, stream, offload = found.strategies
    assert found.best is stream
    assert (whole.fits, offload.fits) == (False, False)
    blocks_and_embedding = 2 * (405_853_388_800 - 128_256 * 16_384 - 16_384)  # all but the head and the last norm
    assert stream.bytes_read == blocks_and_embedding
    assert offload.bytes_read == blocks_and_embedding * found.amount.batches
    # the textbook's rule of thumb: two operations per parameter and token
    assert found.forward_operations == pytest.approx(2 * 403.7e9 * found.amount.positions, rel=0.02)
    assert found.dtype == "bfloat16"
    lines = plan_lines(found)
    assert lines[0].startswith("Streamed layer by layer: about ")
    assert "does not fit" in lines[1]
    assert lines[-2:] == list(found.notes)


def test_fewer_layers_and_given_hardware_cost_less() -> None:
    spec, config = ModelSpec("llama-3.1-8b"), TrainConfig(tokens=100_000, atoms=1_000)
    every, first = plan(spec, None, config, ON_4090), plan(spec, (0, 1), config, ON_4090)
    assert first.forward_operations * 16 == every.forward_operations
    assert first.strategies[1].bytes_read < every.strategies[1].bytes_read / 7
    slow = plan(spec, (0, 1), config, Hardware(gpu="4090", disk=1e8, memory=10**9))
    assert slow.strategies[1].read_seconds > 25 * first.strategies[1].read_seconds
    assert not slow.strategies[1].fits
    assert slow.best is None


def test_a_model_on_this_machine(tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from itda_core.runs.costs import measured

    monkeypatch.setattr(measured, "_SECONDS", 0.05)
    monkeypatch.setattr(measured, "_SCRATCH", 8 * 2**20)
    spec = ModelSpec(str(tiny_folder), device="cpu")
    found = plan(spec, (1,), TrainConfig(tokens=500, context=32, atoms=900), Hardware())
    assert found.amount.atoms == 500  # a dictionary holds at most every token
    assert found.dtype == "float32"
    assert found.on.device == "cpu"
    assert found.notes == ()
    assert found.best is not None
    assert 0 < found.best.seconds < 60


def test_what_is_not_to_be_had_is_refused() -> None:
    spec = ModelSpec("llama-3.1-8b")
    with pytest.raises(UserError, match="The number of tokens to read is missing"):
        plan(spec, None, TrainConfig(), ON_4090)
    with pytest.raises(UserError, match="no layer 32: it has 32 layers"):
        plan(spec, (32,), TrainConfig(tokens=10), ON_4090)
    with pytest.raises(UserError, match="is unknown; choose one of"):
        plan(spec, None, TrainConfig(tokens=10), Hardware(gpu="none"))
    with pytest.raises(UserError, match=r"disk=0 GB/s is impossible"):
        Hardware(disk=0.0)


@pytest.mark.parametrize(
    ("asked", "device", "stored", "expected"),
    [
        ("auto", "cpu", "bfloat16", "float32"),
        ("auto", "cuda:1", "float16", "bfloat16"),
        ("auto", "cuda", "float32", "float32"),
        ("float16", "cpu", "float32", "float16"),
    ],
)
def test_the_dtype_is_the_one_load_model_would_choose(asked: str, device: str, stored: str, expected: str) -> None:
    assert computing_dtype(asked, device, stored) == expected
