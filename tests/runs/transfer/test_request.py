"""What a transfer is asked: its words for a terminal and for JSON, what it will cost, and what is refused at once."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest

from itda_core.cli.main import main
from itda_core.errors import UserError
from itda_core.models import ModelSpec
from itda_core.runs import Library, TransferRequest
from itda_core.runs.costs.machines import operations_per_second
from itda_core.runs.costs.model_figures import model_figures
from itda_core.runs.costs.transfer import estimate_transfer, operations_by_step
from itda_core.runs.machine import machine
from itda_core.runs.transfer.run import share_of_all

PLAIN = TransferRequest(("first", "second"), ModelSpec("demo:1"))
FULL = TransferRequest(
    ("first",),
    ModelSpec("other", "v1", "cpu", "bfloat16", True, True, "memory"),
    (0, 2, 3),
    (4, 8),
    "omp",
    ("mine", "yours"),
    "text.txt",
    "hf:held",
    500,
    0,
    7,
    "/somewhere",
)


@pytest.mark.parametrize("request_", [PLAIN, FULL, replace(PLAIN, layers=None, ks=(3,))])
def test_a_request_becomes_arguments_and_json_and_comes_back(request_: TransferRequest) -> None:
    assert TransferRequest.from_dict(json.loads(json.dumps(request_.to_dict()))) == request_
    with patch("itda_core.cli.transfer._transfer") as asked, pytest.raises(SystemExit) as ended:
        main(["transfer", *request_.arguments()])
    assert ended.value.code == 0
    assert asked.call_args.args[0] == request_


def test_the_command_leaves_out_what_is_default() -> None:
    assert PLAIN.command() == "itda transfer first second demo:1"
    assert replace(PLAIN, ks=(4, 8), draws=5).command() == "itda transfer first second demo:1 --k 4,8 --draws 5"
    with pytest.raises(UserError, match="unknown keys"):
        TransferRequest.from_dict({**PLAIN.to_dict(), "colour": "red"})
    with pytest.raises(UserError, match="model has unknown keys"):
        TransferRequest.from_dict({**PLAIN.to_dict(), "model": {**PLAIN.to_dict()["model"], "colour": "red"}})


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"labels": ()}, "No labels"),
        ({"tokens": 0}, "tokens=0"),
        ({"draws": -1}, "draws=-1"),
        ({"ks": (4, 0)}, "k=0"),
        ({"method": "magic"}, "'magic'"),
    ],
)
def test_what_cannot_be_is_refused_at_once(wrong: dict, said: str) -> None:
    with pytest.raises(UserError, match=said):
        replace(PLAIN, **wrong)


def test_a_resolved_request_means_the_same_elsewhere(trained: Path, tmp_path: Path, monkeypatch) -> None:
    file = tmp_path / "a.labels.json.gz"
    file.write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    shutil.copytree(trained, tmp_path / "library" / "mine")
    request = TransferRequest(("mine", file.name), ModelSpec("demo:1"), own=("mine",), library="library")
    resolved = request.resolved()
    mine = str(tmp_path / "library" / "mine")
    assert (resolved.labels, resolved.own) == ((mine, str(file)), (mine,))
    assert resolved.library == str(tmp_path / "library")
    assert resolved.resolved() == resolved
    with pytest.raises(UserError, match="'yours'"):
        replace(request, labels=("yours",)).resolved()


def test_its_cost_is_that_of_reading_and_of_encoding(trained: Path, model_folder_of: Callable[[str], Path]) -> None:
    """Against the operations counted by hand."""
    request = TransferRequest(
        (str(trained),), ModelSpec(str(model_folder_of("llama")), device="cpu"), (0, 1, 2), (2, 4), tokens=100, draws=2
    )
    said = json.loads((trained / "dictionary.json").read_text())
    atoms, read = said["atoms"], said["stats"]["tokens"]
    figures = model_figures(request.model)
    assert figures is not None
    encoded = 3 * 4 * (100 * (2 * atoms * (32 + 2) + 2 * atoms * (32 + 4)) + 2 * atoms**2 * 32)
    expected = 2 * figures.parameters * (read + 100) + encoded
    found = estimate_transfer(request)
    slow, fast = operations_per_second(machine(), "cpu")
    assert found.seconds == pytest.approx((expected / fast, expected / slow))
    assert (found.labels, found.layers, found.text) == (1, 3, read)
    assert estimate_transfer(replace(request, model=ModelSpec("no/such", offline=True))).seconds is None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"ks": (9999,)}, "k=9999 exceeds"),
        ({"layers": (0, 9)}, "has no layer 9"),
        ({"labels": ("no-such",)}, "no-such"),
    ],
)
def test_what_cannot_be_has_no_cost(
    trained: Path, model_folder_of: Callable[[str], Path], wrong: dict, said: str
) -> None:
    request = TransferRequest((str(trained),), ModelSpec(str(model_folder_of("llama"))))
    with pytest.raises(UserError, match=said):
        estimate_transfer(replace(request, **wrong))


def test_the_share_of_the_whole_goes_by_what_each_step_costs(
    trained: Path, model_folder_of: Callable[[str], Path]
) -> None:
    request = TransferRequest((str(trained),), ModelSpec(str(model_folder_of("llama"))))
    figures = model_figures(request.model)
    assert figures is not None
    costs = operations_by_step(request, request.read_labels(Library(None)), figures)
    reading, held, measuring = costs.values()
    whole = reading + held + measuring
    assert share_of_all(costs, "drawing places", 0.5) == 0
    assert share_of_all(costs, "reading the labels' text", 0.5) == pytest.approx(reading / 2 / whole)
    assert share_of_all(costs, "reading held-out text", 0.0) == pytest.approx(reading / whole)
    assert share_of_all(costs, "measuring", 1.0) == pytest.approx(1)
