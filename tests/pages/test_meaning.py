"""What a dictionary's name means in an address: the one of the identity beside it, or what the tab knew under it."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from streamlit.testing.v1 import AppTest

from itda_core.dictionaries.storage.dictionary_folder import read_summary
from itda_core.models.spec import ModelSpec
from itda_core.runs.evaluation.request import EvaluateRequest
from itda_core.runs.library import Library
from itda_core.runs.training.outcome import TrainedDictionary
from itda_core.runs.training.request import TrainRequest
from tests.pages import test_evaluate as evaluations
from tests.pages.conftest import Studio, asked_for, notices, page_links
from tests.pages.test_train import _job, _status

OLD, NEW = "tiny-L1-resid_post", "renamed"
RENAMED = f"{OLD} is called {NEW} now."


@pytest.fixture
def identity(studio: Studio) -> str:
    """Of the studio's dictionary; an address holds its first eight digits."""
    return read_summary(studio.dictionary).identity


def copy_changed(path: Path, target: Path) -> None:
    """A dictionary of the same model that is another one, as if it was trained later."""
    shutil.copytree(path, target)
    said = json.loads((target / "dictionary.json").read_text())
    said["created"] = "2026-11-21T12:00:00+00:00"
    del said["sha256"]
    (target / "dictionary.json").write_text(json.dumps(said))


def give_its_name_to_another(studio: Studio) -> None:
    """What a training does that ends after the first dictionary was renamed."""
    Library().rename(OLD, NEW)
    copy_changed(studio.dictionary.parent / NEW, studio.dictionary)


def chosen(test: AppTest) -> str | None:
    return test.selectbox(key="shell.dictionary").value


def shared(test: AppTest) -> dict[str, str]:
    """The address that Share gives."""
    [link] = [code.value for code in test.code if code.value.startswith("http://127.0.0.1")]
    return {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}


@pytest.mark.parametrize("page", ["", "library", "decompose", "evaluate", "train", "compare"])
def test_a_link_with_an_identity_opens_what_was_renamed(studio: Studio, identity: str, page: str) -> None:
    address = {"dictionary": OLD, "id": identity[:8]}
    before = studio.open(page, **address)
    assert chosen(before) == OLD
    assert not any("called" in sentence for sentence in notices(before))
    give_its_name_to_another(studio)
    test = studio.open(page, **address)
    assert chosen(test) == NEW
    assert RENAMED in notices(test)
    assert asked_for(test) == address  # a way Back leads to what the link said
    assert chosen(studio.open(page, dictionary=OLD)) == OLD  # a name alone is what is called so


def test_share_names_it_as_it_is_called_now(studio: Studio, identity: str) -> None:
    assert shared(studio.open("decompose", dictionary=OLD))["id"] == identity[:8]
    give_its_name_to_another(studio)
    link = shared(studio.open("decompose", dictionary=OLD, id=identity[:8]))
    assert (link["dictionary"], link["id"]) == (NEW, identity[:8])
    other = shared(studio.open("decompose", dictionary=OLD))
    assert other["id"] == read_summary(studio.dictionary).identity[:8] != identity[:8]


def test_a_link_to_another_of_the_name_says_so_and_shows_a_way(studio: Studio, identity: str) -> None:
    give_its_name_to_another(studio)
    Library().remove(NEW)
    test = studio.open("decompose", dictionary=OLD, id=identity[:8])
    assert chosen(test) is None
    assert any(f"means another {OLD!r} than the one that is called so now" in sentence for sentence in notices(test))
    test.button(key=f"shell.nearest.{OLD}").click().run()
    assert not test.exception
    assert chosen(test) == OLD
    assert asked_for(test) == {"dictionary": OLD}
    assert not notices(test)


def test_a_link_to_a_deleted_one_says_so(studio: Studio, identity: str) -> None:
    copy_changed(studio.dictionary, studio.dictionary.parent / "near-L1-resid_post")
    Library().remove(OLD)
    test = studio.open("library", dictionary=OLD, id=identity[:8])
    assert any(
        f"no dictionary called {OLD!r}: it was deleted, or it is on another machine." in n for n in notices(test)
    )
    assert test.button(key="shell.nearest.near-L1-resid_post")


def test_nonsense_in_place_of_an_identity_is_named(studio: Studio) -> None:
    test = studio.open("decompose", dictionary=OLD, id="<b>x")
    assert chosen(test) == OLD
    assert any("asks for id=<b>x, which is not the identity of a dictionary" in sentence for sentence in notices(test))


@pytest.mark.parametrize("deleted", [False, True])
def test_a_tab_goes_on_with_what_it_showed(studio: Studio, deleted: bool) -> None:
    """Renamed in another tab, and the name given to another, while this one stood open."""
    test = studio.open("library", dictionary=OLD)
    give_its_name_to_another(studio)
    if deleted:
        Library().remove(NEW)
    for _ in range(2):
        test.run()
        assert not test.exception
        assert chosen(test) == (None if deleted else NEW)
        assert any("called so now" in n if deleted else n == RENAMED for n in notices(test))
    test.switch_page("pages/decompose.py").run()
    assert chosen(test) == (None if deleted else NEW)


def test_what_is_chosen_by_hand_has_no_identity_of_another(studio: Studio, identity: str) -> None:
    give_its_name_to_another(studio)
    test = studio.open("library", dictionary=OLD, id=identity[:8])
    test.selectbox(key="shell.dictionary").set_value(OLD).run()
    assert chosen(test) == OLD
    assert "id" not in asked_for(test)
    test.selectbox(key="shell.dictionary").set_value(NEW).run()
    assert chosen(test) == NEW
    assert not any("called" in sentence for sentence in notices(test))


def test_rename_and_rename_back_on_the_page(studio: Studio) -> None:
    test = studio.open("library", dictionary=OLD)
    for before, after in ((OLD, NEW), (NEW, OLD)):
        path = studio.dictionary.parent / before
        test.text_input(key=f"library.rename.{path}").set_value(after)
        test.button(key="library.rename.do").click().run()
        assert not test.exception
        assert chosen(test) == after
        assert not any("link" in sentence for sentence in notices(test))


def test_lists_in_an_address(studio: Studio, identity: str) -> None:
    copy_changed(studio.dictionary, studio.dictionary.parent / "second")
    address = {"dictionaries": f"{OLD}~second", "cell": f"second~{OLD}", "by": "dictionary"}
    link = shared(studio.open("compare", **address))
    second = read_summary(studio.dictionary.parent / "second").identity
    assert link["dictionaries"] == f"second~{OLD}"
    assert link["ids"] == f"{second[:8]}~{identity[:8]}"
    give_its_name_to_another(studio)
    test = studio.open("compare", **{**link, "cell": f"second~{OLD}"})
    assert shared(test)["dictionaries"] == f"{NEW}~second"
    assert shared(test)["cell"] == f"second~{NEW}"
    assert any(f"{OLD} is called {NEW} now." in sentence for sentence in notices(test))
    Library().remove(NEW)
    test = studio.open("evaluate", dictionaries=link["dictionaries"], ids=link["ids"])
    assert list(test.multiselect(key="evaluate.dictionaries").value) == ["second"]
    assert any("means another" in sentence and "was left out" in sentence for sentence in notices(test))
    test.multiselect(key="evaluate.dictionaries").set_value([OLD, "second"]).run()
    assert asked_for(test)["dictionaries"] == f"{OLD}~second"
    assert "ids" not in asked_for(test)
    assert list(test.run().multiselect(key="evaluate.dictionaries").value) == [OLD, "second"]


def trained(studio: Studio, identity: str | None) -> str:
    """A finished training of the studio's dictionary; the address of its job."""
    result = TrainedDictionary(
        str(studio.dictionary), "tiny", 1, "resid_post", 40, 32, 4, "sequential", 0.3, 300, 0.3, 900.0, 0.2, identity
    )
    request = TrainRequest(ModelSpec("tiny"), (1,), "demo")
    return _job(studio, request, replace(_status("done"), results=(result,))).id


def test_a_finished_training_leads_to_its_own_dictionary(studio: Studio, identity: str) -> None:
    job = trained(studio, identity)
    there = f"dictionary={OLD}&id={identity[:8]}"
    test = studio.open("train", job=job)
    assert page_links(test)["**Decompose with it**"] == there
    assert not any("called" in sentence for sentence in notices(test))
    give_its_name_to_another(studio)
    test = studio.open("train", job=job)
    assert page_links(test)["**Decompose with it**"] == there.replace(OLD, NEW)
    assert f"{OLD} is called {NEW} now." in notices(test)
    Library().remove(NEW)
    test = studio.open("train", job=job)
    assert "**Decompose with it**" not in page_links(test)
    assert any(
        f"{OLD} was deleted" in sentence and "another dictionary has its name" in sentence for sentence in notices(test)
    )


def test_an_evaluation_says_what_became_of_its_dictionaries(studio: Studio, identity: str) -> None:
    measured = evaluations.result(1, 4, dictionary=str(studio.dictionary), identity=identity)
    status = replace(evaluations.DONE, results=(measured,))
    job = evaluations.job_of(studio, EvaluateRequest((str(studio.dictionary),)), status)
    assert not any("called" in sentence for sentence in notices(studio.open("evaluate", job=job.id)))
    give_its_name_to_another(studio)
    said = notices(studio.open("evaluate", job=job.id))
    assert any(sentence.startswith(f"{OLD} is called {NEW} now.") for sentence in said)


def test_going_further_from_a_dictionary_that_was_renamed(studio: Studio, identity: str) -> None:
    give_its_name_to_another(studio)
    test = studio.open("train", further=OLD, dictionary=OLD, id=identity[:8])
    assert shared(test)["further"] == shared(test)["dictionary"] == NEW
    Library().remove(NEW)
    test = studio.open("train", further=OLD, dictionary=OLD, id=identity[:8])
    assert any("is not in the library any more" in sentence for sentence in notices(test))


def test_a_second_dictionary_that_was_renamed_is_beside_the_first(studio: Studio) -> None:
    copy_changed(studio.dictionary, studio.dictionary.parent / "second")
    identity = read_summary(studio.dictionary.parent / "second").identity[:8]
    link = shared(studio.open("decompose", dictionary=OLD, beside="second"))
    assert (link["beside"], link["beside_id"]) == ("second", identity)
    Library().rename("second", NEW)
    shutil.copytree(studio.dictionary, studio.dictionary.parent / "second")
    test = studio.open("decompose", **link)
    assert test.selectbox(key="decompose.beside").value == NEW
    assert any(f"second is called {NEW} now." in sentence for sentence in notices(test))
    assert asked_for(test) == link
    assert (shared(test)["beside"], shared(test)["beside_id"]) == (NEW, identity)
    test.selectbox(key="decompose.beside").set_value("second").run()
    assert "beside_id" not in asked_for(test)
    assert test.run().selectbox(key="decompose.beside").value == "second"


def test_another_of_the_second_ones_name_is_not_put_beside_the_first(studio: Studio) -> None:
    copy_changed(studio.dictionary, studio.dictionary.parent / "second")
    test = studio.open("decompose", dictionary=OLD, beside="second")
    link = shared(test)
    test.switch_page("pages/library.py").run()
    way = page_links(test)["Decompose"]
    assert f"beside_id={link['beside_id']}" in way.split("&")
    Library().remove("second")
    shutil.copytree(studio.dictionary, studio.dictionary.parent / "second")
    test = studio.open("decompose", **link)
    assert test.selectbox(key="decompose.beside").value is None
    assert any("beside=second, which means another dictionary than the one" in sentence for sentence in notices(test))
    test.selectbox(key="decompose.beside").set_value("second").run()
    assert "beside_id" not in asked_for(test)
    assert test.selectbox(key="decompose.beside").value == "second"


def test_nonsense_in_place_of_the_second_ones_identity_is_named(studio: Studio) -> None:
    test = studio.open("decompose", dictionary=OLD, beside=OLD, beside_id="<b>x")
    assert any("beside_id=<b>x, which is not the identity of a dictionary" in sentence for sentence in notices(test))
