"""The parts of the compare page."""

from __future__ import annotations

from pages.ui.forms.address_choice import kept_choice


def choose() -> str:
    """Which part is shown; `?show=`."""
    views = {
        "labels": "Labels (Jaccard)",
        "measures": "Measures side by side",
        "transfer": "Transfer",
        "training": "Over training",
    }
    return kept_choice("What to compare by", "show", views, key="compare.show")
