"""Going further: the form begins with what the training did, and starts only what can go on from it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from streamlit.testing.v1 import AppTest

from itda_core.dictionaries import TrainConfig
from itda_core.models.spec import ModelSpec
from itda_core.runs.jobs.jobs import Job, Jobs
from itda_core.runs.training.request import TrainRequest
from itda_core.runs.training.run import TrainedDictionary
from itda_core.runs.training.status import TrainingStatus
from pages.ui.train.cost import cost_lines
from tests.pages.conftest import HOSTILE, Studio, asked_for, components, notices, page_links, parsed_text, startable
from tests.pages.test_train import _job, _status

TOKENS, ATOMS = "further.tokens", "further.atoms"


@pytest.fixture
def started(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> list[tuple[TrainRequest, bool]]:
    """What was started, and whether it goes further; nothing runs."""
    found: list[tuple[TrainRequest, bool]] = []

    def start(self: Jobs, request: TrainRequest, *, further: bool) -> Job:
        found.append((request, further))
        return Jobs().list()[0]

    monkeypatch.setattr(Jobs, "start", start)
    return found


@pytest.fixture
def request_(tiny_folder: Path, tmp_path: Path) -> TrainRequest:
    corpus = tmp_path / "text.txt"
    corpus.write_text("Some words to read.\n" * 50)
    config = TrainConfig(k=5, tokens=2000, threshold=0.4, atoms=64, centre=True)
    return TrainRequest(ModelSpec(str(tiny_folder)), (1,), str(corpus), config)


def done(studio: Studio, request: TrainRequest) -> Job:
    """A job of `request` that ended with the studio's dictionary."""
    result = TrainedDictionary(
        str(studio.dictionary), "tiny", 1, "resid_post", 40, 32, 5, "sequential", 0.4, 2000, 70.0, 57.0, 0.2
    )
    return _job(studio, request, replace(_status("done"), results=(result,)))


def field(test: AppTest, name: str, job: Job):
    return test.number_input(key=f"further.{name}.{job.id}")


def test_from_a_finished_job_to_a_longer_training(
    studio: Studio, request_: TrainRequest, started: list[tuple[TrainRequest, bool]]
) -> None:
    job = done(studio, request_)
    test = studio.open("train", job=job.id)
    test.button(key="further").click().run()
    assert asked_for(test) == {"further": job.id}
    assert [field(test, name, job).value for name in ("tokens", "threshold", "atoms")] == [2000, 0.4, 64]
    assert notices(test) == ["Raise tokens or atoms, or lower the threshold, to continue."]
    assert not startable(test)
    settled = dict(components(test, "fact_table")[0]["facts"])
    assert (settled["Atoms per token"], settled["Mean"], settled["Layers"]) == ("5 by MP", "removed", "1")

    field(test, "tokens", job).set_value(5000)
    field(test, "threshold", job).set_value(0.2)
    field(test, "atoms", job).set_value(None)
    test.run()
    assert notices(test) == []
    costs = dict(components(test, "fact_table")[1]["facts"])
    assert costs["Tokens"] == "about 5,000, 2,000 of them read already"
    config = replace(request_.config, tokens=5000, threshold=0.2, atoms=None)
    wanted = replace(request_, config=config)
    assert test.code[-1].value == f"{wanted.command()} --resume"
    assert asked_for(test) == {"further": job.id, "tokens": "5000", "threshold": "0.2", "atoms": "none"}
    again = studio.open("train", **asked_for(test))
    assert again.code[-1].value == test.code[-1].value
    assert any(text.value.endswith("&threshold=0.2&atoms=none") for text in again.code)
    test.button(key="train.start").click().run()
    assert started == [(wanted, True)]
    assert asked_for(test)["job"] == job.id


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("tokens", 1999, "had tokens 2000 and not 1999"),
        ("threshold", 0.5, "had threshold 0.4 and not 0.5"),
        ("atoms", 63, "had atoms 64 and not 63"),
        ("threshold", 0.0, "would make every activation an atom"),
    ],
)
def test_what_would_undo_something_is_said_and_cannot_be_started(
    studio: Studio, request_: TrainRequest, name: str, value: float, said: str
) -> None:
    job = done(studio, request_)
    test = studio.open("train", further=job.id)
    field(test, name, job).set_value(value).run()
    assert said in notices(test)[0]
    assert not startable(test)


def test_what_had_no_limit_cannot_be_raised(studio: Studio, request_: TrainRequest) -> None:
    job = done(studio, replace(request_, config=TrainConfig(k=5, threshold=0.4)))
    test = studio.open("train", further=job.id)
    for name in ("tokens.{}.all", "atoms.{}.none"):
        assert test.number_input(key=f"further.{name.format(job.id)}").disabled
    assert not field(test, "threshold", job).disabled
    linked = studio.open("train", further=job.id, tokens="5", atoms="3", threshold="0.3")
    assert "--tokens" not in linked.code[-1].value
    assert "--atoms" not in linked.code[-1].value
    field(test, "threshold", job).set_value(0.3).run()
    assert "--threshold" not in test.code[-1].value  # 0.3 is the default
    assert test.code[-1].value.endswith(" --resume")


def test_a_full_dictionary_is_refused_beside_its_limit_and_what_it_read_is_said(
    studio: Studio, request_: TrainRequest
) -> None:
    request = replace(request_, config=replace(request_.config, atoms=40, tokens=5000))
    result = TrainedDictionary(
        str(studio.dictionary), "tiny", 1, "resid_post", 40, 32, 5, "sequential", 0.4, 507, 31.0, 16.4, 0.2
    )
    job = _job(studio, request, replace(_status("done"), results=(result,)))
    test = studio.open("train", further=job.id)
    field(test, "tokens", job).set_value(10_000).run()
    assert notices(test) == ["The dictionary has its 40 atoms, so no more text would be read."]
    assert not startable(test)
    field(test, "atoms", job).set_value(80).run()
    assert notices(test) == []
    assert dict(components(test, "fact_table")[1]["facts"])["Tokens"] == "about 10,000, 507 of them read already"
    assert startable(test)


def test_the_papers_rule_shows_its_own_threshold(studio: Studio, request_: TrainRequest) -> None:
    job = done(studio, replace(request_, config=TrainConfig(selection="paper", tokens=2000)))
    test = studio.open("train", further=job.id)
    assert (field(test, "threshold", job).value, field(test, "threshold", job).placeholder) == (None, "0.010209")
    field(test, "threshold", job).set_value(0.011).run()
    assert "had threshold None and not 0.011" in notices(test)[0]
    field(test, "threshold", job).set_value(0.005).run()
    assert "--threshold 0.005" in test.code[-1].value


@pytest.mark.parametrize("selection", ["sampled", "consensus"])
def test_atoms_chosen_together_are_refused_with_a_way_on(
    studio: Studio, request_: TrainRequest, selection: str
) -> None:
    job = done(studio, replace(request_, config=TrainConfig(selection=selection, atoms=64)))
    page = studio.open("train", job=job.id)
    assert "further" not in [button.key for button in page.button], "what is always refused is not offered"
    assert any(f"Atoms of {selection} are chosen together" in caption.value for caption in page.caption)
    test = studio.open("train", further=job.id)
    assert f"A dictionary of the selection {selection} cannot go further" in notices(test)[0]
    assert not test.number_input
    test.button(key="train.new").click().run()
    assert asked_for(test) == {}
    assert test.number_input


def test_only_what_is_done_goes_further(studio: Studio, request_: TrainRequest) -> None:
    job = _job(studio, request_, _status("cancelled"))
    assert "further" not in [button.key for button in studio.open("train", job=job.id).button]
    assert "is not done (cancelled)" in notices(studio.open("train", further=job.id))[0]
    test = studio.open("train", further=HOSTILE[1])
    assert "There is no job" in notices(test)[0]
    assert HOSTILE[1] not in parsed_text(test)


def test_a_dictionary_that_is_gone_is_named(studio: Studio, request_: TrainRequest) -> None:
    job = done(studio, request_)
    studio.dictionary.rename(studio.home / "elsewhere")
    test = studio.open("train", further=job.id)
    assert notices(test)[0] == f"The library has no {studio.dictionary.name} any more."


def test_from_the_library_the_text_is_asked_for(
    studio: Studio, request_: TrainRequest, started: list[tuple[TrainRequest, bool]]
) -> None:
    file = studio.dictionary / "dictionary.json"
    said = json.loads(file.read_text())
    name = studio.dictionary.name
    link = page_links(studio.open("library", dictionary=name))["Go further"]
    assert ("further", name) in parse_qsl(link)
    test = studio.open("train", further=name)
    assert f"{name} does not say where its training stopped" in notices(test)[0]

    said["stats"]["stream"] = {"tokens": 300, "made": {"dtype": "torch.float32"}}
    said["config"]["tokens"] = 300
    said["spec"]["corpus"] = "text.txt"
    file.write_text(json.dumps(said))
    test = studio.open("train", further=name)
    assert notices(test) == ["The training read the file text.txt."]
    test.text_input(key="further.corpus.text.txt").set_value(request_.corpus).run()
    test.number_input(key=f"further.tokens.{name}").set_value(700).run()
    assert test.code[-1].value.endswith(" --resume")
    _job(studio, request_, TrainingStatus())
    test.button(key="train.start").click().run()
    ((request, further),) = started
    assert (request.corpus, request.layers, request.config.tokens, further) == (request_.corpus, (1,), 700, True)


def test_time_is_that_of_what_is_left() -> None:
    from itda_core.runs.costs.training import Estimate

    expected = Estimate(4000, 1, None, None, None, (100.0, 200.0), True, ())
    assert cost_lines(expected)["Time"] == "1 min 40 s to 3 min 20 s"
    assert cost_lines(expected, 3000)["Time"] == "25 s to 50 s"
    assert cost_lines(expected, 4000)["Time"] == "1 min 40 s to 3 min 20 s"  # read again from the beginning
    once = replace(expected, once=(20.0, 40.0))  # whatever is left of the text
    assert cost_lines(once, 3000)["Time"] == "40 s to 1 min 20 s"
