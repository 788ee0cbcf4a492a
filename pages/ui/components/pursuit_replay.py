"""The pursuit as a list of steps: the atom that came, the error left, the next token predicted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from itda_core.analysis.decompose import AtomUse, TokenDecomposition
from itda_core.analysis.in_common import pattern_of, tokens_of
from itda_core.analysis.replay import Prediction, Replay, remark
from itda_core.figures_as_text import signed
from pages.ui.components.component import component
from pages.ui.components.printable import visible, visible_token

_component = component("pursuit_replay")


def pursuit_replay(
    replay: Replay,
    token: TokenDecomposition,
    labels: Mapping[int, AtomUse],
    *,
    pinned: int | None,
    error_about: str,
    on_pick: Callable[[int | None], None],
    key: str,
) -> None:
    """Draws `replay`, the pursuit of `token`; `labels` gives each atom's source tokens and context.

    The arrow keys lead from step to step; a click or Enter pins the step's atom, a second one lets it go: `on_pick`
    gets its number, or None. `error_about` says what the error left is of.
    """
    steps = []
    for step in replay.steps:
        label = labels.get(step.atom)
        several = label is not None and bool(label.further)
        steps.append(
            {
                "step": step.step,
                "atom": step.atom,
                "before": visible(label.context_before[-32:]) if label and not several else "",
                "token": visible_token(tokens_of(label)) if label else f"atom {step.atom}",
                "after": visible(label.context_after[:32]) if label and not several else "",
                "several": several,
                "pattern": pattern_of(label) if label else "",
                "left": remark(replay, step, token),
                "coefficient": signed(step.coefficient),
                "negative": step.coefficient < 0,
                "error": step.relative_error,
                "error_shown": f"{step.relative_error:.3f}",
                "guesses": _guesses(step.predictions),
            }
        )
    data = {
        "label": "Steps of the pursuit",
        "steps": steps,
        "own": _guesses(replay.predictions),
        "pinned": pinned,
        "error_about": error_about,
    }

    def picked() -> None:
        hit = st.session_state[key].get("pick")
        if hit is not None:
            on_pick(None if hit["atom"] is None else int(hit["atom"]))

    _component(data=data, key=key, on_pick_change=picked)


def _guesses(predictions: Sequence[Prediction]) -> list[dict[str, Any]]:
    return [{"token": visible_token(p.token), "probability": _percent(p.probability)} for p in predictions]


def _percent(probability: float) -> str:
    return "<1%" if 0 < probability < 0.005 else f"{probability:.0%}"
