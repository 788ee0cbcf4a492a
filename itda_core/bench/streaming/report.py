"""What the streaming bench found, as a JSON object and as rows of tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from itda_core.bench.exponent import exponent
from itda_core.bench.streaming.results import Read, StreamBench
from itda_core.figures_as_text import figure

COLUMNS = ("case", "tokens", "seconds", "speedup", "GB asked", "GB from disk", "peak MB", "of checkpoint", "differs")
NUMBERS = COLUMNS[1:]
GROWTH_COLUMNS = ("layers", "tokens", "seconds", "planned", "off", "GB read", "GB planned")


def to_json(bench: StreamBench) -> dict[str, Any]:
    """Plain values only; None where there is no number."""
    return {
        "machine": asdict(bench.machine),
        "plan": asdict(bench.plan),
        "library_bytes": bench.library_bytes,
        "cases": [_case(bench, read, bench.reads) for read in bench.reads],
        "short_windows": [_case(bench, read, bench.short) for read in bench.short],
        "growth": [asdict(point) | {"off": point.off} for point in bench.growth],
        "exponents": exponents(bench),
    }


def _case(bench: StreamBench, read: Read, among: tuple[Read, ...]) -> dict[str, Any]:
    return {
        "name": read.name,
        "seconds": read.harvested.seconds,
        "speedup": bench.speedup(read, among),
        "checkpoint_bytes": bench.checkpoint_bytes,
        "bytes_read": read.harvested.requested_bytes,
        "disk_bytes": read.harvested.disk_bytes,
        "peak_bytes": read.harvested.peak_bytes,
        "difference": read.difference,
    }


def exponents(bench: StreamBench) -> dict[str, float]:
    """Of seconds and of bytes read against layers and against tokens, in a log-log fit; 1 is linear, 0 not at all."""
    whole = max(bench.growth, key=lambda point: (point.tokens, point.layers))
    by_layers = [point for point in bench.growth if point.tokens == whole.tokens]
    by_tokens = [point for point in bench.growth if point.layers == whole.layers]
    return {
        "seconds over layers": exponent([(p.layers, p.seconds) for p in by_layers]),
        "bytes over layers": exponent([(p.layers, p.bytes_read) for p in by_layers]),
        "seconds over tokens": exponent([(p.tokens, p.seconds) for p in by_tokens]),
        "bytes over tokens": exponent([(p.tokens, p.bytes_read) for p in by_tokens]),
    }


def rows(bench: StreamBench) -> Iterator[tuple[object, ...]]:
    """One row per strategy, in the order of COLUMNS, first for the plan's windows, then for short ones."""
    for reads, context in ((bench.reads, bench.plan.context), (bench.short, bench.plan.short_context)):
        for read in reads:
            harvested, speedup = read.harvested, bench.speedup(read, reads)
            yield (
                read.name,
                f"{bench.plan.windows * context:,}",
                f"{harvested.seconds:.2f}",
                None if speedup is None else f"{speedup:.2f}x",
                _gigabytes(harvested.requested_bytes),
                _gigabytes(harvested.disk_bytes),
                f"{harvested.peak_bytes / 1e6:,.0f}",
                f"{harvested.peak_bytes / bench.checkpoint_bytes:.1%}",
                f"{read.difference:.0e}",
            )


def growth_rows(bench: StreamBench) -> Iterator[tuple[object, ...]]:
    """One row per streamed harvest, in the order of GROWTH_COLUMNS."""
    for point in bench.growth:
        yield (
            point.layers,
            f"{point.tokens:,}",
            f"{point.seconds:.2f}",
            f"{point.planned_seconds:.2f}",
            figure(point.off, "+.0%"),
            _gigabytes(point.bytes_read),
            _gigabytes(point.planned_bytes),
        )


def remarks(bench: StreamBench) -> Iterator[str]:
    """What the tables cannot hold."""
    plan = bench.plan
    yield str(bench.machine)
    yield (
        f"A model of Llama's shape with random weights in float32: {plan.layers} blocks of width {plan.d_model}, "
        f"{bench.checkpoint_bytes / 1e9:.2f} GB in {plan.shards} shards. Activations after every block were read for "
        f"{plan.windows} windows; accelerate has its blocks on the disk and reads in {plan.batches} batches, streamed "
        f"in batches of {plan.streamed_windows}. Each strategy runs in a process of its own"
        + (", with the checkpoint dropped from the page cache before each pass over it." if plan.cold else ".")
    )
    yield (
        f"Peak is all resident memory; {bench.library_bytes / 1e6:,.0f} MB of it "
        f"({bench.library_bytes / bench.checkpoint_bytes:.1%} of the checkpoint) are Python, torch and transformers "
        "before anything is read."
    )
    found = exponents(bench)
    yield "Exponents: " + ", ".join(f"{name} {value:.2f}" for name, value in found.items()) + "."


def _gigabytes(count: int | None) -> str | None:
    return None if count is None else f"{count / 1e9:.3f}"
