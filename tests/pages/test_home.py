"""The home page leads somewhere whatever the library holds, and shows an example on the spot."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest

import itda_core.runs.library as library
from tests.pages.conftest import HOSTILE, PATIENCE, Studio, components, notices, page_links, parsed_text


def test_three_ways_in_and_the_machine(studio: Studio) -> None:
    test = studio.open()
    assert {"**Try the demo**", "**Train a dictionary**", "**Open the library**"} <= set(page_links(test))
    facts = dict(components(test, "fact_table")[0]["facts"])
    assert facts["Library"] == str(studio.home / "library")
    assert facts["Cores"].isdigit()
    assert studio.dictionary.name in [element.value for element in test.text]


def test_how_many_of_the_dictionaries_are_listed_is_said(studio: Studio) -> None:
    test = studio.open()
    assert "All in the library" not in page_links(test)
    for number in range(6):
        shutil.copytree(studio.dictionary, studio.home / "library" / f"copy-{number}")
    test = studio.open()
    assert "5 of 7 dictionaries on this machine." in [caption.value for caption in test.caption]
    assert "All in the library" in page_links(test)


def test_an_empty_library_is_no_dead_end(studio: Studio) -> None:
    shutil.rmtree(studio.dictionary)
    test = studio.open()
    assert "Train" in page_links(test)
    assert not notices(test)


@pytest.fixture
def bundled(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The dictionary, bundled, which the first page then shows at work."""
    folder = studio.home / "bundled"
    folder.mkdir()
    shutil.move(studio.dictionary, folder / studio.dictionary.name)
    monkeypatch.setattr(library, "BUNDLED", folder)
    return folder / studio.dictionary.name


def test_the_bundled_dictionary_is_shown_at_work(studio: Studio, bundled: Path) -> None:
    from pages.ui.frame import engine

    test = studio.open()
    thread = engine.warm_up(engine.key_of(bundled))
    thread.join(PATIENCE)
    assert not thread.is_alive()
    test.run()
    tokens = components(test, "token_row")[0]["tokens"]
    assert "sister" in "".join(token["text"] for token in tokens)
    assert len(components(test, "atom_list")[0]["atoms"]) == 4
    assert all(text not in parsed_text(test) for text in HOSTILE)


def test_the_atom_of_the_day_leads_to_its_page(studio: Studio, bundled: Path) -> None:
    from datetime import date

    from pages.ui.frame import engine
    from pages.ui.home.day import of_the_day

    test = studio.open()
    engine.warm_up(engine.key_of(bundled)).join(PATIENCE)
    test.run()
    found = of_the_day(engine.entries(), date.today())
    assert found is not None
    assert f"atom={found.atom}" in page_links(test)["See where it fires"]
    (label,) = components(test, "label_list")[0]["labels"]
    assert label["token"] == HOSTILE[found.atom % 2]
    assert all(text not in parsed_text(test) for text in HOSTILE)


def test_the_first_page_does_not_wait_for_torch(studio: Studio, bundled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pages.ui.frame import engine, slow_imports

    loaded = threading.Event()
    monkeypatch.setattr(slow_imports, "load", lambda **_: loaded.wait())  # of torch: until the page was looked at
    try:
        test = studio.open()
        thread = engine.warm_up(engine.key_of(bundled))
        assert thread.is_alive()
        assert "An example: loading the bundled model…" in [caption.value for caption in test.caption]
        assert not components(test, "token_row")
    finally:
        loaded.set()
    thread.join(PATIENCE)
    assert not thread.is_alive()


def test_a_damaged_dictionary_is_no_exception(studio: Studio) -> None:
    (studio.home / "library" / "broken").mkdir()
    test = studio.open()
    assert "Damaged: see the library" in page_links(test)


def test_the_sidebar_comes_back_to_where_one_was(studio: Studio) -> None:
    test = studio.open("decompose", prompt="Bade kilo.", token="1")
    test.switch_page("app.py").run()
    assert "prompt=Bade+kilo." in page_links(test)["Decompose"]
    assert "token=1" in page_links(test)["Decompose"]
