"""What stands between browser and server: no word of a page that was left leads back, and none is lost on the way."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from pages.ui.server.late_words import Connection, WordsGoAlong
from tests.conftest import acted

PAGES = {"home": "", "atoms": "atoms", "library": "library", "train": "train"}  # hash -> address


def said(page: str, at: str, *, query: str = "", words: dict[str, str] | None = None, **more: Any) -> bytes:
    """What a browser whose address is `at` says, and the page it names."""
    message = BackMsg()
    rerun = message.rerun_script
    rerun.page_script_hash, rerun.query_string = page, query
    rerun.context_info.url = f"http://127.0.0.1:8501/{PAGES[at]}?x=y"
    for id, value in (words or {}).items():
        rerun.widget_states.widgets.add(id=id, string_value=value)
    for name, value in more.items():
        setattr(rerun, name, value)
    return message.SerializeToString()


def begun(page: str) -> bytes:
    message = ForwardMsg()
    message.new_session.page_script_hash, message.new_session.main_script_hash = page, "home"
    for hash, path in PAGES.items():
        message.new_session.app_pages.add(page_script_hash=hash, url_pathname=path)
    return message.SerializeToString()


def address(query: str) -> bytes:
    message = ForwardMsg()
    message.page_info_changed.query_string = query
    return message.SerializeToString()


def heard(connection: Connection, data: bytes) -> tuple[str, str, dict[str, str]]:
    """Page, address and fields that Streamlit is asked for."""
    passed_on = connection.heard(data)
    assert passed_on is not None
    rerun = BackMsg.FromString(passed_on).rerun_script
    return rerun.page_script_hash, rerun.query_string, {one.id: one.string_value for one in rerun.widget_states.widgets}


def shown(page: str) -> Connection:
    """A browser that shows `page`."""
    connection = Connection()
    connection.heard(said("", page))
    connection.told(begun(page))
    return connection


@pytest.mark.parametrize("told", [False, True])
def test_a_late_word_belongs_to_the_page_that_was_asked_for(told: bool) -> None:
    connection = shown("atoms")
    assert heard(connection, said("library", "atoms", query="a=1")) == ("library", "a=1", {})
    if told:
        connection.told(begun("library"))
        connection.told(address("a=2"))
    late = said("atoms", "atoms", query="atom=7", words={"note": "words"}, fragment_id="of-atoms")
    assert heard(connection, late) == ("library", "a=2" if told else "a=1", {"note": "words"})
    assert BackMsg.FromString(connection.heard(late) or b"").rerun_script.fragment_id == ""


def test_a_late_word_after_the_server_itself_led_on() -> None:
    connection = shown("atoms")
    connection.told(begun("train"))
    connection.told(address("name=a"))
    assert heard(connection, said("atoms", "atoms", words={"note": "words"})) == ("train", "name=a", {"note": "words"})


def test_what_was_not_looked_at_goes_along() -> None:
    connection = shown("atoms")
    words = {"note": "words", "search": "b"}
    assert heard(connection, said("atoms", "atoms", words=words)) == ("atoms", "", words)
    assert heard(connection, said("library", "atoms", words={"search": "c"}))[2] == {"note": "words", "search": "c"}


def test_what_was_looked_at_stays() -> None:
    """By then the server may have changed what the field holds."""
    connection = shown("atoms")
    connection.heard(said("atoms", "atoms", words={"note": "words"}))
    connection.told(begun("atoms"))
    assert heard(connection, said("library", "atoms"))[2] == {}


def test_what_is_pressed_is_not_pressed_twice() -> None:
    connection = shown("atoms")
    message = BackMsg.FromString(said("atoms", "atoms", words={"note": "words"}))
    message.rerun_script.widget_states.widgets.add(id="press", trigger_value=True)
    message.rerun_script.widget_states.widgets.add(id="pick", json_trigger_value="{}")
    connection.heard(message.SerializeToString())
    assert heard(connection, said("library", "atoms"))[2] == {"note": "words"}


def test_a_part_that_looks_again_says_nothing_late() -> None:
    connection = shown("atoms")
    connection.heard(said("library", "atoms"))
    assert connection.heard(said("atoms", "atoms", words={"note": ""}, fragment_id="job", is_auto_rerun=True)) is None


@pytest.mark.parametrize(
    ("word", "page"),
    [
        (said("atoms", "atoms"), "atoms"),  # a link to the page that is still shown: the visitor thought better of it
        (said("atoms", "library", words={"of-home": "a"}), "atoms"),  # a link
        (said("atoms", "atoms", words={"note": "words"}, is_history_navigation=True), "atoms"),  # Back
        (said("home", "home", words={"of-home": "a"}), "home"),  # the fields of the home page go with its links
    ],
)
def test_whoever_asks_for_a_page_gets_it(word: bytes, page: str) -> None:
    connection = shown("home" if page == "home" else "atoms")
    connection.heard(said("library", page))
    assert heard(connection, word)[0] == page


def test_a_run_of_the_page_that_is_left_does_not_end_the_way() -> None:
    connection = shown("atoms")
    connection.heard(said("atoms", "atoms", words={"note": "words"}))
    connection.heard(said("library", "atoms", query="a=1"))
    connection.told(begun("atoms"))
    connection.told(address("atom=7"))
    assert heard(connection, said("atoms", "atoms", words={"note": "more"}))[:2] == ("library", "a=1")


@given(st.binary(max_size=300))
def test_whatever_comes_passes(data: bytes) -> None:
    connection = shown("atoms")
    connection.told(data)
    connection = shown("atoms")
    connection.heard(data)


def test_between_browser_and_server() -> None:
    """Frames that are none of its own pass as they are; one that is dropped leaves no gap."""
    late = said("atoms", "atoms", words={"note": ""}, is_auto_rerun=True)
    frames = [b"\xff", said("", "atoms"), said("library", "atoms"), late, said("library", "library", query="end")]
    arrived: list[Any] = [
        {"type": "websocket.connect"},
        *({"type": "websocket.receive", "bytes": one} for one in frames),
    ]
    arrived.append({"type": "websocket.disconnect", "code": 1000})
    got, sent = [], []

    async def streamlit(scope: Any, receive: Any, send: Any) -> None:
        while True:
            message = await receive()
            got.append(message)
            if message["type"] == "websocket.disconnect":
                return
            if message.get("bytes") == frames[1]:
                await send({"type": "websocket.send", "bytes": begun("atoms")})

    async def receive() -> Any:
        return arrived.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    acted(WordsGoAlong(streamlit)({"type": "websocket"}, receive, send))
    assert [one.get("bytes") for one in got] == [None, *frames[:3], frames[4], None]
    assert [one["bytes"] for one in sent] == [begun("atoms")]
