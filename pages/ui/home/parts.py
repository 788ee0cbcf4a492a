"""The parts of the home page."""

from __future__ import annotations

import json

import streamlit as st

from itda_core.dictionaries.config import METHODS
from itda_core.dictionaries.selections import READING, is_for, with_purpose
from itda_core.errors import UserError
from itda_core.files.without_paths import without_paths
from itda_core.runs.jobs.jobs import Jobs
from itda_core.runs.jobs.kinds import TRAINING
from itda_core.runs.library import LibraryEntry
from itda_core.runs.machine import machine
from itda_core.runs.units import size
from pages.ui.components.atom_list import atom_list
from pages.ui.components.moments import moment
from pages.ui.components.plain_text import fact_table, problem
from pages.ui.components.printable import visible, visible_token
from pages.ui.components.token_row import first_choice, token_row
from pages.ui.frame import engine, navigation, shell
from pages.ui.frame.engine import EXAMPLE
from pages.ui.jobs import job_watch

_STRONGEST = 4
_LISTED = 5  # dictionaries
_FOLDERS = ("Library", "Model cache")  # of this machine's facts those that never leave it
_LOOK_AGAIN = 1.0  # seconds; more often would hold up what is waited for
_TOKEN, _OPENED, _WAITED = "home.token", "home.opened", "home.waited"


def cards(frame: shell.Shell) -> None:
    """Five ways in."""
    demo = engine.default_entry([entry for entry in engine.usable(frame.entries) if entry.bundled])
    values = {"dictionary": demo.name} if demo is not None else {}
    texts = (
        (
            "Decompose",
            "Try the demo",
            "A small language model and its dictionary are bundled. Click a token, read its atoms.",
        ),
        ("Atoms", "Read atoms", "Where each fires, what is near it, and whether its label tells the truth."),
        ("Compare", "Compare models", "What dictionaries of different models share. Click a cell, read the places."),
        ("Train", "Train a dictionary", "Choose a model, layers and a text; watch the atoms come in."),
        (
            "Library",
            "Open the library",
            f"All dictionaries on this machine ({len(frame.entries)}). Import, export, verify, share.",
        ),
    )
    with st.container(key="wrapping.home.cards"):
        columns = st.columns(len(texts))
    for column, (page, label, text) in zip(columns, texts, strict=True):
        with column.container(border=True, height="stretch"):
            given = {**values, "prompt": EXAMPLE} if page == "Decompose" and demo else {}
            if page == TRAINING.page:
                given = navigation.filled(TRAINING.name, TRAINING.form)
            navigation.link(page, given, label=f"**{label}**")
            st.caption(text)


def live_example(entry: LibraryEntry) -> None:
    """A sentence decomposed: at once where its decomposition is kept, otherwise once the model is loaded, for which
    the page does not wait.
    """
    try:
        key = engine.key_of(entry.path)
    except UserError as error:
        problem(error, key="home.example.problem")
        return
    st.fragment(_example, run_every=_LOOK_AGAIN if _waiting(key) else None)(entry, key)


def _waiting(key: engine.DictionaryKey) -> bool:
    return engine.warm_up(key).is_alive() and engine.example(key) is None


def _example(entry: LibraryEntry, key: engine.DictionaryKey) -> None:
    with st.container(border=True):
        if _waiting(key):
            st.session_state[_WAITED] = True
            st.caption("An example: loading the bundled model…")
            st.skeleton(height=150)
            return
        if st.session_state.pop(_WAITED, False):
            st.rerun()  # ends the looking-again
        try:
            shown = engine.example(key) or engine.decomposition(key, EXAMPLE, entry.k or 8, entry.method or METHODS[0])
        except UserError as error:
            problem(error, key="home.example.problem")
            return
        tokens = [token for token in shown.tokens if not token.special]
        index = st.session_state.setdefault(_TOKEN, first_choice(shown))
        token = shown.tokens[min(index, len(shown.tokens) - 1)]

        def pick(chosen: int) -> None:
            st.session_state[_TOKEN] = chosen

        def open_atom(atom: int | None) -> None:
            st.session_state[_OPENED] = atom

        there = {"dictionary": entry.name, "prompt": EXAMPLE, "token": token.index}
        if (opened := st.session_state.pop(_OPENED, None)) is not None:
            navigation.open_page("Decompose", {**there, "atom": opened})

        st.caption("An example. Click a token to see below which source tokens explain its activation best.")
        token_row(tokens, colour="strongest", selected=token.index, pinned=None, on_pick=pick, key="home.tokens")
        atom_list(
            token.atoms[:_STRONGEST],
            title="Its strongest atoms: token",
            token=visible_token(token.text),
            pinned=None,
            facts=lambda use: (),
            on_pick=open_atom,
            key="home.atoms",
        )
        navigation.link("Decompose", there, label="Open in Decompose", icon=":material/open_in_new:")


def recent(frame: shell.Shell) -> None:
    """The newest dictionaries and jobs; the bundled ones as long as there are no others, those for reading first."""
    own = [entry for entry in frame.entries if not entry.bundled]
    bundled = sorted(frame.entries, key=lambda entry: not is_for(entry.selection, READING))
    st.subheader("Recent dictionaries" if own else "Bundled dictionaries", anchor=False)
    listed = (own or bundled)[:_LISTED]
    for entry in listed:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.text(visible(entry.name), width="stretch")
            if entry.problem is None:
                facts = [with_purpose(entry.selection), f"{entry.atoms:,} atoms" if entry.atoms is not None else ""]
                facts += [f"FVU {entry.fvu_words}" if entry.fvu_words else "", moment(entry.created) if own else ""]
                st.caption(" · ".join(fact for fact in facts if fact))
                navigation.link("Decompose", {"dictionary": entry.name}, label="Open")
            else:
                navigation.link("Library", {}, label="Damaged: see the library", icon=":material/warning:")
    if len(listed) < (n := len(frame.entries)):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.caption(f"{len(listed)} of {n:,} dictionaries on this machine.")
            navigation.link("Library", {}, label="All in the library")
    jobs, damaged = Jobs().list(most=4), Jobs().damaged()
    if jobs or damaged:
        st.subheader("Recent jobs", anchor=False)
        job_watch.listed(jobs, damaged)


def this_machine() -> None:
    """What a training would run on."""
    st.subheader("This machine", anchor=False)
    fact_table(machine_facts(), key="home.machine")


def machine_facts() -> dict[str, str]:
    """The machine in words."""
    here = machine()
    return {
        "Device": f"{here.device} ({here.device_name})",
        "Cores": str(here.cores),
        "Memory": f"{size(here.memory_free)} free of {size(here.memory)}",
        "Network": "forbidden by the environment"
        if here.offline
        else "used only for Hub models and data sets that you name",
        "Library": str(engine.library().folder),
        "Model cache": str(here.model_cache),
    }


def exports(frame: shell.Shell) -> shell.Files:
    """What a bug report or a colleague needs to know of this place."""

    def as_json() -> str:
        told = ("name", "bundled", "problem", "identity")
        names = [{name: getattr(entry, name) for name in told} for entry in frame.entries]
        facts = {name: word for name, word in machine_facts().items() if name not in _FOLDERS}
        overview = {"machine": facts, "dictionaries": without_paths(names)}
        return json.dumps(overview, indent=2, ensure_ascii=False)

    return {"This machine and library (JSON)": ("itda-studio.json", "application/json", as_json)}
