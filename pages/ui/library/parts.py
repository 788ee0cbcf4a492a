"""The parts of the library page."""

from __future__ import annotations

import io
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path, PurePath

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
from pages.ui.components.printable import NONE, visible
from pages.ui.frame import engine, meaning, navigation, shell
from pages.ui.library import hub
from pages.ui.library.description import description
from pages.ui.library.label_honesty import label_honesty
from pages.ui.train import further as train_further

_SELECTED = "library.selected"
_SAID, _REFUSED, _VERIFIED = "library.done", "library.refusal", "library.verified"
_SECONDS_SAID = 6.0
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

    st.dataframe(
        frame_of(entries),
        key=key,
        hide_index=True,
        placeholder=NONE,
        on_select=picked,
        selection_mode="single-row",
        height="content" if len(entries) <= _SHORT_LIST else 400,
        column_config={
            "name": st.column_config.TextColumn(width=165, pinned=True),  # all columns fit into 1,080 pixels
            "model": st.column_config.TextColumn(width=75),
            "site": st.column_config.TextColumn(width=85),
            "layer": st.column_config.NumberColumn(format="%d", width=55),
            "selection": st.column_config.TextColumn(
                width=155, help="By which rule its atoms were selected, and what such a dictionary is for."
            ),
            "tokens": st.column_config.NumberColumn(
                format="localized", width=75, help="Tokens of text that were read for it."
            ),
            "atoms": st.column_config.NumberColumn(format="localized", width=65),
            "k": st.column_config.NumberColumn(format="%d", width=45),
            "threshold": st.column_config.NumberColumn(format="%.3g", width=80),
            "FVU": st.column_config.NumberColumn(
                format="%.3f",
                width=65,
                help="Fraction of variance unexplained, on text held out where there was any.",
            ),
            "size": st.column_config.NumberColumn("size (MB)", format="%.1f", width="small"),
        },
    )
    chosen = st.session_state.get(_SELECTED)
    found = next((entry for entry in entries if str(entry.path) == chosen), None)
    return found or frame.chosen


def importing() -> None:
    """A dictionary from elsewhere: a zip, a folder of this machine, or the Hub."""
    with st.expander("Import a dictionary", icon=":material/upload:"):
        left, right = st.columns(2, gap="large")
        with left:
            uploaded = st.file_uploader("Zip file, as Export makes it", type="zip")
            if uploaded is not None and st.button("Import the zip", icon=":material/upload:"):
                with tempfile.TemporaryDirectory() as folder:
                    path = Path(folder) / (PurePath(uploaded.name).name or "imported.zip")
                    path.write_bytes(uploaded.getbuffer())
                    _import(path)
        with right:
            source = st.text_input(
                "Folder or zip on this machine, or a Hugging Face id",
                key="library.import.source",
                placeholder="a folder, or owner/name",
                help="From the Hub only the dictionary's three files are fetched; nothing is ever unpickled.",
            )
            if st.button("Import", icon=":material/upload:", disabled=not source.strip(), key="library.import.do"):
                _import(source)
    hub.fetching(_import)


def _import(source: str | Path, revision: str | None = None) -> None:
    try:
        with st.spinner("Checking and copying…"):
            path = engine.library().import_(source, revision=revision)
    except UserError as error:
        problem(error, key="library.import.problem")
        return
    _select(path, f"{path.name} is in the library now.")


def _select(path: Path, sentence: str) -> None:
    st.session_state[_SELECTED] = str(path)
    meaning.choose(path.name)
    st.session_state[_SAID] = (sentence, time.monotonic())
    st.rerun()


def said() -> None:
    """What the last action did: for a while, since one action may draw the page more than once."""
    sentence, at = st.session_state.get(_SAID, ("", 0.0))
    if time.monotonic() - at < _SECONDS_SAID:
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
        known = description(entry.path)
    except UserError as error:
        problem(error, key="library.details.problem")
        return
    titles = ("Where it came from", "How it was grown", "How well it does")
    with st.container(key="wrapping.library.facts"):
        columns = st.columns(3, gap="large")
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
        train_further.link(entry.name, dictionary=entry.name)
    with st.popover("Rename", icon=":material/edit:"):
        name = st.text_input("New name", value=entry.name, key=f"library.rename.{entry.path}")
        if st.button("Rename", type="primary", key="library.rename.do"):
            try:
                path = engine.library().rename(entry.name, name)
            except UserError as error:
                problem(error, key="library.rename.problem")
            else:
                _select(path, f"Renamed to {path.name}.")
    if st.button("Delete", icon=":material/delete:", key="library.delete"):
        _confirm_delete(entry)


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
    st.session_state[_SAID] = (f"{entry.name} was deleted.", time.monotonic())
    st.query_params.pop("dictionary", None)
    st.query_params.pop(meaning.ID, None)


def _verifying(entry: LibraryEntry) -> None:
    with st.expander("Verify its labels", icon=":material/fact_check:"):
        st.caption(
            f"Reads the text of up to {_CHECKED_LABELS} labels again, computes the activations anew and compares them "
            "with the atoms."
        )
        reference = st.text_input(
            "Corpus, if it was a file", placeholder="path of the same file", key=f"library.corpus.{entry.path}"
        )
        if st.button("Verify", icon=":material/fact_check:", key="library.verify"):
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
