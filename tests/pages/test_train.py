"""The train page: what the form asks for is what is started; a job is shown as it stands."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
from streamlit.testing.v1 import AppTest

from itda_core.dictionaries import TrainConfig
from itda_core.dictionaries.training_stage import TrainingStage
from itda_core.models.spec import ModelSpec
from itda_core.runs.costs import measured
from itda_core.runs.jobs.jobs import Job, Jobs
from itda_core.runs.library import Library
from itda_core.runs.training.request import TrainRequest
from itda_core.runs.training.status import Accepted, LayerRounds, LayerStatus, TrainingStatus
from pages.ui.train.watch import expected_atoms
from tests.pages.conftest import HOSTILE, Studio, components, elements, notices, page_links, parsed_text, startable

if TYPE_CHECKING:
    from streamlit.testing.v1.element_tree import ButtonGroup


@pytest.fixture
def folder(model_folder_of) -> Path:
    return model_folder_of("gpt2")


def filled(studio: Studio, folder: Path) -> AppTest:
    corpus = studio.home / "text.txt"
    corpus.write_text("Some words to read.\n" * 10_000)
    test = studio.open("train")
    test.segmented_control(key="train.model.source").set_value("Local folder").run()
    test.text_input(key="train.model.folder").set_value(str(folder)).run()
    test.segmented_control(key="train.text.source").set_value("Path").run()
    test.text_input(key="train.text.path").set_value(str(corpus)).run()
    test.number_input(key="train.context").set_value(64)  # the most that so small a model reads
    test.number_input(key="train.k.other").set_value(8).run()
    assert not test.exception
    return test


def test_form_to_request(studio: Studio, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[TrainRequest] = []

    def start(self: Jobs, request: TrainRequest, *, further: bool) -> Job:
        started.append(request)
        return _job(studio, request, TrainingStatus())

    monkeypatch.setattr(Jobs, "start", start)
    test = filled(studio, folder)
    assert test.multiselect[0].options == ["0", "1", "2", "3"]
    test.multiselect[0].set_value([3, 1])
    test.number_input(key="train.tokens").set_value(0)
    test.number_input(key="train.k.other").set_value(5)
    test.number_input(key="train.threshold.other").set_value(0.2)
    test.number_input(key="train.atoms").set_value(64)
    test.toggle(key="train.centre.grown").set_value(True)
    test.run()
    assert "--layers 1,3" in test.code[-1].value
    assert "--k 5" in test.code[-1].value
    test.button(key="train.start").click().run()
    (request,) = started
    assert request == TrainRequest(
        ModelSpec(str(folder)),
        (1, 3),
        str(studio.home / "text.txt"),
        TrainConfig(k=5, threshold=0.2, atoms=64, centre=True, context=64),
        name="tiny-gpt2-sequential-0.2",
    )


def test_where_the_weights_go_and_what_each_way_takes(
    studio: Studio, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measured, "_SECONDS", 0.05)  # of measuring a rate; what is told of it is not looked at here
    monkeypatch.setattr(measured, "_SCRATCH", 8 * 2**20)
    test = filled(studio, folder)
    whole = dict(components(test, "fact_table")[0]["facts"])
    assert "--placement" not in test.code[-1].value
    test.selectbox(key="train.placement").set_value("stream")
    test.number_input(key="train.tokens").set_value(50_000)
    test.run()
    assert "--placement stream" in test.code[-1].value
    assert dict(components(test, "fact_table")[0]["facts"]) != whole
    assert any("block by block" in caption.value for caption in test.caption)
    test.button(key="train.ways").click().run()
    said = [text.value for text in test.text]
    assert sum("of memory" in sentence for sentence in said) == 3
    assert any(sentence.startswith("Streamed layer by layer: ") for sentence in said)
    test.number_input(key="train.tokens").set_value(60_000).run()
    assert not any(text.value.startswith("Streamed") for text in test.text)  # it was said of another request


def test_sinks_and_kept_activations(studio: Studio, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from itda_core.runs import estimate

    test = filled(studio, folder)
    assert "Activations" not in dict(components(test, "fact_table")[0]["facts"])
    test.toggle(key="train.keep").set_value(True)
    test.number_input(key="train.tokens").set_value(5000)
    test.number_input(key="train.sinks.other").set_value(0.0)
    test.run()
    assert "--keep-activations" in test.code[-1].value
    assert "--sinks 0" in test.code[-1].value
    assert dict(components(test, "fact_table")[0]["facts"])["Activations"] == "about 640 kB on disk"  # 5,000 x 32 x 4
    assert not notices(test)
    room = {"activations": 1000}  # the dictionaries themselves have all they need
    monkeypatch.setattr(sys.modules[estimate.__module__], "disk_free", lambda folder: room.get(folder.name, 10**12))
    said = "\n".join(notices(test.run()))
    assert "Keeping the activations takes about 640 kB, and 1.0 kB are free" in said
    assert not startable(test)
    test.toggle(key="train.keep").set_value(False).run()
    assert not notices(test)
    test.selectbox(key="train.selection").set_value("paper").run()
    assert test.number_input(key="train.sinks.paper").disabled
    assert "--sinks" not in test.code[-1].value


def test_the_papers_rule_has_a_threshold_of_its_own(studio: Studio, folder: Path) -> None:
    test = filled(studio, folder)  # of d_model 32
    test.selectbox(key="train.selection").set_value("paper").run()
    threshold = test.number_input(key="train.threshold.paper")
    assert (threshold.value, threshold.placeholder) == (None, "0.010209")  # 2 (1 - sqrt(0.7)) / 32
    assert "cosine 0.837 at d_model=32" in [caption.value for caption in test.caption]
    assert notices(test) == []
    command = test.code[-1].value
    assert "--selection paper" in command
    assert "--threshold" not in command
    threshold.set_value(0.005).run()
    assert "cosine 0.920 at d_model=32" in [caption.value for caption in test.caption]
    assert "--threshold 0.005" in test.code[-1].value
    test.number_input(key="train.threshold.paper").set_value(0.3).run()
    assert "threshold=0.3 can add no atom at d_model=32" in notices(test)[0]
    assert not startable(test)
    test.selectbox(key="train.selection").set_value("sequential").run()
    assert not notices(test)
    assert test.number_input(key="train.threshold.other").value == 0.3


def test_cost_before_start(studio: Studio, folder: Path) -> None:
    facts = dict(components(filled(studio, folder), "fact_table")[0]["facts"])
    assert set(facts) == {"Tokens", "Dictionaries", "Time", "Memory", "Disk"}
    assert facts["Dictionaries"] == "1"


def test_what_cannot_work_is_said_and_cannot_be_started(studio: Studio, folder: Path) -> None:
    test = filled(studio, folder)
    test.number_input(key="train.threshold.other").set_value(0.0).run()
    assert "would make every activation an atom" in notices(test)[0]
    assert not startable(test)
    test.number_input(key="train.threshold.other").set_value(0.3)
    test.multiselect[0].set_value([]).run()
    assert "No layer was chosen" in notices(test)[0]


def test_the_form_outlives_a_visit_elsewhere(studio: Studio, folder: Path) -> None:
    test = filled(studio, folder)
    test.number_input(key="train.k.other").set_value(6).run()
    test.switch_page("app.py").run()
    test.switch_page("pages/train.py").run()
    assert test.number_input(key="train.k.other").value == 6
    assert test.text_input(key="train.model.folder").value == str(folder)


def test_an_unknown_job(studio: Studio) -> None:
    test = studio.open("train", job=HOSTILE[1])
    assert "There is no job" in notices(test)[0]
    assert HOSTILE[1] not in parsed_text(test)


def _job(studio: Studio, request: TrainRequest, status: TrainingStatus) -> Job:
    """A job's folder as a worker that ended would have left it."""
    job = Job(studio.home / "jobs" / "20261120-120000-000000-abcd")
    job.folder.mkdir(parents=True)
    created = {"created": "2026-11-20T12:00:00+00:00", "request": request.to_dict()}
    (job.folder / "request.json").write_text(json.dumps(created))
    (job.folder / "status.json").write_text(json.dumps(status.to_dict()))
    return job


def _status(state: str) -> TrainingStatus:
    latest = (Accepted(HOSTILE[0], HOSTILE[1], "after", 3),)
    layers = tuple(LayerStatus("resid_post", i, 30 + i, 0.2, 0.1, (10, 30 + i), (0.5, 0.2), latest) for i in (0, 2))
    return replace(
        TrainingStatus(), state=state, tokens=2000, total=4000, seconds=70.0, tokens_per_second=28.5,
        series_tokens=(1000, 2000), layers=layers,
    )  # fmt: skip


def test_a_cancelled_job_can_be_resumed(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    resumed: list[str] = []
    monkeypatch.setattr(Job, "resume", lambda self: resumed.append(self.id))
    job = _job(studio, TrainRequest(ModelSpec(HOSTILE[1]), None, "demo"), _status("cancelled"))
    test = studio.open("train", job=job.id)
    assert {m.label: m.value for m in test.metric} == {
        "Tokens per second": "28",
        "Took": "1 min 10 s",
        "Atoms": "62",
        "Relative error": "0.200",
    }
    assert components(test, "label_list")[0]["labels"][0]["token"] == HOSTILE[0]
    assert all(text not in parsed_text(test) for text in HOSTILE)
    test.button(key="train.resume").click().run()
    assert resumed == [job.id]


@pytest.mark.parametrize(
    ("first", "initial", "start"), [(1000, (), [0, 1000]), (5000, (), [5000]), (1000, ("other",), [1000])]
)
def test_the_curve_of_atoms_begins_where_no_token_was_read(
    studio: Studio, first: int, initial: tuple[str, ...], start: list[int]
) -> None:
    status = replace(_status("cancelled"), series_tokens=(first, 9000))
    request = TrainRequest(ModelSpec("demo:0"), (0, 2), "demo", TrainConfig(k=3, context=128), initial=initial)
    job = _job(studio, request, status)
    test = studio.open("train", job=job.id)
    atoms, errors = (json.loads(chart.proto.spec)["data"][0] for chart in test.get("plotly_chart"))
    assert atoms["x"] == [*start, 9000]
    assert atoms["y"] == [*([0] if start[0] == 0 else []), 10, 30]
    assert errors["x"] == [first, 9000]


def test_how_large_it_will_be_and_what_was_left_out_is_shown(studio: Studio) -> None:
    status = _status("running")
    first, second = status.layers
    layers = (replace(first, predicted_atoms=1500, sinks=3), replace(second, predicted_atoms=700))
    for told, expected in (
        (replace(status, layers=layers), "about 2,200 in the end · 3 attention sinks left out"),
        (replace(status, layers=(layers[0], second)), "3 attention sinks left out"),  # a sum of one layer is none
        (replace(status, layers=layers, state="done"), "3 attention sinks left out"),
        (status, None),
    ):
        assert expected_atoms(told) == expected
    job = _job(studio, TrainRequest(ModelSpec("demo:0"), None, "demo"), replace(status, layers=layers, state="failed"))
    test = studio.open("train", job=job.id)
    (atoms,) = [metric for metric in test.metric if metric.label == "Atoms"]
    assert (atoms.value, atoms.delta) == ("62", "3 attention sinks left out")


WANTED = TrainConfig(tokens=4000, selection="consensus", atoms=500)
BEFORE = tuple(LayerStatus("resid_post", number, 0, 1.0, 0.0, (), (), (), 3, 500) for number in (0, 2))
SHOWN_ROUNDS = (LayerRounds("resid_post", 0, (1, 2, 3), (1.0, 0.5, 0.4)),)


def charts(test: AppTest) -> list:
    return [element for element in elements(test) if getattr(element, "type", "") == "plotly_chart"]


@pytest.mark.parametrize(
    ("told", "line", "share", "figures", "n_charts"),
    [
        ({"state": "starting", "step": "starting"}, "**Starting…**", 0, {}, 0),
        ({"step": "training"}, "**Reading text**", 0, {}, 0),
        (
            {"stage": TrainingStage("ahead", 100, 400), "total": 4000, "eta": 9.0, "rough": True},
            "**Looking at the first tokens, 100 of 400** · about 9 s left",
            25,
            {"Time left": "about 9 s"},
            0,
        ),
        (
            {"stage": TrainingStage("reading", 2000, 4000), "tokens": 2000, "total": 4000, "eta": 90.0, "rough": True},
            "**Reading text** · 2,000 of 4,000 tokens · about 1 min 30 s left",
            50,
            {"Tokens per second": "50", "Time left": "about 1 min 30 s", "Tokens": "2,000"},
            0,
        ),
        (
            {
                **{"stage": TrainingStage("choosing", 3, 64, 0, 1, 2), "rounds": SHOWN_ROUNDS},
                **{"tokens": 4000, "total": 4000, "eta": 61.0},
            },
            "**Choosing atoms of layer 0 (1 of 2), round 4 of 64** · 1 min 01 s left",
            4,
            {"Time left": "1 min 01 s", "Tokens": "4,000", "Relative error": "0.400"},
            1,
        ),
        (
            {"stage": TrainingStage("labelling", 300, 400, 0, 1, 2), "tokens": 4000, "total": 4000, "eta": 61.0},
            "**Labelling the atoms of layer 0 (1 of 2), 300 of 400 labels** · 1 min 01 s left",
            75,
            {"Time left": "1 min 01 s", "Tokens": "4,000"},
            0,
        ),
        (
            {"stage": TrainingStage("measuring", 1, 2, 2, 2, 2), "tokens": 4000, "total": 4000},
            "**Measuring dictionary 2 of 2**",
            50,
            {"Tokens": "4,000"},
            0,
        ),
        (
            {"stage": TrainingStage("saving", 0, 2, 0, 1, 2), "tokens": 4000, "total": 4000},
            "**Saving dictionary 1 of 2**",
            0,
            {"Tokens": "4,000"},
            0,
        ),
    ],
    ids=lambda value: value["stage"].name if isinstance(value, dict) and "stage" in value else "",
)
def test_only_what_is_known_in_a_stage_is_shown(
    studio: Studio,
    monkeypatch: pytest.MonkeyPatch,
    told: dict,
    line: str,
    share: int,
    figures: dict[str, str],
    n_charts: int,
) -> None:
    """No atom is counted and no error told while none can be, no chart is flat, and no bar stands at its end."""
    status = replace(TrainingStatus(state="running", tokens_per_second=50.0, layers=BEFORE), **told)
    assert TrainingStatus.from_dict(json.loads(json.dumps(status.to_dict()))) == status
    job = _job(studio, TrainRequest(ModelSpec("demo:0"), (0, 2), "demo", WANTED), status)
    monkeypatch.setattr(Job, "status", property(lambda self: status))
    test = studio.open("train", job=job.id)
    assert not test.exception
    bars = [element.proto for element in elements(test) if getattr(element, "type", "") == "progress"]
    plain = line.replace("**", "")
    assert {(bar.value, bar.text) for bar in bars} == {(share, line), (share, plain)}  # the page's and the sidebar's
    assert [text.value for text in test.sidebar.text] == ["demo:0, demo"]  # which of several runs it is
    assert {metric.label: metric.value for metric in test.metric} == figures
    assert len(charts(test)) == n_charts
    said = " ".join([parsed_text(test), *(bar.text for bar in bars)])
    assert " 0 atoms" not in said
    assert "Starting · Starting" not in said
    home = studio.open()
    assert plain in [caption.value for caption in home.caption]


def test_a_job_that_never_read_a_token_is_tried_again(studio: Studio) -> None:
    request = TrainRequest(ModelSpec("demo:0"), None, "demo")
    job = _job(studio, request, TrainingStatus(state="failed", error="No disk; b."))
    test = studio.open("train", job=job.id)
    assert test.button(key="train.resume").label == "Try again"
    (job.folder / "status.json").write_text(json.dumps(_status("cancelled").to_dict()))
    assert studio.open("train", job=job.id).button(key="train.resume").label == "Resume"
    (job.folder / "status.json").write_text(json.dumps(TrainingStatus(state="cancelled").to_dict()))
    stopped = studio.open("train", job=job.id)
    assert stopped.button(key="train.resume").label == "Try again"
    bars = [element.proto.text for element in elements(stopped) if getattr(element, "type", "") == "progress"]
    assert "**Cancelled before anything was done**" in bars


def test_a_job_of_an_earlier_version_opens(studio: Studio) -> None:
    job = _job(studio, TrainRequest(ModelSpec("demo:0"), None, "demo"), _status("done"))
    written = json.loads((job.folder / "status.json").read_text())
    (job.folder / "status.json").write_text(
        json.dumps({name: value for name, value in written.items() if name not in ("stage", "rough", "rounds")})
    )
    test = studio.open("train", job=job.id)
    assert not notices(test)
    assert {metric.label for metric in test.metric} == {"Tokens per second", "Took", "Atoms", "Relative error"}
    assert len(charts(test)) == 2


def test_the_limit_of_atoms_is_empty_where_there_is_none(studio: Studio, folder: Path) -> None:
    test = filled(studio, folder)
    limit = test.number_input(key="train.atoms")
    assert (limit.label, limit.value) == ("Maximum atoms (empty: no limit)", None)
    assert "--atoms" not in test.code[-1].value
    limit.set_value(64).run()
    assert "--atoms 64" in test.code[-1].value


def test_a_failed_job_says_why(studio: Studio) -> None:
    status = replace(_status("failed"), error="The disk is full; free some space.")
    job = _job(studio, TrainRequest(ModelSpec("demo:0"), None, "demo"), status)
    test = studio.open("train", job=job.id)
    assert notices(test)[0] == "The disk is full."


def test_a_finished_job_leads_to_its_dictionary(studio: Studio) -> None:
    from itda_core.runs.training.run import TrainedDictionary

    result = TrainedDictionary(
        str(studio.dictionary), "demo:0", 1, "resid_post", 40, 32, 4, "sequential", 0.3, 4000, 70.0, 57.0, 0.2
    )
    job = _job(studio, TrainRequest(ModelSpec("demo:0"), (1,), "demo"), replace(_status("done"), results=(result,)))
    test = studio.open("train", job=job.id)
    assert page_links(test)["**Decompose with it**"] == f"dictionary={studio.dictionary.name}"
    assert "train.resume" not in [button.key for button in test.button]


@pytest.mark.parametrize("text", ["held-out", "training"])
def test_a_finished_job_shows_what_was_measured_on_held_out_text(studio: Studio, text: str) -> None:
    """The error while growing is of text that atoms were made of; where FVU was measured, it takes that one's place.

    Where no other text was left, FVU is of the training text too, and is not called held-out.
    """
    from itda_core.runs.training.run import TrainedDictionary

    fvus, results = {0: 0.25, 2: 0.75}, []
    for layer, fvu in fvus.items():
        folder = studio.home / "library" / f"grown-{layer}"
        shutil.copytree(studio.dictionary, folder)
        said = json.loads((folder / "dictionary.json").read_text())
        said["spec"]["layer"] = layer
        said["stats"] |= {"fvu": fvu, "fvu_text": text}
        (folder / "dictionary.json").write_text(json.dumps(said))
        figures = ("demo:0", layer, "resid_post", 40, 32, 4, "sequential", 0.3, 4000, 70.0, 57.0, 0.2)
        identity = next(entry.identity for entry in Library().entries() if entry.path == folder)
        results.append(TrainedDictionary(str(folder), *figures, identity))
    status = replace(_status("done"), results=tuple(results))
    job = _job(studio, TrainRequest(ModelSpec("demo:0"), (0, 2), "demo"), status)
    shown = {metric.label: metric.value for metric in studio.open("train", job=job.id).metric}
    if text == "held-out":
        assert (shown["FVU, layer 0"], shown["FVU, layer 2"]) == ("0.250", "0.750")
    assert ("Relative error" in shown) == (text == "training")
    assert ("FVU, layer 0" in shown) == (text == "held-out")


def test_removing_a_job_keeps_its_dictionary(studio: Studio) -> None:
    job = _job(studio, TrainRequest(ModelSpec("demo:0"), None, "demo"), _status("cancelled"))
    test = studio.open("train", job=job.id)
    test.button(key="train.remove").click().run()
    assert not job.folder.exists()
    assert studio.dictionary.is_dir()


@pytest.mark.parametrize("selection", ["sampled", "consensus"])
def test_a_selection_of_a_wanted_size_asks_for_it(studio: Studio, folder: Path, selection: str) -> None:
    test = filled(studio, folder)
    test.selectbox(key="train.selection").set_value(selection).run()
    assert not test.exception
    assert not [field for field in test.number_input if "threshold" in str(field.key)]
    test.number_input(key="train.atoms.wanted").set_value(200).run()
    assert notices(test) == []
    command = test.code[-1].value
    assert f"--selection {selection}" in command
    assert "--atoms 200" in command
    assert "--centre" in command
    assert "--threshold" not in command
    assert startable(test)
    test.number_input(key="train.tokens").set_value(150).run()
    assert not startable(test)
    assert any("more than the 150 tokens" in said for said in notices(test))


def test_further_places_of_an_atom_are_counted(studio: Studio) -> None:
    job = _job(studio, TrainRequest(ModelSpec("m"), None, "demo"), _status("done"))
    [labels] = components(studio.open("train", job=job.id), "label_list")
    assert [label["more"] for label in labels["labels"]] == ["and 3 more"]


def test_a_pursuit_is_chosen_alike_on_every_page(studio: Studio) -> None:
    """A row of buttons, by the names and with the help that all share, whether one is chosen or several."""
    asked = {
        "train": ("train.method", {}),
        "decompose": ("decompose.method", {}),
        "evaluate": ("evaluate.methods", {}),
        "compare": ("transfer.method", {"show": "transfer"}),
    }
    for page, (key, address) in asked.items():
        groups = studio.open(page, **address).get("button_group")
        [control] = [cast("ButtonGroup[str]", one) for one in groups if one.key == key]
        assert control.options == ["MP", "OMP", "GP"]
        assert "How the atoms of a token are found." in control.help
