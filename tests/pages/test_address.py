"""The address and the page agree: links, edits, defaults, bad values, changes of what a value belongs to."""

import time
import tomllib

import pytest
from streamlit.proto.WidgetStates_pb2 import WidgetStates
from streamlit.testing.v1 import AppTest

from pages.ui.frame import address
from tests.pages.conftest import PATIENCE, ROOT, asked_for


def page() -> None:
    import streamlit as st

    from pages.ui.frame import address

    within = st.session_state.get("within", "one")
    address.arrive("k", "page.k", address.whole(1, 9), 4, within=within)
    st.number_input("k", 1, 9, key="page.k")
    address.leave("k", "page.k", st.session_state["page.k"], 4)
    for sentence in address.complaints():
        st.text(sentence)


def opened(**query: str) -> AppTest:
    test = AppTest.from_function(page, default_timeout=PATIENCE)
    for name, value in query.items():
        test.query_params[name] = value
    return test.run()


def value(test: AppTest) -> object:
    return test.number_input[0].value


def test_default_is_not_written() -> None:
    test = opened()
    assert value(test) == 4
    assert asked_for(test) == {}


def test_link_sets_the_widget() -> None:
    assert value(opened(k="7")) == 7


def test_edit_is_written_and_default_removes_it() -> None:
    test = opened()
    test.number_input[0].set_value(6).run()
    assert asked_for(test) == {"k": "6"}
    test.number_input[0].set_value(4).run()
    assert asked_for(test) == {}


def gone_back(test: AppTest, monkeypatch: pytest.MonkeyPatch, **query: str) -> AppTest:
    """As the browser's Back asks for an address that it had before."""
    test.query_params.clear()
    for name, given in query.items():
        test.query_params[name] = given
    with monkeypatch.context() as patched:
        patched.setattr(address, "_through_history", lambda: True)
        return test.run()


def test_going_back_sets_the_widget_again(monkeypatch: pytest.MonkeyPatch) -> None:
    test = opened(k="7")
    test.number_input[0].set_value(6).run()
    assert value(gone_back(test, monkeypatch, k="7")) == 7


def test_a_link_to_an_earlier_address_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    test = opened(k="7")
    test.number_input[0].set_value(6).run()
    later = time.monotonic() + 5  # by then the browser has heard of k=6
    monkeypatch.setattr(time, "monotonic", lambda: later)
    test.query_params["k"] = "7"
    assert value(test.run()) == 7


def test_a_lagging_address_takes_nothing_back_that_did_not_change_since() -> None:
    """Of two clicks in a row the second sends the widget as the first left it, with the address from before both."""
    test = opened(k="7")
    test.number_input[0].set_value(6).run()
    test.query_params["k"] = "7"
    assert value(test.run()) == 6
    assert asked_for(test) == {"k": "6"}


def test_what_is_written_into_a_lagging_address_is_written_into_the_latest_one() -> None:
    def page() -> None:
        import streamlit as st

        from pages.ui.frame import address

        st.button("first", on_click=lambda: address.query.update({"first": "1"}))
        st.button("second", on_click=lambda: address.query.update({"second": "2"}))

    test = AppTest.from_function(page, default_timeout=PATIENCE).run()
    test.button[0].click().run()
    test.query_params.clear()
    test.button[1].click().run()
    assert asked_for(test) == {"first": "1", "second": "2"}


def test_a_widget_that_never_reached_the_browser_is_set_again() -> None:
    """Of a run that is broken off the rest is not sent; what it set, the next one has to say."""
    test = opened(k="7")
    assert test.number_input[0].proto.set_value
    test.run()
    assert not test.number_input[0].proto.set_value  # the browser has it: a click on the way is not overridden
    test._run(widget_state=WidgetStates())  # a browser to which no widget was drawn yet
    assert value(test) == 7
    assert test.number_input[0].proto.set_value
    assert asked_for(test) == {"k": "7"}


def test_the_runs_of_a_session_follow_each_other_and_messages_come_whole() -> None:
    configured = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text("utf-8"))
    assert configured["runner"] == {"fastReruns": False}
    assert configured["global"]["minCachedMessageSize"] > 2**32


def test_an_address_that_lags_behind_the_keys_takes_nothing_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A press of a key sends the address from before the answer to the one before it."""
    test = opened()
    for pressed in (5, 6, 7):
        test.number_input[0].set_value(pressed)
        test.query_params.pop("k", None)
        test.run()
        assert value(test) == pressed
        assert asked_for(test) == {"k": str(pressed)}
    assert value(gone_back(test, monkeypatch, k="5")) == 5  # once the keys rest


def test_bad_values_are_named_once_ignored_and_left_for_back() -> None:
    for bad, reason in (("abc", "not a whole number"), ("10", "not between 1 and 9"), ("", "not a whole number")):
        test = opened(k=bad)
        assert value(test) == 4
        assert reason in test.text[0].value
        assert f"k={bad}," in test.text[0].value
        assert asked_for(test) == {"k": bad}
        assert not test.run().text


def test_change_of_what_it_belongs_to_reads_the_address_again(monkeypatch: pytest.MonkeyPatch) -> None:
    test = opened(k="7")
    test.session_state["within"] = "two"
    assert value(test.run()) == 7
    test = opened()
    test.session_state["page.k"] = 5
    test.run()
    test.session_state["within"] = "two"
    assert value(gone_back(test, monkeypatch)) == 4


def test_half_characters_are_written_as_what_can_be() -> None:
    """As in the name of a folder that is not UTF-8."""
    assert address.query_of({"dictionary": "caf\udce9", "atom": 3, "none": None, "empty": ""}) == {
        "dictionary": "caf\ufffd",
        "atom": "3",
    }

    def page() -> None:
        import streamlit as st

        from pages.ui.frame import address

        st.session_state["page.name"] = "caf\udce9"
        address.arrive("name", "page.name", str, "")
        address.leave("name", "page.name", "caf\udce9", "")
        st.text(address.link("decompose", {"name": "caf\udce9"}))

    test = AppTest.from_function(page, default_timeout=PATIENCE).run()
    assert not test.exception
    assert test.text[0].value.endswith("/decompose?name=caf%EF%BF%BD")


def test_the_address_and_the_caches_are_asked_in_one_place_each() -> None:
    """Elsewhere they would see a browser's lagging address, or compute in a run that cannot be broken off meanwhile."""
    for word, place in (("st.query_params", "address.py"), ("st.cache_resource(", "session_cache.py")):
        found = {one.name for one in (ROOT / "pages").rglob("*.py") if word in one.read_text("utf-8")}
        assert found == {place}, word
