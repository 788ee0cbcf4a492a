"""Which text a training reads."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from itda_core.errors import UserError
from itda_core.runs.units import size
from itda_core.text.corpus_kinds import A_FILE
from pages.ui.components.plain_text import problem
from pages.ui.forms import columns_of_text, uploads
from pages.ui.forms.field_faults import FieldFaults

_SOURCES = ("Bundled", "Upload", "Path", "Hugging Face")


def choose(field_faults: FieldFaults, *, offline: bool) -> str:
    """Draws the choice: what Corpus.open takes, "" where nothing was chosen yet. offline: the Hub may not be asked."""
    corpus = _named()
    if corpus in ("", "demo"):
        field_faults.beside("corpus")
        return corpus
    corpus = columns_of_text.choose(corpus, "train.text")
    field_faults.beside("corpus")
    columns_of_text.first_rows(corpus, "train.text", offline=offline)
    return corpus


def _named() -> str:
    """What is named, without the choice of a column that is made below it."""
    source = st.segmented_control(
        "Where the text is",
        _SOURCES,
        default=_SOURCES[0],
        required=True,
        key="train.text.source",
        persist_state="session",
        label_visibility="collapsed",
    )
    if source == "Bundled":
        st.caption(
            "20,000 short English passages: stories, recipes, weather, letters, simple Python, arithmetic and more."
        )
        return "demo"
    if source == "Path":
        return st.text_input(
            "File on this machine",
            key="train.text.path",
            persist_state="session",
            placeholder="/path/to/text.txt",
            help=f"{A_FILE.capitalize()}; a column may follow it: reviews.csv#body",
        ).strip()
    if source == "Hugging Face":
        name = st.text_input(
            "Dataset",
            key="train.text.hub",
            persist_state="session",
            placeholder="NAME/CONFIG@SPLIT#COLUMN",
            help="The data set is streamed: only the part that is read is fetched.",
        ).strip()
        return f"hf:{name.removeprefix('hf:')}" if name else ""
    return _upload()


def _upload() -> str:
    given = st.file_uploader("Text file", type=list(uploads.KINDS), key="train.text.upload")
    if given is not None and st.session_state.get("train.text.kept") != given.file_id:
        try:
            st.session_state["train.text.chosen"] = str(uploads.keep(given.name, given))
        except UserError as error:
            problem(error, key="train.upload.problem")
            return ""
        st.session_state["train.text.kept"] = given.file_id
    kept = [str(path) for path in uploads.uploads()]
    if not kept:
        return ""
    if st.session_state.get("train.text.chosen") not in kept:
        st.session_state["train.text.chosen"] = kept[0]
    return st.selectbox(
        "Uploaded text",
        kept,
        key="train.text.chosen",
        format_func=lambda path: f"{Path(path).name} ({size(Path(path).stat().st_size)})",
        help=f"The file is kept in {uploads.uploads_folder().name}/ beside your library.",
    )
