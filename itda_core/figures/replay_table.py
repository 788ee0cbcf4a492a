"""A replayed pursuit as an HTML table: what each atom brings, and what the model predicts then; all text escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from itda_core.figures_as_text import signed
from itda_core.printable import visible_token

if TYPE_CHECKING:
    from itda_core.analysis.replay import Prediction, Replay

_MOST_PREDICTIONS = 3


def replay_table(replay: Replay, sources: Mapping[int, str]) -> str:
    """One row per step; `sources` names atoms by their source tokens. A negative coefficient's row is `negative`."""
    predicted = bool(replay.predictions)
    likeliest = replay.predictions[0].token if predicted else None
    head = '<th class="num">step</th><th>atom from</th><th class="num">coefficient</th><th>error left</th>'
    rows = "\n".join(
        f'<tr{_sign(step.coefficient)}><td class="num">{step.step}</td>'
        f"<td><mark>{escape(visible_token(sources.get(step.atom, '')))}</mark> atom {step.atom}</td>"
        f'<td class="num">{signed(step.coefficient, "+.3f")}</td>'
        f'<td class="left"><i style="width:{100 * min(1.0, step.relative_error):.1f}%"></i>'
        f"{step.relative_error:.4f}</td>"
        + (f"<td>{_predicted(step.predictions, likeliest)}</td>" if predicted else "")
        + "</tr>"
        for step in replay.steps
    )
    if predicted:
        head += "<th>what the model predicts from it</th>"
        own = _predicted(replay.predictions, likeliest)
        rows += f"\n<tr><td></td><td>the activation itself</td><td></td><td></td><td>{own}</td></tr>"
    return f'<table class="replay"><tr>{head}</tr>\n{rows}</table>'


def _sign(coefficient: float) -> str:
    return f' class="{"negative" if coefficient < 0 else "positive"}"'


def _predicted(predictions: Sequence[Prediction], likeliest: str | None) -> str:
    words = []
    for one in predictions[:_MOST_PREDICTIONS]:
        word = f"<bdi>{escape(visible_token(one.token))}</bdi> {one.probability:.0%}"
        words.append(f"<b>{word}</b>" if one.token == likeliest else word)
    return " · ".join(words)
