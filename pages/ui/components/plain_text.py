"""Anyone's text as it is, never parsed as Markdown: a heading, names with their values, a sentence to the reader."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from itda_core.errors import UserError
from pages.ui.components.component import component
from pages.ui.components.printable import visible

_heading, _fact_table, _notice = map(component, ("heading", "fact_table", "notice"))


def heading(name: str, *, under: str = "", key: str) -> None:
    """Draws `name` as a heading with a smaller line `under` it."""
    _heading(data={"name": visible(name), "under": visible(under)}, key=key)


def fact_table(facts: Mapping[str, str], *, title: str = "", key: str) -> None:
    """Draws names and values side by side, in order, under `title` if one is given."""
    _fact_table(data={"title": title, "facts": [[name, value] for name, value in facts.items()]}, key=key)


def notice(text: str, *, step: str = "", kind: Literal["error", "warning", "info"] = "info", key: str) -> None:
    """A tinted sentence; `step` is the smaller line below it: what to do next."""
    _notice(data={"kind": kind, "text": text, "step": step}, key=key)


def problem(error: UserError, *, kind: Literal["error", "warning"] = "error", key: str) -> None:
    """What a user's error says: the cause first, the remedy (after the last semicolon) as the next step."""
    cause, _, remedy = str(error).rpartition("; ")
    if not cause:
        cause, remedy = remedy, ""
    remedy = remedy[:1].upper() + remedy[1:]
    notice(cause if cause.endswith(".") or not remedy else f"{cause}.", step=remedy, kind=kind, key=key)
