"""Home: what this is, a live example, and where to go from here."""

import streamlit as st

from pages.ui import engine, home, shell

frame = shell.page("Home")
frame.share({"dictionary": st.query_params.get("dictionary")})
frame.export(home.exports(frame))
shell.complain()

st.text(
    "Read a language model's activations as short sums of activations that were really seen: "
    "every atom is a token in a text you can look up."
)
home.cards(frame)

bundled = [entry for entry in engine.usable(frame.entries) if entry.bundled]
example = frame.chosen if frame.chosen is not None and frame.chosen.bundled else engine.default_entry(bundled)
if example is not None:
    home.live_example(example)

left, right = st.columns([3, 2], gap="large")
with left:
    home.recent(frame)
with right:
    home.this_machine()
