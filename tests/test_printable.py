"""One sign for each character that would not show, on pages, in figures and in terminals."""

from hypothesis import given
from hypothesis import strategies as st

from itda_core.printable import visible


def test_terminals_have_the_same_signs_for_lines_and_escapes_for_the_rest() -> None:
    assert visible("a\nb\tc\rd", escapes=True) == visible("a\nb\tc\rd") == "a↵b⇥c␍d"
    assert visible("\x1b[31m\xa0\u202e", escapes=True) == "\\x1b[31m\\xa0\\u202e"


@given(st.text())
def test_nothing_reaches_a_terminal_that_could_steer_it(text: str) -> None:
    assert visible(text, escapes=True).isprintable()
