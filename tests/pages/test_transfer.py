"""Transfer on the compare page: what the form asks for is what is started, and a finished one shows its figures."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from itda_core.comparison.label_transfer.transfer import Transfer, TransferTable
from itda_core.models.spec import ModelSpec
from itda_core.runs.jobs.jobs import Job, Jobs
from itda_core.runs.jobs.kinds import TRANSFER
from itda_core.runs.transfer.request import TransferRequest
from itda_core.runs.transfer.status import TransferStatus
from itda_core.runs.transfer.words import verdict
from pages.ui.compare.transfer import results as transfer_results
from tests.pages.conftest import (
    HOSTILE,
    PATIENCE,
    ROOT,
    Studio,
    asked_for,
    components,
    elements,
    notices,
    parsed_text,
    startable,
)

ID = "20261120-120000-000000-abcd"
REQUEST = TransferRequest(("first", "second"), ModelSpec(HOSTILE[1]))


@pytest.fixture
def labels(studio: Studio) -> None:
    """Dictionaries of two layers of one model, one of them twice, and one of a model with a hostile name."""
    for name, model, layer in (
        ("first", "one", 0),
        ("second", "one", 1),
        ("second-b", "one", 1),
        ("third", HOSTILE[1], 0),
    ):
        folder = studio.home / "library" / name
        shutil.copytree(studio.dictionary, folder)
        said = json.loads((folder / "dictionary.json").read_text())
        said["spec"] |= {"model": model, "layer": layer, "weights_fingerprint": model, "corpus": "demo"}
        (folder / "dictionary.json").write_text(json.dumps(said))
    shutil.rmtree(studio.dictionary)


@pytest.fixture
def started(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> list[TransferRequest]:
    """The transfers that were started, of which none runs."""
    requests: list[TransferRequest] = []

    def start(self: Jobs, request: TransferRequest, *, further: bool) -> Job:
        requests.append(request)
        return job_of(studio.home, request, TransferStatus())

    monkeypatch.setattr(Jobs, "start", start)
    return requests


def job_of(home: Path, request: TransferRequest, status: TransferStatus) -> Job:
    """A job's folder as a worker would have left it."""
    job = Job(home / "jobs" / ID)
    job.folder.mkdir(parents=True)
    order = {"created": "2026-11-20T12:00:00+00:00", "kind": TRANSFER.name, "request": request.to_dict()}
    (job.folder / "request.json").write_text(json.dumps(order))
    (job.folder / "status.json").write_text(json.dumps(status.to_dict()))
    return job


def table_of(n_labels: int = 2, ks: tuple[int, ...] = (2, 4), **more: Any) -> TransferTable:
    """Labels of layers 0.. in layers 0 and 1; all names hostile."""
    cells = tuple(
        Transfer(
            **{
                "labels": f"{HOSTILE[1]} layer {of}",
                "labels_layer": of,
                "model": HOSTILE[1],
                "layer": layer,
                "site": "resid_post",
                "k": k,
                "method": "mp",
                "atoms": 40,
                "comparable": 0.9,
                "tokens": 300,
                "fvu": 0.3 / k + 0.05 * (of != layer),
                "relative_error": 0.1,
                "l0": 3.5,
                "own_atoms": 50,
                "own_fvu": 0.2 / k,
                "own_relative_error": 0.1,
                "own_l0": 3.0,
                "random_fvu": 0.4 / k,
                "random_sd": 0.001,
                "random_relative_error": 0.2,
                "random_l0": 3.0,
                **more,
            }
        )
        for of in range(n_labels)
        for layer in (0, 1)
        for k in ks
    )
    return TransferTable(HOSTILE[1], "demo", "demo", 300, 3, cells)


def done(table: TransferTable) -> TransferStatus:
    return TransferStatus("done", tokens=300, share=1.0, table=table)


def charts(test: AppTest) -> list[dict[str, Any]]:
    return [json.loads(e.proto.spec) for e in elements(test) if getattr(e, "type", "") == "plotly_chart"]


@pytest.mark.usefixtures("labels")
def test_where_the_weights_go_is_asked_and_started(studio: Studio, started: list[TransferRequest]) -> None:
    test = studio.open("compare", show="transfer", **{"from": "one"}, into="demo:0")
    test.selectbox(key="transfer.placement").set_value("spread").run()
    assert test.code[-1].value.endswith(" --placement spread")
    test.button(key="transfer.start").click().run()
    assert [request.model.placement for request in started] == ["spread"]


@pytest.mark.usefixtures("labels")
def test_a_transfer_is_started_from_its_form(studio: Studio, started: list[TransferRequest]) -> None:
    given = {"from": "one", "into": "demo:2", "k": "2, 4", "tokens": "900", "draws": "2", "layers": "1-2"}
    test = studio.open("compare", show="transfer", **given)
    assert not notices(test)
    # Of two dictionaries of one layer the first in the library's order is proposed.
    assert list(test.multiselect(key="transfer.labels").value) == ["first", "second"]
    assert test.code[-1].value == "itda transfer first second demo:2 --layers 1-2 --k 2,4 --tokens 900 --draws 2"
    said = "\n".join(caption.value for caption in test.caption)
    assert "300 tokens, and 900 more; labels of 2 dictionaries are rebuilt in 2 layers" in said
    assert "roughly" in said
    test.button(key="transfer.start").click().run()
    assert started == [TransferRequest(("first", "second"), ModelSpec("demo:2"), (1, 2), (2, 4), tokens=900, draws=2)]
    assert asked_for(test)["job"] == ID


@pytest.mark.usefixtures("labels")
def test_the_form_is_in_its_address(studio: Studio) -> None:
    test = studio.open("compare", show="transfer", **{"from": "one"})
    assert test.selectbox(key="transfer.into").value == HOSTILE[1]  # the library's before the bundled models
    test.selectbox(key="transfer.into").set_value("demo:0").run()
    test.multiselect(key="transfer.labels").set_value(["second-b"]).run()
    test.number_input(key="transfer.draws").set_value(5).run()
    test.text_input(key="transfer.k").set_value("3").run()
    address = asked_for(test)
    assert {name: address[name] for name in ("labels", "draws", "k")} == {"labels": "second-b", "draws": "5", "k": "3"}
    assert "tokens" not in address
    again = studio.open("compare", **address)
    assert again.code[-1].value == test.code[-1].value
    # Another model's labels: those of the one before are forgotten without a word.
    test.selectbox(key="transfer.from").set_value(HOSTILE[1]).run()
    assert list(test.multiselect(key="transfer.labels").value) == ["third"]
    assert "labels" not in asked_for(test)
    assert not notices(test)
    assert all(text not in parsed_text(test) for text in HOSTILE)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"k": "999"}, "k=999 exceeds"),
        ({"k": "two"}, "k=two is not a whole number"),
        ({"layers": "9"}, "has no layer 9"),
        ({"layers": "x"}, "cannot be read"),
        ({"tokens": "0"}, "tokens=0"),
        ({"labels": "frist"}, "the nearest is first"),
    ],
)
@pytest.mark.usefixtures("labels")
def test_what_cannot_be_is_said_before_the_start(studio: Studio, given: dict[str, str], said: str) -> None:
    test = studio.open("compare", show="transfer", **{"from": "one", "into": "demo:2", **given})
    assert any(said in sentence for sentence in notices(test)), notices(test)
    can_start = "tokens" in given  # what the address asks for is ignored
    assert startable(test) == can_start


def test_without_labels_the_next_step_is_named(studio: Studio) -> None:
    shutil.rmtree(studio.dictionary)
    assert notices(studio.open("compare", show="transfer")) == ["There are no labels yet."]


def test_a_finished_transfer_shows_its_figures(studio: Studio) -> None:
    table = table_of()
    job_of(studio.home, REQUEST, done(table))
    test = studio.open("compare", job=ID)
    assert any(verdict(table, 2) == said for said in notices(test))
    [bars], [heatmap] = charts(test), components(test, "heatmap")
    assert bars["data"][0]["y"] == [0.15, 0.15]
    np.testing.assert_allclose(np.array(heatmap["values"], float), table.matrix("below_random", 2))
    frame = test.dataframe[0].value
    assert list(frame["FVU"]) == [cell.fvu for cell in table.cells]
    assert list(frame["gain"]) == [cell.gain for cell in table.cells]
    assert list(frame["usable"]) == [0.9] * 8
    assert all(text not in parsed_text(test) for text in HOSTILE)
    other = studio.open("compare", job=ID, k="4", cells="gain")
    assert any(verdict(table, 4) == said for said in notices(other))
    [bars], [heatmap] = charts(other), components(other, "heatmap")
    assert bars["data"][0]["y"] == [0.075, 0.075]
    np.testing.assert_allclose(np.array(heatmap["values"], float), table.matrix("gain", 4))
    assert any(f"job={ID}&k=4&cells=gain" in code.value for code in other.code)
    other.segmented_control(key="transfer.shown.k").set_value("2").run()
    other.segmented_control(key="transfer.cells").set_value("fvu").run()
    assert any(code.value.endswith(f"job={ID}&cells=fvu") for code in other.code)


def test_one_dictionarys_labels_need_no_heatmap_and_one_k_no_choice(studio: Studio) -> None:
    job_of(studio.home, REQUEST, done(table_of(1, (2,), own_fvu=None, own_atoms=None)))
    test = studio.open("compare", job=ID)
    assert len(charts(test)) == 1
    assert not components(test, "heatmap")
    assert any("has no known dictionary of this text" in said for said in notices(test))
    assert not test.segmented_control


def test_a_running_and_a_failed_transfer(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    job = job_of(studio.home, REQUEST, TransferStatus())
    said = TransferStatus("running", step="measuring", eta=12.0, share=0.25)
    monkeypatch.setattr(Job, "status", property(lambda self: said))
    test = studio.open("compare", job=ID)
    shown = [element.proto for element in elements(test) if getattr(element, "type", "") == "progress"]
    assert {(one.value, one.text) for one in shown} == {
        (25, "**Measuring** · 12 s left"),
        (25, "Measuring · 12 s left"),  # of the sidebar
    }
    assert "transfer.cancel" in [button.key for button in test.button]
    assert not charts(test)
    monkeypatch.undo()
    monkeypatch.setenv("ITDA_HOME", str(studio.home))
    (job.folder / "status.json").write_text(
        json.dumps(TransferStatus("failed", error=f"No {HOSTILE[1]}; b.").to_dict())
    )
    test = studio.open("compare", job=ID)
    assert any(HOSTILE[1] in said for said in notices(test))
    assert "transfer.resume" in [button.key for button in test.button]
    assert all(text not in parsed_text(test) for text in HOSTILE)


@pytest.mark.usefixtures("labels")
def test_earlier_transfers_are_listed_and_a_new_one_leads_to_the_form(studio: Studio) -> None:
    job_of(studio.home, REQUEST, done(table_of()))
    test = studio.open("compare", show="transfer")
    assert any("first, second into" in text.value for text in test.text)
    test.button(key=f"open.{ID}").click().run()
    assert asked_for(test)["job"] == ID
    assert charts(test)
    test.button(key="transfer.new").click().run()
    assert asked_for(test) == {"show": "transfer"}


def test_the_table_as_csv() -> None:
    table = table_of()
    read = pd.read_csv(io.StringIO(transfer_results.csv(table)))
    assert list(read["fvu"]) == pytest.approx([cell.fvu for cell in table.cells])
    assert list(read["gain"]) == pytest.approx([cell.gain for cell in table.cells])
    assert set(read["held_out"]) == {"demo"}
    empty = replace(table, cells=tuple(replace(cell, own_fvu=None) for cell in table.cells))
    assert np.isnan(pd.read_csv(io.StringIO(transfer_results.csv(empty)))["own_fvu"].to_numpy()).all()


@pytest.mark.usefixtures("studio")
def test_opening_the_form_loads_no_torch() -> None:
    program = (
        "from streamlit.testing.v1 import AppTest\nimport sys\n"
        f"t = AppTest.from_file('app.py', default_timeout={PATIENCE})\nt.switch_page('pages/compare.py')\n"
        "t.query_params['show'] = 'transfer'\nt.run()\n"
        "assert not t.exception and t.button(key='transfer.start')\nprint('LOADED', 'torch' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert said.split()[-2:] == ["LOADED", "False"]
