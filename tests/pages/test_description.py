"""What the library says of a bundled dictionary, against its dictionary.json."""

from __future__ import annotations

import json

from itda_core.runs.library import BUNDLED
from pages.ui import engine


def test_figures_are_written_out_for_people() -> None:
    folder = BUNDLED / "demo-0-L3"
    said = json.loads((folder / "dictionary.json").read_text())
    shown = engine.description(engine.key_of(folder))
    assert float(shown.measured["tokens per second"].replace(",", "")) == round(said["stats"]["tokens_per_second"])
    assert shown.measured["fvu"] == f"{said['stats']['fvu']:.4g}"
    assert shown.settings["threshold"] == "0.315"
    assert shown.settings["centre"] == "no"
