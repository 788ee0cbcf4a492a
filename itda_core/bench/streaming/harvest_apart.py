"""One harvest in a process of its own, so that its memory is its own: seconds, bytes read, memory, what came out."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from itda_core.bench.streaming.plan import StreamPlan
from itda_core.errors import UserError

if TYPE_CHECKING:
    from itda_core.models import LanguageModel, ModelSpec
    from itda_core.text import Window


@dataclass(frozen=True)
class Harvested:
    """What one strategy of harvesting took."""

    seconds: float  # from the checkpoint's folder to the last activation; imports are not counted
    requested_bytes: int | None  # of the checkpoint, counted where it is read; None: not counted
    disk_bytes: int | None  # that the system read from the disk; None where it does not say
    peak_bytes: int  # resident memory of the process at its highest, Python and libraries included
    projections: str  # a file: each activation along one fixed direction, layer after layer


def harvest_apart(plan: StreamPlan, strategy: str, model: Path, scratch: Path) -> Harvested:
    """Harvest resid_post of every layer up to `plan.layers`, in a process of its own.

    strategy: one of plan.STRATEGIES, or "none": import what all of them need, and nothing else.

    Raises UserError, with what the process said last, when it fails.
    """
    root = str(Path(__file__).resolve().parents[3])
    known = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    order = {"plan": asdict(plan), "way": strategy, "model": str(model), "scratch": str(scratch)}
    finished = subprocess.run(
        [sys.executable, "-m", "itda_core.bench.streaming.harvest_apart", json.dumps(order)],
        env={**os.environ, "PYTHONPATH": known, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
    )
    if finished.returncode != 0:
        last = finished.stderr.strip().splitlines()[-1:] or ["nothing"]
        raise UserError(f"The harvest {strategy} failed and said: {last[0][:300]}")
    return Harvested(**json.loads(finished.stdout))


def forget(folder: Path) -> None:
    """Empty the system's page cache of the checkpoint in `folder`, where it can be done."""
    advise = getattr(os, "posix_fadvise", None)
    if advise is None:
        return
    for path in folder.glob("*.safetensors"):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
            advise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


def harvest_here(plan: StreamPlan, strategy: str, model: Path, scratch: Path) -> Harvested:
    """The same in this process; `peak_bytes` is then that of all it has done so far."""
    import torch
    from safetensors.torch import save_file

    # What all strategies need is imported before the clock starts.
    from itda_core.models import ModelSpec
    from itda_core.models.loading import load_model, load_skeleton
    from itda_core.models.sites import Site
    from itda_core.models.streamed.harvest import LayerHarvest
    from itda_core.text import Corpus
    from itda_core.text.windows import windows as windows_of

    spec = ModelSpec(str(model), device="cpu", dtype="float32")
    sites = [Site("resid_post", layer) for layer in range(plan.layers)]
    direction = torch.randn(plan.d_model, generator=torch.Generator().manual_seed(0))
    if plan.cold:
        forget(model)
    before, began, requested_bytes = _disk_reads(), time.perf_counter(), None
    found: dict[str, list[torch.Tensor]] = {site.name: [] for site in sites}

    def taken(loaded: LanguageModel) -> Iterator[Window]:
        corpus = Corpus.open("demo")
        full = (w for w in windows_of(corpus, loaded.tokenizer, context=plan.context) if len(w) == plan.context)
        return islice(full, plan.windows)

    if strategy == "streamed":
        skeleton = load_skeleton(spec)
        read = list(taken(skeleton))
        with tempfile.TemporaryDirectory(dir=scratch) as states:
            harvest = LayerHarvest(skeleton, read, sites, Path(states), windows_per_batch=plan.streamed_windows)
            with harvest:
                for site, source in harvest.sources():
                    for batch in source.stream(read, [site], windows_per_batch=plan.streamed_windows):
                        found[site.name].append(batch.activations[site] @ direction)
        requested_bytes = skeleton.weights.bytes_read
    elif strategy != "none":
        loaded = load_model(spec, head=False) if strategy == "in_memory" else _offloaded(spec, plan, scratch)
        for batch in loaded.stream(taken(loaded), sites, windows_per_batch=plan.windows_per_batch):
            for site, x in batch.activations.items():
                found[site.name].append(x @ direction)
            if plan.cold and strategy == "accelerate_disk":
                forget(model)
    seconds = time.perf_counter() - began
    after, peak = _disk_reads(), _peak()
    output = scratch / f"{strategy}-{plan.layers}-{plan.windows}-{plan.context}.safetensors"
    save_file({name: torch.cat(parts) for name, parts in found.items() if parts}, output)
    disk = None if before is None or after is None else after - before
    return Harvested(seconds, requested_bytes, disk, peak, str(output))


def _offloaded(spec: ModelSpec, plan: StreamPlan, scratch: Path) -> LanguageModel:
    """The same model by accelerate: its blocks on the disk, brought in one by one for every batch."""
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    from itda_core.models.language_model import LanguageModel

    logging.disable_progress_bar()
    placed: dict[str, str | int] = {f"layers.{layer}": "disk" for layer in range(plan.layers)}
    placed |= {"embed_tokens": "cpu", "norm": "cpu", "rotary_emb": "cpu"}
    module = AutoModel.from_pretrained(
        spec.name, dtype="float32", device_map=placed, offload_folder=str(scratch / "offload"), local_files_only=True
    )
    tokenizer = AutoTokenizer.from_pretrained(spec.name, local_files_only=True)
    module.eval().requires_grad_(False)
    return LanguageModel(spec, module, tokenizer, folder=Path(spec.name), revision=None, has_lm_head=False)


def _disk_reads() -> int | None:
    """Bytes that the system has read from the disk for this process."""
    try:
        lines = Path("/proc/self/io").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("read_bytes")), None)


def _peak() -> int:
    """Bytes of resident memory at their highest since this program began."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass  # on other systems the figure below may count the memory of the starting process
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


if __name__ == "__main__":
    order = json.loads(sys.argv[1])
    done = harvest_here(StreamPlan(**order["plan"]), order["way"], Path(order["model"]), Path(order["scratch"]))
    sys.stdout.write(json.dumps(asdict(done)))
