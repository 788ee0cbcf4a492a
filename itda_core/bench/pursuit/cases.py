"""What `itda bench pursuit` measures: sizes only, no tensor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from itda_core.pursuit.methods import NAMES

TEXTBOOK = "one matrix product per step, dense coefficients"
SCIKIT_LEARN = "sklearn.linear_model.orthogonal_mp_gram"


@dataclass(frozen=True)
class Case:
    """One encoding: `tokens` activations by `method` (of pursuit.methods)."""

    method: str
    n_atoms: int
    d_model: int
    k: int
    tokens: int
    gram_dtype: Literal["advised", "float32", "float16"] = "advised"  # advised: as a dictionary keeps it

    @property
    def name(self) -> str:
        """For example "mp n=8192 d=768 k=40", and "f32" or "f16" where the Gram matrix is kept so on purpose."""
        precision = {"advised": "", "float32": " f32", "float16": " f16"}[self.gram_dtype]
        return f"{self.method} n={self.n_atoms} d={self.d_model} k={self.k}{precision}"


@dataclass(frozen=True)
class Growth:
    """Sizes over which the time of matching pursuit is followed, each alone, the others as in `fixed`."""

    fixed: Case
    tokens: tuple[int, ...]
    k: tuple[int, ...]
    atoms: tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """A whole run. Medians are over `rounds` runs of the textbook loop and `rounds * ours_per_round` of ours."""

    cases: tuple[Case, ...]
    growth: Growth
    memory: Case  # encoded again with MEMORY_TIMES as many tokens, to see whether memory grows with them
    rounds: int = 3
    ours_per_round: int = 3
    inputs: int = 4  # different activations, taken in turn, so that none is still in a cache
    reference_tokens: int = 4  # of orthogonal matching pursuit, which scikit-learn does one by one
    matrix_size: int = 2048  # side of the square product that gives the matrix rate


MEMORY_TIMES = 4
OTHERS = tuple(name for name in NAMES if name != "mp")  # matching pursuit is measured at several sizes

CPU = Plan(
    cases=(
        Case("mp", 8_192, 768, 40, 1_024),
        Case("mp", 8_192, 768, 40, 1_024, "float32"),
        Case("mp", 16_384, 384, 40, 1_024),
        Case("mp", 4_096, 384, 40, 1_024),
        *(Case(name, 4_096, 384, 40, 1_024) for name in OTHERS),
    ),
    growth=Growth(
        Case("mp", 4_096, 384, 40, 1_024),
        tokens=(256, 512, 1_024, 2_048, 4_096),
        k=(10, 20, 40, 80),
        atoms=(1_024, 2_048, 4_096, 8_192, 16_384),
    ),
    memory=Case("mp", 8_192, 768, 40, 1_024),
)
CUDA = Plan(
    cases=(
        Case("mp", 16_384, 768, 40, 16_384),
        Case("mp", 16_384, 768, 40, 16_384, "float16"),
        Case("mp", 16_384, 4_096, 40, 16_384),
        Case("mp", 4_096, 384, 40, 16_384),
        *(Case(name, 4_096, 384, 40, 16_384) for name in OTHERS),
    ),
    growth=Growth(
        Case("mp", 8_192, 768, 40, 16_384),
        tokens=(4_096, 8_192, 16_384, 32_768, 65_536),
        k=(10, 20, 40, 80),
        atoms=(1_024, 2_048, 4_096, 8_192, 16_384),
    ),
    memory=Case("mp", 16_384, 768, 40, 16_384),
    matrix_size=8_192,
)
QUICK = Plan(
    cases=(
        Case("mp", 256, 32, 8, 64),
        Case("mp", 256, 32, 8, 64, "float16"),
        *(Case(name, 256, 32, 8, 64) for name in OTHERS),
    ),
    growth=Growth(Case("mp", 256, 32, 8, 64), tokens=(32, 64), k=(4, 8), atoms=(128, 256)),
    memory=Case("mp", 256, 32, 8, 64),
    rounds=2,
    ours_per_round=2,
    inputs=2,
    reference_tokens=2,
    matrix_size=256,
)
