"""A heading that may be anyone's text: a dictionary's name, a model's."""

from __future__ import annotations

from pages.ui.components.component import component
from pages.ui.components.printable import visible

_component = component("heading")


def heading(name: str, *, under: str = "", key: str) -> None:
    """Draws `name` as a heading with a smaller line `under` it."""
    _component(data={"name": visible(name), "under": visible(under)}, key=key)
