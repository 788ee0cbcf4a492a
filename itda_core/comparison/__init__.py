"""Dictionaries and representations of different models beside each other.

Nothing here loads torch before it is used.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from itda_core.comparison.checkpoints import DemoCheckpoint, demo_checkpoints
    from itda_core.comparison.cka import linear_cka
    from itda_core.comparison.comparable import Comparability, comparability
    from itda_core.comparison.convergence import Convergence, convergence
    from itda_core.comparison.course import Course, course_of
    from itda_core.comparison.differences import Differences, differences
    from itda_core.comparison.jaccard import JaccardMatrix, jaccard, jaccard_matrix
    from itda_core.comparison.match import MatchProgress, match
    from itda_core.comparison.match_table import MatchTable
    from itda_core.comparison.orders import OrderEffect, OrderProgress, order_effect
    from itda_core.comparison.places import LabelSet
    from itda_core.comparison.regression import linear_regression
    from itda_core.comparison.relative import relative_representation
    from itda_core.comparison.svcca import svcca
    from itda_core.comparison.transfer import Transfer, TransferTable, transfer, transfer_table

_HOMES = {
    "DemoCheckpoint": "checkpoints",
    "demo_checkpoints": "checkpoints",
    "Comparability": "comparable",
    "comparability": "comparable",
    "Convergence": "convergence",
    "convergence": "convergence",
    "Course": "course",
    "course_of": "course",
    "Differences": "differences",
    "differences": "differences",
    "JaccardMatrix": "jaccard",
    "jaccard": "jaccard",
    "jaccard_matrix": "jaccard",
    "OrderEffect": "orders",
    "OrderProgress": "orders",
    "order_effect": "orders",
    "LabelSet": "places",
    "MatchProgress": "match",
    "MatchTable": "match_table",
    "linear_cka": "cka",
    "linear_regression": "regression",
    "match": "match",
    "relative_representation": "relative",
    "svcca": "svcca",
    "Transfer": "transfer",
    "TransferTable": "transfer",
    "transfer": "transfer",
    "transfer_table": "transfer",
}

__all__ = [
    "Comparability",
    "Convergence",
    "Course",
    "DemoCheckpoint",
    "Differences",
    "JaccardMatrix",
    "LabelSet",
    "MatchProgress",
    "MatchTable",
    "OrderEffect",
    "OrderProgress",
    "Transfer",
    "TransferTable",
    "comparability",
    "convergence",
    "course_of",
    "demo_checkpoints",
    "differences",
    "jaccard",
    "jaccard_matrix",
    "linear_cka",
    "linear_regression",
    "match",
    "order_effect",
    "relative_representation",
    "svcca",
    "transfer",
    "transfer_table",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class _Room(ModuleType):
    """Python binds a file to its package when the file is first imported; a function of the same name must win."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Room
