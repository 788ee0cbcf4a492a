"""Compare: which places in a text dictionaries of different models share, and what is behind every figure."""

import streamlit as st

from itda_core.errors import UserError
from pages.ui import compare_cell, compare_choice, compare_matrix, compare_options, shell
from pages.ui.notice import problem

frame = shell.page("Compare")
entries = compare_choice.choose(frame)
options = compare_options.options(len(entries))
kept = {name: st.query_params.get(name) for name in ("by", "null", "comparable", "crop", "interval", "colours")}
kept["dictionaries"] = st.query_params.get("dictionaries")

try:
    found = compare_matrix.compared(entries, options)
except UserError as error:
    shell.complain()
    problem(error, key="compare.problem")
    frame.share(kept)
    st.stop()

cell = compare_matrix.arrive_cell(found)
shell.complain()
compare_matrix.comparability(found)
parts = compare_cell.differences(found, cell)
left, right = st.columns([6, 5], gap="large")
with left:
    compare_matrix.heatmap(found, cell)
with right:
    compare_cell.figures(found, cell)
    compare_cell.places(found, cell, parts)
compare_cell.counts(parts)

frame.share({**kept, "cell": "~".join(found.matrix.labels[i] for i in cell), "part": st.query_params.get("part")})
frame.export(
    {
        **compare_matrix.exports(found, lambda: compare_cell.passages(found, cell, parts)),
        "Labels of the cell (CSV)": ("labels.csv", "text/csv", lambda: compare_cell.csv(parts)),
    }
)
