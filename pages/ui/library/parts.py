"""The parts of the library page."""

from __future__ import annotations

import io
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from itda_core.dictionaries.labels_only import SUFFIX, write_labels
from itda_core.dictionaries.selections import with_purpose
from itda_core.errors import UserError
from itda_core.files.csv_export import frame_csv
from itda_core.files.without_paths import without_paths
from itda_core.runs.archive import write_zip
from itda_core.runs.library import LibraryEntry
from itda_core.runs.rebuilding import labels_in
from itda_core.runs.units import size
from itda_core.runs.verify import Verification
from pages.ui.components.moments import moment
from pages.ui.components.plain_text import fact_table, heading, notice, problem
from pages.ui.components.printable import NONE, escaped, visible
from pages.ui.frame import address, engine, meaning, navigation, shell
from pages.ui.library import hub
from pages.ui.library.description import description
from pages.ui.library.label_honesty import label_honesty
from pages.ui.train import further as train_further

_SELECTED = "library.selected"
_SAID, _REFUSED, _VERIFIED = "library.done", "library.refusal", "library.verified"
_SECONDS_SAID, _MOST_AT_A_GLANCE = 6.0, 60  # a longer sentence stays longer
_MIXED = (
    "FVU is measured with each dictionary's own k and pursuit: compare it between rows in which both are the same, or "
    "measure them alike on the page Evaluate."
)
_DATE = len("2026-11-29")
_NAMED = 5  # dictionaries in one sentence
_SHORT_LIST = 10  # rows shown without a scroll bar
_CHECKED_LABELS = 200  # enough to see a wrong dictionary, quick enough to wait for


def frame_of(entries: Sequence[LibraryEntry]) -> pd.DataFrame:
    """The table's content, one row per entry."""
    return pd.DataFrame(
        [
            {
                "name": visible(entry.name),
                "model": visible(entry.model or ""),
                "layer": entry.layer,
                "site": visible(entry.site or ""),
                "selection": with_purpose(entry.selection),
                "tokens": entry.tokens,
                "atoms": entry.atoms,
                "k": entry.k,
                "pursuit": (entry.method or "").upper(),
                "threshold": entry.threshold,
                "FVU": entry.fvu,
                "size": None if entry.bytes is None else entry.bytes / 1e6,
                "made": moment(entry.created),
                "state": "damaged" if entry.problem else "bundled" if entry.bundled else "yours",
            }
            for entry in entries
        ]
    )


def table(frame: shell.Shell) -> LibraryEntry | None:
    """All entries; the one whose row was chosen, or else the dictionary chosen in the sidebar."""
    entries = frame.entries
    if not entries:
        return None
    key = f"library.table.{hash(tuple(entry.name for entry in entries))}"

    def picked() -> None:
        rows = st.session_state[key]["selection"]["rows"]
        st.session_state[_SELECTED] = str(entries[rows[0]].path) if rows else None
        if rows and entries[rows[0]].problem is None:
            meaning.choose(entries[rows[0]].name, entries[rows[0]].identity)

    shown = frame_of(entries)
    st.dataframe(
        shown.assign(made=shown["made"].str[:_DATE]),  # the time of day is among the dictionary's facts
        key=key,
        hide_index=True,
        placeholder=NONE,
        on_select=picked,
        selection_mode="single-row",
        height="content" if len(entries) <= _SHORT_LIST else 400,
        column_config={
            "name": st.column_config.TextColumn(width=142, pinned=True),  # all columns fit into 1,080 pixels
            "model": st.column_config.TextColumn(width=64),
            "site": st.column_config.TextColumn(width=82),
            "layer": st.column_config.NumberColumn(format="%d", width=48),
            "selection": st.column_config.TextColumn(
                width=158, help="By which rule its atoms were selected, and what such a dictionary is for."
            ),
            "tokens": st.column_config.NumberColumn(
                format="localized", width=66, help="Tokens of text that were read for it."
            ),
            "atoms": st.column_config.NumberColumn(format="localized", width=56),
            "k": st.column_config.NumberColumn(format="%d", width=36),
            "pursuit": st.column_config.TextColumn(width=60),
            "threshold": st.column_config.NumberColumn(format="%.3g", width=76),
            "FVU": st.column_config.NumberColumn(
                format="%.3f",
                width=54,
                help="Fraction of variance unexplained, on text held out where there was any, with the dictionary's "
                "own k and pursuit.",
            ),
            "size": st.column_config.NumberColumn("MB", format="%.1f", width=46),
            "made": st.column_config.TextColumn(width=88),
            "state": st.column_config.TextColumn(width=66),
        },
    )
    if len({(entry.k, entry.method) for entry in entries if entry.fvu is not None}) > 1:
        st.caption(_MIXED)
    if in_training := [visible(entry.name) for entry in entries if entry.fvu_text == "training"]:
        st.caption(
            escaped(f"FVU on the text of the training, where none was left: {', '.join(in_training[:_NAMED])}")
            + (" and others." if len(in_training) > _NAMED else ".")
        )
    chosen = st.session_state.get(_SELECTED)
    found = next((entry for entry in entries if str(entry.path) == chosen), None)
    return found or frame.chosen


def select(path: Path, sentence: str) -> None:
    """Shows the dictionary in that folder from now on, and says for a while what was done."""
    st.session_state[_SELECTED] = str(path)
    meaning.choose(path.name)
    _say(sentence)
    st.rerun()


def _say(sentence: str) -> None:
    st.session_state[_SAID] = (sentence, time.monotonic() + _SECONDS_SAID * (1 + len(sentence) // _MOST_AT_A_GLANCE))


def said() -> None:
    """What the last action did: for a while, since one action may draw the page more than once."""
    sentence, until = st.session_state.get(_SAID, ("", 0.0))
    if time.monotonic() < until:
        notice(sentence, key="library.said")
    if error := st.session_state.pop(_REFUSED, None):
        problem(error, key="library.refused")


def details(entry: LibraryEntry) -> None:
    """One dictionary: what can be done with it, and all that is known of it."""
    st.divider()
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        with st.container(width="stretch"):
            heading(
                entry.name, under=f"{entry.model}, {entry.site}" if entry.problem is None else "", key="library.name"
            )
        _actions(entry)
    if entry.problem is not None:
        problem(UserError(entry.problem), key="library.damaged")
        return
    try:
        known = description(entry.path, bundled=entry.bundled)
    except UserError as error:
        problem(error, key="library.details.problem")
        return
    titles = ("Where it came from", "How it was grown", "How well it does")
    with st.container(key="wrapping.library.facts"):
        columns = st.columns((8, 7, 7), gap="large")
    for number, (column, title, facts) in enumerate(zip(columns, titles, known, strict=True)):
        with column:
            fact_table(facts, title=title, key=f"library.facts.{number}")
    label_honesty(entry)
    _verifying(entry)
    hub.pushing(entry)


def _actions(entry: LibraryEntry) -> None:
    if entry.problem is None:
        there = {"dictionary": entry.name}
        navigation.link("Decompose", there, label="Decompose with it")
        navigation.link("Atoms", there, label="Its atoms")
        navigation.link("Compare", there)
        st.download_button(
            "Export zip",
            lambda: zipped(entry.path),
            f"{entry.name}.zip",
            "application/zip",
            icon=":material/download:",
            on_click="ignore",
            key="library.zip",
        )
        st.download_button(
            "Labels only",
            lambda: labels_only(entry.path),
            f"{entry.name}{SUFFIX}",
            "application/gzip",
            icon=":material/label:",
            on_click="ignore",
            key="library.labels",
            help="A few kilobytes, without text and without vectors: anyone with the model and the text can build the "
            "dictionary from it again (itda library rebuild).",
        )
    if entry.bundled:
        return
    if entry.problem is None:
        train_further.link(entry.name, entry.selection, dictionary=entry.name)
    with st.popover("Rename", icon=":material/edit:"):
        _renaming(entry)
    if st.button("Delete", icon=":material/delete:", key="library.delete"):
        _confirm_delete(entry)


def _renaming(entry: LibraryEntry) -> None:
    """Asks for another name; Enter in the field does what the button does."""
    with st.form("library.rename.form", border=False):
        name = st.text_input("New name", value=entry.name, key=f"library.rename.{entry.path}")
        asked = st.form_submit_button("Rename", type="primary", key="library.rename.do")
    if asked:
        try:
            path = engine.library().rename(entry.name, name)
        except UserError as error:
            problem(error, key="library.rename.problem")
        else:
            select(path, f"Renamed to {path.name}.")


def zipped(path: Path) -> bytes:
    """A dictionary's folder as a zip."""
    buffer = io.BytesIO()
    write_zip(path, buffer)
    return buffer.getvalue()


def labels_only(path: Path) -> bytes:
    """The labels of a dictionary without its atoms, as `itda library export --labels-only` writes them."""
    with tempfile.TemporaryDirectory() as folder:
        return write_labels(labels_in(path), Path(folder) / f"dictionary{SUFFIX}").read_bytes()


@st.dialog("Delete this dictionary?")
def _confirm_delete(entry: LibraryEntry) -> None:
    st.text(visible(entry.name))
    st.write(f"Its {size(entry.bytes or 0)} are deleted from this machine. This cannot be undone; Export keeps a copy.")
    keep, delete = st.columns(2)
    if keep.button("Keep it", width="stretch"):
        st.rerun()
    if delete.button(
        "Delete",
        type="primary",
        icon=":material/delete:",
        width="stretch",
        key="library.delete.do",
        on_click=_delete,
        args=(entry,),
    ):
        st.rerun()


def _delete(entry: LibraryEntry) -> None:
    try:
        engine.library().remove(entry.name)
    except UserError as error:
        st.session_state[_REFUSED] = error
        return
    st.session_state[_SELECTED] = None
    _say(f"{entry.name} was deleted.")
    address.query.pop("dictionary", None)
    address.query.pop(meaning.ID, None)


def _verifying(entry: LibraryEntry) -> None:
    with st.expander("Verify its labels", icon=":material/fact_check:"):
        st.caption(
            f"Reads the text of up to {_CHECKED_LABELS} labels again, computes the activations anew and compares them "
            "with the atoms."
        )
        with st.form("library.verify.form", border=False):
            reference = st.text_input(
                "Corpus, if it was a file", placeholder="path of the same file", key=f"library.corpus.{entry.path}"
            )
            asked = st.form_submit_button("Verify", icon=":material/fact_check:", key="library.verify")
        if asked:
            bar = st.progress(0.0, text="Loading the model…")

            def show(found: int, wanted: int) -> None:
                bar.progress(found / wanted if wanted else 1.0, text=f"{found:,} of {wanted:,} labels")

            st.session_state.pop(_VERIFIED, None)
            try:
                result = engine.verify(engine.key_of(entry.path), reference.strip() or None, _CHECKED_LABELS, show)
            except UserError as error:
                problem(error, key="library.verify.problem")
            else:
                st.session_state[_VERIFIED] = (str(entry.path), result)
            bar.empty()
        path, result = st.session_state.get(_VERIFIED, ("", None))
        if result is not None and path == str(entry.path):
            _verified(result)


def _verified(result: Verification) -> None:
    lowest = result.worst_cosine
    notice(
        f"{len(result.checks) - len(result.wrong):,} of {len(result.checks):,} atoms checked come out of their labels "
        f"again (the dictionary has {result.atoms:,}).",
        step="" if lowest is None else f"Lowest cosine of an atom with its activation: {lowest:.6f}",
        kind="error" if result.wrong or result.fault else "info",
        key="library.verified.said",
    )
    for said in filter(None, (result.fault, result.note)):
        st.caption(visible(said))
    st.dataframe(
        pd.DataFrame(
            [
                {
                    "atom": check.atom,
                    "token": visible(check.token),
                    "document": visible(check.document),
                    "cosine": check.cosine,
                    "differs in": ", ".join(check.differs),
                    "label": "true" if check.true else "wrong",
                }
                for check in sorted(result.checks, key=lambda check: check.true)
            ]
        ),
        hide_index=True,
        height=280,
        placeholder=NONE,
        column_config={"cosine": st.column_config.NumberColumn(format="%.6f")},
    )


def _shared(entries: Sequence[LibraryEntry]) -> pd.DataFrame:
    """The table without where anything lies on this machine: a model may be a folder."""
    table = frame_of(entries)
    return table.assign(model=[without_paths(model) for model in table["model"]]) if len(table) else table


def exports(entries: Sequence[LibraryEntry]) -> shell.Files:
    """The list itself, to take along."""
    return {
        "CSV": ("itda-library.csv", "text/csv", lambda: frame_csv(_shared(entries))),
        "JSON": ("itda-library.json", "application/json", lambda: _listed_json(entries)),
    }


def _listed_json(entries: Sequence[LibraryEntry]) -> str:
    rows = _shared(entries).to_dict(orient="records")
    told = [{**row, "identity": entry.identity} for row, entry in zip(rows, entries, strict=True)]
    return json.dumps(told, indent=2, ensure_ascii=False, default=str)
