"""How labels are compared; every option is in the address."""

from __future__ import annotations

from typing import NamedTuple

import streamlit as st

from pages.ui.frame.address import kept_choice

ADDRESS = ("by", "null", "comparable", "crop", "interval", "colours")
MOST_WITH_INTERVAL = 80  # sets: the resamples of every two are kept
MOST_COUNTED = 5_000_000  # tokens of text that are read again without being asked for: ten seconds


class Options(NamedTuple):
    """What the reader asked for."""

    by: str  # "dictionary" or "model"
    null: str  # one of chance.NULLS
    exact: bool  # whether comparable prefixes are counted in the corpus
    interval: bool
    crop: bool

    @property
    def must(self) -> bool:
        """Whether the chance level is of no use unless they are counted."""
        return self.null == "token"


def options(n_sets: int, text: int | None) -> Options:
    """Draws the options of a comparison of `n_sets` dictionaries; text: tokens to be read to count what is comparable,
    None where they would come over the network.
    """
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
            {"exact": "Counted", "estimated": "Estimated"},
            key="compare.exact",
            default="estimated" if text is None or text > MOST_COUNTED else "exact",
            help="Counted reads the corpus again: only labels count at places that both models have read and where "
            "both end a token. Estimated lets every label count, also in text that the other has never read, which "
            "lowers Jaccard; it goes by how much text each training says it has read.",
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
