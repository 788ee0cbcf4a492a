"""Invisible characters get a sign, and names mean nothing as Markdown."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from pages.ui.components.printable import escaped, unseen, visible, visible_token


def test_signs() -> None:
    assert visible("a\nb\tc\rd") == "a↵b⇥c␍d"
    assert visible("\x00\x1b\x7f") == "␀␛␡"
    assert visible("\u202eabc\u200b") == "⟨202E⟩abc⟨200B⟩"
    assert visible("👩\u200d🔬") == "👩\u200d🔬"


@given(st.text())
def test_nothing_left_that_hides_or_reorders(text: str) -> None:
    left = {unicodedata.category(c) for c in visible(text) if c not in "\u200d\ufe0f"}
    assert not left & {"Cc", "Cf", "Cs", "Zl", "Zp"}


def test_tokens_always_have_something_to_click() -> None:
    assert visible_token("") == "∅"
    assert visible_token("  ") == "··"
    assert visible_token(" dog") == " dog"
    assert unseen(" ")
    assert unseen("\n")
    assert unseen("")
    assert not unseen(" a")


def test_escaped_names_are_literal_markdown() -> None:
    assert escaped("a_b*c") == "a\\_b\\*c"
    assert "![](" not in escaped("![](http://example.com/x.png)")
    assert ":red[" not in escaped(":red[x]")
    assert escaped("demo 0") == "demo 0"
