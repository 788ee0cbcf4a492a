"""A training of a model larger than memory: block by block, each dictionary grown when its block's turn has come."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from itda_core.dictionaries.training_stage import TrainingStage
from itda_core.errors import UserError
from itda_core.runs.costs.training import disk_free
from itda_core.runs.jobs.stopping import Interrupted
from itda_core.runs.training.checkpoint_folder import HIDDEN_STATES
from itda_core.runs.training.telling import BlockTimes

if TYPE_CHECKING:
    from itda_core.dictionaries import AtomDictionary, TrainProgress
    from itda_core.models import Site
    from itda_core.models.streamed.harvest import HarvestProgress, LayerHarvest
    from itda_core.models.streamed.skeleton import Skeleton
    from itda_core.runs.training.reports import Reports
    from itda_core.runs.training.request import TrainRequest
    from itda_core.runs.training.telling import Teller
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
    teller: Teller,
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
    from itda_core.dictionaries.growing.training import WINDOWS_PER_BATCH, train_and_tell, windows_to_read
    from itda_core.models.streamed.harvest import LayerHarvest

    reports.on_step("cutting the text into windows")
    windows = list(windows_to_read(corpus, model.tokenizer, request.config))
    states = folder / HIDDEN_STATES
    progress = _StreamedProgress(request.config.tokens, sites, len(done), reports, teller)
    teller.around = progress.placed
    harvest = LayerHarvest(
        model, windows, sites, states, windows_per_batch=WINDOWS_PER_BATCH, on_progress=progress.report_passing
    )
    n_tokens = sum(map(len, windows))
    with harvest:
        _check_disk(harvest.disk, n_tokens, states)
        for site, source in harvest.sources(skip=done):
            reports.on_step(f"growing the dictionary of {site.name if site.layer is None else f'layer {site.layer}'}")
            number, growing = sites.index(site), (site.module or site.kind, site.layer)
            own = folder / f"state-{number}"
            with keeping(source) as given, progress.growing(number):
                yield train_and_tell(
                    given,
                    corpus,
                    [site.layer],
                    request.config,
                    teller.tell_or_stop,
                    site=request.site,
                    work=own,
                    checkpoint_seconds=checkpoint_seconds,
                    resume=resume and own.is_dir(),
                    extend=extend[number : number + 1],
                    initial=[one for one in initial if (one.spec.site, one.spec.layer) == growing],
                )
        _note(model, harvest, n_tokens, reports)


def _note(model: Skeleton, harvest: LayerHarvest, n_tokens: int, reports: Reports) -> None:
    """Report what passing the blocks took, and what was found while they were tried."""
    if model.batching_note is not None:
        reports.on_note(model.batching_note)
    reports.on_note(
        f"{harvest.passed} blocks were read from the disk ({model.weights.bytes_read / 1e9:.2f} GB) and passed by "
        f"{n_tokens:,} tokens in {harvest.seconds:,.0f} s, not counting the dictionaries."
    )


class _StreamedProgress:
    """Where a streamed training stands among its blocks and its dictionaries, and how long the whole will take."""

    def __init__(
        self, tokens: int | None, sites: Sequence[Site], n_done: int, reports: Reports, teller: Teller
    ) -> None:
        """tokens: that the training is to read; n_done: how many of `sites` have their dictionaries already."""
        self._tokens, self._sites, self._reports, self._teller = tokens, sites, reports, teller
        self._times = BlockTimes(len(sites) - n_done)
        self._number = n_done  # of the dictionary that comes next, or is at hand
        self._began = time.monotonic()
        self._reported = 0.0

    def report_passing(self, progress: HarvestProgress) -> None:
        """Says now and then how much of the text has passed a block. Raises Interrupted when it should stop."""
        if self._reports.should_stop():
            raise Interrupted(0, self._tokens, f"before all of the text had passed block {progress.layer}")
        share = progress.windows / progress.total
        self._times.passed(progress.last - progress.layer + 1 - share)
        if time.monotonic() - self._reported < _SECONDS_BETWEEN_STEPS:
            return
        self._reported = time.monotonic()
        self._reports.on_step(f"passing block {progress.layer} of 0 to {progress.last}: {share:.0%} of the text")
        self._teller.tell(self._passed(progress))

    def _passed(self, progress: HarvestProgress) -> TrainProgress:
        from itda_core.dictionaries.growing.growth import LayerProgress
        from itda_core.dictionaries.growing.progress import TrainProgress

        at = TrainingStage("passing", progress.windows, progress.total, None, progress.layer + 1, progress.last + 1)
        site = self._sites[min(self._number, len(self._sites) - 1)]
        coming = LayerProgress(site.module or site.kind, site.layer, 0, 1.0, 0.0, ())
        eta = self._times.left()
        return TrainProgress(0, self._tokens, 0.0, 0.0, eta, (coming,), at=at, rough=True)

    @contextmanager
    def growing(self, number: int) -> Iterator[None]:
        """While the dictionary of site `number` grows."""
        self._number, began = number, time.monotonic()
        yield
        self._times.grown(time.monotonic() - began)
        self._number = number + 1

    def placed(self, progress: TrainProgress) -> TrainProgress:
        """A progress of one dictionary as that of the whole."""
        seconds, stage, eta = time.monotonic() - self._began, progress.stage, progress.eta
        progress = replace(progress, seconds=max(seconds, progress.seconds))
        if stage.name == "passing":
            return progress
        layer = progress.layers[0].layer
        at = replace(stage, layer=layer, number=self._number + 1, of=len(self._sites))
        left = None if eta is None else self._times.left(growing=progress.seconds + eta)
        eta = None if eta is None or left is None else eta + left
        last = self._number + 1 == len(self._sites)
        return replace(progress, at=at, eta=eta, rough=progress.rough or not last)


def _check_disk(needed: int, n_tokens: int, states: Path) -> None:
    """Raises UserError where the hidden states, `needed` bytes, do not fit on the disk; those already there count."""
    free = disk_free(states) + sum(path.stat().st_size for path in states.iterdir())
    if needed > free:
        raise UserError(
            f"The hidden states of {n_tokens:,} tokens take {needed / 1e9:.1f} GB on the disk, and "
            f"{free / 1e9:.1f} GB are free in {states.parent}; read fewer tokens, or choose another folder with "
            "ITDA_HOME."
        )
