"""What a page shows of a kind of job without a form of its own, tried with one that has one."""

from __future__ import annotations

import pytest

from itda_core.runs.jobs.jobs import Job, Jobs
from itda_core.runs.jobs.kinds import MATCHING
from itda_core.runs.matching.request import DICTIONARIES, MatchRequest
from pages.ui.compare.matching import page as matching_page
from pages.ui.jobs import kind_page
from tests.pages.conftest import HOSTILE, Studio, asked_for, notices, page_links, parsed_text
from tests.pages.test_damaged import made_job

ID = "20300101-000000-000001-abcd"
HERE = {"show": "measures", "models": "demo:0,demo:1", "tokens": "500", "layers": "0-1,3", "measures": "itda"}
COMMAND = "itda match demo:0 demo:1 --corpus demo --layers 0-1,3 --measures itda --tokens 500"


@pytest.fixture(autouse=True)
def without_a_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching_page, "page", lambda frame: kind_page.page(frame, MATCHING))


@pytest.fixture
def started(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> list[MatchRequest]:
    """What was started, of which nothing runs."""
    requests: list[MatchRequest] = []

    def start(self: Jobs, request: MatchRequest, *, further: bool) -> Job:
        requests.append(request)
        return Job(made_job(ID, request))

    monkeypatch.setattr(Jobs, "start", start)
    return requests


def test_the_options_are_asked_for_and_make_the_request(studio: Studio, started: list[MatchRequest]) -> None:
    test = studio.open("compare", **HERE)
    assert not notices(test)
    assert test.code[-1].value == COMMAND
    assert any(": roughly " in caption.value for caption in test.caption)
    test.toggle(key="match.centre").set_value(True).run()
    test.text_input(key="match.device").set_value("cpu").run()
    assert test.code[-1].value == COMMAND.replace("--tokens", "--centre --tokens") + " --device cpu"
    test.button(key="match.start").click().run()
    (request,) = started
    assert (request.models, request.corpus, request.layers) == (("demo:0", "demo:1"), "demo", (0, 1, 3))
    assert (request.config.tokens, request.config.centre, request.config.k) == (500, True, DICTIONARIES.k)
    assert request.device == "cpu"
    assert asked_for(test)["job"] == ID
    assert any("demo:0, demo:1, demo" in text.value for text in studio.open("compare", show="measures").text)


def test_the_form_is_in_its_address_and_comes_back_with_it(studio: Studio) -> None:
    test = studio.open("compare", show="measures", models="demo:0,demo:1")
    assert test.text_input(key="match.corpus").value == "demo"
    test.text_input(key="match.tokens").set_value("700").run()
    test.toggle(key="match.centre").set_value(True).run()
    assert {name: asked_for(test)[name] for name in ("tokens", "centre")} == {"tokens": "700", "centre": "True"}
    again = studio.open("compare", **asked_for(test))
    assert again.code[-1].value == test.code[-1].value
    test.switch_page("app.py").run()
    assert "tokens=700" in page_links(test)["Compare"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"models": ""}, "Nothing was given for models"),
        ({"tokens": "many"}, "tokens=many is not a whole number"),
        ({"tokens": HOSTILE[0]}, "is not a whole number"),
        ({"models": "demo:0"}, "cannot be matched"),
        ({"centre": "perhaps"}, "centre=perhaps, which is none of"),
    ],
)
def test_what_cannot_be_is_said(studio: Studio, given: dict[str, str], said: str) -> None:
    test = studio.open("compare", **{**HERE, **given})
    assert said in "\n".join(notices(test))
    assert all(text not in parsed_text(test) for text in HOSTILE)


def test_no_address_consents_to_code_or_asks_for_what_the_form_does_not(studio: Studio) -> None:
    test = studio.open("compare", **HERE, trust_remote_code="True", trust="True", device="cpu", revision="v1")
    assert test.code[-1].value == COMMAND + " --device cpu"
