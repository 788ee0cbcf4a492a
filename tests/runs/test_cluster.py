"""Trainings on a real Ray cluster of two nodes, one core each: the dictionaries are those of a training alone."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # Ray's word for: the loopback address only
pytest.importorskip("ray")

from itda_core.cli import main
from itda_core.dictionaries import AtomDictionary, TrainConfig, TrainProgress
from itda_core.models import ModelSpec
from itda_core.runs import Interrupted, Library, TrainRequest, cluster, run, unfinished
from tests.runs.samples import write_corpus

TOKENS = 12_000


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Two nodes."""
    from ray.cluster_utils import Cluster  # pyright: ignore[reportMissingImports]

    small: dict[str, Any] = {"num_cpus": 1, "object_store_memory": 80 * 2**20}
    head = {**small, "include_dashboard": False, "node_ip_address": "127.0.0.1"}
    nodes = Cluster(initialize_head=True, head_node_args=head)
    try:
        nodes.add_node(**small)
        yield str(nodes.address)
    finally:
        nodes.shutdown()


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("text") / "text.txt", documents=200)


@pytest.fixture
def request_(tiny_folder: Path, text: Path) -> TrainRequest:
    config = TrainConfig(k=4, tokens=TOKENS, context=48, threshold=0.05, centre=True)
    return TrainRequest(ModelSpec(str(tiny_folder), device="cpu"), (0, 2, 3), str(text), config)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """As in the workers: the last bits of a product may depend on the number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def check_same(first: str | Path, second: str | Path) -> None:
    one, two = AtomDictionary.load(first), AtomDictionary.load(second)
    assert torch.equal(one.atoms, two.atoms)
    assert torch.equal(one.mean, two.mean)
    assert one.provenance.equals(two.provenance)
    assert (one.spec, one.config) == (two.spec, two.config)
    timed = ("seconds", "tokens_per_second")
    assert {k: v for k, v in one.stats.items() if k not in timed} == {
        k: v for k, v in two.stats.items() if k not in timed
    }


def workers_here() -> list[int]:
    """The numbers of the processes that train."""
    return [
        process.pid
        for process in psutil.process_iter(["cmdline", "status"])  # one that ends meanwhile has no command line
        if (process.info["cmdline"] or [""])[0].startswith("ray::Worker")
        and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


def test_layers_are_spread_and_a_killed_worker_changes_nothing(
    address: str, request_: TrainRequest, tmp_path: Path
) -> None:
    alone = run(replace(request_, library=str(tmp_path / "alone")))
    seen: list[TrainProgress] = []
    notes: list[str] = []
    killed: list[int] = []

    def kill_one(progress: TrainProgress) -> None:
        seen.append(progress)
        if not killed and progress.tokens > TOKENS / 10:
            killed.append(min(workers_here()))
            os.kill(killed[0], signal.SIGKILL)

    spread = cluster.run(
        request_,
        address=address,
        work=tmp_path / "work",  # as a job has it
        checkpoint_seconds=0.2,
        on_progress=kill_one,
        on_note=notes.append,
    )
    assert killed
    assert any("died" in note for note in notes)
    assert [result.layer for result in spread] == [0, 2, 3]
    for one, two in zip(alone, spread, strict=True):
        check_same(one.path, two.path)
    assert [len(progress.layers) for progress in seen] == [3] * len(seen)
    assert (seen[-1].tokens, seen[-1].total) == (TOKENS, TOKENS)
    assert not (tmp_path / "work").exists()


def test_a_sweep_that_was_cancelled_keeps_what_is_there_and_goes_on(
    address: str,
    request_: TrainRequest,
    model_folder_of: Callable[[str], Path],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Two models at once; the first one's worker then computes for the second, whose one layer both share."""
    llama = ModelSpec(str(model_folder_of("llama")), device="cpu")
    short = replace(request_, model=llama, layers=(0, 1), config=replace(request_.config, tokens=TOKENS // 8))
    # Long enough that it is not at its end when the other is saved, however the machine is loaded.
    text = str(write_corpus(tmp_path / "long.txt", documents=1000))
    long = replace(request_, layers=(3,), corpus=text, config=replace(request_.config, tokens=5 * TOKENS))
    alone = [run(replace(request, library=str(tmp_path / "alone"))) for request in (short, long)]
    read = {0: 0, 1: 0}

    def progressed(i: int, progress: TrainProgress) -> None:
        read[i] = progress.tokens

    def saved() -> list[Path]:
        return [entry.path for entry in Library().entries() if entry.model == llama.name]

    with pytest.raises(Interrupted) as stopped:
        cluster.train_all(
            [short, long],
            address=address,
            on_progress=progressed,
            should_stop=lambda: len(saved()) == 2 and read[1] > TOKENS / 4,
        )
    assert 0 < stopped.value.tokens < 5 * TOKENS
    assert sorted(AtomDictionary.load(path).spec.layer or 0 for path in saved()) == [0, 1]
    for one, path in zip(alone[0], sorted(saved()), strict=True):
        check_same(one.path, path)
    (waiting,) = unfinished()
    assert waiting.request == long.resolved()

    capfd.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(["train", *long.arguments(), "--cluster", address, "--resume", "--json"])
    assert ended.value.code == 0
    (resumed,) = json.loads(capfd.readouterr().out)["dictionaries"]
    check_same(alone[1][0].path, resumed["path"])
    assert AtomDictionary.load(resumed["path"]).stats["tokens"] == 5 * TOKENS
    assert unfinished() == []
