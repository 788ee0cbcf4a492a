"""A button per layer of one model, and the keys [ and ], for one prompt through the layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pages.ui.components.answered import answered, choice
from pages.ui.components.component import component
from pages.ui.components.printable import visible

_component = component("layer_stepper")


def layer_stepper(names: Mapping[int, str], *, chosen: int, on_pick: Callable[[int], None], key: str) -> None:
    """Draws the layers of `names` (layer -> what is shown of it when pointed at); `on_pick` gets the one to go to."""
    data = {
        "label": "Layer; the keys [ and ] go one down and up",
        "title": "Layer",
        "answered": answered(key),
        "layers": [
            {"layer": layer, "text": f"L{layer}", "name": visible(name), "chosen": layer == chosen}
            for layer, name in sorted(names.items())
        ],
    }

    def picked() -> None:
        hit = choice(key)
        if hit is not None and int(hit["layer"]) in names:
            on_pick(int(hit["layer"]))

    _component(data=data, key=key, on_pick_change=picked)
