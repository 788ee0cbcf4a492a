"""How the map lies: by PCA at once, by UMAP once a job has made it; as VIEW for job_watch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from itda_core.errors import UserError
from itda_core.runs.atoms.mapping import MapRequest, MapStatus, map_seconds
from itda_core.runs.jobs.jobs import Job, Jobs
from itda_core.runs.jobs.kinds import MAPPING
from itda_core.runs.library import LibraryEntry
from itda_core.runs.units import duration
from pages.ui.atoms import making
from pages.ui.components.plain_text import fact_table, problem
from pages.ui.forms import job_form
from pages.ui.frame import atoms_engine, engine, navigation, shell
from pages.ui.frame.address import kept_choice
from pages.ui.frame.engine import DictionaryKey
from pages.ui.jobs import job_watch

if TYPE_CHECKING:
    from itda_core.analysis.atoms.layout import Layout

ADDRESS = ("layout",)


def choice() -> str:
    """By what the map is laid out, "pca" or "umap"; PCA alone is offered where UMAP is not installed."""
    from itda_core.analysis.atoms.layout import umap_installed

    offered = {"pca": "PCA", **({"umap": "UMAP"} if umap_installed() else {})}
    return kept_choice("Laid out by", "layout", offered, key="atoms.layout")


def layout(entry: LibraryEntry, key: DictionaryKey, asked: str) -> Layout:
    """Where the atoms lie. Without UMAP's map, the way to it is drawn, and PCA's is given."""
    if asked == "pca":
        return atoms_engine.pca(key)
    try:
        made = atoms_engine.umap(key)
    except UserError as error:
        problem(error, kind="warning", key="atoms.umap.problem")
        made = None
    if made is None:
        _offer(entry)
        return atoms_engine.pca(key)
    return made


def _offer(entry: LibraryEntry) -> None:
    """What the map takes, and the Start button; or that it is being made."""
    jobs = [job for job in Jobs().list(MAPPING, most=20) if not job.status.ended]
    running = [job for job in jobs if job.request.dictionary in (entry.name, str(entry.path))]
    with st.container(border=True):
        if running:
            st.caption("UMAP's map is being made; until then PCA's is shown.")
            job_watch.listed(running)
            return
        request = MapRequest(dictionary=making.called(entry))
        job_form.cost(
            f"{entry.atoms or 0:,} atoms are laid out by UMAP, once; until then PCA's map is shown",
            map_seconds(request),
            "it has begun",
        )
        job_form.start(request)


def _figures(job: Job[MapRequest, MapStatus], status: MapStatus) -> None:
    if status.map is not None:
        facts = {"Atoms": f"{status.map.atoms:,}", "Work": duration(status.map.seconds)}
        fact_table(facts, key="map.made")


def _leads_to(job: Job[MapRequest, MapStatus], status: MapStatus) -> None:
    """To the map, by the name that the dictionary has now."""
    made = status.map
    found = (
        None
        if made is None
        else next((one for one in engine.usable(engine.entries()) if one.identity == made.identity), None)
    )
    if found is not None:
        there = {"dictionary": found.name, "show": "map", "layout": "umap"}
        navigation.way("Atoms", "See the map", ":material/scatter_plot:", there, key="map.see")


def _under(request: MapRequest) -> str:
    return "UMAP over cosines"


def _files(job: Job[MapRequest, MapStatus]) -> shell.Files:
    name = f"atom-map-{job.id}.json"
    return {"All of it (JSON)": (name, "application/json", lambda: job_watch.everything(job))}


VIEW = job_watch.View(MAPPING, _under, _figures, _files, leads_to=_leads_to)
