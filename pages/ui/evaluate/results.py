"""The figures of an evaluation: a table, and charts of what varies in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import pandas as pd
import streamlit as st

from itda_core.analysis.atoms.honesty.grades import DictionaryHonesty
from itda_core.analysis.centring import cosine_words, in_common, not_over_the_same, relative_error_words
from itda_core.analysis.evaluate import Evaluation
from itda_core.figures import charts as figures_charts
from itda_core.figures import honesty
from itda_core.figures_as_text import no_minus_zero, signed
from itda_core.files.csv_export import frame_csv
from pages.ui.components.charts import chart_config
from pages.ui.components.plain_text import notice
from pages.ui.components.printable import NONE, escaped, visible

Over = Literal["k", "layer", "atoms"]
Quantity = Literal["fvu", "ce_score"]


class _Column(NamedTuple):
    """A column of the table: which figure, how it is headed and written, what it means."""

    field: str
    label: str
    format: str
    help: str
    short: str  # its head on the page, where all columns stand side by side at 1,440 pixels
    width: int  # pixels there


_NUMBERS = (
    _Column(
        "fvu",
        "FVU",
        "%.4f",
        "Fraction of variance unexplained: squared error over the activations' squared distance from their mean. "
        "0 is perfect, 1 as good as the mean.",
        "FVU",
        60,
    ),
    _Column("relative_error", "relative error", "%.4f", "Mean over the tokens, 0 to 1: {measured}.", "rel. error", 74),
    _Column("cosine", "cosine", "%.4f", "Mean over the tokens: {measured}.", "cosine", 64),
    _Column("l0", "L0 (atoms)", "%.2f", "Mean number of different atoms a token uses.", "L0", 46),
    _Column(
        "dead_percent",
        "dead (%)",
        "%.1f",
        "Atoms that no token of this text uses; a longer text leaves fewer of them.",
        "dead %",
        62,
    ),
    _Column(
        "ce_score",
        "CE score",
        "%.4f",
        "How much of the model's prediction survives when the reconstruction takes the activation's place: "
        "(CE zeros − CE reconstructed) / (CE zeros − CE). 1: nothing lost; 0: as bad as zeros.",
        "CE score",
        74,
    ),
    _Column(
        "ce_rise",
        "rise of CE (nats)",
        "%.4f",
        "By how much the model's loss per predicted token grows with the reconstruction in the activation's place. A "
        "high CE score can hide a large rise where zeros cost much.",
        "CE rise",
        66,
    ),
    _Column(
        "kl",
        "KL (nats)",
        "%.4f",
        "Mean divergence of the next token's distribution with the reconstruction from the model's own.",
        "KL",
        58,
    ),
    _Column(
        "ce_original", "CE (nats)", "%.4f", "Cross-entropy of the model left alone, per predicted token.", "CE", 58
    ),
    _Column(
        "ce_reconstructed", "CE recon. (nats)", "%.4f", "The same with the reconstruction at the site.", "CE recon.", 76
    ),
    _Column("ce_zero", "CE zeros (nats)", "%.4f", "The same with zeros at the site.", "CE zeros", 70),
)
_PREDICTED = {"ce_score", "ce_rise", "ce_original", "ce_reconstructed", "ce_zero", "kl"}
_TEXT = ("tokens", "text", "corpus")  # what was read, as a rule the same in all rows
_NAME_WIDTH = 144  # pixels
_SHORT_TABLE = 10  # rows shown without a scroll bar


def frame_of(results: Sequence[Evaluation]) -> pd.DataFrame:
    """The table's content: one row per dictionary, k and method."""
    rows = []
    for result in results:
        row: dict[str, Any] = {
            "dictionary": visible(Path(result.dictionary).name),
            "layer": result.layer,
            "atoms": result.atoms,
            "k": result.k,
            "method": result.method.upper(),
        }
        for column in _columns(results):
            dead = column.field == "dead_percent"
            row[column.label] = 100 * result.dead_fraction if dead else getattr(result, column.field)
        rows.append({**row, "tokens": result.tokens, "text": result.text, "corpus": visible(result.corpus)})
    return no_minus_zero(pd.DataFrame(rows), 4)


def explained(column: _Column, results: Sequence[Evaluation]) -> str:
    """What the column's figures are of, in these results: relative errors and cosines depend on the dictionaries."""
    centred = in_common(result.centred for result in results)
    words = {"relative_error": relative_error_words, "cosine": cosine_words}.get(column.field)
    return column.help if words is None else column.help.format(measured=words(centred))


def not_comparable(results: Sequence[Evaluation]) -> str:
    """That relative errors and cosines of these results are on two scales, in a sentence; "" where they are not."""
    return not_over_the_same([(visible(Path(result.dictionary).name), result.centred) for result in results])


def measured_over(results: Sequence[Evaluation]) -> str:
    """What relative error and cosine are, for a page without tooltips."""
    centred = in_common(result.centred for result in results)
    return f"Relative error: {relative_error_words(centred)}. Cosine: {cosine_words(centred)}."


def _columns(results: Sequence[Evaluation]) -> list[_Column]:
    """Those of predictions only where a model makes some."""
    headed = any(result.ce_original is not None for result in results)
    return [column for column in _NUMBERS if headed or column.field not in _PREDICTED]


def written(results: Sequence[Evaluation]) -> tuple[list[str], list[list[str]]]:
    """The table as text: its columns, and its rows as the page writes them."""
    frame = frame_of(results)
    forms = {column.label: column.format for column in _columns(results)}
    rows = [
        ["" if pd.isna(value) else forms.get(str(name), "%s") % value for name, value in row.items()]
        for row in frame.astype(object).to_dict(orient="records")
    ]
    return [str(name) for name in frame], rows


def csv(results: Sequence[Evaluation], honest: Mapping[str, DictionaryHonesty] = MappingProxyType({})) -> str:
    """All that was measured, under the names of `itda evaluate --json`; honest: what is known of the labels, by the
    dictionaries' names, in columns of their own where anything is.
    """
    rows = [
        result.to_dict() | (honesty.columns(known) if (known := honest.get(Path(result.dictionary).name)) else {})
        for result in results
    ]
    return frame_csv(pd.DataFrame(rows))


def table(results: Sequence[Evaluation]) -> None:
    """One row per dictionary, k and method. What is the same in all rows is said once, so that all columns fit."""
    frame = frame_of(results)
    alike = [name for name in _TEXT if len(set(frame[name].tolist())) == 1]
    config: dict[str, Any] = {
        column.label: st.column_config.NumberColumn(
            column.short, format=column.format, help=f"{column.label}. {explained(column, results)}", width=column.width
        )
        for column in _columns(results)
    }
    config |= {
        "dictionary": st.column_config.TextColumn(width=_NAME_WIDTH, pinned=True),
        "layer": st.column_config.NumberColumn(format="%d", width=52, help="The layer of the model, counted from 0."),
        "atoms": st.column_config.NumberColumn(format="localized", width=58, help="Atoms in the dictionary."),
        "k": st.column_config.NumberColumn(format="%d", width=42, help="Atoms a token may use."),
        "method": st.column_config.TextColumn(width=64, help="The pursuit that finds them."),
        "tokens": st.column_config.NumberColumn(format="localized", width="small", help="Tokens measured so far."),
        "text": st.column_config.TextColumn(
            help="held-out: the dictionary was not built from it. training: it was. other corpus: another text than "
            "the dictionary was built on.",
        ),
        "corpus": st.column_config.TextColumn(help="The text's name."),
    }
    config |= dict.fromkeys(alike)
    if said := not_comparable(results):
        notice(said, key="evaluate.apart")
    st.caption(_told_once(results, frame, alike))
    st.dataframe(
        frame,
        hide_index=True,
        placeholder=NONE,
        key="evaluate.table",
        height="content" if len(results) <= _SHORT_TABLE else 387,
        column_config=config,
    )


def _told_once(results: Sequence[Evaluation], frame: pd.DataFrame, alike: Sequence[str]) -> str:
    """What all rows share, and the units of the columns."""
    first = frame.iloc[0]
    words = {"tokens": f"{results[0].tokens:,} tokens", "corpus": escaped(str(first["corpus"])), "text": first["text"]}
    said = [f"Every row: {', '.join(words[name] for name in words if name in alike)}."] if alike else []
    if any(result.ce_original is not None for result in results):
        said.append("CE and KL are in nats per predicted token.")
    if len(alike) < len(_TEXT):
        said.append("The table scrolls sideways.")
    return " ".join(said)


def charts(results: Sequence[Evaluation]) -> None:
    """FVU and CE score against whatever varies: k, layer, size; and what the score costs in nats."""
    headed = any(result.ce_score is not None for result in results)
    for over, words in varying(results).items():
        left, right = st.columns(2, gap="medium")
        with left:
            st.markdown(f"**FVU** {words}: lower is better")
            _chart(results, "fvu", over)
        if headed:
            with right:
                st.markdown(f"**CE score** {words}: higher is better")
                _chart(results, "ce_score", over)
    if cost := cost_in_nats(results):
        st.caption(cost)


def varying(results: Sequence[Evaluation]) -> dict[Over, str]:
    """Against what the figures are drawn, and the words for it: whatever differs between the results."""
    titles: dict[Over, str] = {"k": "over k", "layer": "by layer", "atoms": "over size"}
    return {
        over: words for over, words in titles.items() if len({getattr(result, over) for result in results} - {None}) > 1
    }


def cost_in_nats(results: Sequence[Evaluation]) -> str:
    """What the reconstructions cost the model, in a sentence; "" where it predicts nothing."""
    known = [
        (result.ce_rise, result.kl, result.ce_zero - result.ce_original)
        for result in results
        if result.ce_rise is not None and result.ce_zero is not None and result.ce_original is not None
    ]
    if not known:
        return ""
    rises, divergences, zeros = zip(*known, strict=True)
    words = f"In nats per predicted token: the loss changes by {_span(rises, '+.3f')}"
    if all(kl is not None for kl in divergences):
        words += f", KL is {_span([kl for kl in divergences if kl is not None], '.3f')}"
    return f"{words}; zeros in the activation's place cost {_span(zeros, '+.2f')}, the scale of the CE score."


def _span(values: Sequence[float], form: str) -> str:
    ends = dict.fromkeys(signed(value, form) for value in (min(values), max(values)))
    return " to ".join(ends)


def _chart(results: Sequence[Evaluation], quantity: Quantity, over: Over) -> None:
    st.plotly_chart(
        figures_charts.evaluations(results, quantity, over),
        key=f"evaluate.{quantity}.{over}",
        config=chart_config(f"{quantity}-over-{over}"),
    )
