"""Layer matching at the command line and as a job, against the study itself."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from itda_core.dictionaries import TrainConfig
from itda_core.errors import UserError
from itda_core.files import write_json
from itda_core.runs import MATCHING, TRAINING, Job, Jobs, MatchRequest, MatchStatus, match_models
from itda_core.runs.jobs.worker import work_for_job
from itda_core.runs.matching.request import DICTIONARIES
from itda_core.runs.training.run import Interrupted
from tests.conftest import Cli

KEYS = [
    *("models", "layers", "measures", "site", "corpus", "tokens", "common_fraction", "sinks_left_out", "sizes"),
    *("harvest_seconds", "seconds", "config"),
]
MEASURE_KEYS = [
    *("accuracy_all_pairs", "accuracy_different_models", "similarity", "seconds", "interval"),
    *("decisions_all_pairs", "decisions_different_models"),
]


@pytest.fixture
def request_(model_folder_of: Callable[[str], Path], corpus_file: Path) -> MatchRequest:
    return MatchRequest(
        tuple(str(model_folder_of(family)) for family in ("gpt2", "gpt_neox")),
        str(corpus_file),
        TrainConfig(k=4, tokens=300, context=32, threshold=0.3),
        layers=(0, 2),
        measures=("itda", "linear_cka"),
        device="cpu",
    )


def test_json_csv_and_the_table_say_what_the_study_found(itda: Cli, request_: MatchRequest, tmp_path: Path) -> None:
    *_, last = match_models(request_)
    assert last.table is not None
    path = tmp_path / "similarities.csv"
    code, out, err = itda("match", *request_.arguments(), "--csv", path, "--json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert list(found) == KEYS
    assert [list(measure) for measure in found["measures"].values()] == [MEASURE_KEYS] * 2
    for measure in last.table.measures:
        got = found["measures"][measure.name]
        np.testing.assert_allclose(got["similarity"], measure.similarity, atol=1e-5)
        assert got["accuracy_all_pairs"] == measure.accuracy.all_pairs
        assert got["interval"] == pytest.approx(measure.accuracy.interval)
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 4 * 4
    row = rows[-2]  # of linear CKA, the second model with itself, its second layer with its first
    assert (row["measure"], row["model"], row["other_model"]) == ("linear_cka", request_.models[1], request_.models[1])
    assert (row["layer"], row["other_layer"]) == ("2", "0")
    assert float(row["similarity"]) == found["measures"]["linear_cka"]["similarity"][1][1][1][0]

    code, out, _ = itda("match", *request_.arguments())
    assert code == 0
    header, *lines = out.splitlines()
    assert header.split() == ["measure", "all", "pairs", "different", "models", "95%", "interval", "seconds"]
    assert [line.split()[0] for line in lines[:2]] == ["itda", "linear_cka"]
    assert lines[1].split()[1] == f"{last.table.measures[1].accuracy.all_pairs:.3f}"
    assert "8 decisions" in out
    assert "By chance a share of 0.50" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["demo:0"], "1 model(s) cannot be matched"),
        (["demo:0", "demo:9"], "demo:9 does not exist"),
        (["demo:0", "demo:1", "--measures", "magic"], "'magic' does not exist"),
        (["demo:0", "demo:1", "--layers", "9"], "has no layer 9"),
        (["demo:0", "demo:1", "--anchors", "0"], "anchors=0"),
        (["demo:0", "demo:1", "--tokens", "0"], "tokens=0"),
        (["demo:0", "demo:1", "--threshold", "2"], "threshold=2"),
        (["demo:0", "demo:1", "--site", "nowhere"], "'nowhere' of demo:0 does not exist"),
        (["demo:0", "demo:1", "--corpus", "/no/such.txt"], "/no/such.txt does not exist"),
        (["demo:0", "/no/such/model"], "/no/such/model"),
    ],
)
def test_what_cannot_be_is_one_line(itda: Cli, corpus_file: Path, arguments: list[str], said: str) -> None:
    code, out, err = itda("match", *([] if "--corpus" in arguments else ["--corpus", corpus_file]), *arguments)
    assert (code, out) == (2, ""), err
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert said in err


def test_models_of_different_depths_are_refused_before_one_is_loaded(
    itda: Cli, model_folder_of: Callable[[str], Path], corpus_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # By module: in the room, the function of the same name stands for it.
    monkeypatch.setattr(import_module("itda_core.comparison.matching.study"), "load_model", None)
    code, _, err = itda("match", "demo:0", model_folder_of("gpt2"), "--corpus", corpus_file)
    assert code == 2
    assert "different numbers of layers (demo:0 6, " in err
    assert "--layers 0-3" in err


def test_a_request_becomes_arguments_and_json_and_comes_back(request_: MatchRequest) -> None:
    for request in (
        request_,
        MatchRequest(("demo:0", "demo:1"), "demo"),
        MatchRequest(
            ("a", "b"), "demo", replace(DICTIONARIES, sinks=0, centre=True, seed=3), anchors=7, site="mlp_out"
        ),
        MatchRequest(("a", "b"), "demo", TrainConfig(selection="sampled", atoms=50, tokens=100)),
        MatchRequest(("a", "b"), "demo", TrainConfig(selection="paper", tokens=100), offline=True),
    ):
        assert MatchRequest.from_dict(json.loads(json.dumps(request.to_dict()))) == request
        assert parsed(request.arguments()) == request
    assert MatchRequest(("demo:0", "demo:1"), "demo").command() == "itda match demo:0 demo:1 --corpus demo"
    with pytest.raises(UserError, match="unknown keys"):
        MatchRequest.from_dict({**request_.to_dict(), "colour": "red"})


def parsed(arguments: list[str]) -> MatchRequest:
    """What the command line makes of them."""
    from unittest.mock import patch

    from itda_core.cli.main import main

    with patch("itda_core.cli.match._match") as asked, pytest.raises(SystemExit) as ended:
        main(["match", *arguments])
    assert ended.value.code == 0
    return asked.call_args.args[0]


def test_a_job_keeps_its_table_and_a_cancel_is_heard(
    jobs_: Jobs,
    request_: MatchRequest,
    worker_here: Callable[[Job], tuple[int, str, str]],
    on_report: Callable[[Callable[[MatchStatus], object]], None],
) -> None:
    job = jobs_.start(request_)
    assert worker_here(job)[0] == 0
    assert (job.status.state, job.status.error, job.status.fraction) == ("done", None, 1)
    *_, last = match_models(request_)
    assert last.table is not None
    kept = Jobs().get(job.id, MATCHING).status.table
    assert kept is not None
    for one, two in zip(kept.measures, last.table.measures, strict=True):
        np.testing.assert_allclose(one.similarity, two.similarity, atol=1e-5)
    assert jobs_.list(TRAINING) == []

    long = jobs_.start(replace(request_, config=replace(request_.config, tokens=3000)))
    seen: list[MatchStatus] = []

    def cancel(status: MatchStatus) -> None:
        if status.tokens > 0 and not status.ended:
            seen.append(long.status)
            long.cancel()

    on_report(cancel)
    code, out, err = worker_here(long)
    assert (code, out) == (130, "")
    assert [status.state for status in seen] == ["running"]  # it was heard at once
    assert 0 < (seen[0].fraction or 0) < 1
    status = long.status
    assert (status.state, status.error, status.resumable) == ("cancelled", None, True)
    assert "Interrupted" in err
    assert "Traceback" not in err


def test_a_job_that_fails_says_why_and_one_that_is_stopped_stops(jobs_: Jobs, request_: MatchRequest) -> None:
    folder = jobs_.folder / "20300101-000000-000000-abcd"
    order = {"created": "2030-01-01T00:00:00+00:00", "kind": "match", "request": request_.to_dict()}
    write_json(folder / "request.json", order)
    write_json(folder / "status.json", MatchStatus().to_dict())
    with pytest.raises(UserError, match="has no layer 9"):
        work_for_job(folder, replace(request_, layers=(0, 9)), on_step=lambda _: None)
    status = jobs_.get(folder.name, MATCHING).status
    assert (status.state, status.table) == ("failed", None)
    assert "has no layer 9" in str(status.error)
    write_json(folder / "cancel.json", {"requested": 0, "terminated": None})
    with pytest.raises(Interrupted):
        work_for_job(folder, request_, on_step=lambda _: None)
