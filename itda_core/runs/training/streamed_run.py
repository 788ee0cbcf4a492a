"""A training of a model larger than memory: block by block, each dictionary grown when its block's turn has come."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from itda_core.errors import UserError
from itda_core.runs.costs.training import disk_free
from itda_core.runs.jobs.stopping import Interrupted
from itda_core.runs.training.checkpoint_folder import HIDDEN_STATES

if TYPE_CHECKING:
    from itda_core.dictionaries import AtomDictionary, TrainProgress
    from itda_core.models import Site
    from itda_core.models.streamed.harvest import HarvestProgress
    from itda_core.models.streamed.skeleton import Skeleton
    from itda_core.runs.training.reports import Reports
    from itda_core.runs.training.request import TrainRequest
    from itda_core.text import Corpus

_SECONDS_BETWEEN_STEPS = 1.0


def train_streamed(
    model: Skeleton,
    corpus: Corpus,
    request: TrainRequest,
    sites: Sequence[Site],
    folder: Path,
    *,
    done: Sequence[Site],
    extend: Sequence[AtomDictionary],
    initial: Sequence[AtomDictionary],
    resume: bool,
    checkpoint_seconds: float,
    keeping: Callable[[Any], AbstractContextManager[Any]],
    reports: Reports,
) -> Generator[Generator[TrainProgress]]:
    """One training per site, in the order of the blocks; each must be followed to its end before the next is taken.

    - `folder`: hidden states and each training's checkpoints;
    - `done`: sites whose dictionaries are finished;
    - `extend`: finished dictionaries to go on from, in the order of `sites`, or none;
    - `initial`: dictionaries to begin with, at most one per site;
    - `keeping`: makes of a source one that writes down what it gives.

    Raises UserError when the disk has no room for the hidden states, Interrupted when `reports.should_stop` says so
    while windows pass a block; the blocks before it need not be passed again.
    """
    from itda_core.dictionaries.growing.training import WINDOWS_PER_BATCH, train, windows_to_read
    from itda_core.models.streamed.harvest import LayerHarvest

    reports.on_step("cutting the text into windows")
    windows = list(windows_to_read(corpus, model.tokenizer, request.config))
    states, passing = folder / HIDDEN_STATES, _passing(request.config.tokens, reports)
    harvest = LayerHarvest(model, windows, sites, states, windows_per_batch=WINDOWS_PER_BATCH, on_progress=passing)
    n_tokens = sum(map(len, windows))
    with harvest:
        _check_disk(harvest.disk, n_tokens, states)
        for site, source in harvest.sources(skip=done):
            name = site.name if site.layer is None else f"layer {site.layer}"
            reports.on_step(f"growing the dictionary of {name}")
            number, growing = sites.index(site), (site.module or site.kind, site.layer)
            own = folder / f"state-{number}"
            with keeping(source) as given:
                yield train(
                    given,
                    corpus,
                    [site.layer],
                    request.config,
                    site=request.site,
                    work=own,
                    checkpoint_seconds=checkpoint_seconds,
                    resume=resume and own.is_dir(),
                    extend=extend[number : number + 1],
                    initial=[one for one in initial if (one.spec.site, one.spec.layer) == growing],
                )
        if model.batching_note is not None:  # known once the blocks were tried
            reports.on_note(model.batching_note)
        reports.on_note(
            f"{harvest.passed} blocks were read from the disk ({model.weights.bytes_read / 1e9:.2f} GB) and passed by "
            f"{n_tokens:,} tokens in {harvest.seconds:,.0f} s, not counting the dictionaries."
        )


def _passing(tokens: int | None, reports: Reports) -> Callable[[HarvestProgress], None]:
    """Reports now and then how much of the text has passed a block, and raises Interrupted when it should stop.

    tokens: how many the training is to read.
    """
    reported = 0.0

    def passing(progress: HarvestProgress) -> None:
        nonlocal reported
        if reports.should_stop():
            raise Interrupted(0, tokens, f"before all of the text had passed block {progress.layer}")
        if time.monotonic() - reported >= _SECONDS_BETWEEN_STEPS:
            reported = time.monotonic()
            share = progress.windows / progress.total
            reports.on_step(f"passing block {progress.layer} of 0 to {progress.last}: {share:.0%} of the text")

    return passing


def _check_disk(needed: int, n_tokens: int, states: Path) -> None:
    """Raises UserError where the hidden states, `needed` bytes, do not fit on the disk; those already there count."""
    free = disk_free(states) + sum(path.stat().st_size for path in states.iterdir())
    if needed > free:
        raise UserError(
            f"The hidden states of {n_tokens:,} tokens take {needed / 1e9:.1f} GB on the disk, and "
            f"{free / 1e9:.1f} GB are free in {states.parent}; read fewer tokens, or choose another folder with "
            "ITDA_HOME."
        )
