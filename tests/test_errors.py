"""Messages quote what was given, whatever it is: they stay short and can be printed."""

from __future__ import annotations

from itda_core.errors import LONGEST_MESSAGE, UserError


def test_a_long_message_loses_its_middle_and_keeps_its_remedy() -> None:
    said = str(UserError(f"Model {'x' * 300_000} does not exist; choose another."))
    assert said.startswith("Model xxx")
    assert said.endswith("xxx does not exist; choose another.")
    assert len(said) < LONGEST_MESSAGE + 20


def test_half_a_character_is_written_as_an_escape() -> None:
    assert str(UserError("caf\udce9 does not exist; choose another.")) == "caf\\udce9 does not exist; choose another."


def test_an_ordinary_message_stays_as_it_is() -> None:
    assert str(UserError("é and हिन्दी; fine.")) == "é and हिन्दी; fine."
