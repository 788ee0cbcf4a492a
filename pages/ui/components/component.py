"""Drawn parts of our own: each a folder of assets with its style and its script."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from streamlit.components import v2

_ASSETS = Path(__file__).resolve().parents[3] / "assets"


def component(name: str) -> Callable[..., Any]:
    """The renderer of `assets/<name>/`, with what all have in common; every text is put in place with textContent."""
    folder = _ASSETS / name
    style = "\n".join(path.read_text(encoding="utf-8") for path in (_ASSETS / "shared.css", folder / "style.css"))
    script = "\n".join(path.read_text(encoding="utf-8") for path in (_ASSETS / "shared.js", folder / "main.js"))
    return v2.component(f"itda_{name}", html='<div class="itda"></div>', css=style, js=script)
