"""Decompose: which atoms explain each token of a prompt, and how the pursuit got there."""

import streamlit as st

from itda_core.errors import UserError
from itda_core.runs.identities import beginning
from itda_core.runs.jobs.kinds import STEERING
from pages.ui.components.plain_text import heading, notice
from pages.ui.components.prompt_box import prompt_box
from pages.ui.components.token_row import token_row
from pages.ui.decompose import beside, exports, parts, through_layers
from pages.ui.decompose.whole_prompt import whole_prompt
from pages.ui.effects import change, why
from pages.ui.frame import address, engine, navigation, shell
from pages.ui.frame.effects_engine import Prompted, Pursued
from pages.ui.jobs import job_watch, views

frame = shell.page("Decompose")
job_id = address.query.get("job")
if job_id is not None:
    address.not_drawn(*parts.WIDGETS, *beside.WIDGETS, *why.WIDGETS, *change.WIDGETS)
    shell.complain()
    job_watch.one_job(frame, job_id, views.view_of_job(job_id, STEERING))
    st.stop()
if frame.chosen is None:
    if frame.unknown is None:
        notice("There is no dictionary yet.", step="Train one, or import one in the library.", key="decompose.none")
    address.not_drawn(*parts.WIDGETS, *beside.WIDGETS, *why.WIDGETS, *change.WIDGETS)
    st.stop()
entry = frame.chosen
with frame.actions:
    icon = navigation.PAGES["Compare"][2]
    navigation.way("Compare", "Compare with others", icon, {"dictionary": entry.name}, key="decompose.compare")

prompt = address.arrive("prompt", parts.PROMPT, str, parts.EXAMPLES[0])
prompt_box(prompt, examples=parts.EXAMPLES, on_submit=parts.submit, key="decompose.box")
count = st.empty()
address.leave("prompt", parts.PROMPT, prompt, parts.EXAMPLES[0])
view = parts.controls(entry)
layers, other = st.columns([5, 3], gap="medium", vertical_alignment="center")
with other:
    second = beside.choose(entry, frame.entries)
with layers:
    through_layers.stepper(entry, frame.entries, view)
unfolded = parts.unfolded()

try:
    parts.check_prompt(prompt)
    key = engine.key_of(entry.path)
    with st.spinner("Loading the model and reading the prompt…", show_time=True):
        engine.dictionary(key)  # a damaged one is refused, also where its decomposition is kept
        shown = engine.decomposition(key, prompt, view.k, view.method, view.non_negative)
except UserError as error:
    address.not_drawn(*parts.AFTER_READING, *why.WIDGETS, *change.WIDGETS)
    shell.complain()
    shell.failed(error, key="decompose.problem", back=("Decompose", "Back to the example", {"dictionary": entry.name}))
    frame.share({"dictionary": entry.name, "prompt": prompt, "k": view.k, "method": view.method, "signs": view.signs})
    st.stop()

count.caption(parts.counted(shown, None))
token = parts.arrive_token(shown)
pinned = parts.arrive_atom(key)
colour = parts.colour_control(pinned)
complaints = st.container()

with st.container(border=True):
    token_row(
        [t for t in shown.tokens if view.special or not t.special or t.index == token.index],
        colour=colour,
        selected=token.index,
        pinned=pinned,
        on_pick=parts.pick_token,
        key="decompose.tokens",
    )

told = beside.Second(None, None)
if second is None:
    left, right = st.columns([5, 3], gap="medium")
    with right:
        parts.measures(shown, token, key="chosen")
        chart = st.container()
else:
    apart = st.container()
    left, right = st.columns(2, gap="medium")
    with left:
        heading(entry.name, under=parts.origin(shown), key="decompose.name")
        parts.measures(shown, token, key="chosen")
    with right:
        told = beside.column(second, shown, token, view, unfolded=unfolded)
    with apart:
        beside.say_apart(entry, shown, second, told)
    chart = st.container()
with left:
    parts.atoms(key, shown, token, pinned, unfolded=unfolded)
    parts.pinned_elsewhere(key, token, pinned)
steps = st.container()
how = Pursued(view.k, view.method, view.non_negative)
explained = why.draw(
    key,
    Prompted(prompt, token.index, how),
    len(shown.tokens),
    layers=through_layers.for_effects(entry, frame.entries, view),
    on_pick=parts.pick_atom,
)
shared = {
    "dictionary": entry.name,
    "prompt": prompt,
    "token": token.index,
    "k": view.k,
    "method": view.method,
    "signs": view.signs,
    "atom": pinned,
    "beside": None if second is None else second.name,
    "beside_atom": told.opened,
    "colour": colour if colour != parts.usual_colour(pinned) else None,
    "special": "shown" if view.special else None,
    "small": "shown" if unfolded else None,
    "beside_id": None if second is None else beginning(second.identity),
    **explained.values,
}
change.draw(key, prompt, token.index, pinned, how, share=lambda effects: frame.share({**shared, **effects}))
with complaints:
    shell.complain()
whole_prompt(key, shown, pinned, of=parts.in_which(entry, second))

replayed = uses = None
try:
    replayed = engine.replay(key, prompt, token.index, view.k, view.method, view.non_negative)
except UserError as error:
    with steps:
        shell.failed(error, key="decompose.replay.problem")
else:
    uses = parts.uses_of(key, replayed, token)
    with chart:
        parts.replay_chart(shown, replayed, token, uses, pinned, of=parts.in_which(entry, second))
    with steps:
        parts.replay_steps(shown, replayed, token, uses, pinned, of=parts.in_which(entry, second))
    count.caption(parts.counted(shown, engine.context(key)))
taken = exports.exports(
    exports.Read(entry, shown),
    None if second is None or told.shown is None else exports.Read(second, told.shown),
    show_special=view.special,
    colour=colour,
    pinned=pinned,
    chosen=token.index,
    replay=replayed,
    uses=uses,
)
frame.export({**taken, **explained.files})
