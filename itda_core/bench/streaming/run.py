"""`itda bench stream`: a model read from the disk block by block beside accelerate's disk offload."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from itda_core.bench.streaming.harvest_apart import Harvested, harvest_apart
from itda_core.bench.streaming.made_model import make_model
from itda_core.bench.streaming.plan import STRATEGIES, StreamPlan
from itda_core.bench.streaming.results import GrowthPoint, Read, StreamBench
from itda_core.bench.surroundings import Surroundings
from itda_core.models import ModelSpec
from itda_core.runs.costs.counted import Amount
from itda_core.runs.costs.measured import this_machine
from itda_core.runs.costs.model_description import describe
from itda_core.runs.costs.model_shape import ModelShape, model_shape
from itda_core.runs.costs.strategies import Harvest, streamed


def bench_stream(plan: StreamPlan, on_step: Callable[[str], None] = lambda _: None) -> StreamBench:
    """Make the plan's model, read it by every strategy, each in a process of its own, and streamed in parts.

    Raises UserError when the disk has no room, or a harvest fails.
    """
    with tempfile.TemporaryDirectory(dir=plan.folder, prefix="itda-bench-") as folder:
        scratch, model = Path(folder), Path(folder) / "model"
        on_step("writing a model")
        make_model(plan, model)
        size = sum(path.stat().st_size for path in model.glob("*.safetensors"))
        on_step("importing")
        idle = harvest_apart(plan, "none", model, scratch)
        reads = _reads(plan, STRATEGIES, model, scratch, on_step)
        short = replace(plan, context=plan.short_context)
        shorts = _reads(short, STRATEGIES[:2], model, scratch, on_step)
        on_step("measuring this machine")
        this_machine("cpu", ["float32"], model, anew=True)
        shape = model_shape(describe(ModelSpec(str(model))), trust_remote_code=False)
        points = [_point(plan, shape, model, reads[0].harvested)]
        for part in plan.parts:
            for cut in (
                plan.part(layers=max(1, round(plan.layers * part))),
                plan.part(windows=plan.windows_per_batch * max(1, round(plan.batches * part))),
            ):
                on_step(f"streaming {cut.layers} layers, {cut.windows} windows")
                points.append(_point(cut, shape, model, harvest_apart(cut, "streamed", model, scratch)))
    return StreamBench(
        machine=Surroundings.of("cpu"),
        plan=plan,
        checkpoint_bytes=size,
        library_bytes=idle.peak_bytes,
        reads=reads,
        short=shorts,
        growth=tuple(sorted(points, key=lambda point: (point.tokens, point.layers))),
    )


def _reads(
    plan: StreamPlan, strategies: tuple[str, ...], model: Path, scratch: Path, on_step: Callable[[str], None]
) -> tuple[Read, ...]:
    found: list[Read] = []
    for strategy in strategies:
        on_step(f"{strategy}: {plan.windows} windows of {plan.context} tokens")
        harvested = harvest_apart(plan, strategy, model, scratch)
        found.append(Read(strategy, harvested, _difference(found[0].harvested if found else harvested, harvested)))
    return tuple(found)


def _difference(first: Harvested, second: Harvested) -> float:
    """The most by which projections differ, over the largest of its layer."""
    from safetensors.torch import load_file

    one, two = load_file(first.projections), load_file(second.projections)
    return max(float((one[site] - two[site]).abs().max() / one[site].abs().max()) for site in one)


def _point(plan: StreamPlan, shape: ModelShape, model: Path, measured: Harvested) -> GrowthPoint:
    tokens = plan.windows * (plan.context - 1)  # Amount counts a special token in each window
    amount = Amount(tokens, plan.context, plan.layers - 1, plan.layers, 0, 1, plan.windows_per_batch)
    strategy = streamed(Harvest(shape, amount, this_machine("cpu", ["float32"], model), "float32"))
    assert measured.requested_bytes is not None, "streaming counts"
    return GrowthPoint(
        plan.layers,
        plan.windows * plan.context,
        measured.seconds,
        measured.requested_bytes,
        strategy.seconds,
        strategy.bytes_read,
    )
