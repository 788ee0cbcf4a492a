"""One's own text: how strongly an atom is used at each of its tokens."""

from __future__ import annotations

import streamlit as st

from itda_core.errors import UserError
from itda_core.figures_as_text import signed
from pages.ui.components.plain_text import problem
from pages.ui.components.prompt_box import prompt_box
from pages.ui.components.token_row import token_row
from pages.ui.frame import address, atoms_engine, navigation
from pages.ui.frame.engine import EXAMPLE, DictionaryKey

_PROMPT = "atoms.prompt"
OWN = "own"  # what the address calls it; a way to Decompose, whose prompt is another text, brings it along


def own_text(key: DictionaryKey, atom: int) -> str | None:
    """Draws the box and what came of it; what the address says of it."""
    st.subheader("Try your own text", anchor=False)
    prompt = address.arrive(OWN, _PROMPT, str, "")

    def submit(text: str) -> None:
        st.session_state[_PROMPT] = text

    prompt_box(prompt, examples=() if prompt else (EXAMPLE,), on_submit=submit, key="atoms.box")
    address.leave(OWN, _PROMPT, prompt, "")
    if not prompt:
        return None
    try:
        with st.spinner("Reading the text…", show_time=True):
            shown = atoms_engine.decomposed(key, prompt)
    except UserError as error:
        problem(error, key="atoms.prompt.problem")
        return prompt
    tokens = [token for token in shown.tokens if not token.special]
    uses = {token.index: use.coefficient for token in tokens for use in token.atoms if use.atom == atom}

    def picked(index: int) -> None:
        navigation.open_next("Decompose", {"prompt": prompt, "token": index, "atom": atom})

    with st.container(border=True):
        token_row(
            tokens,
            colour="atom",
            selected=None,
            pinned=atom,
            on_pick=picked,
            key="atoms.own",
            label=f"Tokens of your text, coloured by the coefficient of atom {atom}",
        )
    n = len(uses)
    strongest = f", most strongly {signed(max(uses.values(), key=abs))}" if uses else ""
    st.caption(
        f"Used by {n} of {len(tokens)} tokens{strongest} (k = {shown.k}, {shown.method.upper()}). A click on a token "
        "opens it in Decompose."
    )
    return prompt
