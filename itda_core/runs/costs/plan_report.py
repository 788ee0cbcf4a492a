"""A plan as JSON, as a table and as sentences."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from itda_core.runs.costs.plan import Plan
from itda_core.runs.costs.strategies import FORWARD, GROWING, MOVING, READING, Strategy
from itda_core.runs.layers import format_layers
from itda_core.runs.units import duration, size

COLUMNS = ("way", "read", "disk", "memory", "GPU memory", "time", "most of it", "fits")
NUMBERS = ("read", "disk", "memory", "GPU memory", "time")
_NAMES = {
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
    strategy that fits, or null), `ways` (the fields of Strategy), `notes`.
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
        "ways": [asdict(strategy) for strategy in plan.strategies],
        "notes": list(plan.notes),
    }


def heading(plan: Plan) -> list[str]:
    """What is planned and the rates it is computed with, which are the same for every strategy."""
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
    """One row per strategy, under COLUMNS."""
    return [
        (
            _NAMES[strategy.name],
            size(strategy.bytes_read),
            size(strategy.hidden_bytes) if strategy.hidden_bytes else None,
            size(strategy.host_memory),
            None if strategy.device_memory is None else size(strategy.device_memory),
            duration(strategy.seconds),
            _BOTTLENECKS[strategy.bottleneck],
            "yes" if strategy.fits else "no",
        )
        for strategy in plan.strategies
    ]


def plan_lines(plan: Plan) -> list[str]:
    """One sentence per strategy, the quickest that fits first, those that do not fit last; then the notes."""
    ordered = sorted(plan.strategies, key=lambda strategy: (not strategy.fits, strategy.seconds))
    return [_sentence(strategy) for strategy in ordered] + list(plan.notes)


def _sentence(one: Strategy) -> str:
    memory = f"{size(one.host_memory)} of memory" + (
        f", {size(one.device_memory)} of the GPU's" if one.device_memory else ""
    )
    disk = f" and {size(one.hidden_bytes)} of disk" if one.hidden_bytes else ""
    name = _NAMES[one.name][0].upper() + _NAMES[one.name][1:]
    if not one.fits:
        return f"{name}: does not fit, it takes {memory}{disk}."
    return (
        f"{name}: about {duration(one.seconds)}, mostly {_BOTTLENECKS[one.bottleneck]}; reads {size(one.bytes_read)}, "
        f"takes {memory}{disk}."
    )


def _count(parameters: int) -> str:
    for scale, word in ((1e9, "billion"), (1e6, "million")):
        if parameters >= scale:
            return f"{parameters / scale:,.1f} {word}"
    return f"{parameters:,}"
