"""Home: what this is, a live example, and where to go from here."""

import streamlit as st

from pages.ui.frame import engine, shell
from pages.ui.home import parts as home_parts
from pages.ui.home.day import atom_of_the_day

frame = shell.page("Home")
frame.share({"dictionary": frame.named})
frame.export(home_parts.exports(frame))
shell.complain()

st.text(
    "Read a language model's activations as short sums of activations that were really seen: "
    "an atom is that of one token in a text, or the mean of a few such, and you can look up each of these tokens."
)
home_parts.cards(frame)

bundled = [entry for entry in engine.usable(frame.entries) if entry.bundled]
example = frame.chosen if frame.chosen is not None and frame.chosen.bundled else engine.default_entry(bundled)
if example is not None:
    home_parts.live_example(example)
atom_of_the_day(frame.entries)

left, right = st.columns([3, 2], gap="large")
with left:
    home_parts.recent(frame)
with right:
    home_parts.this_machine()
