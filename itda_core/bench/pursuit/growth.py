"""How the time of matching pursuit grows with tokens, with k and with atoms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from itda_core.bench.exponent import exponent
from itda_core.bench.pursuit.cases import Case, Growth
from itda_core.bench.pursuit.encoding_memory import encode_case
from itda_core.bench.pursuit.results import GrowthCurve, GrowthPoint, GrowthResult
from itda_core.bench.synthetic import Atoms, atoms_of, inputs_of
from itda_core.bench.timing import timed


def measure_growth(
    growth: Growth, *, repeats: int, inputs: int, device: str, free_bytes: int, on_step: Callable[[str], None]
) -> GrowthResult:
    """Time `growth`'s sizes in turn, `repeats` times, and keep the fastest of each: what disturbs a run only adds.

    Dictionaries that need over half of `free_bytes` are left out.
    """
    fits = [n for n in growth.atoms if 8 * n * n <= free_bytes / 2]
    largest = replace(growth.fixed, n_atoms=max([growth.fixed.n_atoms, *fits]))
    whole = atoms_of(largest, device)
    fixed = Atoms.of(whole[: growth.fixed.n_atoms], growth.fixed)

    def curve(sizes: Sequence[int], case_of: Callable[[int], Case]) -> GrowthCurve:
        return _curve([(size, case_of(size)) for size in sizes], whole, fixed, repeats, inputs, device)

    on_step("growth with tokens")
    tokens = curve(growth.tokens, lambda size: replace(growth.fixed, tokens=size))
    on_step("growth with k")
    k = curve(growth.k, lambda size: replace(growth.fixed, k=size))
    on_step("growth with atoms")
    return GrowthResult(growth.fixed, tokens, k, curve(fits, lambda size: replace(growth.fixed, n_atoms=size)))


def _curve(
    cases: Sequence[tuple[int, Case]], whole: Tensor, fixed: Atoms, repeats: int, inputs: int, device: str
) -> GrowthCurve:
    runs = []
    for size, case in cases:
        dictionary = fixed if case.n_atoms == len(fixed.atoms) else Atoms.of(whole[: case.n_atoms], case)
        activations = inputs_of(case, inputs, device)
        runs.append((size, case, dictionary, activations))
        encode_case(case, activations[0], dictionary)  # compiles
    seconds: dict[int, list[float]] = {size: [] for size, _ in cases}
    products: dict[int, list[float]] = {size: [] for size, _ in cases}
    room = torch.empty(max(case.tokens * case.n_atoms for _, case in cases), device=device)
    for turn in range(repeats):  # sizes in turn: a machine that is slow for a while is slow for all of them
        for size, case, dictionary, activations in runs:
            x = activations[turn % inputs]
            seconds[size].append(timed(lambda c=case, x=x, d=dictionary: encode_case(c, x, d), device)[0])
            out = room[: case.tokens * case.n_atoms].view(case.tokens, case.n_atoms)
            products[size].append(timed(lambda x=x, d=dictionary, out=out: torch.mm(x, d.atoms.T, out=out), device)[0])
    points = tuple(GrowthPoint(size, min(seconds[size]), min(products[size])) for size, _ in cases)
    return curve_through(points)


def curve_through(points: Sequence[GrowthPoint]) -> GrowthCurve:
    """The exponents that points of at least two sizes have; None for fewer."""
    steps = [(float(point.size), point.seconds - point.product_seconds) for point in points]
    enough = len({point.size for point in points}) >= 2
    return GrowthCurve(
        tuple(points),
        exponent([(point.size, point.seconds) for point in points]) if enough else None,
        exponent(steps) if enough and all(left > 0 for _, left in steps) else None,
    )
