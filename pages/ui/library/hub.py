"""Dictionaries from the Hugging Face Hub and to it. The access token is never asked for here."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from itda_core.errors import UserError
from itda_core.runs.library import LibraryEntry, is_hub_id
from itda_core.runs.machine import offline
from pages.ui.components.plain_text import notice, problem
from pages.ui.components.printable import escaped
from pages.ui.frame import engine

_PUSHED = "library.pushed"
_TOKEN = (
    "The access token comes from the environment (HF_TOKEN) or an earlier `hf auth login` on the machine that runs "
    "the studio; it is never asked for here."
)


def fetching(imported: Callable[[str, str | None], None]) -> None:
    """A dictionary from the Hub; `imported` gets its id and revision, once the button was pressed."""
    with st.expander("Fetch from the Hugging Face Hub", icon=":material/cloud_download:"):
        _say_offline()
        with st.form("library.fetch.form", border=False):
            left, right = st.columns([3, 2], gap="large")
            name = left.text_input("Repository", key="library.fetch.name", placeholder="owner/name").strip()
            revision = right.text_input("Revision", key="library.fetch.revision", placeholder="main").strip()
            st.caption("Only a dictionary's three files are fetched; nothing is ever unpickled.")
            asked = st.form_submit_button(
                "Fetch", icon=":material/cloud_download:", disabled=offline(), key="library.fetch.do"
            )
        if _is_named(name, "library.fetch.wrong") and asked:
            imported(name, revision or None)


def pushing(entry: LibraryEntry) -> None:
    """The dictionary to the Hub, into the repository that is named, once its button was pressed."""
    with st.expander("Push to the Hugging Face Hub", icon=":material/cloud_upload:"):
        _say_offline()
        left, right = st.columns([3, 2], gap="large", vertical_alignment="bottom")
        name = left.text_input("Repository", key=f"library.push.name.{entry.path}", placeholder="owner/name").strip()
        private = right.checkbox("Private", value=True, key="library.push.private", help="Only you can see it.")
        ready = _is_named(name, "library.push.wrong") and not offline()
        st.caption(f"The repository is made if there is none. {_TOKEN}")
        label = escaped(f"Push to {name}") if ready else "Push"
        if st.button(label, icon=":material/cloud_upload:", disabled=not ready, key="library.push.do"):
            st.session_state.pop(_PUSHED, None)
            try:
                with st.spinner("Uploading…", show_time=True):
                    address = engine.dictionary(engine.key_of(entry.path)).push_to_hub(name, private=private)
            except UserError as error:
                problem(error, key="library.push.problem")
            else:
                st.session_state[_PUSHED] = (str(entry.path), address)
        path, address = st.session_state.get(_PUSHED, ("", ""))
        if path == str(entry.path):
            notice(f"{entry.name} is on the Hub now.", step=address, key="library.push.said")


def _say_offline() -> None:
    if offline():
        st.caption(
            ":material/cloud_off: The environment forbids the network (HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE); start "
            "the studio without it to fetch or push."
        )


def _is_named(name: str, key: str) -> bool:
    """Whether `name` can be a repository; where something else was typed, that is said."""
    if name and not is_hub_id(name):
        problem(UserError(f"{name[:60]!r} is no repository of the Hub; its name looks like owner/name."), key=key)
    return is_hub_id(name)
