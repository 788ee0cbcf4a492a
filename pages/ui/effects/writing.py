"""What the model writes before and after a change: as it comes, or by a job where that takes long."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import NamedTuple

import streamlit as st

from itda_core.analysis.interventions.steered import Continuations
from itda_core.runs.jobs.jobs import Jobs
from itda_core.runs.jobs.kinds import STEERING
from itda_core.runs.steering.cost import steering_seconds
from pages.ui.components.plain_text import problem
from pages.ui.effects import change_exports, marked_text
from pages.ui.effects.background import Writing
from pages.ui.forms import job_form, kept
from pages.ui.frame import address, effects_engine, engine
from pages.ui.frame.effects_engine import Prompted, Told, Wanted
from pages.ui.jobs import job_watch

_LENGTH, _TEMPERATURE, _SEED = "decompose.length", "decompose.temperature", "decompose.seed"
WIDGETS = (_LENGTH, _TEMPERATURE, _SEED)
_NOW = "decompose.writing"  # what is being written for this visitor
_DEFAULT = 24  # tokens
_MOST_HERE, _MOST_SECONDS = 100, 20.0  # tokens, and seconds at worst, beyond which a job writes
_MOST_TEMPERATURE, _MOST_SEED = 100.0, 2**32 - 1
_EVERY = 0.3  # seconds between two looks


class _Asked(NamedTuple):
    key: engine.DictionaryKey
    at: Prompted
    wanted: Wanted
    told: Told


class Drawn(NamedTuple):
    """What was asked for, and what was written of it."""

    told: Told
    continuations: Continuations | None  # None where nothing was, or not all yet


def draw(
    key: engine.DictionaryKey, at: Prompted, wanted: Wanted, begun: marked_text.Beginning
) -> tuple[Drawn, dict[str, object]]:
    """Draws the fields, the button, and what is written so far, behind `begun`; and what the address says of it."""
    room = effects_engine.room(key, at.prompt)
    if room < 1:
        address.not_drawn(*WIDGETS)
        st.caption("The prompt fills the model's context: nothing can be written behind it.")
        return Drawn(Told(0, 0.0, 0), None), {}
    st.markdown("**What is written behind the prompt**")
    told, values = _form(room)
    asked = _Asked(key, at, wanted, told)
    now: tuple[_Asked, Writing] | None = st.session_state.get(_NOW)
    if now is not None and now[0] != asked:  # something was changed since
        now[1].stop()
        st.session_state.pop(_NOW)
        now = None
    if _is_long(asked):
        return Drawn(told, None), values
    if st.button(f"Write {told.new_tokens} tokens, before and after", key="decompose.write"):
        if now is not None:
            now[1].stop()
        now = (asked, Writing(partial(effects_engine.writing, *asked)))
        st.session_state[_NOW] = now
    if now is None:
        return Drawn(told, None), values
    one = now[1]
    if not one.ended:
        st.fragment(_as_it_comes, run_every=_EVERY)(one, asked, begun)
        return Drawn(told, None), values
    _texts(one, at.prompt, begun)
    if one.error is not None:
        problem(one.error, key="decompose.write.problem")
        return Drawn(told, None), values
    if one.stopped:
        st.caption(f"Stopped after {len(one.after)} of {told.new_tokens} tokens.")
    return Drawn(told, Continuations(*told, one.before, one.after, ended=not one.stopped)), values


def _form(room: int) -> tuple[Told, dict[str, object]]:
    default = min(_DEFAULT, room)
    address.arrive("length", _LENGTH, address.whole(1, room), default, within=room)
    row = st.container(horizontal=True, gap="medium", vertical_alignment="bottom")
    with row.container(width=130):
        about = f"At most {room:,}: then the model's context is full."
        length = int(st.number_input("Tokens", 1, room, step=8, key=_LENGTH, help=about))
    address.leave("length", _LENGTH, length, default)
    address.arrive("temperature", _TEMPERATURE, _temperature, 0.0)
    with row.container(width=150):
        about = "0 takes the likeliest token each time; above it, tokens are drawn."
        temperature = float(
            st.number_input("Temperature", 0.0, _MOST_TEMPERATURE, step=0.1, key=_TEMPERATURE, help=about)
        )
    address.leave("temperature", _TEMPERATURE, temperature, 0.0)
    address.arrive("seed", _SEED, address.whole(0, _MOST_SEED), 0)
    with row.container(width=130):
        about = "Of the tokens that are drawn: the same before and after. At temperature 0 nothing is drawn."
        seed = int(st.number_input("Seed", 0, _MOST_SEED, step=1, key=_SEED, help=about))
    address.leave("seed", _SEED, seed, 0)
    values = {
        "length": None if length == default else length,
        "temperature": None if temperature == 0 else temperature,
        "seed": None if seed == 0 else seed,
    }
    return Told(length, temperature, seed), values


def _temperature(given: str) -> float:
    value = kept.a_real(given)
    if not 0 <= value <= _MOST_TEMPERATURE:
        raise address.Refused(f"is not between 0 and {_MOST_TEMPERATURE:g}")
    return value


def _is_long(asked: _Asked) -> bool:
    """Whether a job is to write this; if so, what it takes and its Start button are drawn."""
    request = change_exports.request(asked.key, asked.at, asked.wanted, asked.told)
    here = replace(request, dictionary=asked.key.path)
    seconds = steering_seconds(here)
    if asked.told.new_tokens <= _MOST_HERE and (seconds is None or seconds[1] <= _MOST_SECONDS):
        return False
    with st.container(border=True):
        running = [job for job in Jobs().list(STEERING, most=20) if not job.status.ended and job.request == here]
        if running:
            st.caption("It is being written:")
            job_watch.listed(running)
            return True
        st.caption(_why_a_job(asked.told.new_tokens))
        told = f"{asked.told.new_tokens:,} tokens are written twice"
        job_form.cost(told, seconds, "the model is on this machine")
        job_form.start(here)
    return True


def _why_a_job(new_tokens: int) -> str:
    if new_tokens > _MOST_HERE:
        return f"More than {_MOST_HERE} tokens are written by a job in the background, which the button starts."
    return (
        f"What may take more than {_MOST_SECONDS:.0f} s is written by a job in the background, which the button starts."
    )


def _as_it_comes(one: Writing, asked: _Asked, begun: marked_text.Beginning) -> None:
    """Both texts as they grow; drawn again and again by itself, until all is written."""
    one.seen()
    if one.ended:
        st.rerun()
    _texts(one, asked.at.prompt, begun)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Stop", icon=":material/stop:", key="decompose.write.stop", on_click=one.stop)
        st.caption(f"{len(one.after)} of {asked.told.new_tokens} tokens")


def _texts(one: Writing, prompt: str, begun: marked_text.Beginning) -> None:
    marked_text.both(prompt, begun, one.before, one.after, key="decompose.write.text")
