"""What ours is compared with: the textbook loop for mp, scikit-learn for omp; gp has no usual implementation."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from itda_core.bench.pursuit.cases import SCIKIT_LEARN, TEXTBOOK, Case
from itda_core.bench.synthetic import Atoms
from itda_core.bench.timing import matrix_precision
from itda_core.pursuit.kernels import textbook


@dataclass(frozen=True)
class Reference:
    """A way others encode."""

    name: str
    run: Callable[[Tensor, Atoms, int], Tensor]  # activations, dictionary, k -> dense code (n_tokens, n_atoms)
    tokens: int  # how many it is given; its time is scaled to the case's
    device: Literal["cpu"] | None = None  # the only one it runs on
    note: str | None = None


def reference_for(case: Case, reference_tokens: int) -> Reference | str | None:
    """The reference of a case's method; a sentence where it is not installed, None where there is none."""
    if case.method == "mp":
        return Reference(TEXTBOOK, _textbook, case.tokens)
    if case.method == "omp":
        if importlib.util.find_spec("sklearn") is None:
            return "scikit-learn is not installed, so omp is compared with nothing."
        tokens = min(reference_tokens, case.tokens)
        note = f"scikit-learn's time is that of {tokens} tokens on the CPU, scaled to {case.tokens:,}."
        return Reference(SCIKIT_LEARN, _scikit_learn, tokens, "cpu", note)
    return None


def _textbook(x: Tensor, dictionary: Atoms, k: int) -> Tensor:
    with matrix_precision("high"):  # TF32 where the device has it, as most callers allow
        return textbook.matching_pursuit(x, dictionary.atoms, k)


def _scikit_learn(x: Tensor, dictionary: Atoms, k: int) -> Tensor:
    from sklearn.linear_model import orthogonal_mp_gram

    correlations = (dictionary.atoms @ x.T).numpy()
    codes = np.asarray(orthogonal_mp_gram(dictionary.gram.numpy(), correlations, n_nonzero_coefs=k))
    return torch.from_numpy(codes.reshape(len(dictionary.atoms), len(x)).T).to(x)
