"""A replayed pursuit as an HTML table: what each atom brings, and what the model predicts then; all text escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from itda_core.analysis.in_common import pattern_of, tokens_of
from itda_core.analysis.replay import remark
from itda_core.figures_as_text import signed
from itda_core.printable import visible, visible_token

if TYPE_CHECKING:
    from itda_core.analysis.decompose import AtomUse, TokenDecomposition
    from itda_core.analysis.replay import Prediction, Replay, ReplayStep

_MOST_PREDICTIONS = 3
_CONTEXT = 32  # characters at each side of an atom's token


def replay_table(replay: Replay, token: TokenDecomposition, uses: Mapping[int, AtomUse]) -> str:
    """One row per step of `token`'s pursuit; `uses` has the steps' atoms. A negative coefficient's row is `negative`.

    An atom that was dropped later is none of the token's, so its label is nowhere else on the page.
    """
    predicted = bool(replay.predictions)
    likeliest = replay.predictions[0].token if predicted else None
    head = '<th class="num">step</th><th>atom from</th><th class="num">coefficient</th><th>error left</th>'
    rows = "\n".join(
        f'<tr{_sign(step.coefficient)}><td class="num">{step.step}</td>'
        f"<td>{_source(step, remark(replay, step, token), uses.get(step.atom))}</td>"
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


def _source(step: ReplayStep, said: str, use: AtomUse | None) -> str:
    """The label of the step's atom in its context, and what else is `said` of the step."""
    label = ""
    if use is not None and use.further:
        label = f"<mark>{escape(tokens_of(use))}</mark> {escape(pattern_of(use))} "
    elif use is not None:
        before, after = visible(use.context_before[-_CONTEXT:]), visible(use.context_after[:_CONTEXT])
        label = f"<bdi>{escape(before)}<mark>{escape(visible_token(use.token))}</mark>{escape(after)}</bdi> "
    return f'{label}<span class="muted">atom {step.atom}{f", {said}" if said else ""}</span>'


def _sign(coefficient: float) -> str:
    return f' class="{"negative" if coefficient < 0 else "positive"}"'


def _predicted(predictions: Sequence[Prediction], likeliest: str | None) -> str:
    words = []
    for one in predictions[:_MOST_PREDICTIONS]:
        word = f"<bdi>{escape(visible_token(one.token))}</bdi> {one.probability:.0%}"
        words.append(f"<b>{word}</b>" if one.token == likeliest else word)
    return " · ".join(words)
