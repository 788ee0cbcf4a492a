"""Which pursuits there are, known without loading one. Whatever lists, checks or runs pursuits reads this table.

A new pursuit is a file with its loop and its function, and a row here; compiled kernels are optional.
"""

from __future__ import annotations

from dataclasses import dataclass

from itda_core.errors import UserError


@dataclass(frozen=True)
class Kernel:
    """A pursuit by the Gram matrix, compiled for one kind of device."""

    function: str  # where it is, as pkgutil.resolve_name reads it; a kernels.GramKernel
    non_negative: bool = True  # whether it gives codes without negative coefficients as well


@dataclass(frozen=True)
class Method:
    """One way to encode an activation in a few atoms."""

    name: str  # in commands, files and addresses
    title: str
    note: str  # for people, what sets it apart, beginning with its name
    source: str
    function: str  # where the pursuit is, as pkgutil.resolve_name reads it; an encoding.Pursuit
    algorithm: str  # its loop in plain torch, likewise; a chunks.Algorithm
    cpu: Kernel | None = None  # where there is none, the algorithm runs as it stands
    cuda: Kernel | None = None
    non_negative: bool = True  # whether it can be asked for codes without negative coefficients
    needs_gram: bool = False  # whether it works by the Gram matrix only
    screened: bool = False  # whether a CPU can take its Gram matrix in 16-bit fixed point (kernels.screened_matching)
    keeps_steps: bool = False  # whether a code of fewer steps is the beginning of one of more

    @property
    def short(self) -> str:
        """For a control with little room, for example "OMP"."""
        return self.name.upper()


_KERNELS = "itda_core.pursuit.kernels"
TABLE = (
    Method(
        name="mp",
        title="matching pursuit",
        note="matching pursuit, the cheapest",
        source="Mallat and Zhang 1993",
        function="itda_core.pursuit.matching:matching_pursuit",
        algorithm="itda_core.pursuit.matching:matching",
        cpu=Kernel(f"{_KERNELS}.cpu:matching"),
        cuda=Kernel(f"{_KERNELS}.cuda:matching"),
        screened=True,
        keeps_steps=True,
    ),
    Method(
        name="omp",
        title="orthogonal matching pursuit",
        note="orthogonal, refits all coefficients at each step and errs least",
        source="Pati, Rezaiifar and Krishnaprasad 1993",
        function="itda_core.pursuit.orthogonal:orthogonal_matching_pursuit",
        algorithm="itda_core.pursuit.orthogonal:orthogonal",
        cpu=Kernel(f"{_KERNELS}.cpu:orthogonal"),
        cuda=Kernel(f"{_KERNELS}.cuda:orthogonal", non_negative=False),
    ),
    Method(
        name="gp",
        title="gradient pursuit",
        note="gradient pursuit, between the two",
        source="Blumensath and Davies 2008",
        function="itda_core.pursuit.gradient:gradient_pursuit",
        algorithm="itda_core.pursuit.gradient:gradient",
        cpu=Kernel(f"{_KERNELS}.cpu:gradient"),
        cuda=Kernel(f"{_KERNELS}.cuda:gradient"),
    ),
)
NAMES = tuple(method.name for method in TABLE)
NOTES = " ".join(f"{method.short}: {method.note}." for method in TABLE)


def method_named(name: str) -> Method:
    """The row of that name. Raises UserError where there is none."""
    for method in TABLE:
        if method.name == name:
            return method
    raise UserError(f"There is no pursuit {name!r}; choose one of {', '.join(NAMES)}.")
