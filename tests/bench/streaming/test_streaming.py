"""The streaming bench at tiny sizes, through the command line; and what it concludes from made-up figures."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from itda_core.bench.streaming import run
from itda_core.bench.streaming.harvest_apart import Harvested, harvest_apart, harvest_here
from itda_core.bench.streaming.made_model import make_model
from itda_core.bench.streaming.plan import StreamPlan, quick_plan
from itda_core.bench.streaming.results import Read, StreamBench
from itda_core.errors import UserError


@pytest.fixture(scope="module")
def tiny() -> StreamPlan:
    return quick_plan(StreamPlan())


def test_the_made_model_is_one_that_transformers_loads(tiny: StreamPlan, tmp_path: Path) -> None:
    import transformers

    auto: Any = transformers.AutoModelForCausalLM
    make_model(tiny, tmp_path)
    assert len(list(tmp_path.glob("*.safetensors"))) == tiny.shards
    model, report = auto.from_pretrained(tmp_path, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    stored = {}
    for shard in tmp_path.glob("*.safetensors"):
        stored |= load_file(shard)
    assert sum(tensor.numel() for tensor in stored.values()) == sum(p.numel() for p in model.parameters())
    assert torch.equal(stored["model.layers.3.mlp.up_proj.weight"], model.model.layers[3].mlp.up_proj.weight)


def test_a_harvest_in_a_process_of_its_own_tells_what_it_took(tiny: StreamPlan, tmp_path: Path) -> None:
    make_model(tiny, tmp_path / "model")
    found = harvest_apart(tiny, "streamed", tmp_path / "model", tmp_path)
    projections = load_file(found.projections)
    assert list(projections) == [f"blocks.{layer}.hook_resid_post" for layer in range(tiny.layers)]
    assert all(len(values) == tiny.windows * tiny.context for values in projections.values())
    assert found.peak_bytes > 2e8
    assert found.seconds > 0
    with pytest.raises(UserError, match=r"The harvest streamed failed and said: .*nowhere"):
        harvest_apart(tiny, "streamed", tmp_path / "nowhere", tmp_path)


def test_every_way_gives_the_same_activations(itda: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "harvest_apart", harvest_here)  # in this process: a tenth of the time
    code, output, _ = itda("bench", "stream", "--quick", "--json")
    assert code == 0
    found = json.loads(output)
    cases = {case["name"]: case for case in found["cases"]}
    assert list(cases) == ["streamed", "accelerate_disk", "in_memory"]
    for case in (*found["cases"], *found["short_windows"]):
        assert case["difference"] < 1e-5
        assert case["speedup"] > 0
        assert case["peak_bytes"] >= found["library_bytes"]
    streamed = cases["streamed"]
    head = 4 * 2048 * 64  # the head is never read, headers of files are not counted
    assert 0.98 * (streamed["checkpoint_bytes"] - head) < streamed["bytes_read"] < streamed["checkpoint_bytes"] - head
    by_layers = {point["layers"]: point for point in found["growth"] if point["tokens"] == 256}
    block = 4 * (4 * 64 * 64 + 3 * 64 * 128 + 2 * 64)
    assert by_layers[4]["bytes_read"] - by_layers[2]["bytes_read"] == 2 * block
    for point in found["growth"]:
        assert point["planned_bytes"] == pytest.approx(point["bytes_read"], rel=1e-3)
    assert found["exponents"]["bytes over tokens"] == pytest.approx(0)


def test_no_speed_is_told_where_activations_differ() -> None:
    def read(name: str, seconds: float, difference: float) -> Read:
        return Read(name, Harvested(seconds, None, None, 1, ""), difference)

    reads = (read("streamed", 2.0, 0.0), read("accelerate_disk", 10.0, 1e-6))
    bench = StreamBench.__new__(StreamBench)
    assert bench.speedup(reads[0], reads) == 5.0
    apart = (reads[0], replace(reads[1], difference=1e-2))
    assert bench.speedup(apart[0], apart) is None


def test_windows_that_make_no_whole_batches_are_refused() -> None:
    with pytest.raises(UserError, match="equal batches"):
        StreamPlan(windows=60, batches=8)
