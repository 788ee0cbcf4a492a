"""What the library page gives away and fetches: labels alone, and dictionaries on the Hub."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from itda_core.dictionaries import AtomDictionary, write_labels
from itda_core.errors import UserError
from itda_core.runs.library import Library
from pages.ui.library.parts import frame_of, labels_only
from tests.pages.conftest import HOSTILE, Studio, components, elements, notices, parsed_text

NAME = "someone/atoms"
Pushes = list[tuple[str, str, bool]]


@pytest.fixture
def online(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> Studio:
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    return studio


@pytest.fixture
def pushed(monkeypatch: pytest.MonkeyPatch) -> Pushes:
    """What was sent to the Hub, which is not asked."""
    sent: Pushes = []

    def push(self: AtomDictionary, name: str, *, private: bool = False) -> str:
        sent.append((str(self.path), name, private))
        return f"https://huggingface.co/{name}"

    monkeypatch.setattr(AtomDictionary, "push_to_hub", push)
    return sent


def name_it(test: AppTest, studio: Studio, name: str) -> AppTest:
    return test.text_input(key=f"library.push.name.{studio.dictionary}").set_value(name).run()


def test_labels_alone_are_what_the_engine_writes(studio: Studio) -> None:
    test = studio.open("library")
    buttons = {e.proto.label: e.proto for e in elements(test) if getattr(e, "type", "") == "download_button"}
    assert "Labels only" in buttons
    content = labels_only(studio.dictionary)
    expected = write_labels(AtomDictionary.load(studio.dictionary), studio.home / "expected.labels.json.gz")
    assert content == expected.read_bytes()
    assert "atoms" not in json.loads(gzip.decompress(content))


def test_selection_and_tokens_are_columns(studio: Studio) -> None:
    row = studio.open("library").dataframe[0].value.iloc[0]
    assert (row["selection"], row["tokens"]) == ("sequential · for comparing", 300)
    assert frame_of(Library().entries())["tokens"].tolist() == [300]


def test_nothing_is_pushed_before_its_button_with_the_name_was_pressed(online: Studio, pushed: Pushes) -> None:
    test = online.open("library")
    assert test.button(key="library.push.do").disabled
    test = name_it(test, online, NAME)
    assert test.button(key="library.push.do").label == "Push to someone\\/atoms"
    assert not pushed
    test.button(key="library.push.do").click().run()
    assert pushed == [(str(online.dictionary), NAME, True)]
    assert f"{online.dictionary.name} is on the Hub now." in notices(test)
    steps = [data["step"] for data in components(test, "notice")]
    assert f"https://huggingface.co/{NAME}" in steps


@pytest.mark.parametrize("name", ["atoms", "a/b/c", "/etc/passwd", HOSTILE[1]])
def test_what_is_no_repository_is_said_beside_the_field(online: Studio, pushed: Pushes, name: str) -> None:
    test = name_it(online.open("library"), online, name)
    assert test.button(key="library.push.do").disabled
    assert any("is no repository of the Hub" in sentence for sentence in notices(test))
    assert HOSTILE[1] not in parsed_text(test)


def test_a_refusal_of_the_hub_is_a_sentence(online: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: AtomDictionary, name: str, *, private: bool = False) -> str:
        raise UserError("Pushing to the Hub needs an access token; set HF_TOKEN or run `hf auth login`.")

    monkeypatch.setattr(AtomDictionary, "push_to_hub", refuse)
    test = name_it(online.open("library"), online, NAME)
    test.button(key="library.push.do").click().run()
    assert not test.exception
    assert "Pushing to the Hub needs an access token." in notices(test)


def test_offline_is_said_and_nothing_can_be_pushed_or_fetched(studio: Studio) -> None:
    test = name_it(studio.open("library"), studio, NAME)
    test.text_input(key="library.fetch.name").set_value(NAME)
    assert sum("forbids the network" in caption.value for caption in test.caption) == 2
    assert test.button(key="library.push.do").disabled
    assert test.button(key="library.fetch.do").disabled


def test_a_dictionary_is_fetched_by_its_name_and_revision(online: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Any, Any]] = []

    def fetch(source: str | Path, *, revision: str | None = None) -> AtomDictionary:
        asked.append((source, revision))
        return AtomDictionary.load(online.dictionary)

    monkeypatch.setattr(AtomDictionary, "from_pretrained", fetch)
    test = online.open("library")
    test.text_input(key="library.fetch.name").set_value(NAME)
    test.text_input(key="library.fetch.revision").set_value("v1")
    test.button(key="library.fetch.do").click().run()
    assert asked == [(NAME, "v1")]
    assert "atoms is in the library now." in notices(test)
    assert {entry.name for entry in Library().entries()} == {online.dictionary.name, "atoms"}
