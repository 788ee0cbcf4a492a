"""What the library says of the loss: what was stored or measured, and nothing else."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from itda_core.analysis import Evaluation
from itda_core.dictionaries.storage.dictionary_folder import read_summary
from itda_core.runs.evaluation.measured_loss import NOT_MEASURED, loss_words, measured_loss
from itda_core.runs.evaluation.request import EvaluateRequest
from itda_core.runs.evaluation.status import EvaluationStatus
from itda_core.runs.jobs.jobs import Jobs
from itda_core.runs.library import BUNDLED
from tests.conftest import Cli

NAME = "demo-0-L3"
LATER, EARLIER = "2099-01-01T00:00:00+00:00", "2000-01-01T00:00:00+00:00"


@pytest.fixture
def dictionary(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BUNDLED / NAME, tmp_path / "library" / NAME))


def edit(dictionary: Path, **stats: Any) -> dict[str, Any]:
    file = dictionary / "dictionary.json"
    said = json.loads(file.read_text())
    said["stats"] |= stats
    file.write_text(json.dumps(said))
    return said


def result_of(dictionary: Path, /, **other: Any) -> Evaluation:
    said = json.loads((dictionary / "dictionary.json").read_text())
    config, spec = said["config"], said["spec"]
    base = Evaluation(
        *(str(dictionary), config["k"], config["method"], 4096, 0.2, 0.1, 0.9, 8.0, 0.1, 2.25, 3.25, 12.5, 0.9, 0.75),
        *("held-out", "demo", spec["model"], spec["layer"], spec["site"], said["atoms"]),
    )
    return replace(base, **other)


def evaluated(home: Path, created: str, *results: Evaluation, state: Any = "done", number: int = 0) -> Jobs:
    folder = home / "jobs" / f"20261120-120000-00000{number}-abcd"
    folder.mkdir(parents=True)
    request = EvaluateRequest((NAME,)).to_dict()
    (folder / "request.json").write_text(json.dumps({"created": created, "kind": "evaluate", "request": request}))
    status = EvaluationStatus(state, "", 4096, None, 12.0, None, (), None, 1.0, results)
    (folder / "status.json").write_text(json.dumps(status.to_dict()))
    return Jobs(home)


def test_nothing_is_invented(dictionary: Path, tmp_path: Path) -> None:
    assert measured_loss(dictionary, Jobs(tmp_path)) is None
    assert loss_words(dictionary, Jobs(tmp_path)) == {"rise of the loss (nats)": NOT_MEASURED}


def test_what_the_dictionary_stores_comes_first(dictionary: Path, tmp_path: Path) -> None:
    jobs = evaluated(tmp_path, LATER, result_of(dictionary))
    edit(dictionary, ce_original=2.0, ce_reconstructed=2.5)
    found = measured_loss(dictionary, jobs)
    assert found is not None
    assert (found.rise, found.kl, found.ce_score) == (0.5, None, None)
    assert loss_words(dictionary, jobs) == {
        "rise of the loss (nats)": "+0.500 (from 2.000)",
        "loss measured": "when the dictionary was made",
    }
    edit(dictionary, ce_original="2", ce_reconstructed=True)
    assert measured_loss(dictionary, jobs) is not None
    assert "k = " in loss_words(dictionary, jobs)["loss measured"]  # what is stored is no figure


def test_else_the_newest_evaluation_at_its_own_k_and_pursuit(dictionary: Path, tmp_path: Path) -> None:
    other = result_of(dictionary, k=3, method="gp", ce_reconstructed=9.0)
    evaluated(tmp_path, LATER, result_of(dictionary, ce_reconstructed=7.0), number=0)
    jobs = evaluated(tmp_path, LATER, other, result_of(dictionary), number=1)
    own = result_of(dictionary)
    assert loss_words(dictionary, jobs) == {
        "CE score": "0.900",
        "rise of the loss (nats)": "+1.000 (from 2.250)",
        "KL (nats)": "0.750",
        "loss measured": f"k = {own.k}, {own.method.upper()}, 4,096 tokens of demo (held-out)",
    }


def test_an_older_evaluation_at_its_own_k_comes_before_a_newer_at_another(dictionary: Path, tmp_path: Path) -> None:
    evaluated(tmp_path, LATER, result_of(dictionary, ce_reconstructed=7.0), number=0)
    jobs = evaluated(tmp_path, LATER, result_of(dictionary, k=3, ce_reconstructed=9.0), number=1)
    assert loss_words(dictionary, jobs)["rise of the loss (nats)"] == "+4.750 (from 2.250)"


def test_at_which_k_it_was_measured_is_said_where_it_is_not_its_own(dictionary: Path, tmp_path: Path) -> None:
    own = result_of(dictionary)
    jobs = evaluated(tmp_path, LATER, replace(own, k=3, method="gp"))
    assert loss_words(dictionary, jobs)["loss measured"].startswith(
        f"k = 3, GP (its own: k = {own.k}, {own.method.upper()}; not evaluated), 4,096 tokens"
    )


def test_a_renamed_dictionary_keeps_its_loss_and_its_old_name_has_none(dictionary: Path, tmp_path: Path) -> None:
    identity = read_summary(dictionary).identity
    jobs = evaluated(tmp_path, EARLIER, result_of(dictionary, identity=identity))
    renamed = dictionary.rename(dictionary.with_name("renamed"))
    found = measured_loss(renamed, jobs)
    assert found is not None
    assert found.rise == 1.0
    shutil.copytree(renamed, dictionary)
    edit(dictionary, seconds=1.0)  # another one of the same model, layer and size, which has the name now
    assert read_summary(dictionary).identity != identity
    assert measured_loss(dictionary, jobs) is None


@pytest.mark.parametrize(
    ("created", "state", "other"),
    [
        (EARLIER, "done", {}),  # another dictionary had the name then
        (LATER, "cancelled", {}),
        (LATER, "done", {"dictionary": "/elsewhere/demo-0-L3"}),
        (LATER, "done", {"atoms": 3}),
        (LATER, "done", {"ce_original": None, "ce_reconstructed": None}),
    ],
)
def test_an_evaluation_of_something_else_does_not_count(
    dictionary: Path, tmp_path: Path, created: str, state: str, other: dict[str, Any]
) -> None:
    jobs = evaluated(tmp_path, created, result_of(dictionary, **other), state=state)
    assert measured_loss(dictionary, jobs) is None


def test_the_command_line_and_the_page_say_it(
    dictionary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, itda: Cli
) -> None:
    from pages.ui.library.description import description

    monkeypatch.setenv("ITDA_HOME", str(tmp_path))
    assert description(dictionary).measured["rise of the loss (nats)"] == NOT_MEASURED
    evaluated(tmp_path, LATER, result_of(dictionary))
    assert description(dictionary).measured["rise of the loss (nats)"].startswith("+1.000")
    code, out, _ = itda("library", "show", NAME)
    assert code == 0
    assert "loss.rise of the loss (nats)" in out
    assert "+1.000 (from 2.250)" in out
