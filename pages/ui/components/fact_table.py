"""Names and values side by side; the values may be anyone's text."""

from __future__ import annotations

from collections.abc import Mapping

from pages.ui.components.component import component

_component = component("fact_table")


def fact_table(facts: Mapping[str, str], *, title: str = "", key: str) -> None:
    """Draws `facts` in order, under `title` if one is given."""
    _component(data={"title": title, "facts": [[name, value] for name, value in facts.items()]}, key=key)
