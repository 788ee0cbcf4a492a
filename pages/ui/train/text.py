"""Which text a training reads."""

from __future__ import annotations

import streamlit as st

from itda_core.errors import UserError
from itda_core.runs.units import size
from itda_core.text.corpus_kinds import A_FILE
from pages.ui.components.plain_text import problem
from pages.ui.forms import columns_of_text, kept, uploads
from pages.ui.forms.field_faults import FieldFaults
from pages.ui.frame import address

# What the address calls where the text is -> what the reader does, and the names of what is asked there. Of an
# uploaded file the address holds the name under which the studio keeps it, never what is in it.
_SOURCES = {"bundled": "Bundled", "upload": "Upload", "path": "Path", "hub": "Hugging Face"}
_ASKED = {"bundled": (), "upload": ("upload",), "path": ("path",), "hub": ("dataset",)}
_SOURCE, _UPLOADED = "train.text.source", "train.text.chosen"
ADDRESS = ("text", "upload", "path", "dataset", columns_of_text.ADDRESS)


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


def shared() -> dict[str, object]:
    """What a link says of the text."""
    source = st.session_state[_SOURCE]
    column = () if source == "bundled" else (columns_of_text.ADDRESS,)
    return address.held(("text", *_ASKED[source], *column))


def _named() -> str:
    """What is named, without the choice of a column that is made below it."""
    source = address.kept_choice("Where the text is", "text", _SOURCES, key=_SOURCE, label_hidden=True)
    if source == "bundled":
        st.caption(
            "20,000 short English passages: stories, recipes, weather, letters, simple Python, arithmetic and more."
        )
        return "demo"
    if source == "path":
        return kept.text(
            "path",
            "File on this machine",
            key="train.text.path",
            placeholder="/path/to/text.txt",
            on_change=columns_of_text.forget,
            help=f"{A_FILE.capitalize()}; a column may follow it: reviews.csv#body",
        )
    if source == "hub":
        name = kept.text(
            "dataset",
            "Dataset",
            key="train.text.hub",
            placeholder="NAME/CONFIG@SPLIT#COLUMN",
            help="The data set is streamed: only the part that is read is fetched.",
        )
        return f"hf:{name.removeprefix('hf:')}" if name else ""
    return _upload()


def _upload() -> str:
    given = st.file_uploader("Text file", type=list(uploads.KINDS), key="train.text.upload")
    folder, new = uploads.uploads_folder(), ""
    if given is not None and st.session_state.get("train.text.kept") != given.file_id:
        try:
            new = uploads.keep(given.name, given).name
        except UserError as error:
            problem(error, key="train.upload.problem")
            return ""
        st.session_state["train.text.kept"] = given.file_id
    names = [path.name for path in uploads.uploads()]

    def parse(name: str) -> str:
        if name not in names:
            raise address.Refused("is none of the texts that were uploaded here")
        return name

    address.arrive("upload", _UPLOADED, parse, None)  # always said: the newest one may be another tomorrow
    if not names:
        return ""
    if new or st.session_state[_UPLOADED] not in names:
        st.session_state[_UPLOADED] = new or names[0]
        columns_of_text.forget()
    chosen = st.selectbox(
        "Uploaded text",
        names,
        key=_UPLOADED,
        format_func=lambda name: f"{name} ({size((folder / name).stat().st_size)})",
        on_change=columns_of_text.forget,
        help=f"The file is kept in {folder.name}/ beside your library.",
    )
    address.leave("upload", _UPLOADED, chosen, None)
    return str(folder / chosen)
