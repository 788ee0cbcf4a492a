"""A plan as JSON, as a table and as sentences."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from itda_core.runs.costs.plan import Plan
from itda_core.runs.costs.strategies import FORWARD, GROWING, MOVING, READING, Way
from itda_core.runs.layers import format_layers
from itda_core.runs.units import duration, size

COLUMNS = ("way", "read", "disk", "memory", "GPU memory", "time", "most of it", "fits")
NUMBERS = ("read", "disk", "memory", "GPU memory", "time")
_WAYS = {
    "memory": "whole model in memory",
    "stream": "streamed layer by layer",
    "offload": "accelerate's disk offload",
}
_BOTTLENECKS = {
    READING: "reading the disk",
    MOVING: "moving to the GPU and back",
    FORWARD: "forward passes",
    GROWING: "growing dictionaries",
}


def to_json(plan: Plan) -> dict[str, Any]:
    """Plain values only; sizes in bytes, times in seconds, rates per second.

    Keys: `model, parameters, checkpoint_bytes, stored_dtype, dtype, d_model, n_layers, layers` (those wanted), `tokens,
    context, windows, positions` (tokens that pass through the model, special ones included), `atoms, k,
    forward_operations, pursuit_operations, machine` (the fields of PlannedMachine), `best` (the name of the quickest
    way that fits, or null), `ways` (the fields of Way), `notes`.
    """
    shape, amount, on = plan.shape, plan.amount, plan.on
    return {
        "model": shape.name,
        "parameters": shape.parameters,
        "checkpoint_bytes": shape.checkpoint_bytes,
        "stored_dtype": shape.stored_dtype,
        "dtype": plan.dtype,
        "d_model": shape.d_model,
        "n_layers": len(shape.blocks),
        "layers": list(plan.layers),
        "tokens": amount.tokens,
        "context": amount.context,
        "windows": amount.windows,
        "positions": amount.positions,
        "atoms": amount.atoms,
        "k": amount.k,
        "forward_operations": plan.forward_operations,
        "pursuit_operations": plan.pursuit_operations,
        "machine": {
            "name": on.name,
            "device": on.device,
            "host_memory": on.host_memory,
            "device_memory": on.device_memory,
            "matrix": dict(on.matrix),
            "wide_matrix": on.wide_matrix,
            "memory_read": on.memory_read,
            "disk_read": on.disk_read,
            "disk_read_again": on.disk_read_again,
            "disk_write": on.disk_write,
            "transfer": on.transfer,
            "disk_free": on.disk_free,
            "measured": on.measured,
        },
        "best": None if plan.best is None else plan.best.name,
        "ways": [asdict(way) for way in plan.ways],
        "notes": list(plan.notes),
    }


def heading(plan: Plan) -> list[str]:
    """What is planned, and what it is reckoned with: the same whichever way is taken."""
    shape, amount, on = plan.shape, plan.amount, plan.on
    layers = f"layer {format_layers(plan.layers)}" if len(plan.layers) == 1 else f"layers {format_layers(plan.layers)}"
    rates = [
        f"{on.matrix[plan.dtype] / 1e12:,.3g} TFLOP/s in {plan.dtype}",
        f"{on.wide_matrix / 1e12:,.3g} in float64",
        f"disk {size(on.disk_read)}/s",
    ]
    if on.transfer is not None:
        rates.append(f"to the GPU {size(on.transfer)}/s")
    memory = size(on.host_memory) + (f" and {size(on.device_memory)} of the GPU" if on.device_memory else "")
    return [
        f"{shape.name}: {_count(shape.parameters)} parameters, {size(shape.checkpoint_bytes)}, {len(shape.blocks)} "
        f"blocks of width {shape.d_model:,}.",
        f"{amount.tokens:,} tokens in {amount.windows:,} full windows of {amount.context}, {layers}: "
        f"{len(plan.layers)} x {amount.atoms:,} atoms, k={amount.k}.",
        f"{plan.forward_operations:.2e} operations of forward passes, {plan.pursuit_operations:.2e} of pursuits.",
        f"On {on.name}, {memory}: {', '.join(rates)}"
        + (" (shares of public figures)." if on.measured is None else f" (measured {on.measured})."),
    ]


def rows(plan: Plan) -> list[tuple[object, ...]]:
    """One row per way, under COLUMNS."""
    return [
        (
            _WAYS[way.name],
            size(way.bytes_read),
            size(way.hidden_bytes) if way.hidden_bytes else None,
            size(way.host_memory),
            None if way.device_memory is None else size(way.device_memory),
            duration(way.seconds),
            _BOTTLENECKS[way.bottleneck],
            "yes" if way.fits else "no",
        )
        for way in plan.ways
    ]


def plan_lines(plan: Plan) -> list[str]:
    """One sentence per way, the quickest that fits first, those that do not fit last; then the notes."""
    ordered = sorted(plan.ways, key=lambda way: (not way.fits, way.seconds))
    return [_sentence(way) for way in ordered] + list(plan.notes)


def _sentence(way: Way) -> str:
    memory = f"{size(way.host_memory)} of memory" + (
        f", {size(way.device_memory)} of the GPU's" if way.device_memory else ""
    )
    disk = f" and {size(way.hidden_bytes)} of disk" if way.hidden_bytes else ""
    name = _WAYS[way.name][0].upper() + _WAYS[way.name][1:]
    if not way.fits:
        return f"{name}: does not fit, it takes {memory}{disk}."
    return (
        f"{name}: about {duration(way.seconds)}, mostly {_BOTTLENECKS[way.bottleneck]}; reads {size(way.bytes_read)}, "
        f"takes {memory}{disk}."
    )


def _count(parameters: int) -> str:
    for scale, word in ((1e9, "billion"), (1e6, "million")):
        if parameters >= scale:
            return f"{parameters / scale:,.1f} {word}"
    return f"{parameters:,}"
