"""Sentences to the reader. They may quote a prompt, a path or a model's name, so none is parsed as Markdown."""

from __future__ import annotations

from typing import Literal

from itda_core.errors import UserError
from pages.ui.components.component import component

_component = component("notice")


def notice(text: str, *, step: str = "", kind: Literal["error", "warning", "info"] = "info", key: str) -> None:
    """A tinted sentence; `step` is the smaller line below it: what to do next."""
    _component(data={"kind": kind, "text": text, "step": step}, key=key)


def problem(error: UserError, *, key: str) -> None:
    """What a user's error says: the cause first, the remedy (after the last semicolon) as the next step."""
    cause, _, remedy = str(error).rpartition("; ")
    if not cause:
        cause, remedy = remedy, ""
    remedy = remedy[:1].upper() + remedy[1:]
    notice(cause if cause.endswith(".") or not remedy else f"{cause}.", step=remedy, kind="error", key=key)
