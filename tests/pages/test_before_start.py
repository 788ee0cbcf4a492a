"""What cannot work is said beside its field before Start, in every form that starts a job, and mended there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from itda_core import hub
from itda_core.runs.jobs.jobs import Job, Jobs
from itda_core.runs.training.request import TrainRequest
from itda_core.runs.training.status import TrainingStatus
from tests.pages.conftest import HOSTILE, Studio, elements, notices, parsed_text, startable
from tests.pages.test_train import _job

Step = Callable[[AppTest], Any]


def said_below(test: AppTest, key: str) -> str:
    """The first sentence below the field `key`, with its remedy; "" where there is none before the Start button."""
    below = False
    for element in elements(test):
        own = str(getattr(element, "key", ""))
        if own == key:
            below = True
        elif below and own.endswith(".start"):
            break
        elif below and getattr(getattr(element, "proto", None), "component_name", "") == "itda_notice":
            data = json.loads(element.proto.json)
            return f"{data['text']} {data['step']}"
    return ""


def assert_held_back(test: AppTest, wrong: Step, key: str, said: str, mend: Step) -> None:
    """`wrong` is said below the field `key`, without a Start or a command meanwhile; `mend` brings both back."""
    assert startable(test), notices(test)
    wrong(test)
    assert said in said_below(test, key), notices(test)
    assert not startable(test)
    assert not [code for code in test.code if "itda" in code.value]
    mend(test)
    assert startable(test), notices(test)


def number(key: str, value: float) -> Step:
    return lambda test: test.number_input(key=key).set_value(value).run()


def text(key: str, value: str) -> Step:
    return lambda test: test.text_input(key=key).set_value(value).run()


def control(key: str, value: str) -> Step:
    return lambda test: test.segmented_control(key=key).set_value(value).run()


def choice(key: str, value: Any) -> Step:
    return lambda test: test.selectbox(key=key).set_value(value).run()


def steps(*several: Step) -> Step:
    def do(test: AppTest) -> None:
        for step in several:
            step(test)

    return do


THRESHOLD, K, TOKENS = "train.threshold.bundled", "train.k.bundled", "train.tokens"
MODULE = steps(choice("train.site", "module path"))
ON_HUB = control("train.model.source", "Hugging Face")
IN_FOLDER = control("train.model.source", "Local folder")
BUNDLED = control("train.model.source", "Bundled")
SIZED = choice("train.selection", "sampled")


@pytest.mark.parametrize(
    ("wrong", "key", "said", "mend", "command"),
    [
        (number(THRESHOLD, 5.0), THRESHOLD, "threshold=5 can add no atom", number(THRESHOLD, 0.4), "--threshold 0.4"),
        (number(THRESHOLD, -1.0), THRESHOLD, "every activation an atom", number(THRESHOLD, 0.4), "--threshold 0.4"),
        (number(K, 5000), K, "more than an activation's 128 dimensions", number(K, 9), "--k 9"),
        (number(K, 0), K, "k=0 is less than 1", number(K, 9), "--k 9"),
        (number(TOKENS, -5), TOKENS, "tokens=-5 is less than 1", number(TOKENS, 900), "--tokens 900"),
        (number("train.context", 4096), "train.context", "tokens demo:0 can read", number("train.context", 64), "64"),
        (number("train.context", 0), "train.context", "context=0 is less than 1", number("train.context", 64), "64"),
        (number("train.seed", -1), "train.seed", "seed=-1 is less than 0", number("train.seed", 3), "--seed 3"),
        (number("train.sinks.other", 0.5), "train.sinks.other", "sinks=0.5", number("train.sinks.other", 20), "20"),
        (text("train.device", "tpu"), "train.device", "Device 'tpu' is unknown", text("train.device", "cpu"), "cpu"),
        (
            text("train.device", "cuda:77"),
            "train.device",
            "cuda:77 is not available on this machine",
            text("train.device", "cpu"),
            "--device cpu",
        ),
        (
            steps(MODULE, text("train.module", "transformer.h.{layer}.nothing")),
            "train.module",
            "does not exist",
            text("train.module", "transformer.h.{layer}.attn"),
            "--site 'transformer.h.{layer}.attn'",
        ),
        (
            steps(ON_HUB, text("train.model.hub", "EleutherAI/pythia-70m")),
            "train.model.hub",
            "The Hugging Face Hub cannot be reached for the model EleutherAI/pythia-70m",
            BUNDLED,
            "itda train demo:0",
        ),
        (IN_FOLDER, "train.model.folder", "No model was named", BUNDLED, "itda train demo:0"),
        (
            steps(IN_FOLDER, text("train.model.folder", "/no/such/folder")),
            "train.model.folder",
            "Model folder /no/such/folder does not exist",
            BUNDLED,
            "itda train demo:0",
        ),
        (
            steps(SIZED, number(TOKENS, 500), number("train.atoms.wanted", 501)),
            "train.atoms.wanted",
            "atoms=501 are more than the 500 tokens",
            number("train.atoms.wanted", 300),
            "--atoms 300",
        ),
        (
            steps(SIZED, number("train.atoms.wanted", 0)),
            "train.atoms.wanted",
            "atoms=0 is less than 1",
            number("train.atoms.wanted", 300),
            "--atoms 300",
        ),
        (text("train.name", "a/b"), "train.name", "cannot be a dictionary's name", text("train.name", "ab"), "ab"),
        (
            text("train.name", "tiny-L1-resid_post"),
            "train.name",
            "is called 'tiny-L1-resid_post' already",
            text("train.name", "another"),
            "--name another",
        ),
    ],
)
def test_a_training(studio: Studio, wrong: Step, key: str, said: str, mend: Step, command: str) -> None:
    test = studio.open("train")
    assert startable(test)
    wrong(test)
    assert not test.exception
    assert said in said_below(test, key), notices(test)
    assert not startable(test)
    assert not [code for code in test.code if "itda" in code.value]  # no command that the form does not ask for
    mend(test)
    assert startable(test), notices(test)
    assert command in test.code[-1].value


def test_what_is_wrong_is_said_of_every_field_at_once(studio: Studio) -> None:
    test = studio.open("train")
    steps(number(THRESHOLD, 5.0), number(K, 5000), text("train.device", "tpu"), text("train.name", "a/b"))(test)
    steps(control("train.text.source", "Path"), text("train.text.path", "/no/such.txt"))(test)
    said = "\n".join(notices(test))
    for part in ("threshold=5", "k=5,000", "Device 'tpu'", "'a/b'", "/no/such.txt"):
        assert part in said
    assert not startable(test)


def test_no_number_is_held_back_by_the_browser(studio: Studio) -> None:
    """A field with limits keeps what is beyond them to itself, and the command goes on showing what was there."""
    for page, address in (("train", {}), ("evaluate", {}), ("compare", {"show": "measures"})):
        test = studio.open(page, **address)
        for field in test.number_input:
            assert (field.proto.has_min, field.proto.has_max) == (False, False), field.label


@pytest.mark.parametrize("how", ["csv", "jsonl", "parquet"])
def test_the_column_of_a_table_is_named_and_can_be_chosen(studio: Studio, how: str) -> None:
    rows = pd.DataFrame({"title": [HOSTILE[0]] * 9, "n": range(9), "text": [f"{HOSTILE[1]} {i}" for i in range(9)]})
    path = studio.home / f"reviews.{how}"
    {
        "csv": lambda: rows.to_csv(path, index=False),
        "jsonl": lambda: rows.to_json(path, orient="records", lines=True),
        "parquet": lambda: rows.to_parquet(path),
    }[how]()
    test = studio.open("train")
    steps(control("train.text.source", "Path"), text("train.text.path", str(path)))(test)
    column = test.selectbox(key=f"train.text.column.{path}")
    assert (column.options, column.value) == (["title", "text (taken by default)"], "text")
    assert f"--corpus {path} " in test.code[-1].value
    assert test.dataframe[0].value.iloc[:, 0].tolist() == [f"{HOSTILE[1]} {i}" for i in range(3)]
    column.set_value("title").run()
    assert f"--corpus '{path}#title'" in test.code[-1].value
    assert test.dataframe[0].value.iloc[:, 0].tolist() == [HOSTILE[0]] * 3
    assert all(part not in parsed_text(test) for part in HOSTILE)
    steps(text("train.text.path", f"{path}#body"))(test)
    assert "no column 'body'" in said_below(test, "train.text.path")
    assert not startable(test)
    choice(f"train.text.column.{path}#body", "title")(test)
    assert f"--corpus '{path}#title'" in test.code[-1].value


def test_a_table_without_a_usual_column_asks_for_one(studio: Studio) -> None:
    path = studio.home / "reviews.csv"
    path.write_text("title,body,stars\nGood,A clean room.,5\nBad,A loud room.,1\n")
    test = studio.open("train")
    steps(control("train.text.source", "Path"), text("train.text.path", str(path)))(test)
    assert "no column 'text'" in said_below(test, f"train.text.column.{path}")
    assert not startable(test)
    choice(f"train.text.column.{path}", "body")(test)
    assert startable(test)
    assert test.dataframe[0].value.iloc[:, 0].tolist() == ["A clean room.", "A loud room."]


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "is empty"), (b" \n \n", "holds no text"), (b"\xff\xfe\x00", "binary"), (None, "does not exist")],
)
def test_a_text_that_cannot_be_read(studio: Studio, content: bytes | None, said: str) -> None:
    path = studio.home / "text.txt"
    if content is not None:
        path.write_bytes(content)
    test = studio.open("train")
    steps(control("train.text.source", "Path"), text("train.text.path", str(path)))(test)
    assert said in said_below(test, "train.text.path")
    assert not startable(test)
    path.write_text("Some words to read.\n" * 10_000)
    test.run()
    assert startable(test), notices(test)


def test_fewer_tokens_than_asked_for_are_told_and_no_obstacle(studio: Studio) -> None:
    path = studio.home / "text.txt"
    path.write_text("Some words to read.\n" * 10)
    test = studio.open("train")
    steps(control("train.text.source", "Path"), text("train.text.path", str(path)))(test)
    assert "tokens=100,000 are more than the text has" in said_below(test, TOKENS)
    assert startable(test)
    steps(SIZED, number(TOKENS, 0))(test)
    assert "are more than the text has tokens" in said_below(test, "train.atoms.wanted")
    assert not startable(test)


def test_a_data_set_of_the_hub_is_not_asked_for_where_that_is_off(
    studio: Studio, model_folder_of: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(hub, "repository", lambda kind, name, revision=None: asked.append(name))
    test = studio.open("train")
    steps(IN_FOLDER, text("train.model.folder", str(model_folder_of("gpt2"))))(test)
    test.toggle(key="train.offline").set_value(True).run()
    steps(control("train.text.source", "Hugging Face"), text("train.text.hub", "owner/texts"))(test)
    assert "cannot be reached for the dataset owner/texts" in said_below(test, "train.text.hub")
    assert not startable(test)
    assert asked == []


def test_the_dictionary_has_a_name_before_it_is_trained(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[TrainRequest] = []

    def start(self: Jobs, request: TrainRequest, *, further: bool) -> Job:
        started.append(request)
        return _job(studio, request, TrainingStatus())

    monkeypatch.setattr(Jobs, "start", start)
    test = studio.open("train")
    assert test.text_input(key="train.name").placeholder == "demo-0-L3-sequential-0.3"
    assert test.code[-1].value.endswith("--name demo-0-L3-sequential-0.3")
    steps(SIZED, number("train.atoms.wanted", 300), choice("train.site", "mlp_out"))(test)
    assert test.text_input(key="train.name").placeholder == "demo-0-L3-mlp_out-sampled-300"
    shutil.copytree(studio.dictionary, studio.home / "library" / "demo-0-L3-mlp_out-sampled-300")
    assert test.run().text_input(key="train.name").placeholder == "demo-0-L3-mlp_out-sampled-300-2"
    test.multiselect[0].set_value([1, 2]).run()
    assert test.text_input(key="train.name").placeholder == "demo-0-mlp_out-sampled-300"
    shutil.copytree(studio.dictionary, studio.home / "library" / "mine-L2")
    text("train.name", "mine")(test)
    assert "is called 'mine-L2' already" in said_below(test, "train.name")
    text("train.name", "yours")(test)
    test.button(key="train.start").click().run()
    assert [(request.name, request.layers) for request in started] == [("yours", (1, 2))]


@pytest.mark.parametrize(
    ("wrong", "key", "said", "mend"),
    [
        (number("evaluate.tokens", 0), "evaluate.tokens", "tokens=0 measures nothing", number("evaluate.tokens", 9)),
        (text("evaluate.text", "/no/such.txt"), "evaluate.text", "does not exist", text("evaluate.text", "demo")),
        (text("evaluate.device", "tpu"), "evaluate.device", "Device 'tpu'", text("evaluate.device", "cpu")),
        (text("evaluate.model", "/no/model"), "evaluate.model", "/no/model does not exist", text("evaluate.model", "")),
        (
            text("evaluate.model", "owner/model"),
            "evaluate.model",
            "Hub cannot be reached",
            text("evaluate.model", ""),
        ),
    ],
)
def test_an_evaluation(studio: Studio, wrong: Step, key: str, said: str, mend: Step) -> None:
    test = studio.open("evaluate", text="demo")
    assert_held_back(test, wrong, key, said, mend)


MATCH = {"show": "measures", "models": "demo:0~demo:1"}


@pytest.mark.parametrize(
    ("wrong", "key", "said", "mend"),
    [
        (number("match.tokens", 0), "match.tokens", "tokens=0 is less than 1", number("match.tokens", 900)),
        (number("match.k", 5000), "match.k", "128 dimensions", number("match.k", 8)),
        (text("match.layers", "9"), "match.layers", "has no layer 9", text("match.layers", "all")),
        (text("match.layers", "x"), "match.layers", "cannot be read", text("match.layers", "all")),
        (text("match.corpus", "/no/such.txt"), "match.corpus", "does not exist", text("match.corpus", "demo")),
        (text("match.device", "cuda:77"), "match.device", "not available", text("match.device", "cpu")),
    ],
)
def test_a_study_of_matching(studio: Studio, wrong: Step, key: str, said: str, mend: Step) -> None:
    test = studio.open("compare", **MATCH)
    assert_held_back(test, wrong, key, said, mend)


def test_models_that_cannot_be_matched(studio: Studio) -> None:
    test = studio.open("compare", show="measures", models="demo:0~/no/such/model")
    assert "/no/such/model does not exist" in said_below(test, "match.models")
    assert not startable(test)
    test.multiselect(key="match.models").set_value(["demo:0", "demo:2"]).run()
    assert startable(test)


@pytest.mark.parametrize(
    ("wrong", "key", "said", "mend"),
    [
        (number("transfer.tokens", 0), "transfer.tokens", "tokens=0 measures nothing", number("transfer.tokens", 9)),
        (number("transfer.draws", 9999), "transfer.draws", "draws=9999", number("transfer.draws", 2)),
        (text("transfer.k", "999"), "transfer.k", "k=999 exceeds", text("transfer.k", "")),
        (text("transfer.layers", "9"), "transfer.layers", "has no layer 9", text("transfer.layers", "1")),
        (text("transfer.held_out", "no.txt"), "transfer.held_out", "does not exist", text("transfer.held_out", "demo")),
        (text("transfer.device", "tpu"), "transfer.device", "Device 'tpu'", text("transfer.device", "cpu")),
    ],
)
def test_a_transfer(studio: Studio, wrong: Step, key: str, said: str, mend: Step) -> None:
    path = studio.dictionary / "dictionary.json"
    path.write_text(path.read_text().replace('"made-up"', '"demo"'))
    test = studio.open("compare", show="transfer", into="demo:0", layers="1")
    assert_held_back(test, wrong, key, said, mend)


def test_the_text_of_labels_has_to_be_found(studio: Studio) -> None:
    test = studio.open("compare", show="transfer", into="demo:0", layers="1")
    assert "built on the file made-up" in said_below(test, "transfer.corpus")
    assert not startable(test)


def test_a_model_to_transfer_into_that_is_not_there(studio: Studio) -> None:
    path = studio.dictionary / "dictionary.json"
    path.write_text(path.read_text().replace('"made-up"', '"demo"'))
    test = studio.open("compare", show="transfer", into="demo:9", layers="1")
    assert "demo:9 does not exist" in said_below(test, "transfer.into")
    assert not startable(test)
    choice("transfer.into", "demo:1")(test)
    assert startable(test), notices(test)
