"""What the form of any kind of job ends with: the same in a terminal, the settings to take along, the Start button."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Protocol, TypeVar

import streamlit as st

from itda_core.errors import UserError
from itda_core.files.without_paths import without_paths
from itda_core.runs.jobs.jobs import Jobs, command_of
from itda_core.runs.jobs.kinds import JobRequest, kind_of
from itda_core.runs.units import duration
from pages.ui.components.plain_text import problem
from pages.ui.frame import navigation, shell

R = TypeVar("R", bound=JobRequest)
Made = TypeVar("Made", bound=JobRequest, covariant=True)


class Asked(Protocol[Made]):
    """What a filled form holds; `request` raises UserError for what cannot be."""

    def request(self) -> Made:
        """What is asked for; raises UserError for what cannot be."""
        ...


def finish(frame: shell.Shell, asked: Asked[R], told_cost: Callable[[R], None], *, key: str) -> None:
    """What a new job will cost, its command and its Start button; or, under `key`, why it cannot be."""
    with st.container(border=True):
        try:
            request = asked.request()
            told_cost(request)
            terminal(request)
            frame.export(exports(request))
        except UserError as error:
            problem(error, key=key)
        else:
            start(request)


def cost(told: str, seconds: tuple[float, float] | None, unknown_until: str) -> None:
    """What a job takes: `told` of its work, and the seconds (fast, slow); where these are None, until when that is."""
    if seconds is None:
        time = f"the time is known once {unknown_until}"
    else:
        time = "roughly " + " to ".join(dict.fromkeys(map(duration, seconds)))
    st.markdown("**What it will take**")
    st.caption(f"{told}: {time}. It goes on when this page is closed.")


def terminal(request: JobRequest, *, further: bool = False) -> None:
    """The command that does what the button does."""
    st.markdown("**The same in a terminal**")
    st.code(command_of(request, further=further), language="bash", wrap_lines=True)


def exports(request: JobRequest, *, further: bool = False) -> shell.Files:
    """The settings, to take along; only the command, which is for this machine, says where things lie here."""
    name = f"itda-{kind_of(request).noun}"
    return {
        "Settings (JSON)": (
            f"{name}.json",
            "application/json",
            lambda: json.dumps(without_paths(request.to_dict()), indent=2, ensure_ascii=False),
        ),
        "Command (shell script)": (
            f"{name}.sh",
            "text/x-shellscript",
            lambda: f"#!/bin/sh\n{command_of(request, further=further)}\n",
        ),
    }


def start(request: JobRequest, *, further: bool = False) -> None:
    """The Start button; a started job is shown at its own address."""
    kind = kind_of(request)
    label = "Go further" if further else f"Start {kind.noun}"
    if not st.button(label, type="primary", icon=":material/play_arrow:", width="stretch", key=f"{kind.name}.start"):
        return
    try:
        job = Jobs().start(request, further=further)
    except UserError as error:
        problem(error, key=f"{kind.name}.start.problem")
        return
    navigation.open_page(kind.page, {"job": job.id})
