"""What a training tells while it runs: its progress with the time that the whole will take, and how the text ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from itda_core.dictionaries.training_stage import TrainingStage
from itda_core.runs.costs.choosing import choosing_cost
from itda_core.runs.costs.machines import operations_per_second
from itda_core.runs.jobs.stopping import Interrupted
from itda_core.runs.machine import machine
from itda_core.runs.training.reports import Reports
from itda_core.runs.training.words import full_words, text_ended_words

if TYPE_CHECKING:
    from itda_core.dictionaries import AtomDictionary, TrainConfig, TrainProgress


class Teller:
    """Hands each progress on to those who listen; its `eta` is then that of the whole, stages to come included.

    What choosing atoms will take is a guess from its operations as long as none were chosen; a progress whose `eta`
    rests on a guess says so (`rough`).
    """

    def __init__(
        self,
        reports: Reports,
        config: TrainConfig,
        n_sites: int,
        d_model: int,
        device: str,
        expected: int | None = None,
    ) -> None:
        """n_sites: dictionaries that are grown in one pass over the text; device: a torch device.

        expected: about how many tokens will be read where no number was asked for, if that can be told.
        """
        self._expected = expected
        self.reports, self._config, self._n_sites, self._d_model = reports, config, n_sites, d_model
        _, self._fast = operations_per_second(machine(), device)
        self._last: TrainProgress | None = None
        self._ended_told = False
        self._full_told: set[int | None] = set()  # layers of dictionaries that are full, each first of its training
        self.around: Callable[[TrainProgress], TrainProgress] = lambda progress: progress
        # what makes of a dictionary's progress that of all, where they are grown one after the other

    def tell(self, progress: TrainProgress) -> None:
        """Hand `progress` on."""
        progress = self.around(self._whole(self._of_about(progress)))
        self._last = progress
        self._tell_full(progress)
        wanted, total = self._config.tokens, progress.total
        if progress.text_ended and wanted is not None and total is not None and not self._ended_told:
            self._ended_told = True
            self.reports.on_note(text_ended_words(wanted - (total - progress.tokens), wanted))
        self.reports.on_progress(progress)

    def _tell_full(self, progress: TrainProgress) -> None:
        """Say once that dictionaries are full, of each that is grown by itself."""
        first, wanted, total = progress.layers[0], self._config.tokens, progress.total
        if not progress.full or first.layer in self._full_told:
            return
        self._full_told.add(first.layer)
        read = progress.tokens if wanted is None or total is None else wanted - (total - progress.tokens)
        self.reports.on_note(full_words(first.atoms, read, wanted, [layer.layer for layer in progress.layers]))

    def tell_or_stop(self, progress: TrainProgress) -> None:
        """Hand `progress` on. Raises Interrupted where the training should stop, once there is something to keep."""
        self.tell(progress)
        if progress.stage.name != "ahead" and self.reports.should_stop():
            raise Interrupted(progress.tokens, progress.total)

    def each_saved(self, dictionaries: Sequence[AtomDictionary]) -> Iterator[AtomDictionary]:
        """Each of the dictionaries that were trained together, once it was told that it is being saved."""
        for number, dictionary in enumerate(dictionaries):
            if self._last is not None:
                layer, of = dictionary.spec.layer, len(dictionaries)
                at = TrainingStage("saving", number, of, layer, number + 1, of)
                self.tell(replace(self._last, at=at, eta=None, later=0.0, rough=False, done=False, dictionaries=()))
            yield dictionary

    def _of_about(self, progress: TrainProgress) -> TrainProgress:
        """`progress` with the share of a text that is read to its end; without, as soon as that is longer."""
        expected = self._expected
        if expected is None or progress.at is not None or progress.total is not None or progress.tokens >= expected:
            return progress
        eta, rate = progress.eta, progress.tokens_per_second
        if eta is None and rate > 0:
            eta = (expected - progress.tokens) / rate
        at = TrainingStage("reading", progress.tokens, expected, about=True)
        return replace(progress, at=at, eta=eta, rough=True)

    def _whole(self, progress: TrainProgress) -> TrainProgress:
        """`progress` with the seconds to go of the whole."""
        stage = progress.stage
        if progress.eta is None:
            if stage.name != "choosing":
                return progress
            share_left = (stage.of - stage.number + 1 - (stage.share or 0.0)) / stage.of
            return replace(progress, eta=share_left * self._choosing(progress), rough=True)
        eta, rough = progress.eta + progress.later, progress.rough
        if self._config.rule.sized and stage.name in ("ahead", "reading") and not progress.done:
            eta, rough = eta + self._choosing(progress), True
        return replace(progress, eta=eta, later=0.0, rough=rough)

    def _choosing(self, progress: TrainProgress) -> float:
        """About how many seconds it will take to choose the atoms, going by what this device may compute."""
        atoms = self._config.atoms
        assert atoms is not None, "these selections have a size"
        tokens = max(progress.tokens, progress.total or 0)
        return choosing_cost(self._config, self._d_model, self._n_sites, atoms, tokens).operations / self._fast


class BlockTimes:
    """How long a streamed training will take: blocks that the text passes, dictionaries that are grown between."""

    def __init__(self, n_sites: int) -> None:
        """n_sites: dictionaries that are still to be grown."""
        self._sites_left = n_sites
        self._passing = self._passed = 0.0  # seconds, and blocks that were passed in them
        self._growing, self._grown = 0.0, 0  # seconds, and dictionaries
        self._to_pass = 0.0
        self._since = time.monotonic()

    def passed(self, to_pass: float) -> None:
        """So many blocks are still to be passed, the one at hand in part."""
        now = time.monotonic()
        if self._to_pass > to_pass:
            self._passing += now - self._since
            self._passed += self._to_pass - to_pass
        self._to_pass, self._since = to_pass, now

    def grown(self, seconds: float) -> None:
        """One more dictionary is there, after so many seconds; the next block begins to be passed."""
        self._growing, self._grown = self._growing + seconds, self._grown + 1
        self._sites_left -= 1
        self._since = time.monotonic()

    def left(self, growing: float | None = None) -> float | None:
        """Seconds of blocks, and of the dictionaries that were not begun; None where no block was timed.

        growing: seconds that the dictionary at hand will have taken; None: none is at hand.
        """
        if self._to_pass and not self._passed:
            return None
        each = self._growing / self._grown if self._grown else growing or 0.0
        blocks = self._to_pass * self._passing / self._passed if self._passed else 0.0
        return blocks + each * (self._sites_left - (growing is not None))
