"""What the pursuit bench found, as a JSON object and as rows of a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from itda_core.bench.pursuit.limits import LIMIT
from itda_core.bench.pursuit.results import CaseResult, GrowthCurve, PursuitBench

COLUMNS = ("case", "ms", "textbook", "speedup", "limit", "of limit", "MiB")  # within 80 characters
NUMBERS = COLUMNS[1:]


def to_json(bench: PursuitBench) -> dict[str, Any]:
    """Plain values only; None where there is no number. Seconds, bytes, operations per second, bytes per second."""
    return {
        "machine": asdict(bench.machine),
        "cases": [_case(result) for result in bench.cases],
        "limit": LIMIT,
        "memory": {"case": bench.memory_case.name, "points": [asdict(point) for point in bench.memory]},
        "growth": {
            "fixed": asdict(bench.growth.fixed),
            "tokens": _curve(bench.growth.tokens),
            "k": _curve(bench.growth.k),
            "atoms": _curve(bench.growth.atoms),
        },
    }


def _case(result: CaseResult) -> dict[str, Any]:
    return {
        "name": result.case.name,
        **asdict(result.case),
        "gram_dtype": result.gram_dtype,
        "seconds": result.seconds,
        "textbook": result.textbook,
        "textbook_seconds": result.textbook_seconds,
        "speedup": result.speedup,
        "limit_seconds": result.limit_seconds,
        "fraction_of_limit": result.fraction_of_limit,
        "peak_bytes": result.peak_bytes,
        "times_mp": result.times_mp,
        "gram_seconds": result.gram_seconds,
        "warm_up_seconds": result.warm_up_seconds,
        "relative_error": result.relative_error,
        "textbook_relative_error": result.textbook_relative_error,
        "matrix_rate": result.rates.matrix if result.rates else None,
        "read_rate": result.rates.read if result.rates else None,
        "work": asdict(result.work) if result.work else None,
        "notes": list(result.notes),
    }


def _curve(curve: GrowthCurve) -> dict[str, Any]:
    return asdict(curve) | {"points": [asdict(point) for point in curve.points]}


def rows(bench: PursuitBench) -> Iterator[tuple[object, ...]]:
    """One row per case, in the order of COLUMNS."""
    for result in bench.cases:
        yield (
            result.case.name,
            _figure(result.seconds, "{:,.1f}", 1000),
            _figure(result.textbook_seconds, "{:,.1f}", 1000),
            _figure(result.speedup, "{:.1f}x"),
            _figure(result.limit_seconds, "{:,.1f}", 1000),
            _figure(result.fraction_of_limit, "{:.0%}"),
            _figure(result.peak_bytes, "{:.1f}", 2**-20),
        )


def remarks(bench: PursuitBench) -> Iterator[str]:
    """What the table cannot hold: the machine first, then growth, memory, notes."""
    tokens = " or ".join(f"{count:,}" for count in sorted({result.case.tokens for result in bench.cases}))
    yield str(bench.machine)
    yield (
        f"Median milliseconds for {tokens} tokens, the product x @ atoms.T included; MiB held at most beside "
        "activations, atoms, Gram matrix and code; f32: by the float32 Gram matrix although 16 bits are quicker."
    )
    growth = bench.growth
    curves = (("tokens", growth.tokens), ("k", growth.k), ("atoms", growth.atoms))
    yield f"Time of {growth.fixed.name} grows as " + ", ".join(_grows(name, curve) for name, curve in curves) + "."
    if bench.memory:
        held = ", ".join(f"{point.peak_bytes / 2**20:.1f} MiB for {point.tokens:,} tokens" for point in bench.memory)
        yield f"Held by {bench.memory_case.name}: {held}."
    for result in bench.cases:
        if result.times_mp is not None:
            yield f"{result.case.name} takes {result.times_mp:.2f} times as long as mp with the same dictionary."
    for result in bench.cases:
        for note in result.notes:
            yield f"{result.case.name}: {note}"
    yield f"The limit: {LIMIT}"


def _grows(name: str, curve: GrowthCurve) -> str:
    if curve.exponent is None:
        return f"{name} (unknown: too few sizes)"
    beyond = "" if curve.steps_exponent is None else f" ({curve.steps_exponent:.2f} without the product)"
    return f"{name}^{curve.exponent:.2f}{beyond}"


def _figure(value: float | None, form: str, scale: float = 1) -> str | None:
    return None if value is None else form.format(value * scale)
