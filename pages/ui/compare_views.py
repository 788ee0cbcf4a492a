"""The parts of the compare page."""

from __future__ import annotations

from itda_core.comparison.checkpoints import CHECKPOINTS, LIST
from pages.ui.kept_choice import kept_choice


def choose() -> str:
    """Which part is shown; `?show=`."""
    views = {
        "labels": "Labels (Jaccard)",
        "measures": "Measures side by side",
        "transfer": "Transfer",
        "training": "Over training",
    }
    if not (CHECKPOINTS / LIST).is_file():
        del views["training"]
    return kept_choice("What to compare by", "show", views, key="compare.show")
