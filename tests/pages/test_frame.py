"""The frame of every page: where it is drawn, and which dictionary counts as chosen by hand."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
import streamlit as st
from streamlit.delta_generator_singletons import context_dg_stack, get_dg_singleton_instance
from streamlit.testing.v1 import AppTest

from pages.ui.frame import address
from tests.pages.conftest import Studio, asked_for

FIRST, SECOND, THIRD = "first", "second", "third"


def test_a_page_that_follows_a_part_which_looked_again_is_not_drawn_where_that_part_stands(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The part of the sidebar that follows a job leaves its thread drawing there; the next run is in that thread."""
    given = st.set_page_config

    def after_a_part(**settings: Any) -> None:
        both = get_dg_singleton_instance()
        context_dg_stack.set((both.main_dg, both.sidebar_dg))
        given(**settings)

    monkeypatch.setattr(st, "set_page_config", after_a_part)
    test = studio.open("library")
    assert not test.exception
    assert [title.value for title in test.main.title] == ["Library"]
    assert not test.sidebar.title


def stepped(studio: Studio) -> tuple[AppTest, dict[str, str]]:
    """Decompose at atom 7 of the second dictionary, and its address from when the first was shown."""
    for name in (FIRST, SECOND, THIRD):
        shutil.copytree(studio.dictionary, studio.dictionary.with_name(name))
    test = studio.open("decompose", dictionary=FIRST)
    before = asked_for(test)
    test.sidebar.selectbox[0].set_value(SECOND).run()
    test.session_state["decompose.atom"] = 7
    assert shown(test.run()) == (SECOND, "7")
    return test, before


def shown(test: AppTest) -> tuple[str, str | None]:
    assert not test.exception
    query = asked_for(test)
    assert query["dictionary"] == test.sidebar.selectbox[0].value
    return query["dictionary"], query.get("atom")


def lagging(test: AppTest, address: dict[str, str]) -> AppTest:
    """The next run is asked for by a browser that has this address."""
    test.query_params.clear()
    for name, value in address.items():
        test.query_params[name] = value
    return test


def test_a_browser_that_has_not_heard_of_a_step_does_not_take_it_back(studio: Studio) -> None:
    """It sends its chooser as it was before the step, and the address as it was."""
    test, before = stepped(studio)
    lagging(test, before).sidebar.selectbox[0].set_value(FIRST)
    assert shown(test.run()) == (SECOND, "7")


def test_what_a_part_that_looks_again_says_of_the_chooser_is_not_chosen_by_hand(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    test, _ = stepped(studio)
    with monkeypatch.context() as patched:
        patched.setattr(address, "of_a_part", lambda: True)
        assert shown(test.sidebar.selectbox[0].set_value(FIRST).run()) == (SECOND, "7")


def test_what_is_chosen_by_hand_counts_at_once(studio: Studio) -> None:
    test, before = stepped(studio)
    # The browser has not heard of the step, but its chooser says something else than it did before.
    lagging(test, before).sidebar.selectbox[0].set_value(THIRD)
    assert shown(test.run()) == (THIRD, None)
    assert shown(test.sidebar.selectbox[0].set_value(SECOND).run()) == (SECOND, None)


def test_the_address_of_a_page_that_is_come_to_is_none_that_lags(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the page that is left had the same one a moment ago, and callbacks of that page ask for it first."""
    test, before = stepped(studio)
    monkeypatch.setattr(address, "_page", lambda: "another")
    assert shown(lagging(test, before).run()) == (FIRST, None)
