"""Trainings on a real Ray cluster of two nodes, one core each: the dictionaries are those of a training alone."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import torch

from itda_core.cli.main import main
from itda_core.dictionaries import AtomDictionary, TrainConfig, TrainProgress
from itda_core.models import ModelSpec
from itda_core.runs import Interrupted, Library, TrainRequest, cluster, run, unfinished
from itda_core.runs.cluster import workers
from itda_core.runs.cluster.parcels import newest_in
from itda_core.runs.cluster.worker import Worker
from tests.runs.samples import write_corpus

if TYPE_CHECKING:
    from itda_core.runs.cluster.shared_forward import Share

pytestmark = pytest.mark.usefixtures("one_thread")  # as the workers have

TOKENS = 6_000  # eight forward batches or more
QUARTER, HALF = TOKENS // 4, TOKENS // 2  # of them, where workers are held: see `held`


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Two nodes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # Ray's word for: the loopback address only
        if not os.environ.get("CI"):  # there it is an error
            pytest.importorskip("ray")
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


def check_same(first: str | Path, second: str | Path) -> None:
    one, two = AtomDictionary.load(first), AtomDictionary.load(second)
    assert torch.equal(one.atoms, two.atoms)
    assert torch.equal(one.mean, two.mean)
    assert one.provenance.equals(two.provenance)
    assert (one.spec, one.config) == (two.spec, two.config)
    timed = ("seconds", "tokens_per_second", "reading")
    assert {k: v for k, v in one.stats.items() if k not in timed} == {
        k: v for k, v in two.stats.items() if k not in timed
    }


def held(places: dict[int, Path]) -> type[Worker]:
    """Workers that wait at each of `places` (tokens read) until its file is there, or until they are told to stop.

    So what is done to them is done in the middle of their work, however fast or busy the machine is. The class is
    local and so travels to the workers as it is: they cannot import the tests.
    """

    class Held(Worker):
        def _progressed(self, progress: TrainProgress) -> None:
            super()._progressed(progress)
            for tokens, file in places.items():
                while progress.tokens >= tokens and not file.exists() and not self._stop.is_set():
                    time.sleep(0.02)

        def compute(self, request: dict[str, Any], share: Share) -> str | None:
            for file in places.values():
                file.with_suffix(".computing").touch()
            return super().compute(request, share)

    return Held


def workers_here() -> list[int]:
    """The numbers of the processes that train, of this test's cluster."""
    found: list[int] = []
    for process in psutil.Process().children(recursive=True):
        try:
            if process.cmdline()[0].startswith("ray::Held") and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except (IndexError, psutil.NoSuchProcess):  # one that ends meanwhile has no command line
            continue
    return found


def test_layers_are_spread_and_a_killed_worker_changes_nothing(
    address: str, request_: TrainRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = run(replace(request_, library=str(tmp_path / "alone")))
    seen: list[TrainProgress] = []
    notes: list[str] = []
    killed: list[int] = []
    work, go_on = tmp_path / "work", tmp_path / "go on"

    def kill_one() -> bool:
        """Once both workers' states have arrived here."""
        states = [newest_in(folder / "state") for folder in work.iterdir()] if work.is_dir() else []
        if not killed and len(states) == 2 and all(states) and seen and seen[-1].tokens >= QUARTER:
            killed.append(min(workers_here()))
            os.kill(killed[0], signal.SIGKILL)
            go_on.touch()
        return False

    monkeypatch.setattr(workers, "Worker", held({QUARTER: go_on}))
    spread = cluster.run(
        request_,
        address=address,
        work=work,  # as a job has it
        checkpoint_seconds=0.0,
        on_progress=seen.append,
        on_note=notes.append,
        should_stop=kill_one,
    )
    assert killed
    assert any("died" in note for note in notes)
    assert [result.layer for result in spread] == [0, 2, 3]
    for one, two in zip(alone, spread, strict=True):
        check_same(one.path, two.path)
    assert [len(progress.layers) for progress in seen] == [3] * len(seen)
    assert (seen[-1].tokens, seen[-1].total) == (TOKENS, TOKENS)
    assert not work.exists()


def test_a_sweep_that_was_cancelled_keeps_what_is_there_and_goes_on(
    address: str,
    request_: TrainRequest,
    model_folder_of: Callable[[str], Path],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Two models at once; the first one's worker then computes for the second, whose one layer both share."""
    llama = ModelSpec(str(model_folder_of("llama")), device="cpu")
    short = replace(request_, model=llama, layers=(0, 1), config=replace(request_.config, tokens=QUARTER))
    long = replace(request_, layers=(3,))
    alone = [run(replace(request, library=str(tmp_path / "alone"))) for request in (short, long)]
    read = {0: 0, 1: 0}
    # The short one ends before its place. The long one waits for it at the first, and at the second to be cancelled.
    first, second = tmp_path / "first", tmp_path / "second"

    def progressed(i: int, progress: TrainProgress) -> None:
        read[i] = progress.tokens

    def saved() -> list[Path]:
        return [entry.path for entry in Library().entries() if entry.model == llama.name]

    def cancelled() -> bool:
        if len(saved()) == 2 and first.with_suffix(".computing").exists():
            first.touch()
        return first.exists() and read[1] >= HALF

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(workers, "Worker", held({QUARTER + 1: first, HALF: second}))
        with pytest.raises(Interrupted) as stopped:
            cluster.train_all([short, long], address=address, on_progress=progressed, should_stop=cancelled)
    assert HALF <= stopped.value.tokens < TOKENS
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
    assert AtomDictionary.load(resumed["path"]).stats["tokens"] == TOKENS
    assert unfinished() == []
