"""What came of changing atoms, as a page of its own that needs neither network nor script; all text is escaped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

from itda_core.analysis.interventions.change import UNITS
from itda_core.analysis.interventions.steered import where_changed
from itda_core.analysis.interventions.written import text_of
from itda_core.figures import svg
from itda_core.figures.effects import parts_over_strength
from itda_core.figures.page import Section, page, side_by_side, table
from itda_core.figures_as_text import figure, points_apart, signed
from itda_core.files.without_paths import without_paths
from itda_core.printable import visible, visible_token

if TYPE_CHECKING:
    from itda_core.analysis.interventions.change import ChangedToken
    from itda_core.analysis.interventions.effect import Effect, NextToken
    from itda_core.analysis.interventions.steered import Continuations, Curve, Steered

WHERE_WORDS = {
    "token": "at the chosen token",
    "prompt": "in the prompt",
    "generated": "in what is written",
    "all": "in the prompt and in what is written",
}
COMPARED_COLUMNS = ("next token", "before", "after", "difference")
CHANGED_COLUMNS = ("at", "token", "atom", "coefficient", "becomes")  # behind them the units of strength
CHANGED_NUMBERS = ("at", "atom", "coefficient", "becomes")
_MARKS = "Where atoms were changed, the text is marked."


def steering_page(steered: Steered, *, command: str = "") -> str:
    """The whole HTML page; `command` is the same for a terminal."""
    effect = steered.effect
    place = effect.site if effect.layer is None else f"layer {effect.layer}, {effect.site}"
    changes = ", ".join(text_of(change) for change in effect.changes)
    facts = [
        visible(f"{without_paths(effect.model)} · {place} · {effect.dictionary}"),
        f"Changed {WHERE_WORDS[effect.where]}: {changes} (atom:strength:unit)"
        + ("; special tokens too." if effect.include_special else "; special tokens are left alone."),
        where_changed(effect),
        effect.warning or "",
    ]
    prompt = _text(zip(effect.tokens, effect.marked, strict=True))
    sections: list[Section | str] = [Section("The prompt", prompt, _MARKS), _predictions(steered), _changed(steered)]
    if steered.curve is not None:
        sections.append(_curve(steered.curve))
    if steered.continuations is not None:
        sections.append(_written(steered.continuations))
    if command:
        body = f'<pre class="muted" style="white-space:pre-wrap;overflow-wrap:anywhere">{escape(command)}</pre>'
        sections.append(Section("The same in a terminal", body))
    return page(f"{effect.dictionary}: atoms changed", facts, sections)


def _predictions(steered: Steered) -> Section:
    effect = steered.effect
    columns = (*COMPARED_COLUMNS, "after, unexplained dropped")
    rows = [(*compared_row(one, visible_token), figure(one.reconstruction_only, ".1%")) for one in effect.compared]
    alone, unchanged = (
        figure(one, ".4f") for one in (effect.kl_reconstruction_only, effect.kl_reconstruction_unchanged)
    )
    kl = (
        f"KL {figure(effect.kl, '.4f')} nats. With the unexplained part dropped: {alone} with the change, {unchanged} "
        "without it."
    )
    loss = ""
    if effect.loss_before is not None and effect.loss_after is not None:
        before, after = figure(effect.loss_before, ".4f"), figure(effect.loss_after, ".4f")
        loss = f" Loss on the prompt: {before} before, {after} after."
    note = f"{kl}{loss}"
    return Section(f"What is predicted behind token {effect.token}", table(columns, rows, numbers=columns[1:]), note)


def compared_row(one: NextToken, shown: Callable[[str], str]) -> tuple[str, ...]:
    """A next token and its probabilities, in COMPARED_COLUMNS; shown: how a token is written."""
    before, after = (figure(p, ".1%") for p in (one.before, one.after))
    return shown(one.token), before, after, points_apart(one.before, one.after)


def changed_rows(effect: Effect, moved: Sequence[ChangedToken], shown: Callable[[str], str]) -> list[tuple[str, ...]]:
    """What was changed at which tokens of the prompt, every strength in each unit; shown: how a token is written."""
    return [
        (
            str(one.token),
            shown(effect.tokens[one.token]),
            str(one.atom),
            signed(one.before),
            signed(one.after),
            *("" if value is None else signed(value, ".2f") for value in one.strengths),
        )
        for one in moved
    ]


def _changed(steered: Steered) -> Section:
    effect = steered.effect
    units = tuple(f"× {name}" for name in ("its own", "its largest", "the norm"))
    assert len(units) == len(UNITS), "one column per unit"
    moved = [one for one in effect.changed if one.moved]
    rows = changed_rows(effect, moved, visible_token)
    numbers = (*CHANGED_NUMBERS, *units)
    changes = table((*CHANGED_COLUMNS, *units), rows, numbers=numbers)
    about = (
        "x' = x + Σ (c' − c) · atom. The norm is that of x − mean, the activation with the dictionary's mean taken off."
    )
    return Section("What was changed", changes, about)


def _curve(curve: Curve) -> Section:
    figures = parts_over_strength(curve.points, token=curve.next_token)
    names = (f"Probability of “{visible(curve.next_token)}”", "KL")
    charts = [Section(name, svg.chart(one)) for name, one in zip(names, figures, strict=True)]
    return Section("Over the strength", side_by_side(charts))


def _written(written: Continuations) -> Section:
    columns = [
        Section(name, _text((piece.text, piece.changed) for piece in pieces))
        for name, pieces in (("Before", written.before), ("After", written.after))
    ]
    how = "the likeliest token each time" if not written.temperature else f"temperature {written.temperature:g}"
    seed = f", seed {written.seed}" if written.temperature else ""
    ended = "" if written.ended else " It was stopped on the way."
    note = f"{written.new_tokens:,} tokens asked for, {how}{seed}.{ended} {_MARKS}"
    return Section("What is written", side_by_side(columns), note)


def _text(tokens: Iterable[tuple[str, bool]] | Sequence[tuple[str, bool]]) -> str:
    """Tokens in one line of text, marked where atoms were changed."""
    return (
        "<p><bdi>"
        + "".join(f"<mark>{escape(text)}</mark>" if mark else escape(text) for text, mark in tokens)
        + "</bdi></p>"
    )
