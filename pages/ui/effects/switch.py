"""The switch that opens a section about what an atom does; nothing of the section is computed before."""

from __future__ import annotations

from pages.ui.components.plain_text import notice
from pages.ui.forms import kept
from pages.ui.frame import effects_engine, engine


def opened(
    key: engine.DictionaryKey, name: str, label: str, *, widget: str, help: str
) -> tuple[bool, dict[str, object]]:
    """Draws the switch: whether the section is to be drawn, and what the address says. `name` is what it calls the
    switch, `widget` the key of it.

    A model that predicts no next token has no such section; why is said where it is asked for.
    """
    if not kept.toggle(name, label, key=widget, help=help):
        return False, {}
    reason = effects_engine.no_next_token(key)
    if reason is not None:
        notice(reason, kind="info", key=f"{widget}.none")
    return reason is None, {name: "True"}
