"""The three ways of an invented model whose sums can be done by hand."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest

from itda_core.runs.costs.counted import Amount, forward_seconds, growth_seconds
from itda_core.runs.costs.machines import PlannedMachine
from itda_core.runs.costs.model_shape import ModelShape, Part
from itda_core.runs.costs.strategies import Harvest, Strategy, in_memory, offloaded, streamed

MB, GB = 10**6, 10**9
N_LAYERS, D_MODEL = 10, 100
SHAPE = ModelShape(
    name="invented",
    d_model=D_MODEL,
    attention_width=D_MODEL,
    embedding=Part(50 * MB, 50 * MB, 100 * MB),
    blocks=(Part(200 * MB, 200 * MB, 400 * MB),) * N_LAYERS,
    head=Part(50 * MB, 50 * MB, 100 * MB),
    rest=Part(1 * MB, 0, 2 * MB),
    stored_dtype="bfloat16",
    checkpoint_bytes=4_202 * MB,
    measured_bytes=True,
)
CPU = PlannedMachine(
    name="invented",
    device="cpu",
    host_memory=4 * GB,
    device_memory=None,
    matrix=MappingProxyType({"float32": 1e12, "bfloat16": 2e12}),
    wide_matrix=5e11,
    memory_read=1e10,
    threads=2,
    disk_read=1e9,
    disk_read_again=4e9,
    disk_write=5e8,
    transfer=None,
    disk_free=100 * GB,
)
GPU = replace(CPU, device="cuda", device_memory=5 * GB, transfer=1e10, threads=1)
AMOUNT = Amount(tokens=160 * 127, context=128, last_layer=N_LAYERS - 1, n_layers=2, atoms=1_000, k=10)  # 10 batches


def way(make: object, amount: Amount = AMOUNT, on: PlannedMachine = CPU, dtype: str = "float32") -> Strategy:
    return make(Harvest(SHAPE, amount, on, dtype))  # type: ignore[operator]


def test_what_is_read_of_the_checkpoint() -> None:
    assert way(in_memory).bytes_read == 4_102 * MB  # all but the head
    assert way(streamed).bytes_read == 4_100 * MB  # each block once, and the embedding
    assert way(offloaded).bytes_read == 10 * 4_100 * MB
    shallow = replace(AMOUNT, last_layer=3)
    assert way(streamed, shallow).bytes_read == (100 + 4 * 400) * MB
    assert way(offloaded, shallow).bytes_read == 10 * (100 + 4 * 400) * MB


def test_streaming_reads_as_much_for_any_number_of_tokens() -> None:
    longer = replace(AMOUNT, tokens=100 * AMOUNT.tokens)
    assert way(streamed, longer).bytes_read == way(streamed).bytes_read
    assert way(offloaded, longer).bytes_read == 100 * way(offloaded).bytes_read


def test_hidden_states_lie_on_the_disk_twice_and_are_read_from_the_page_cache_where_it_holds_them() -> None:
    one = 160 * 128 * D_MODEL * 4
    cached = way(streamed)
    assert cached.hidden_bytes == 2 * one
    # each block writes one copy and reads another; each of the two dictionaries reads one
    assert cached.read_seconds == pytest.approx(4.1 + one * (10 / 5e8 + 12 / 4e9))
    tight = way(streamed, on=replace(CPU, host_memory=cached.host_memory + 2 * one - 1))
    assert tight.read_seconds == pytest.approx(4.1 + one * (10 / 5e8 + 12 / 1e9))
    assert tight.host_memory == cached.host_memory
    only_read = way(streamed, replace(AMOUNT, atoms=0))
    assert only_read.read_seconds == pytest.approx(4.1 + one * (10 / 5e8 + 10 / 4e9))
    assert only_read.growth_seconds == 0


def test_memory_at_the_highest() -> None:
    whole, stream, offload = way(in_memory), way(streamed), way(offloaded)
    assert whole.host_memory > 4 * 2_051 * MB + 4_102 * MB  # converted from files that stay mapped
    assert 4 * 50 * MB + 2 * 400 * MB + 800 * MB < stream.host_memory < 3.2 * GB
    assert offload.host_memory < stream.host_memory < whole.host_memory
    assert (whole.fits, stream.fits, offload.fits) == (False, True, True)
    assert way(streamed, dtype="bfloat16").host_memory < stream.host_memory - 800 * MB  # no second copy of the block


def test_on_a_gpu_the_host_only_keeps_what_waits() -> None:
    whole, stream = way(in_memory, on=GPU, dtype="bfloat16"), way(streamed, on=GPU, dtype="bfloat16")
    assert stream.device_memory is not None
    assert whole.device_memory is not None
    assert 100 * MB + 400 * MB < stream.device_memory < 1.3 * GB  # the embedding and the block in work
    assert 2 * 400 * MB < stream.host_memory < 1.7 * GB  # the next one is being read
    assert whole.device_memory > 4_102 * MB
    assert whole.fits is False  # 4.1 GB and Python do not fit into the host's 4 GB
    assert stream.move_seconds == pytest.approx((10 * 400 * MB + 2 * 10 * 160 * 128 * D_MODEL * 2) / 1e10)
    assert way(offloaded, on=GPU, dtype="bfloat16").move_seconds == pytest.approx(10 * 4_100 * MB / 1e10)


def test_reading_the_next_block_costs_no_time_beside_what_takes_longer() -> None:
    stream, whole, offload = way(streamed), way(in_memory), way(offloaded)
    forward = forward_seconds(SHAPE, AMOUNT, CPU, "float32")
    growth = 2 * growth_seconds(D_MODEL, AMOUNT, CPU)
    states = stream.read_seconds - 4.1
    for one in (stream, whole, offload):
        assert (one.forward_seconds, one.growth_seconds) == pytest.approx((forward, growth))
    assert stream.seconds == pytest.approx(0.5 + states + forward + growth)  # the embedding and the first block wait
    slow = replace(CPU, disk_read=1e6)
    assert way(streamed, on=slow).seconds == pytest.approx(4_100)  # everything else is done meanwhile
    assert whole.seconds == pytest.approx(4.102 + forward + growth)
    assert offload.seconds == pytest.approx(4.1 + 9 * 4.1 + forward + growth)  # too large for the page cache
    assert way(offloaded, on=replace(CPU, host_memory=40 * GB)).read_seconds == pytest.approx(4.1 + 9 * 4.1 / 4)


def test_the_bottleneck_is_what_takes_longest() -> None:
    assert way(streamed).bottleneck == "forward"
    assert way(streamed, on=replace(CPU, disk_read=1e6)).bottleneck == "reading"
    assert way(streamed, on=replace(GPU, transfer=1e6)).bottleneck == "moving"
    assert way(streamed, replace(AMOUNT, atoms=20_000), replace(CPU, memory_read=1e8)).bottleneck == "growing"


def test_a_full_disk_does_not_fit() -> None:
    long = replace(AMOUNT, tokens=200 * AMOUNT.tokens)
    assert way(streamed, long).hidden_bytes == 2 * 200 * 160 * 128 * D_MODEL * 4
    assert way(streamed, long).fits
    assert not way(streamed, long, replace(CPU, disk_free=2 * GB)).fits
