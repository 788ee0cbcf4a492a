"""Dictionaries from elsewhere into the library: a zip, a folder of this machine, or the Hub."""

from __future__ import annotations

import tempfile
from pathlib import Path

import streamlit as st

from itda_core.dictionaries.labels_only import SUFFIX
from itda_core.errors import UserError
from itda_core.runs.library import told_as
from itda_core.runs.names import cleaned
from pages.ui.components.plain_text import problem
from pages.ui.components.printable import visible
from pages.ui.frame import engine
from pages.ui.library import hub
from pages.ui.library.parts import select


def importing() -> None:
    """Asks where it is. Enter in a field does what the button below it does."""
    with st.expander("Import a dictionary", icon=":material/upload:"):
        left, right = st.columns(2, gap="large")
        with left:
            uploaded = st.file_uploader(
                "Zip file, as Export makes it, or a file of labels",
                type=["zip", "gz"],
                key="library.import.zip",
                help="A file of labels alone holds no atoms: they are built again with the labels' model and text.",
            )
            if uploaded is not None:
                _uploaded(uploaded.name, uploaded.getbuffer())
        with right:
            with st.form("library.import.form", border=False):
                source = st.text_input(
                    "Folder or zip on this machine, or a Hugging Face id",
                    key="library.import.source",
                    placeholder="a folder, or owner/name",
                    help="From the Hub only the dictionary's three files are fetched; nothing is ever unpickled.",
                )
                asked = st.form_submit_button("Import", icon=":material/upload:", key="library.import.do")
            if asked and source.strip():
                _import(source)
    hub.fetching(_import)


def _uploaded(name: str, content: memoryview) -> None:
    """A button for what was uploaded; where it was pressed, the work."""
    labels = name.endswith(SUFFIX)
    words = "Build its atoms again" if labels else "Import the zip"
    if not st.button(words, icon=":material/upload:", key="library.import.zip.do"):
        return
    with tempfile.TemporaryDirectory() as folder:
        ending = SUFFIX if labels else ".zip"
        path = Path(folder) / f"{cleaned(name.removesuffix(ending)) or 'imported'}{ending}"
        path.write_bytes(content)
        if labels:
            _rebuild(path, called=name)
        else:
            _import(path, called=name)


def _rebuild(path: Path, *, called: str) -> None:
    """The dictionary of the labels in `path`, with their own model."""
    try:
        with st.spinner("Reading the labels' text with their model…", show_time=True), told_as(visible(called), path):
            found = engine.rebuilt(path)
    except UserError as error:
        problem(error, key="library.import.problem")
        return
    told = f"{found.atoms:,} of {found.rebuilt['atoms']:,} atoms were built again from their labels."
    select(found.path, f"{found.name} is in the library now: {told}")


def _import(source: str | Path, revision: str | None = None, *, called: str = "") -> None:
    """called: what messages call the source, where that is a copy."""
    notes: list[str] = []
    try:
        with st.spinner("Checking and copying…"):
            path = engine.library().import_(source, revision=revision, called=visible(called), on_note=notes.append)
    except UserError as error:
        problem(error, key="library.import.problem")
        return
    select(path, " ".join([f"{path.name} is in the library now.", *notes]))
