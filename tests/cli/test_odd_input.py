"""Every command with odd values for every option and argument: a result, or one line that says what was wrong."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from itda_core.cli.main import cli
from itda_core.errors import UserError
from tests.conftest import Cli
from tests.runs.samples import make_dictionary

NONE = "/no/such/model"
GIVEN: dict[str, list[str]] = {  # what a command needs; where it would work long, it names what is not there
    "app": ["--port", "1"],
    "train": [NONE, "--layers", "0", "--corpus", "demo"],
    "decompose": ["missing", "--prompt", "x"],
    "steer": ["missing", "--prompt", "x", "--atom", "0"],
    "attribute": ["missing", "--prompt", "x"],
    "evaluate": ["missing"],
    "match": [NONE, NONE + "2", "--corpus", "demo"],
    "compare": ["first", "second"],
    "transfer": ["missing", NONE],
    "plan": [NONE, "--tokens", "1000"],
    "library list": [],
    "library show": ["first"],
    "library verify": ["missing"],
    "library import": ["missing"],
    "library export": ["first", "out.zip"],
    "library rebuild": ["missing", "--model", NONE],
    "library rename": ["missing", "other"],
    "library remove": ["missing", "--yes"],
    "library activations": [],
    "jobs list": [],
    "jobs remove": ["missing"],
    "atoms index": ["missing"],
    "atoms map": ["missing"],
    "atoms show": ["missing", "1"],
    "atoms search": ["missing", "x"],
    "atoms honesty": ["missing"],
    "bench pursuit": ["--device", "none"],
    "bench train": ["--model", NONE, "--quick"],
    "bench stream": ["--folder", "/no/such/folder"],
    "bench compare": ["--atoms", "-1"],
    "bench atoms": ["--k", "-1", "--quick"],
}
WHOLE = ("-1", "0", str(2**53), "9" * 30, "9" * 5000, "1.5", "nan", "x", "", "１２", "1_000")
NUMBERS = ("nan", "inf", "-inf", "1e400", "-1", "0", "1e-320", "9" * 400, "x", "")
WORDS = (
    "",
    " ",
    "x" * 300,
    "x" * 300_000,
    "~nobody9/x",
    "caf\udce9",
    "\ud800",
    "e\u0301\n\x1b[31m",
    "..",
    "-",
    "/dev/null",
)


def commands() -> Iterator[tuple[str, Any]]:
    """Every command with its name as one types it."""
    for name, command in typer.main.get_command(cli).commands.items():  # pyright: ignore[reportAttributeAccessIssue]
        for inner, one in getattr(command, "commands", {"": command}).items():
            yield f"{name} {inner}".strip(), one


def variants(name: str, command: Any) -> Iterator[list[str]]:
    """The arguments as they are, with one of them odd, and with one odd option more."""
    given = GIVEN[name]
    yield given
    for place, argument in enumerate(given):
        if not argument.startswith("-") and not given[max(place - 1, 0)].startswith("--"):
            yield from ([*given[:place], odd, *given[place + 1 :]] for odd in WORDS)
    for option in command.params:
        flags = [flag for flag in option.opts if flag.startswith("--")]
        if not flags or option.is_flag:
            continue
        kind = option.type_descriptor.annotation
        odd = WHOLE if kind is int else NUMBERS if kind is float else WORDS
        yield from ([*given, f"{flags[0]}={value}"] for value in odd)


def test_every_command_is_tried() -> None:
    assert sorted(name for name, _ in commands()) == sorted(GIVEN)


@pytest.fixture
def shelf(itda: Cli, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two dictionaries, an empty working folder, and a dashboard that does not take this process's place."""

    def no_dashboard(*_: object) -> None:
        raise SystemExit(0)

    def no_bench(*_: object, **__: object) -> None:
        raise UserError("It takes minutes; run it by hand.")

    for seed, name in enumerate(("first", "second")):
        make_dictionary(seed=seed).save_pretrained(home / "library" / name)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(os, "execve", no_dashboard)
    for work in ("streaming.run.bench_stream", "comparison.run.bench_compare", "cluster_sweep.cluster_sweep"):
        monkeypatch.setattr(f"itda_core.bench.{work}", no_bench)


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize("name", sorted(GIVEN))
def test_an_odd_value_is_a_result_or_one_line(name: str, itda: Cli) -> None:
    command = dict(commands())[name]
    for arguments in variants(name, command):
        code, out, err = itda(*name.split(), *arguments)
        told = [argument[:40] for argument in arguments]
        assert code in (0, 2), told
        lines = [line for line in err.splitlines() if line.startswith("error: ")]
        assert len(lines) == (code == 2), (told, err[-500:])
        assert all(len(line) < 1300 and line.isprintable() for line in lines), told
        assert code or out, told
    assert not [path for path in itertools.islice(Path.cwd().iterdir(), 9) if "nobody9" in path.name]
    shutil.rmtree(Path.cwd())
