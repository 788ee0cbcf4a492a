from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from itda_core.cli import request_command
from itda_core.runs import TRANSFER, TransferRequest


@pytest.mark.parametrize("as_json", [False, True])
def test_a_kind_of_job_without_a_file_of_its_own_has_a_command(as_json: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def outcome_of(request: Any, **_: Any) -> SimpleNamespace:
        asked.append(request)
        return SimpleNamespace(to_dict=lambda: {"fvu": 0.25})

    monkeypatch.setattr(request_command, "outcome_of", outcome_of)
    cli = typer.Typer()
    cli.command()(request_command.command_for(TRANSFER))
    ran = CliRunner().invoke(cli, ["demo-0-L1", "demo:1", "--k", "4,8", *(["--json"] if as_json else [])])
    assert ran.exit_code == 0, ran.output
    (request,) = asked
    assert isinstance(request, TransferRequest)
    assert (request.labels, request.model.name, request.ks) == (("demo-0-L1",), "demo:1", (4, 8))
    if as_json:
        assert json.loads(ran.stdout) == {"fvu": 0.25}
    else:
        assert "fvu" in ran.stdout
        assert "0.25" in ran.stdout
