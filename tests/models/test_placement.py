"""Where weights go: the decision from numbers alone, and models that are spread over memory and disk."""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from itda_core.errors import UserError
from itda_core.machine import host_memory as memory_module
from itda_core.machine.host_memory import host_memory
from itda_core.models import LanguageModel, ModelSpec, load_model, loading
from itda_core.models.folder.model_folder import weight_files
from itda_core.models.placement import SHARE, Room, choose, limits, needed_bytes, room
from itda_core.text import Document, Window, windows
from tests.models.zoo import FAMILIES, folder_of

GB = 10**9
TEXTS = ["The king of torsen, 42.", "Ba deki lo mura sentor vi zan? Theing er the ba. " * 2, "Zan!"]


@pytest.mark.parametrize(
    ("needed", "room", "chosen"),
    [
        (14 * GB, Room({}, 32 * GB), "memory"),  # a CPU
        (28 * GB, Room({}, 32 * GB), "disk"),  # nothing left to compute with
        (28 * GB, Room({}, 33 * GB), "memory"),
        (16 * GB, Room({0: 24 * GB}, 64 * GB), "memory"),  # 8B parameters on a consumer GPU
        (28 * GB, Room({0: 24 * GB}, 64 * GB), "spread"),  # GPU and main memory
        (141 * GB, Room({0: 24 * GB}, 64 * GB), "disk"),  # 70B
        (141 * GB, Room({0: 80 * GB, 1: 80 * GB, 2: 80 * GB}, 8 * GB), "spread"),  # several GPUs
        (16 * GB, Room({1: 12 * GB, 0: 80 * GB}, 0), "spread"),  # the GPU that was asked for is too small
        (16 * GB, Room({1: 80 * GB, 0: 12 * GB}, 0), "memory"),
        (0, Room({}, 0), "memory"),
        (1, Room({0: 0}, 0), "disk"),
    ],
)
def test_the_choice_follows_from_what_is_needed_and_free(needed: int, room: Room, chosen: str) -> None:
    assert choose(needed, room) == chosen


@pytest.mark.parametrize(
    ("room", "n_disk"),
    [
        (Room({0: 7100, 1: 7100}, 0), 0),
        (Room({0: 5000, 1: 4000}, 4000), 0),
        (Room({0: 3000}, 2000), 3),
        (Room({}, 3000), 5),
        (Room({}, 0), 8),
    ],
)
def test_what_does_not_fit_above_goes_below(room: Room, n_disk: int) -> None:
    """Eight layers of 1,000 bytes, placed by accelerate itself, which leaves a layer's room where it computes."""
    from accelerate import infer_auto_device_map

    with torch.device("meta"):
        layers = torch.nn.Sequential(*[torch.nn.Linear(25, 10, bias=False) for _ in range(8)])
    asked = limits(room)
    assert asked == {**{gpu: int(SHARE * free) for gpu, free in room.gpus.items()}, "cpu": int(SHARE * room.memory)}
    limited: Any = asked  # accelerate's own annotation is of None
    placed: list[Any] = list(infer_auto_device_map(layers, max_memory=limited).values())
    if placed == ["disk"]:  # all together
        placed = ["disk"] * 8
    for place, limit in asked.items():
        assert 1000 * placed.count(place) <= limit
    assert placed.count("disk") >= n_disk
    assert (n_disk == 0) == ("disk" not in placed)
    assert placed == sorted(placed, key=[*asked, "disk"].index)  # GPUs first, then main memory, then the disk


def test_the_bytes_needed_are_those_of_the_loaded_parameters(model: LanguageModel) -> None:
    files = weight_files(model.folder)
    parameters = {id(weight): weight.numel() for weight in model.module.parameters()}
    stored = sum(parameters.values())
    assert needed_bytes(files, 4) == 4 * stored
    assert needed_bytes(files, 2) == 2 * stored
    if model.has_lm_head and model.name.endswith(("llama", "gpt_neox")):  # their heads are not tied
        below = load_model(model.name, head=False)
        assert needed_bytes(files, 4, head=False) == 4 * sum(w.numel() for w in below.module.parameters())


def test_a_folder_that_cannot_be_read_needs_nothing(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"\xff" * 50)
    assert needed_bytes([tmp_path / "model.safetensors"], 4) == 0


def test_room_on_a_cpu_is_main_memory() -> None:
    found = room(torch.device("cpu"), others=True)
    assert found.gpus == {}
    assert 0 < found.memory <= host_memory().total


def test_a_containers_limit_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"memory.max": "1000", "memory.current": "400"}
    monkeypatch.setattr(memory_module, "read_cgroup", lambda name: said[name])
    assert host_memory() == (1000, 600)
    said["memory.current"] = "2000"
    assert host_memory() == (1000, 0)
    said["memory.max"] = "max"
    assert host_memory().total > 1000


@pytest.fixture
def offload_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[Path]]:
    """What there is of folders for weights on disk, which are made inside `tmp_path`."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return lambda: sorted(tmp_path.glob("itda-offload-*"))


def cut(model: LanguageModel) -> list[Window]:
    documents = [Document(f"d{i}", text) for i, text in enumerate(TEXTS)]
    return list(windows(documents, model.tokenizer, context=24))


def with_room(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    monkeypatch.setattr(loading, "room", lambda *_, **__: Room({}, free))


@pytest.mark.parametrize("name", ["gpt2", "llama", "gemma2", "mixtral", "bert", "llava", "mamba"])
@pytest.mark.parametrize("head", [True, False])
def test_a_model_that_lies_on_disk_gives_the_same_activations(
    name: str,
    head: bool,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    offload_folders: Callable[[], list[Path]],
) -> None:
    family = FAMILIES[name]
    folder = folder_of(family, tmp_path_factory.mktemp(name))
    spec = ModelSpec(str(folder), device="cpu", placement="spread")
    whole = load_model(replace(spec, placement="memory"), head=head)
    for share in (0.0, 0.9):
        with_room(monkeypatch, int(share * needed_bytes(weight_files(folder), 4, head=head) / SHARE))
        spread = load_model(spec, head=head)
        on_disk = [weight.is_meta for weight in spread.module.parameters()]
        assert any(on_disk)
        assert (share == 0) == all(on_disk)
        assert spread.device == whole.device
        assert spread.dtype == whole.dtype
        assert len(offload_folders()) == 1
        kinds = ["resid_pre", "resid_post"] + (["attn_out", "mlp_out"] if family.attention else [])
        sites = [spread.site(kind, layer) for layer in (0, 2) for kind in kinds]
        cuts = cut(whole)
        for wanted in (sites, sites[:1], sites):  # also after passes that were ended early
            got = next(spread.stream(cuts, wanted)).activations
            expected = next(whole.stream(cuts, wanted)).activations
            for site in wanted:
                assert got[site].device == whole.device
                assert torch.equal(got[site], expected[site]), site
        if whole.has_lm_head:
            found = spread.predict(cuts, sites)
            torch.testing.assert_close(found.logits, whole.predict(cuts).logits, atol=1e-6, rtol=1e-6)
            again = spread.predict_spliced(cuts, sites[1], found.activations[sites[1]])
            torch.testing.assert_close(again, found.logits, atol=1e-6, rtol=1e-6)
        del spread
        gc.collect()
        assert not offload_folders()


def test_auto_spreads_only_what_does_not_fit(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch, offload_folders: Callable[[], list[Path]]
) -> None:
    needed = needed_bytes(weight_files(tiny_folder), 4)
    spec = ModelSpec(str(tiny_folder), device="cpu")
    with_room(monkeypatch, int(needed / SHARE) + 2)
    assert not any(weight.is_meta for weight in load_model(spec).module.parameters())
    with_room(monkeypatch, int(needed / SHARE) - 2)
    spread = load_model(spec)
    assert any(weight.is_meta for weight in spread.module.parameters())
    half = load_model(replace(spec, dtype="bfloat16"))  # takes half of that
    assert not any(weight.is_meta for weight in half.module.parameters())
    everything = load_model(replace(spec, placement="memory"))
    assert not any(weight.is_meta for weight in everything.module.parameters())


def test_a_model_that_cannot_be_loaded_leaves_no_folder(
    tmp_path: Path,
    model_folder_of: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    offload_folders: Callable[[], list[Path]],
) -> None:
    import shutil

    folder = Path(shutil.copytree(model_folder_of("llama"), tmp_path / "copied"))
    (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:5000])
    with_room(monkeypatch, 0)
    with pytest.raises(UserError, match="weights of model"):
        load_model(ModelSpec(str(folder), device="cpu", dtype="float32", placement="spread"))
    assert not offload_folders()


def test_a_full_disk_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offload_folders: Callable[[], list[Path]]
) -> None:
    import errno

    from transformers import core_model_loading

    folder = folder_of(FAMILIES["mixtral"], tmp_path)  # experts are stored one by one and computed together
    with_room(monkeypatch, 0)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(core_model_loading, "offload_weight", full)
    with pytest.raises(UserError, match=r"The disk is full: .* does not hold the weights of .* set TMPDIR"):
        load_model(ModelSpec(str(folder), device="cpu", placement="spread"))
    assert not offload_folders()


def test_streaming_is_for_training_only_and_other_words_are_unknown(tiny_folder: Path) -> None:
    with pytest.raises(UserError, match="cannot be streamed here: only itda train reads"):
        load_model(ModelSpec(str(tiny_folder), placement="stream"))
    with pytest.raises(UserError, match="Placement 'gpu' is unknown; choose one of auto, memory, spread, stream"):
        ModelSpec("demo:0", placement="gpu")


def test_a_gpu_with_a_number_is_alone_and_another_is_joined_by_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    free = {0: 5 * GB, 1: 20 * GB, 2: 7 * GB}
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(free))
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda index: (free[index], 24 * GB))
    assert list(room(torch.device("cuda"), others=True).gpus.items()) == [(1, 20 * GB), (0, 5 * GB), (2, 7 * GB)]
    assert room(torch.device("cuda", 2), others=False).gpus == {2: 7 * GB}
    asked: list[bool] = []
    monkeypatch.setattr(loading, "room", lambda _, *, others: asked.append(others) or Room({0: 0}, 0))
    for device in ("auto", "cuda", "cuda:1"):
        spec = ModelSpec("demo:0", device=device, placement="spread")
        assert loading._place(spec, Path("."), torch.device("cuda"), torch.float32, head=True) == Room({0: 0}, 0)
    assert asked == [True, True, False]
    with pytest.raises(UserError, match="cannot be spread from mps; choose device cpu, or placement memory"):
        loading._place(spec, Path("."), torch.device("mps"), torch.float32, head=True)
