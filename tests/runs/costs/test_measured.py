from __future__ import annotations

import json
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from itda_core.errors import UserError
from itda_core.runs.costs import measured
from itda_core.runs.costs.machines import GPUS, named_machine
from itda_core.runs.costs.measured import this_machine


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measured, "_SECONDS", 0.05)
    monkeypatch.setattr(measured, "_SCRATCH", 8 * 2**20)
    monkeypatch.setattr(measured, "_ARRAY", 32 * 2**20)


def test_rates_are_what_is_done_by_the_seconds_it_took(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that goes on by 1/64 s with each look: how fast this machine is at the moment does not matter."""
    looks = count()
    monkeypatch.setattr(measured, "time", SimpleNamespace(perf_counter=lambda: next(looks) / 64))
    monkeypatch.setattr(measured, "_SECONDS", 4 / 64)
    on = this_machine("cpu", ["float32"])
    assert (on.matrix["float32"], on.wide_matrix) == (64 * 2 * 1024**3, 64 * 2 * 1024**3)
    assert on.memory_read == 64 * 32 * 2**20
    assert (on.disk_read, on.disk_read_again, on.disk_write) == (64 * 8 * 2**20,) * 3
    assert on.threads == torch.get_num_threads()
    assert (on.device_memory, on.transfer) == (None, None)


def test_rates_are_measured_once(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    first = this_machine("cpu", ["float32"])

    def forbidden(*_: object) -> float:
        raise AssertionError("measured again")

    for name in ("_product", "_memory", "_disk"):
        monkeypatch.setattr(measured, name, forbidden)
    again = this_machine("cpu", ["float32"])
    assert (again.matrix, again.wide_matrix, again.memory_read, again.disk_read, again.disk_write) == (
        first.matrix, first.wide_matrix, first.memory_read, first.disk_read, first.disk_write,
    )  # fmt: skip
    for anew in (lambda: this_machine("cpu", ["float32"], anew=True), lambda: this_machine("cpu", ["bfloat16"])):
        with pytest.raises(AssertionError, match="measured again"):
            anew()
    path = home / measured.KEPT
    kept = json.loads(path.read_text())
    path.write_text(json.dumps({name: rate | {"date": "2020-01-01T00:00:00+00:00"} for name, rate in kept.items()}))
    with pytest.raises(AssertionError, match="measured again"):
        this_machine("cpu", ["float32"])


@pytest.mark.parametrize("damage", ["not JSON", "[1, 2]", '{"a": {"value": -1}}'])
def test_a_damaged_file_of_rates_is_made_anew(home: Path, damage: str) -> None:
    home.mkdir()
    (home / measured.KEPT).write_text(damage)
    this_machine("cpu", ["float32"])
    assert all(rate["value"] > 0 for rate in json.loads((home / measured.KEPT).read_text()).values())


def test_a_large_shard_is_what_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.safetensors").write_bytes(bytes(3 * 2**20))
    assert measured._shard(tmp_path) is None
    monkeypatch.setattr(measured, "_LEAST_SHARD", 2**20)
    assert measured._shard(tmp_path) == tmp_path / "model.safetensors"
    assert all(rate > 0 for rate in measured._disk(tmp_path / "model.safetensors"))
    assert {path.name for path in tmp_path.iterdir()} <= {"model.safetensors", "home"}
    assert list((tmp_path / "home").iterdir()) == []  # what was written to time the disk is gone


def test_named_machines_differ_as_their_data_sheets_do() -> None:
    assert {"h100", "a100", "4090", "3090"} <= set(GPUS)
    card = named_machine("RTX 4090")
    assert card == named_machine("4090")
    assert card.device_memory == 24 * 2**30
    assert card.matrix["bfloat16"] / card.matrix["float32"] == pytest.approx(2, rel=0.01)
    assert named_machine("h100").matrix["bfloat16"] / card.matrix["bfloat16"] == pytest.approx(989.4 / 165.2)
    with pytest.raises(UserError, match=r"GPU 'voodoo2' is unknown; choose one of .*h100.*4090.*3090"):
        named_machine("voodoo2")
