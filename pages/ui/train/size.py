"""How large a dictionary gets: the threshold above which an activation becomes an atom, or the number of atoms."""

from __future__ import annotations

import streamlit as st

from itda_core.dictionaries.threshold import cosine_of, default_threshold
from itda_core.models.sites import KINDS
from pages.ui.forms import kept
from pages.ui.train.site import figures_of

_WANTED_ATOMS = 1024
_MOST_ATOMS = "Maximum atoms (empty: no limit)"
ALL_TOKENS = "Tokens to read (0: all of the text)"


ADDRESS = ("threshold", "paper_threshold", "atoms", "wanted")


def no_limit(key: str) -> None:
    """Draws that there is none, where none can be set."""
    st.number_input(_MOST_ATOMS, value=None, disabled=True, key=key)


def most_atoms(key: str, value: int | None = None) -> int | None:
    """Draws the limit, at first `value`; None: no limit."""
    return kept.optional_number(
        "atoms",
        _MOST_ATOMS,
        value,
        step=500,
        key=key,
        help="A dictionary of so many atoms grows no further.",
    )


def wanted_atoms() -> int:
    """Draws how many atoms a selection of config.SIZED ends with."""
    return kept.number(
        "wanted",
        "Number of atoms",
        _WANTED_ATOMS,
        step=256,
        key="train.atoms.wanted",
        help="The dictionary ends with exactly this many atoms. They are chosen once the text is read, from a sample "
        "of 40 activations per atom or from all that there are.",
    )


def threshold(key: str, default: float) -> float:
    """Draws the threshold of selection="sequential": a relative squared error."""
    return kept.real(
        "threshold",
        "Threshold",
        default,
        step=0.01,
        format="%.3f",
        key=key,
        help="An activation becomes an atom when the dictionary leaves more than this part of it unexplained "
        "(relative squared error, 0 to 1).",
    )


def paper_threshold(key: str, model: str, site: str, value: float | None = None) -> float | None:
    """Draws that of selection="paper", in the published code's unit; None for its default.

    What it means is said where the width of the activations is known.
    """
    known = figures_of(model) if site in KINDS else None
    d_model = None if known is None else known.d_model
    given = kept.optional_real(
        "paper_threshold",
        "Threshold",
        value,
        step=1e-5,
        format="%.6f",
        placeholder="default" if d_model is None else f"{default_threshold(d_model):.6f}",
        key=key,
        help="An activation becomes an atom when its error, 2 (1 - cosine) / d_model between it and its "
        "reconstruction, exceeds this. The default means what relative squared error 0.3 does.",
    )
    if d_model is not None:
        meant = cosine_of(default_threshold(d_model) if given is None else given, d_model)
        st.caption(f"cosine {meant:.3f} at d_model={d_model}")
    return given
