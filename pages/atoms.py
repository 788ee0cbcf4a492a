"""Atoms: where each fires, what is near it, whether its label can be trusted."""

import streamlit as st

from itda_core.errors import UserError
from itda_core.runs.jobs.kinds import INDEXING
from pages.ui.atoms import chosen
from pages.ui.atoms.all_atoms import all_atoms
from pages.ui.atoms.indexed import index_or_reason
from pages.ui.atoms.one import one_atom
from pages.ui.components.plain_text import notice
from pages.ui.effects import on_example
from pages.ui.frame import address, engine, shell
from pages.ui.jobs import job_watch, views

frame = shell.page("Atoms")
job_id = address.query.get("job")
if job_id is not None:
    shell.complain()
    job_watch.one_job(frame, job_id, views.view_of_job(job_id, INDEXING))
    st.stop()
if frame.chosen is None:
    if frame.unknown is None:
        notice("There is no dictionary yet.", step="Train one, or import one in the library.", key="atoms.none")
    st.stop()
entry = frame.chosen
try:
    key = engine.key_of(entry.path)
    with st.spinner("Reading the dictionary…", show_time=True):
        dictionary = engine.dictionary(key)
except UserError as error:
    shell.complain()
    shell.failed(error, key="atoms.problem")
    st.stop()
atom = chosen.arrive(key, len(dictionary))
index_of = index_or_reason(entry, key)
if atom is not None:
    one_atom(frame, entry, key, index_of, atom)
else:
    address.not_drawn(*on_example.WIDGETS)
    all_atoms(frame, entry, key, index_of)
