"""How a chart behaves on a page."""

from __future__ import annotations

from typing import Any


def chart_config(name: str) -> dict[str, Any]:
    """A chart's own buttons: only the camera, which saves a PNG called `name`."""
    return {
        "displaylogo": False,
        "modeBarButtons": [["toImage"]],
        "toImageButtonOptions": {"format": "png", "filename": name, "scale": 3},
    }
