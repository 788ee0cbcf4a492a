"""Tokens in their contexts, one line each."""

from __future__ import annotations

from collections.abc import Sequence

from itda_core.runs.training_status import Accepted
from pages.ui.component import component
from pages.ui.visible import visible, visible_token

_component = component("label_list")


def label_list(labels: Sequence[Accepted], *, empty: str, key: str) -> None:
    """Draws `labels` in order; `empty` is said when there are none."""
    rows = [
        {
            "before": visible(label.context_before[-70:]),
            "token": visible_token(label.token),
            "after": visible(label.context_after[:70]),
        }
        for label in labels
    ]
    _component(data={"labels": rows, "empty": empty}, key=key)
