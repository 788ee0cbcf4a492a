"""The measure of the ITDA paper (Leask et al. 2025, section 5.1): Jaccard of dictionaries grown at every two sites."""

from __future__ import annotations

from typing import TYPE_CHECKING

from itda_core.comparison.overlap.jaccard import jaccard_matrix

if TYPE_CHECKING:
    import numpy as np

    from itda_core.comparison.measures.representations import Compared


def dictionary_overlap(compared: Compared) -> np.ndarray:
    """Jaccard of every two places' labels, (n_places, n_places) float64, 0 to 1.

    With several tokenizers, labels count only where all of them end a token. Raises UserError as jaccard_matrix does.
    """
    several = len(compared.tokenizers) > 1
    corpus, tokenizers = (compared.corpus, compared.tokenizers) if several else (None, None)
    return jaccard_matrix(compared.labels, corpus=corpus, tokenizers=tokenizers).jaccard
