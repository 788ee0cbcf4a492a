"""The address and the page agree: links, edits, defaults, bad values, changes of what a value belongs to."""

from streamlit.testing.v1 import AppTest

from tests.pages.conftest import PATIENCE, asked_for


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


def test_going_back_sets_the_widget_again() -> None:
    test = opened(k="7")
    test.number_input[0].set_value(6).run()
    test.query_params["k"] = "7"
    assert value(test.run()) == 7


def test_an_address_that_lags_behind_the_keys_takes_nothing_back() -> None:
    """A press of a key sends the address from before the answer to the one before it."""
    test = opened()
    for pressed in (5, 6, 7):
        test.number_input[0].set_value(pressed)
        test.query_params.pop("k", None)
        test.run()
        assert value(test) == pressed
        assert asked_for(test) == {"k": str(pressed)}
    test.query_params["k"] = "5"
    assert value(test.run()) == 5  # Back, once the keys rest


def test_bad_values_are_named_once_ignored_and_left_for_back() -> None:
    for bad, reason in (("abc", "not a whole number"), ("10", "not between 1 and 9"), ("", "not a whole number")):
        test = opened(k=bad)
        assert value(test) == 4
        assert reason in test.text[0].value
        assert f"k={bad}," in test.text[0].value
        assert asked_for(test) == {"k": bad}
        assert not test.run().text


def test_change_of_what_it_belongs_to_reads_the_address_again() -> None:
    test = opened(k="7")
    test.session_state["within"] = "two"
    assert value(test.run()) == 7
    test = opened()
    test.session_state["page.k"] = 5
    test.run()
    test.query_params.pop("k", None)
    test.session_state["within"] = "two"
    assert value(test.run()) == 4


def test_half_characters_are_written_as_what_can_be() -> None:
    """As in the name of a folder that is not UTF-8."""
    from pages.ui.frame import address

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
