"""Do one model's labels explain another: what that means, and the command that measures it."""

from __future__ import annotations

import shlex

import streamlit as st

from itda_core.runs.library import LibraryEntry
from pages.ui import address, compare_choice, engine, shell
from pages.ui.notice import notice
from pages.ui.visible import visible

_LABELS, _INTO = "transfer.labels", "transfer.into"
_MEANS = (
    "One model's labels are rebuilt as atoms of another model, from its own activations at the same places, and "
    "measured on held-out text: an FVU near that of the other model's own dictionary, and well below that of as many "
    "places drawn at random, says that the two models single out the same places."
)


def page(frame: shell.Shell) -> None:
    st.text(_MEANS)
    usable = compare_choice.ordered(engine.usable(frame.entries))
    models = list(dict.fromkeys(entry.model for entry in usable if entry.model))
    if len(models) < 2:
        shell.complain()
        notice("Two models are needed.", step="Train a dictionary of another model.", key="transfer.few")
        frame.share({"show": "transfer"})
        return
    left, right = st.columns(2)
    with left:
        source = _model("Labels of", "from", models, models[0], key=_LABELS)
    with right:
        others = [model for model in models if model != source]
        into = _model("Rebuilt in", "into", others, others[0], key=_INTO)
    shell.complain()
    own = [entry for entry in usable if entry.model == source]
    alike = [entry for entry in own if (entry.corpus, entry.site) == (own[0].corpus, own[0].site)]
    st.markdown("**Run in a terminal**: about a minute for two bundled models")
    st.code(command(alike, into), language="bash", wrap_lines=True)
    st.caption(
        "It prints, for every layer of the labels and of the other model: FVU of the rebuilt dictionary, of the "
        "model's own, and of random ones (mean and standard deviation over three draws). With --json also relative "
        "error, L0, and how many labels could be used."
    )
    frame.share({"show": "transfer", "from": source, "into": into})


def _model(label: str, name: str, models: list[str], default: str, *, key: str) -> str:
    address.arrive(name, key, address.one_of(*models), default, within=tuple(models))
    chosen = st.selectbox(label, models, format_func=visible, key=key)
    address.leave(name, key, chosen, default)
    return chosen or default


def command(labels: list[LibraryEntry], model: str) -> str:
    """The command that transfers the labels of these dictionaries into `model`."""
    return shlex.join(["itda", "transfer", *(entry.name for entry in labels), model])
