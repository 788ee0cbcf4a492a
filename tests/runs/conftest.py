"""A home of its own for every test that touches the library or the jobs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from itda_core.dictionaries import TrainConfig
from itda_core.models import ModelSpec
from itda_core.runs import Job, Jobs, Library, TrainRequest, run
from itda_core.runs.jobs import jobs
from itda_core.runs.jobs.reporter import Reporter
from tests.conftest import Cli
from tests.runs.samples import make_dictionary, write_corpus
from tests.runs.workers import process_of


@pytest.fixture(autouse=True)
def a_home_of_its_own(home: Path) -> None:
    """For every test of these."""


@pytest.fixture
def jobs_(home: Path) -> Iterator[Jobs]:
    """The jobs of an empty home; none of its workers outlives the test."""
    jobs = Jobs()
    yield jobs
    for job in jobs.list():
        worker = process_of(job)
        if worker is not None and worker.pid != os.getpid():
            worker.kill()


@pytest.fixture
def worker_here(monkeypatch: pytest.MonkeyPatch, itda: Cli) -> Callable[[Job], tuple[int, str, str]]:
    """Jobs get no process of their own; `worker_here(job)` runs in this one the command that its process would run.

    It returns the exit code and what would be in the log. A real process takes seconds to import what it needs.
    """
    commands: list[list[str]] = []

    def popen(command: list[str], **_: Any) -> Any:
        commands.append(command)
        return SimpleNamespace(pid=os.getpid(), poll=lambda: 0)

    def work(job: Job) -> tuple[int, str, str]:
        words = ["-m", "itda_core", *job.kind.command]
        assert (commands[-1][1 : 1 + len(words)], commands[-1][-1]) == (words, str(job.folder))
        return itda(*commands.pop()[3:])

    monkeypatch.setattr(jobs, "subprocess", SimpleNamespace(Popen=popen, DEVNULL=subprocess.DEVNULL))
    monkeypatch.setattr(jobs, "_yield_to_pages", lambda worker: None)  # the worker is this process, and stays as it is
    return work


@pytest.fixture
def on_report(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Any], object]], None]:
    """`on_report(look)`: `look(status)` after each status that a worker in this process writes; it writes them all."""

    def use(look: Callable[[Any], object]) -> None:
        def reported(self: Reporter, status: Any, *, soon: bool = True) -> None:
            report(self, status, soon=True)
            look(status)

        monkeypatch.setattr(Reporter, "report", reported)

    report = Reporter.report
    return use


@pytest.fixture
def bundled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of bundled dictionaries with one in it, `demo-0-L2`."""
    folder = tmp_path / "bundled"
    make_dictionary(seed=9).save_pretrained(folder / "demo-0-L2")
    monkeypatch.setattr("itda_core.runs.library.BUNDLED", folder)
    return folder


@pytest.fixture
def library(bundled: Path) -> Library:
    """A library with two dictionaries, `first` and `second`, beside the bundled one."""
    library = Library()
    for seed, name in enumerate(("first", "second")):
        make_dictionary(seed=seed).save_pretrained(library.folder / name)
    return library


@pytest.fixture(scope="session")
def corpus_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small corpus of paragraphs."""
    return write_corpus(tmp_path_factory.mktemp("corpus") / "paragraphs.txt")


@pytest.fixture(scope="session")
def trained(
    tmp_path_factory: pytest.TempPathFactory, model_folder_of: Callable[[str], Path], corpus_file: Path
) -> Path:
    """A dictionary trained on layer 1 of the tiny GPT-2, centred."""
    folder = tmp_path_factory.mktemp("trained")
    request = TrainRequest(
        ModelSpec(str(model_folder_of("gpt2")), device="cpu"),
        (1,),
        str(corpus_file),
        TrainConfig(k=4, tokens=1500, context=32, centre=True),
        library=str(folder / "library"),
    )
    return Path(run(request, work=folder / "work")[0].path)
