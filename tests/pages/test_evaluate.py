"""The evaluate page: what the form asks for is what is started; figures are shown as they stand."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pandas as pd
import psutil
import pyarrow.parquet as pq
import pytest
from streamlit.testing.v1 import AppTest

from itda_core.analysis import Evaluation
from itda_core.analysis.atoms.honesty.grades import GRADES
from itda_core.models.spec import ModelSpec
from itda_core.runs.evaluation.request import EvaluateRequest
from itda_core.runs.evaluation.status import EvaluationStatus
from itda_core.runs.indexing.indices import BUNDLED as INDICES
from itda_core.runs.jobs.jobs import Job, Jobs
from itda_core.runs.training.request import TrainRequest
from itda_core.runs.training.status import TrainingStatus
from pages.ui.evaluate import results as evaluate_results
from pages.ui.evaluate import watch
from pages.ui.evaluate.form import whole_numbers
from tests.pages.conftest import (
    HOSTILE,
    N_ATOMS,
    PATIENCE,
    ROOT,
    K,
    Studio,
    asked_for,
    elements,
    notices,
    page_links,
    parsed_text,
    startable,
)
from tests.pages.test_train import _job as training_job

NAME = "tiny-L1-resid_post"


@pytest.fixture
def text(studio: Studio) -> str:
    path = studio.home / "text.txt"
    path.write_text("Some words to read.\n" * 50)
    return str(path)


@pytest.fixture
def started(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> list[EvaluateRequest]:
    """The evaluations that were started, of which none runs."""
    requests: list[EvaluateRequest] = []

    def start(self: Jobs, request: EvaluateRequest, *, further: bool) -> Job:
        requests.append(request)
        return job_of(studio, request, EvaluationStatus())

    monkeypatch.setattr(Jobs, "start", start)
    return requests


def job_of(studio: Studio, request: EvaluateRequest, status: EvaluationStatus) -> Job:
    """A job's folder as a worker would have left it."""
    job = Job(studio.home / "jobs" / "20261120-120000-000000-abcd")
    job.folder.mkdir(parents=True)
    order = {"created": "2026-11-20T12:00:00+00:00", "kind": "evaluate", "request": request.to_dict()}
    (job.folder / "request.json").write_text(json.dumps(order))
    (job.folder / "status.json").write_text(json.dumps(status.to_dict()))
    return job


def result(layer: int, k: int, **other: Any) -> Evaluation:
    base = Evaluation(
        *(f"/library/L{layer}", k, "mp", 4096, 1 / (k + layer), 0.1, 0.9, float(k), 0.25, 3.0, 3.5, 9.0, 0.9, 0.1),
        *("held-out", "demo", "demo:0", layer, "resid_post", 40),
    )
    return replace(base, **other)


RESULTS = tuple(result(layer, k) for layer in (0, 1) for k in (10, 20))
REQUEST = EvaluateRequest(("L0", "L1"), ks=(10, 20))
DONE = EvaluationStatus("done", "", 4096, None, 12.0, None, ("The first 5 windows were left out.",), None, 1.0, RESULTS)


def on_another_text(studio: Studio, text: str) -> AppTest:
    test = studio.open("evaluate")
    test.segmented_control(key="evaluate.text.source").set_value("Another text").run()
    test.text_input(key="evaluate.text").set_value(text).run()
    assert not test.exception
    return test


def test_form_to_request(studio: Studio, text: str, started: list[EvaluateRequest]) -> None:
    test = on_another_text(studio, text)
    assert list(test.multiselect[0].value) == [NAME]
    ks = next(box for box in test.text_input if box.label.startswith("Atoms per token"))
    assert ks.value == "10, 20, 40"  # the dictionary has just 40
    ks.set_value("2, 4 4;8")
    test.segmented_control(key="evaluate.methods").set_value(["omp", "mp"])
    test.number_input(key="evaluate.tokens").set_value(500)
    test.text_input(key="evaluate.device").set_value("cpu")
    test.run()
    assert not notices(test)
    command = test.code[-1].value
    assert command == f"itda evaluate {NAME} --k 2,4,8 --method mp,omp --corpus {text} --tokens 500 --device cpu"
    assert any("6 results, 8 passes over 500 tokens" in caption.value for caption in test.caption)
    test.button(key="evaluate.start").click().run()
    assert started == [EvaluateRequest((NAME,), text, (2, 4, 8), ("mp", "omp"), 500, device="cpu")]
    assert asked_for(test)["job"] == "20261120-120000-000000-abcd"


def test_where_the_weights_go_is_asked_and_started(studio: Studio, text: str, started: list[EvaluateRequest]) -> None:
    test = on_another_text(studio, text)
    weights = test.selectbox(key="evaluate.placement")
    assert [option.partition(":")[0] for option in weights.options] == ["auto", "memory", "spread"]  # none can stream
    weights.set_value("spread").run()
    assert test.code[-1].value.endswith(" --placement spread")
    test.button(key="evaluate.start").click().run()
    assert [request.placement for request in started] == ["spread"]


def test_the_form_is_in_its_address_and_comes_back_with_it(studio: Studio, text: str) -> None:
    test = on_another_text(studio, text)
    test.segmented_control(key="evaluate.methods").set_value(["mp", "gp"]).run()
    test.number_input(key="evaluate.tokens").set_value(700).run()
    address = {name: asked_for(test)[name] for name in ("method", "tokens", "text")}
    assert address == {"method": "mp~gp", "tokens": "700", "text": text}
    again = studio.open("evaluate", **address)
    assert again.code[-1].value == test.code[-1].value
    test.switch_page("app.py").run()
    assert "tokens=700" in page_links(test)["Evaluate"]


def test_nonsense_in_the_address_is_named(studio: Studio) -> None:
    test = studio.open("evaluate", dictionaries=f"{HOSTILE[1]}~{NAME}", method="magic", tokens="-3")
    said = "\n".join(notices(test))
    for part in ("no dictionary called", "tokens=-3", "method=magic"):
        assert part in said
    assert list(test.multiselect[0].value) == [NAME]
    assert all(text not in parsed_text(test) for text in HOSTILE)


def test_all_layers_of_the_model_unless_the_address_names_one(studio: Studio) -> None:
    for layer in (0, 2):
        folder = studio.home / "library" / f"tiny-L{layer}"
        shutil.copytree(studio.dictionary, folder)
        description = json.loads((folder / "dictionary.json").read_text())
        description["spec"]["layer"] = layer
        (folder / "dictionary.json").write_text(json.dumps(description))
    assert list(studio.open("evaluate").multiselect[0].value) == ["tiny-L0", NAME, "tiny-L2"]
    assert list(studio.open("evaluate", dictionary="tiny-L2").multiselect[0].value) == ["tiny-L2"]


@pytest.mark.parametrize("centre", [False, True])
def test_the_form_says_where_the_held_out_text_begins_as_the_figures_do(studio: Studio, centre: bool) -> None:
    path = studio.dictionary / "dictionary.json"
    said = json.loads(path.read_text())
    said["stats"] |= {"windows": 12}
    said["config"] |= {"centre": centre}
    path.write_text(json.dumps(said))
    least = "at least " if centre else ""
    told = f"Held-out text: made-up after {least}its first 12 windows, of which 300 tokens were taken."
    test = studio.open("evaluate", tokens="500")
    assert told in notices(test)
    assert "Windows are read whole" in test.number_input(key="evaluate.tokens").help
    if not centre:
        test = studio.open("evaluate", tokens="500", text="demo")
        assert any("over 500 tokens (windows are read whole)" in caption.value for caption in test.caption)


def test_the_own_text_of_a_file_must_be_found(studio: Studio, text: str) -> None:
    test = studio.open("evaluate")
    assert any("built on the file made-up" in said for said in notices(test))
    assert not startable(test)
    assert any("Held-out text: made-up after token 300." in said for said in notices(test))
    test.text_input(key="evaluate.text.where.made-up").set_value(text).run()
    assert f"--corpus {text}" in test.code[-1].value


def test_an_uploaded_text_of_that_name_is_found_by_itself(studio: Studio) -> None:
    path = studio.dictionary / "dictionary.json"
    path.write_text(path.read_text().replace('"made-up"', '"made-up.txt"'))
    (studio.home / "uploads").mkdir()
    (studio.home / "uploads" / "made-up.txt").write_text("text")
    assert f"--corpus {studio.home / 'uploads' / 'made-up.txt'}" in studio.open("evaluate").code[-1].value


def test_a_dictionary_that_does_not_say_what_it_read_is_warned_of(studio: Studio) -> None:
    path = studio.dictionary / "dictionary.json"
    description = json.loads(path.read_text())
    del description["stats"]["tokens"]
    path.write_text(json.dumps(description))
    assert any("does not say how much of its text" in said for said in notices(studio.open("evaluate")))


@pytest.mark.parametrize(
    ("given", "said"),
    [("many", "k=many is not a whole number"), ("", "No k was given"), ("41", "k=41"), ("0", "k=0"), ("²", "k=²")],
)
def test_what_cannot_work_is_said_and_cannot_be_started(studio: Studio, text: str, given: str, said: str) -> None:
    test = on_another_text(studio, text)
    next(box for box in test.text_input if box.label.startswith("Atoms per token")).set_value(given).run()
    assert any(said in sentence for sentence in notices(test))
    assert not startable(test)


def test_nothing_chosen_is_said(studio: Studio, text: str) -> None:
    test = on_another_text(studio, text)
    test.multiselect[0].set_value([]).run()
    assert any("No dictionary was chosen" in said for said in notices(test))
    test.multiselect[0].set_value([NAME])
    test.segmented_control(key="evaluate.methods").set_value([]).run()
    assert any("No pursuit was chosen" in said for said in notices(test))
    test = on_another_text(studio, "")
    assert any("No text was named" in said for said in notices(test))


def test_opening_the_page_loads_no_torch(studio: Studio) -> None:
    program = (
        "from streamlit.testing.v1 import AppTest\nimport sys\n"
        f"t = AppTest.from_file('app.py', default_timeout={PATIENCE})\nt.switch_page('pages/evaluate.py')\nt.run()\n"
        "assert not t.exception and t.multiselect[0].value\nprint('LOADED', 'torch' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert said.split()[-2:] == ["LOADED", "False"]


def table_of(test: AppTest) -> pd.DataFrame:
    return test.dataframe[0].value


def charts(test: AppTest) -> list[dict[str, Any]]:
    return [json.loads(e.proto.spec) for e in elements(test) if getattr(e, "type", "") == "plotly_chart"]


def test_a_finished_evaluation_shows_every_figure(studio: Studio) -> None:
    job = job_of(studio, REQUEST, DONE)
    test = studio.open("evaluate", job=job.id)
    table = table_of(test)
    assert list(table["dictionary"]) == ["L0", "L0", "L1", "L1"]
    assert list(table["FVU"]) == [result.fvu for result in RESULTS]
    assert list(table["CE score"]) == [0.9] * 4
    assert list(table["dead (%)"]) == [25.0] * 4
    assert set(table["text"]) == {"held-out"}
    drawn = charts(test)
    assert len(drawn) == 4  # FVU and CE score, over k and by layer; all of one size
    assert [line["y"] for line in drawn[0]["data"]] == [[1 / 10, 1 / 20], [1 / 11, 1 / 21]]
    assert notices(test) == ["The first 5 windows were left out."]
    assert any("it was not built from" in caption.value for caption in test.caption)
    assert "itda evaluate L0 L1 --k 10,20" in [code.value for code in test.code]
    keys = [button.key for button in test.button]
    assert "evaluate.remove" in keys
    assert "evaluate.resume" not in keys


def test_the_score_stands_beside_what_it_costs_in_nats(studio: Studio) -> None:
    results = (*RESULTS[:3], replace(RESULTS[3], ce_reconstructed=2.99999, kl=0.4, cosine=-0.00001))
    test = studio.open("evaluate", job=job_of(studio, REQUEST, replace(DONE, results=results)).id)
    table = table_of(test)
    columns = list(table)
    assert columns[columns.index("CE score") + 1 :][:2] == ["rise of CE (nats)", "KL (nats)"]
    assert list(table["rise of CE (nats)"]) == [0.5, 0.5, 0.5, 0.0]  # the browser would write -0.00001 as -0.0000
    assert list(table["cosine"]) == [0.9, 0.9, 0.9, 0.0]
    said = next(caption.value for caption in test.caption if "nats" in caption.value)
    assert said == (
        "In nats per predicted token: the loss changes by 0.000 to +0.500, KL is 0.100 to 0.400; zeros in the "
        "activation's place cost +6.00, the scale of the CE score."
    )
    assert charts(test)[1]["data"][0]["customdata"][0][4] == "<br>loss +0.5000 nats<br>KL 0.1000 nats"


def test_an_encoder_has_no_columns_and_no_charts_of_predictions(studio: Studio) -> None:
    none = dict.fromkeys(("ce_original", "ce_reconstructed", "ce_zero", "ce_score", "kl"))
    job = job_of(studio, REQUEST, replace(DONE, results=tuple(replace(result, **none) for result in RESULTS)))
    test = studio.open("evaluate", job=job.id)
    assert not {"CE score", "KL (nats)", "rise of CE (nats)"} & set(table_of(test))
    assert not any("nats" in caption.value for caption in test.caption)
    assert len(charts(test)) == 2


def test_sizes_are_drawn_where_they_differ(studio: Studio) -> None:
    results = tuple(result(1, 10, atoms=atoms, dictionary=f"/library/of-{atoms}") for atoms in (40, 80))
    test = studio.open("evaluate", job=job_of(studio, REQUEST, replace(DONE, results=results)).id)
    fvu, _ = charts(test)
    assert [line["x"] for line in fvu["data"]] == [[40, 80]]


@pytest.mark.parametrize(
    ("kind", "said"), [("training", "look better than on other text"), ("other corpus", "another text than")]
)
def test_figures_that_are_not_of_held_out_text_say_so(studio: Studio, kind: str, said: str) -> None:
    results = (RESULTS[0], replace(RESULTS[1], text=kind))
    test = studio.open("evaluate", job=job_of(studio, REQUEST, replace(DONE, results=results)).id)
    assert any(said in sentence for sentence in notices(test))


def test_a_stopped_evaluation_keeps_its_figures_and_can_be_started_again(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    resumed: list[str] = []
    monkeypatch.setattr(Job, "resume", lambda self: resumed.append(self.id))
    job = job_of(studio, REQUEST, replace(DONE, state="cancelled", share=0.5))
    test = studio.open("evaluate", job=job.id)
    assert len(table_of(test)) == 4
    assert any("It ended early" in caption.value for caption in test.caption)
    assert test.button(key="evaluate.resume").label == "Start again"
    test.button(key="evaluate.resume").click().run()
    assert resumed == [job.id]


def test_a_running_evaluation_shows_what_it_has(studio: Studio) -> None:
    process = psutil.Process()
    job = job_of(studio, REQUEST, replace(DONE, state="running", share=0.25, results=RESULTS[:2], eta=30.0))
    (job.folder / "process.json").write_text(json.dumps({"pid": process.pid, "started": process.create_time()}))
    test = studio.open("evaluate", job=job.id)
    assert list(table_of(test)["k"]) == [10, 20]
    assert len(charts(test)) == 2  # over k; of one layer only so far
    assert any("figures so far" in caption.value for caption in test.caption)
    keys = [button.key for button in test.button]
    assert "evaluate.cancel" in keys
    assert "evaluate.remove" not in keys
    job.cancel()
    assert job.cancelling
    test.run()
    assert test.button(key="evaluate.cancel").disabled


def test_a_killed_evaluation_is_lost_and_can_be_removed(studio: Studio) -> None:
    job = job_of(studio, REQUEST, replace(DONE, state="running", share=0.5))
    (job.folder / "process.json").write_text(json.dumps({"pid": 2**22 + 1, "started": 1.0}))
    test = studio.open("evaluate", job=job.id)
    assert any("ended without a report" in said for said in notices(test))
    test.button(key="evaluate.remove").click().run()
    assert not job.folder.exists()
    assert studio.dictionary.is_dir()


def test_hostile_names_are_shown_as_text(studio: Studio) -> None:
    names = {"dictionary": f"/library/{HOSTILE[1].replace('/', '')}", "model": HOSTILE[1], "corpus": HOSTILE[0]}
    request = EvaluateRequest((HOSTILE[0], HOSTILE[1]), corpus=HOSTILE[1], ks=(10, 20))
    status = replace(DONE, notes=(HOSTILE[1],), results=tuple(replace(result, **names) for result in RESULTS))
    job = job_of(studio, request, status)
    for test in (studio.open("evaluate", job=job.id), studio.open("evaluate"), studio.open()):
        assert all(text not in parsed_text(test) for text in HOSTILE)


def test_each_kind_of_job_is_on_its_own_page(studio: Studio) -> None:
    training = training_job(studio, TrainRequest(ModelSpec("demo:0"), None, "demo"), TrainingStatus(state="done"))
    said = notices(studio.open("evaluate", job=training.id))
    assert "another kind (training, not evaluation)" in said[0]
    assert "There is no job" in notices(studio.open("evaluate", job=HOSTILE[1]))[0]


def test_the_csv_has_the_names_of_the_json(studio: Studio) -> None:
    read = pd.read_csv(io.StringIO(evaluate_results.csv(RESULTS)))
    assert list(read.columns) == list(RESULTS[0].to_dict())
    assert list(read["fvu"]) == pytest.approx([result.fvu for result in RESULTS])


def test_whole_numbers() -> None:
    assert whole_numbers(" 10,20 , 40,10") == (10, 20, 40)
    assert whole_numbers(f"{K};{N_ATOMS}") == (K, N_ATOMS)


def test_label_honesty_stands_beside_the_figures(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of those dictionaries whose labels were measured; nothing is measured when the page is drawn."""
    monkeypatch.setattr("itda_core.analysis.atoms.honesty.honesty.measure", None)
    identity = json.loads((INDICES / "demo-0-L3-consensus" / "index.json").read_text())["dictionary"]
    results = (result(0, 10, identity="0" * 64), result(1, 10, identity=identity), result(1, 20, identity=identity))
    test = studio.open("evaluate", job=job_of(studio, REQUEST, replace(DONE, results=results)).id)
    shown = next(frame.value for frame in test.dataframe if "misleads" in frame.value)
    assert shown["dictionary"].tolist() == ["L1"], "once, whatever k"
    kept = pq.read_table(INDICES / "demo-0-L3-consensus" / "honesty.parquet").to_pylist()
    uses = [sum(atom["of_entries"]) for atom in kept]
    for grade, head in zip(GRADES, ("own word", "its kind", "misleads", "too rare"), strict=True):
        has = [atom["grade"] == grade for atom in kept]
        shares = (sum(n for n, graded in zip(uses, has, strict=True) if graded) / sum(uses), sum(has) / len(has))
        of_use, of_atoms = (f"{share:.{int(share < 0.1)}%}" for share in shares)
        assert shown[head].tolist() == [f"{of_use} ({of_atoms})"]
    assert any("Not measured: 1 of 2" in caption.value for caption in test.caption)


def test_what_is_taken_along_has_the_labels_honesty(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the CSV, the JSON and the page that opens without network; of a dictionary not measured, nothing."""
    monkeypatch.setattr("itda_core.analysis.atoms.honesty.honesty.measure", None)
    folder = INDICES / "demo-0-L3-consensus"
    identity = json.loads((folder / "index.json").read_text())["dictionary"]
    kept = json.loads((folder / "honesty.json").read_text())["summary"]
    results = (result(0, 10, identity="0" * 64), result(1, 10, identity=identity))
    job = job_of(studio, REQUEST, replace(DONE, results=results))
    files = {name: str(content()) for name, (_, _, content) in watch.VIEW.files(job).items()}
    read = pd.read_csv(io.StringIO(files["Figures (CSV)"]))
    own, token = kept["grades"][0], kept["strongest"]["same_token"]
    assert read["honesty_own_word_share_of_use"].tolist()[1] == pytest.approx(own["share_of_use"])
    assert read["honesty_same_token_by_chance"].tolist()[1] == pytest.approx(token["chance"])
    assert read.filter(like="honesty_").iloc[0].isna().all()
    found = json.loads(files["Figures (JSON)"])
    assert len(found["results"]) == 2
    assert found["honesty"] == {"L1": kept}
    page = files["Web page (works offline)"]
    assert "Do the labels tell where atoms fire?" in page
    assert f"{token['share']:.0%} ({token['chance']:.1%})" in page
    assert "L0" not in page.partition("Do the labels tell")[2]


def test_without_any_honesty_one_line_says_how_to_get_it(studio: Studio) -> None:
    results = (result(0, 10, identity="0" * 64),)
    test = studio.open("evaluate", job=job_of(studio, REQUEST, replace(DONE, results=results)).id)
    assert not any("misleads" in frame.value for frame in test.dataframe)
    assert any("itda atoms honesty" in caption.value for caption in test.caption)
