"""What a first visitor sees: dictionaries for reading come first, those for comparing are compared, each says so."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import itda_core.runs.library as library
from itda_core.dictionaries.selections import COMPARING
from itda_core.runs.library import Library, LibraryEntry
from pages.ui.compare import choice as compare_choice
from pages.ui.compare.transfer.form import _one_of_each_layer
from pages.ui.frame import engine, slow_imports
from pages.ui.server import ahead
from pages.ui.train.form import _defaults
from tests.pages.conftest import PATIENCE, ROOT, Studio, components

DEMO = ROOT / "assets" / "demo" / "dictionaries"
DEFAULT = "demo-0-L3-consensus"


@pytest.fixture
def demo(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> Studio:
    """The studio with what is bundled."""
    monkeypatch.setattr(library, "BUNDLED", DEMO)
    return studio


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Torch and transformers are not there before this is set."""
    loaded = threading.Event()
    load = slow_imports.load

    def wait(**which: bool) -> None:
        loaded.wait()
        load(**which)

    monkeypatch.setattr(slow_imports, "load", wait)
    yield loaded
    loaded.set()


def bundled() -> list[LibraryEntry]:
    return [entry for entry in Library().entries() if entry.bundled]


def test_the_default_is_for_reading(demo: Studio) -> None:
    entries = bundled()
    found = engine.default_entry(entries)
    assert found is not None
    assert found.name == DEFAULT
    comparing = engine.default_entry(entries, COMPARING)
    assert comparing is not None
    assert comparing.name == "demo-0-L3"
    # The form of a training begins with k and threshold of the latter.
    assert _defaults(entries, True) == (8, pytest.approx(0.315))


def test_those_for_comparing_are_compared(demo: Studio) -> None:
    usable = compare_choice.ordered(engine.usable(Library().entries()))
    names = [f"demo-{model}-L{layer}" for model in range(5) for layer in range(6)]
    chosen = next(entry for entry in usable if entry.name == DEFAULT)
    for one in (None, chosen):
        assert [entry.name for entry in compare_choice.default_entries(one, usable)] == names
    # Of a layer's dictionaries the one for comparing is transferred.
    of_first = [entry for entry in usable if entry.model == "demo:0"]
    assert list(_one_of_each_layer(of_first)) == names[:6]


def test_the_example_is_there_before_any_model_is(demo: Studio, held: threading.Event) -> None:
    test = demo.open()
    thread = engine.warm_up(engine.key_of(DEMO / DEFAULT))
    assert thread.is_alive()
    tokens = components(test, "token_row")[0]["tokens"]
    assert "sister" in "".join(token["text"] for token in tokens)
    strongest = components(test, "atom_list")[0]["atoms"][0]
    assert strongest["token"].strip() in {"Monday", "Tuesday", "Friday", "Sunday"}
    held.set()
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_decompose_begins_with_the_example(demo: Studio) -> None:
    test = demo.open("decompose")
    assert test.sidebar.selectbox[0].value == DEFAULT
    shown = components(test, "token_row")[0]
    chosen = next(token for token in shown["tokens"] if token["index"] == shown["selected"])
    assert chosen["text"].strip() == "Monday"
    kept = engine.example(engine.key_of(DEMO / DEFAULT))
    assert kept is not None
    assert [token["text"] for token in shown["tokens"]] == [token.text for token in kept.tokens if not token.special]


def test_the_server_warms_up_the_default_dictionary_only(demo: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    warmed: list[str] = []

    def warm_up(key: engine.DictionaryKey) -> threading.Thread:
        warmed.append(Path(key.path).name)
        thread = threading.Thread()
        thread.start()
        return thread

    frozen: list[int] = []
    monkeypatch.setattr(slow_imports, "load", lambda **_: None)
    monkeypatch.setattr(engine, "warm_up", warm_up)
    monkeypatch.setattr(ahead.gc, "freeze", lambda: frozen.append(len(warmed)))
    ahead.begin().join(PATIENCE)
    assert warmed == [DEFAULT]
    assert frozen == [1], "what was loaded is kept out of the collection after each run, which would hold it up"
    # A model of one's own may be of any size: nobody asked for it yet.
    monkeypatch.setattr(library, "BUNDLED", demo.home / "nothing")
    ahead.begin().join(PATIENCE)
    assert warmed == [DEFAULT]


def test_lists_say_what_each_is_for(demo: Studio) -> None:
    test = demo.open("library")
    said = dict(zip(test.dataframe[0].value["name"], test.dataframe[0].value["selection"], strict=True))
    assert said[DEFAULT] == "consensus · for reading"
    assert said["demo-4-L2"] == said[demo.dictionary.name] == "sequential · for comparing"
    assert "consensus · for reading" in [caption.value for caption in test.sidebar.caption]
    test = demo.open("library", dictionary="demo-0-L3")
    assert "sequential · for comparing" in [caption.value for caption in test.sidebar.caption]
