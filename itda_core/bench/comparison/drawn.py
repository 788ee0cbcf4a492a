"""Provenance frames that overlap about as those of real dictionaries do: some much, some little."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from itda_core.bench.comparison.plan import ComparePlan

if TYPE_CHECKING:
    import pandas as pd

_WINDOW = 500  # characters
_TOKEN = 5


def frames(plan: ComparePlan) -> list[pd.DataFrame]:
    """One frame per dictionary, with the columns that tell prefixes apart, in order of entering.

    Every prefix has an attraction of its own, which each model and each of its layers changes a little; a dictionary
    holds those that come first in a race of exponential clocks, so that it is a weighted draw without replacement.
    """
    import pandas as pd

    draw = np.random.default_rng(plan.seed)
    n = plan.documents * plan.tokens
    names = np.array([f"document-{i:06d}" for i in range(plan.documents)], dtype=object)
    attraction = draw.pareto(0.7, n) + 0.1
    model = np.empty(0)
    found = []
    for i in range(plan.dictionaries):
        if i % plan.layers == 0:
            model = attraction * draw.gamma(2.0, size=n)
        clocks = draw.exponential(size=n) / (model * draw.gamma(4.0, size=n) + 1e-9)
        chosen = np.sort(np.argpartition(clocks, plan.atoms)[: plan.atoms])
        document, token = np.divmod(chosen, plan.tokens)
        end = _TOKEN * (token + 1)
        found.append(
            pd.DataFrame(
                {
                    "order": np.arange(plan.atoms),
                    "document": pd.Series(names[document], dtype="str"),
                    "window_start": (end - 1) // _WINDOW * _WINDOW,
                    "char_end": end,
                    "token_id": token,
                }
            )
        )
    return found
