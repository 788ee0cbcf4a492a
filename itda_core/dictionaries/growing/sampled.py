"""A dictionary of a wanted size whose atoms are chosen after the text was read, from a sample of its activations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from itda_core.dictionaries.choosing.directions import centred
from itda_core.dictionaries.choosing.first_atoms import TooFewActivations
from itda_core.dictionaries.choosing.learning import STEPS, Choosing, errors_without, labelling_work, learn, round_work
from itda_core.dictionaries.choosing.means import Means
from itda_core.dictionaries.choosing.pace import WorkLeft
from itda_core.dictionaries.choosing.reservoir import Reservoir, reservoir_room
from itda_core.dictionaries.growing.growth import Growth, GrowthState, LayerProgress, Totals, latest_of, untold
from itda_core.dictionaries.growing.sinks import sinks_in
from itda_core.dictionaries.selections import TABLE
from itda_core.errors import UserError
from itda_core.pursuit import matching_pursuit, reconstruct
from itda_core.pursuit import relative_error as relative_errors

if TYPE_CHECKING:
    from itda_core.dictionaries.activation_source import Site
    from itda_core.dictionaries.config import TrainConfig
    from itda_core.dictionaries.dictionary import AtomDictionary
    from itda_core.dictionaries.provenance import AtomLabel
    from itda_core.text.windows import TokenRef

MEMBERS = {one.name: one.members for one in TABLE if one.sized}  # at most so many activations make an atom
_SEGMENTS = "segments"
_ENDED = {"step", "relative_error"}  # what is kept of a Choosing that has ended
MEASURED = 16_384  # activations of the reservoir over which the error is measured


class SampledGrowth(Growth):
    """`selection="sampled"`: every atom is one real activation; `"consensus"`: the normalised mean of up to eight.

    While the text is read, a uniform sample of its activations is held (Reservoir); `settle` then chooses
    `config.atoms` atoms from it (learning.learn). All chance comes from hashes of prefixes and the seed: two models
    that read one text draw the same prefixes, and from the same activations the result depends neither on batches nor
    on interruptions. (Another processor, or other batches of a real model, round otherwise, and a draw may then fall on
    another activation.) A label's `error` is what matching pursuit with all the other atoms leaves of its activation.

    With a `folder`, most of what is held lies there, and so do the activations while atoms are chosen from them.
    """

    def __init__(
        self, site: Site, config: TrainConfig, initial: AtomDictionary | None = None, folder: Path | None = None
    ) -> None:
        assert initial is None, "checked by initial.placed"
        super().__init__(site, config)
        assert config.atoms is not None, "checked by TrainConfig"
        self._wanted, self._folder = config.atoms, folder
        self._reservoir: Reservoir | None = None
        self._choosing: Choosing | None = None  # None: not begun
        self._atoms: Tensor | None = None
        self._labelled_share = 0.0  # of the labels, how many were found

    @property
    def atoms(self) -> Tensor:
        """(n_atoms, d_model) float32. Only after `settle`."""
        assert self._atoms is not None, "nothing was chosen yet"
        return self._atoms

    @property
    def gram(self) -> Tensor | None:
        """Not at hand: choosing needs none of the atoms it ends with."""
        return None

    @property
    def begun(self) -> bool:
        return self._reservoir is not None or self._atoms is not None

    @property
    def full(self) -> bool:
        return False

    @property
    def step(self) -> tuple[int, int]:
        return (0 if self._choosing is None else self._choosing.step), STEPS

    @property
    def left(self) -> WorkLeft:
        """See `Growth.left`; an atom is taken to have as many labels as it may have."""
        if self._atoms is not None or self._reservoir is None:
            return WorkLeft()
        held = min(len(self._reservoir), reservoir_room(self._wanted))
        labels = min(self._wanted * self._config.rule.members, held)
        return WorkLeft(
            sum(round_work(self._wanted, held)[self.step[0] :]),
            labelling_work(labels, self._config.k) * (1 - self._labelled_share),
        )

    def kept(self, totals: Totals) -> GrowthState:
        """The chosen atoms; before these exist, what the reservoir holds in memory and the state of choosing."""
        more: dict[str, Tensor] = {}
        facts: dict[str, Any] = {}
        if self._choosing is not None:
            state = self._choosing._asdict()
            more = {name: value for name, value in state.items() if isinstance(value, Tensor)}
            facts = {name: value for name, value in state.items() if name not in more}
        if totals.atoms:
            return GrowthState(self.atoms, self.labels, facts=facts)
        assert self._reservoir is not None, "nothing was taken in yet"
        x, labels = self._reservoir.tail
        labels = [replace(label, atom=row, order=row) for row, label in enumerate(labels)]
        return GrowthState(x, labels, more, {**facts, _SEGMENTS: self._reservoir.segments})

    def restore(self, kept: GrowthState, mean: Tensor | None, totals: Totals) -> None:
        """See `Growth.restore`. Raises UserError when the checkpoint is damaged."""
        self.mean, self.totals = mean, totals
        facts = dict(kept.facts)
        segments = facts.pop(_SEGMENTS, ())
        begun = totals.atoms or facts or kept.more
        if begun and set(facts) | set(kept.more) != (_ENDED if totals.atoms else set(Choosing._fields)):
            raise UserError("The checkpoint is damaged (where the choice of atoms stands); start the training anew.")
        if totals.atoms:
            self._atoms, self.labels, self._choosing = kept.labelled, list(kept.labels), Choosing.ended(**facts)
        else:
            self._choosing = Choosing(**kept.more, **facts) if facts else None
            self._begin(kept.labelled.shape[1], kept.labelled.device).restore(kept.labels, kept.labelled, segments)

    def release(self) -> None:
        """See `Growth.release`: the reservoir is given up."""
        if self._reservoir is not None:
            self._reservoir.clear()
        self._reservoir = None
        if self._choosing is not None:
            self._choosing = Choosing.ended(self._choosing.step, self._choosing.relative_error)

    def sync(self) -> None:
        """See `Growth.sync`."""
        if self._reservoir is not None:
            self._reservoir.sync()

    def tidy(self) -> None:
        """See `Growth.tidy`."""
        if self._reservoir is not None:
            self._reservoir.tidy()

    def take(self, tokens: Sequence[TokenRef], x: Tensor) -> int:
        """Hold a sample of activations x (n_tokens, d_model) of `tokens`. Returns how many were looked at: all.

        Raises UserError when an activation has a NaN or an infinite entry.
        """
        if self._reservoir is None:
            self._begin(x.shape[1], x.device).tidy()
        assert self._reservoir is not None, "just begun"
        kept = (~sinks_in(x, self.sink_norm)).nonzero()[:, 0]
        read = centred(x[kept], self.mean)
        usable = read.any(dim=1)
        rows = kept[usable]
        self._reservoir.add([tokens[row] for row in rows.tolist()], read[usable])
        self.totals = self.totals._replace(
            judged=self.totals.judged + len(rows),
            skipped=self.totals.skipped + len(kept) - len(rows),
            sinks=self.totals.sinks + len(x) - len(kept),
        )
        return len(x)

    def settle(self, on_labels: Callable[[int, int], None] = untold) -> Iterator[None]:
        """Choose the atoms from what is held; yields after each step. See `Growth.settle`.

        Raises UserError when there are not as many different activations as atoms were wanted.
        """
        if self._atoms is not None or self._reservoir is None or len(self._reservoir) == 0:
            return
        reservoir, members = self._reservoir, self._config.rule.members
        x, numbers = reservoir.ordered()
        means: Means | None = None
        try:
            for step in learn(
                x, numbers, self._wanted, self._config.k, members, room_for=reservoir.room_for, begun=self._choosing
            ):
                self._choosing, means = step.choosing, step.means
                yield
        except TooFewActivations as few:
            raise UserError(
                f"{self._wanted:,} atoms were wanted, but the {self.totals.judged:,} tokens read at {self.site.name} "
                f"gave only {few.found:,} different directions; ask for at most that many atoms, or for more text."
            ) from None
        assert means is not None, "the last step has them"

        def labelled(done: int, total: int) -> None:
            self._labelled_share = done / total
            on_labels(done, total)

        labels = self._labelled(means, x, reservoir, labelled)
        part = x[:MEASURED]
        code = matching_pursuit(part, means.atoms, min(self._config.k, self._wanted))
        error = float(relative_errors(part, reconstruct(code, means.atoms)).double().mean())
        self._atoms, self.labels = means.atoms, labels
        self.totals = self.totals._replace(atoms=self._wanted, error_sum=error * self.totals.judged)
        self.curve.add(self.totals.tokens, self.totals.atoms)
        labelled(len(labels), len(labels))

    def progress(self, left: int | None = None) -> LayerProgress:
        """See `Growth.progress`; before atoms are chosen none are counted, and the error is not known (1)."""
        return LayerProgress(
            site=self.site_name,
            layer=self.site.layer,
            atoms=self.totals.atoms,
            relative_error=1.0 if self._choosing is None else self._choosing.relative_error,
            acceptance_rate=0.0,
            latest=latest_of(self.labels),
            sinks=self.totals.sinks,
            predicted_atoms=self._wanted,
            step=self.step[0],
            steps=self.step[1],
        )

    def _begin(self, width: int, device: torch.device) -> Reservoir:
        self._reservoir = Reservoir(reservoir_room(self._wanted), self._config.seed, width, device, self._folder)
        return self._reservoir

    def _labelled(
        self, means: Means, x: Tensor, reservoir: Reservoir, on_labels: Callable[[int, int], None]
    ) -> list[AtomLabel]:
        """The labels of all atoms, each atom's in the order in which its members were taken."""
        own, slot = (means.members >= 0).nonzero(as_tuple=True)
        rows = means.members[own, slot]
        unit = x[rows]
        unit /= torch.linalg.vector_norm(unit, dim=1, keepdim=True)
        errors = errors_without(unit, own, means.atoms, self._config.k, on_labels)
        return [
            replace(label, atom=atom, order=atom, error=error)
            for label, atom, error in zip(reservoir.labels(rows), own.tolist(), errors.tolist(), strict=True)
        ]
