"""An atom index is made: what it costs, the Start button, the job as it runs; as VIEW for job_watch."""

from __future__ import annotations

import streamlit as st

from itda_core.errors import UserError
from itda_core.runs.indexing.cost import estimate_index
from itda_core.runs.indexing.request import TOKENS, IndexRequest
from itda_core.runs.indexing.status import IndexStatus
from itda_core.runs.jobs.jobs import Job, Jobs
from itda_core.runs.jobs.kinds import INDEXING
from itda_core.runs.library import Library, LibraryEntry
from itda_core.runs.units import duration, size
from itda_core.runs.verify import check_named
from itda_core.text.corpus_kinds import FILE, kind_of
from pages.ui.components.plain_text import fact_table, problem
from pages.ui.components.printable import visible
from pages.ui.forms import job_form
from pages.ui.frame import beforehand, engine, navigation, shell
from pages.ui.jobs import job_watch

_LEAST, _MOST = 1_000, 100_000_000
_TOKENS, _CORPUS = "atoms.index.tokens", "atoms.index.corpus"


def offer(entry: LibraryEntry, *, title: str = "Make an atom index") -> None:
    """How much text is to be read, what that costs, and the Start button."""
    running = _running(entry)
    with st.expander(title, icon=":material/search_insights:", expanded=bool(running)):
        if running:
            st.caption("One is being made:")
            job_watch.listed(running)
            return
        with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
            tokens = st.number_input("Tokens to read", _LEAST, _MOST, TOKENS, step=10_000, key=_TOKENS, width=180)
            corpus = st.text_input(
                "Text",
                key=_CORPUS,
                placeholder="the dictionary's own, after the part it was built from",
                help="A file, a folder or a data set, as in Train. Left empty: the text of the training, held-out.",
            )
        request = IndexRequest(dictionary=called(entry), corpus=corpus.strip() or None, tokens=int(tokens))
        try:
            _check_text(entry, request.corpus)
            cost = estimate_index(request)
        except UserError as error:
            problem(error, key="atoms.index.cost.problem")
            return
        told = f"{cost.tokens:,} tokens are read and encoded once, {size(cost.bytes)} on the disk"
        job_form.cost(told, cost.seconds, "the model is on this machine")
        job_form.terminal(request)
        job_form.start(request)


def _check_text(entry: LibraryEntry, given: str | None) -> None:
    """Raises UserError for a text that would not be found, before a job is started for it."""
    if given is None:
        if entry.corpus is not None:
            check_named(entry.corpus)
    elif kind_of(given) is FILE:
        beforehand.check_text(given)


def called(entry: LibraryEntry) -> str:
    """How a command names the dictionary: by its name, where that leads to it from here, else by its folder."""
    try:
        return entry.name if Library().find(entry.name) == entry.path else str(entry.path)
    except UserError:
        return str(entry.path)


def _running(entry: LibraryEntry) -> list[Job]:
    """The jobs that make an index of this dictionary now."""
    jobs = Jobs().list(INDEXING, most=20)
    return [job for job in jobs if not job.status.ended and job.request.dictionary in (entry.name, str(entry.path))]


def _figures(job: Job[IndexRequest, IndexStatus], status: IndexStatus) -> None:
    made = status.index
    if made is None:
        return
    facts = {
        "Text": f"{made.tokens:,} tokens of {visible(made.corpus)} ({made.text}), {made.windows:,} windows",
        "Entries": f"{made.entries:,}: each a token that uses an atom",
        "Attention sinks left out": f"{made.sinks_left_out:,}",
        "On the disk": size(made.bytes),
        "Work": duration(made.seconds),
    }
    fact_table(facts, key="index.made")


def _leads_to(job: Job[IndexRequest, IndexStatus], status: IndexStatus) -> None:
    """To the atoms, by the name that the dictionary has now."""
    if status.index is None:
        return
    found = next((one for one in engine.usable(engine.entries()) if one.identity == status.index.identity), None)
    if found is not None:
        navigation.way("Atoms", "Read its atoms", ":material/apps:", {"dictionary": found.name}, key="index.read")


def _under(request: IndexRequest) -> str:
    return "itda atoms index"


def _files(job: Job[IndexRequest, IndexStatus]) -> shell.Files:
    name = f"atom-index-{job.id}.json"
    return {"All of it (JSON)": (name, "application/json", lambda: job_watch.everything(job))}


VIEW = job_watch.View(INDEXING, _under, _figures, _files, leads_to=_leads_to)
