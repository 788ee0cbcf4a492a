"""How labels are compared; every option is in the address."""

from __future__ import annotations

from typing import NamedTuple

import streamlit as st

from pages.ui.frame.address import kept_choice

ADDRESS = ("by", "null", "comparable", "crop", "interval", "colours")
MOST_WITH_INTERVAL = 80  # sets: the resamples of every two are kept


class Options(NamedTuple):
    """What the reader asked for."""

    by: str  # "dictionary" or "model"
    null: str  # one of chance.NULLS
    exact: bool  # whether comparable prefixes are counted in the corpus
    interval: bool
    crop: bool


def options(n_sets: int) -> Options:
    """Draws the options of a comparison of `n_sets` dictionaries."""
    with st.container(horizontal=True, gap="medium", vertical_alignment="top"):
        by = kept_choice(
            "Rows and columns",
            "by",
            {"dictionary": "Dictionaries", "model": "Models"},
            key="compare.by",
            help="Models unites the labels of all chosen dictionaries of a model (paper, section 5.2).",
        )
        null = kept_choice(
            "Chance level",
            "null",
            {"uniform": "Any token", "token": "Given the tokens"},
            key="compare.null",
            help="What Jaccard would be by chance. Any token draws labels from all comparable places. Given the tokens "
            "is stricter: each dictionary keeps the number of labels it has of every token, which is counted in the "
            "corpus.",
        )
        exact = kept_choice(
            "Comparable places",
            "comparable",
            {"estimated": "Estimated", "exact": "Counted"},
            key="compare.exact",
            help="Estimated goes by how much text each training says it has read, and every label counts. Counted "
            "reads the corpus again: only places count that both models have read and where both end a token.",
        )
        crop = kept_choice(
            "Sizes",
            "crop",
            {"no": "As they are", "yes": "Cropped"},
            key="compare.crop",
            help="Unequal sizes alone lower Jaccard. Cropped keeps of the larger one of each two only the labels that "
            "entered first, as many as the smaller one has.",
        )
        interval = kept_choice(
            "Intervals",
            "interval",
            {"yes": "On", "no": "Off"},
            key="compare.interval",
            help="95%, by a bootstrap of 1,000 resamples over documents. They also say which cells are "
            "statistically tied.",
        )
    return Options(
        by,
        null,
        exact == "exact" or null == "token",
        interval == "yes" and n_sets <= MOST_WITH_INTERVAL,
        crop == "yes",
    )
