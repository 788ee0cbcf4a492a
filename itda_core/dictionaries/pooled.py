"""A dictionary of a wanted size whose atoms are chosen after the text was read, from a sample of its activations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from itda_core.dictionaries.directions import centred
from itda_core.dictionaries.growth import LATEST, Growth, LayerProgress, Totals
from itda_core.dictionaries.learning import TooFewActivations, errors_without, learn
from itda_core.dictionaries.means import Means
from itda_core.dictionaries.pool import Pool, pool_room
from itda_core.dictionaries.sinks import sinks_in
from itda_core.errors import UserError
from itda_core.pursuit import gram_matrix, matching_pursuit, reconstruct
from itda_core.pursuit import relative_error as relative_errors

if TYPE_CHECKING:
    from itda_core.dictionaries.config import TrainConfig
    from itda_core.dictionaries.provenance import AtomLabel
    from itda_core.dictionaries.source import Site
    from itda_core.text.windows import TokenRef

MEMBERS = {"sampled": 1, "consensus": 8}  # at most so many activations make an atom
MEASURED = 16_384  # activations of the pool over which the error is told


class PooledGrowth(Growth):
    """`selection="sampled"`: every atom is one real activation; `"consensus"`: the normalised mean of up to eight.

    While the text is read, a uniform sample of its activations is held (Pool); `settle` then chooses `config.atoms`
    atoms from it (learning.learn). All chance comes from hashes of prefixes and the seed: the result depends neither on
    batches nor on interruptions, and two models that read one text draw the same prefixes. A label's `error` is what
    matching pursuit with all the other atoms leaves of its activation.
    """

    def __init__(self, site: Site, config: TrainConfig) -> None:
        super().__init__(site, config)
        assert config.atoms is not None, "checked by TrainConfig"
        self._wanted = config.atoms
        self._pool: Pool | None = None
        self._atoms: Tensor | None = None
        self._step, self._steps, self._error = 0, 0, 1.0

    @property
    def atoms(self) -> Tensor:
        """(n_atoms, d_model) float32. Only after `settle`."""
        assert self._atoms is not None, "nothing was chosen yet"
        return self._atoms

    @property
    def gram(self) -> Tensor | None:
        """atoms @ atoms.T (n_atoms, n_atoms) float32, where it fits."""
        return gram_matrix(self.atoms)

    @property
    def begun(self) -> bool:
        return self._pool is not None

    @property
    def full(self) -> bool:
        return False

    @property
    def step(self) -> tuple[int, int]:
        return self._step, self._steps

    def kept(self, totals: Totals) -> tuple[Tensor, list[AtomLabel]]:
        """The pool: activations (n_tokens, d_model) and labels."""
        assert self._pool is not None, "nothing was taken in yet"
        x, _, labels = self._pool.contents()
        return x, [replace(label, atom=row, order=row) for row, label in enumerate(labels)]

    def restore(self, kept: Tensor, mean: Tensor | None, labels: Sequence[AtomLabel], totals: Totals) -> None:
        self.mean, self.totals = mean, totals
        self._begin(kept.shape[1], kept.device).restore(labels, kept)

    def take(self, tokens: Sequence[TokenRef], x: Tensor) -> int:
        """Hold a sample of activations x (n_tokens, d_model) of `tokens`. Returns how many were looked at: all.

        Raises UserError when an activation has a NaN or an infinite entry.
        """
        pool = self._begin(x.shape[1], x.device) if self._pool is None else self._pool
        kept = (~sinks_in(x, self.sink_norm)).nonzero()[:, 0]
        read = centred(x[kept], self.mean)
        usable = read.any(dim=1)
        rows = kept[usable]
        pool.add([tokens[row] for row in rows.tolist()], read[usable])
        self.totals = self.totals._replace(
            judged=self.totals.judged + len(rows),
            skipped=self.totals.skipped + len(kept) - len(rows),
            sinks=self.totals.sinks + len(x) - len(kept),
        )
        return len(x)

    def settle(self) -> Iterator[None]:
        """Choose the atoms from what is held; yields after each step.

        Raises UserError when there are not as many different activations as atoms were wanted.
        """
        if self._pool is None or len(self._pool) == 0:
            return
        x, numbers, labels = self._pool.contents()
        means: Means | None = None
        try:
            for step in learn(x, numbers, self._wanted, self._config.k, MEMBERS[self._config.selection]):
                self._step, self._steps, self._error = step.step + 1, step.steps, step.relative_error
                means = step.means
                yield
        except TooFewActivations as few:
            raise UserError(
                f"{self._wanted:,} atoms were wanted, but the {self.totals.judged:,} tokens read at {self.site.name} "
                f"gave only {few.found:,} different directions; ask for at most that many atoms, or for more text."
            ) from None
        assert means is not None, "the last step has them"
        self._atoms = means.atoms
        self.labels = self._labelled(means, x, labels)
        part = x[:MEASURED]
        code = matching_pursuit(part, means.atoms, min(self._config.k, self._wanted))
        error = float(relative_errors(part, reconstruct(code, means.atoms)).double().mean())
        self.totals = self.totals._replace(atoms=self._wanted, error_sum=error * self.totals.judged)
        self.curve.add(self.totals.tokens, self.totals.atoms)

    def progress(self, left: int | None = None) -> LayerProgress:
        return LayerProgress(
            site=self.site_name,
            layer=self.site.layer,
            atoms=self.totals.atoms,
            relative_error=self._error,
            acceptance_rate=0.0,
            latest=tuple(self.labels[-LATEST:]),
            sinks=self.totals.sinks,
            predicted_atoms=self._wanted,
            step=self._step,
            steps=self._steps,
        )

    def _begin(self, width: int, device: torch.device) -> Pool:
        self._pool = Pool(pool_room(self._wanted), self._config.seed, width, device)
        return self._pool

    def _labelled(self, means: Means, x: Tensor, labels: Sequence[AtomLabel]) -> list[AtomLabel]:
        """The labels of all atoms, each atom's in the order in which its members were taken."""
        own, slot = (means.members >= 0).nonzero(as_tuple=True)
        rows = means.members[own, slot]
        unit = x[rows] / torch.linalg.vector_norm(x[rows], dim=1, keepdim=True)
        errors = errors_without(unit, own, means.atoms, self._config.k)
        return [
            replace(labels[row], atom=atom, order=atom, error=error)
            for row, atom, error in zip(rows.tolist(), own.tolist(), errors.tolist(), strict=True)
        ]
