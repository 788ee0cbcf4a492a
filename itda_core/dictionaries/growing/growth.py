"""One site's dictionary while it grows."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from itda_core.dictionaries.choosing.pace import WorkLeft
from itda_core.dictionaries.config import TrainConfig
from itda_core.dictionaries.growing.predicted_size import GrowthCurve
from itda_core.dictionaries.growing.sequential import Judged, ThresholdSelection
from itda_core.dictionaries.growing.sinks import sinks_in
from itda_core.dictionaries.provenance import AtomLabel, to_labels
from itda_core.dictionaries.selections import TABLE

if TYPE_CHECKING:
    from itda_core.dictionaries.activation_source import Site
    from itda_core.dictionaries.dictionary import AtomDictionary
    from itda_core.text.windows import TokenRef

RULES: dict[str, type[ThresholdSelection]] = {one.name: resolve_name(one.judge) for one in TABLE if one.judge}
RECENT_TOKENS = 4096  # over which running means are taken
LATEST = 5  # atoms a progress shows


@dataclass(frozen=True)
class LayerProgress:
    """One site's dictionary as it stands."""

    site: str  # "resid_post" and its like, or a module path
    layer: int | None
    atoms: int
    relative_error: float  # running mean over the last RECENT_TOKENS tokens or so, 0 to 1; 1 before the first
    acceptance_rate: float  # of the same tokens, how many became atoms, 0 to 1
    latest: tuple[AtomLabel, ...]  # the last few atoms, newest last
    sinks: int = 0  # tokens left out so far as attention sinks
    predicted_atoms: int | None = None  # at the end, by the curve so far; None while the curve is too short
    step: int = 0  # of choosing atoms once the text is read, for the selections that do; 0: not begun
    steps: int = 0


class Totals(NamedTuple):
    """What a site's dictionary had taken in at the end of a forward batch."""

    atoms: int = 0
    judged: int = 0  # tokens
    skipped: int = 0  # tokens whose activation was zero
    error_sum: float = 0.0  # of the relative errors of all judged tokens, each before it could enter
    sinks: int = 0  # tokens left out because of their norm

    @property
    def tokens(self) -> int:
        """Tokens looked at: judged, skipped or left out."""
        return self.judged + self.skipped + self.sinks


class GrowthState(NamedTuple):
    """What a later session needs to go on."""

    labelled: Tensor  # (n_rows, d_model): atoms, or activations that may become some
    labels: list[AtomLabel]  # of its rows, at least one for each
    more: dict[str, Tensor] = {}  # noqa: RUF012 (never changed)
    facts: dict[str, Any] = {}  # noqa: RUF012 (JSON-able, never changed)


def untold(_done: int, _total: int) -> None:
    """Nobody listens."""


class Growth:
    """A selection with the labels of what it accepted, and the totals of what it judged."""

    def __init__(
        self, site: Site, config: TrainConfig, initial: AtomDictionary | None = None, folder: Path | None = None
    ) -> None:
        """initial: whose atoms and labels it begins with, and whose mean it takes over if it is centred; folder: where
        what is held may lie, for growths that hold activations.
        """
        self.site, self.initial = site, initial
        self.totals = Totals() if initial is None else Totals(atoms=len(initial))
        self.mean: Tensor | None = initial.mean if initial is not None and config.centre else None
        self.norm_median: float | None = None  # of the site; None: not known, or nothing is left out for its norm
        self.labels: list[AtomLabel] = [] if initial is None else to_labels(initial.provenance)
        self._more_labels = len(self.labels) - self.totals.atoms  # initial atoms may have several labels
        self.curve = GrowthCurve()
        self._config = config
        self._selection: ThresholdSelection | None = None
        self._recent: deque[tuple[int, int, float]] = deque()  # tokens, atoms, error sum of each recent batch

    @property
    def site_name(self) -> str:
        """How dictionaries and lists name the site: its kind, or the module path."""
        return self.site.module or self.site.kind

    @property
    def atoms(self) -> Tensor:
        """(n_atoms, d_model) float32, a copy. Only after the first activation or `restore`."""
        assert self._selection is not None, "nothing was taken in yet"
        return self._selection.atoms

    @property
    def gram(self) -> Tensor | None:
        """atoms @ atoms.T (n_atoms, n_atoms) float32 as it grew, a copy; None: not at hand."""
        assert self._selection is not None, "nothing was taken in yet"
        return self._selection.gram

    @property
    def begun(self) -> bool:
        """Whether an activation was taken in."""
        return self._selection is not None

    @property
    def full(self) -> bool:
        return self._selection is not None and self._selection.full

    @property
    def _count(self) -> int:
        """Atoms so far."""
        return len(self.labels) - self._more_labels

    @property
    def sink_norm(self) -> float | None:
        """Activations longer than this are left out; None: none is."""
        sinks, median = self._config.sinks, self.norm_median
        return None if sinks is None or median is None else sinks * median

    def kept(self, totals: Totals) -> GrowthState:
        """What a later session needs to go on from `totals`: the atoms and a label of each."""
        return GrowthState(self.atoms[: totals.atoms], self.labels[: totals.atoms + self._more_labels])

    @property
    def step(self) -> tuple[int, int]:
        """How many steps `settle` has taken, and how many it takes."""
        return 0, 0

    @property
    def left(self) -> WorkLeft:
        """What `settle` has still to do, as the text stands that was read so far."""
        return WorkLeft()

    def settle(self, on_labels: Callable[[int, int], None] = untold) -> Iterator[None]:
        """Choose atoms once the text is read, if the selection does; yields after each step.

        on_labels: told of how many labels in all some are found, while they are looked for behind the last step.
        """
        return iter(())

    def release(self) -> None:
        """Give up what only `settle` needed, once it has ended."""

    def sync(self) -> None:
        """Bring to the disk what `kept` only names."""

    def tidy(self) -> None:
        """Remove from the disk what `kept` does not name any more."""

    def restore(self, kept: GrowthState, mean: Tensor | None, totals: Totals) -> None:
        """Go on from what was `kept`; mean: (d_model,)."""
        self.mean, self.labels, self.totals = mean, list(kept.labels), totals
        self._begin(kept.labelled).restore(kept.labelled)

    def take(self, tokens: Sequence[TokenRef], x: Tensor) -> int:
        """Judge one forward batch: activations x (n_tokens, d_model) of `tokens`.

        Returns how many were looked at: all, unless the dictionary is full. Attention sinks are passed over.
        """
        sinks = sinks_in(x, self.sink_norm)
        kept = (~sinks).nonzero()[:, 0].tolist()
        x = x if len(kept) == len(x) else x[~sinks]
        selection = self._selection
        if selection is None:
            selection = self._begin(x)
            if self.initial is not None:
                selection.restore(self.initial.atoms.to(x.device))
        judged = selection.judge(x) if kept else Judged(torch.zeros(0), [], 0, 0)
        for row, error in judged.accepted:
            self.labels.append(AtomLabel.of(tokens[kept[row]], self._count, error))
        if len(kept) == len(sinks):
            rows = judged.rows
        elif selection.full:
            rows = kept[judged.rows - 1] + 1 if judged.rows else 0
        else:
            rows = len(sinks)
        error_sum = float(judged.errors.sum())
        self.totals = Totals(
            self._count,
            self.totals.judged + len(judged.errors),
            self.totals.skipped + judged.skipped,
            self.totals.error_sum + error_sum,
            self.totals.sinks + int(sinks[:rows].sum()),
        )
        self.curve.add(self.totals.tokens, self.totals.atoms)
        if len(judged.errors):
            self._recent.append((len(judged.errors), len(judged.accepted), error_sum))
            while sum(tokens for tokens, _, _ in self._recent) - self._recent[0][0] >= RECENT_TOKENS:
                self._recent.popleft()
        return rows

    def _begin(self, x: Tensor) -> ThresholdSelection:
        """A selection for activations like x (n_tokens, d_model)."""
        self._selection = selection = RULES[self._config.selection](self._config, x.shape[1], x.device, self.mean)
        return selection

    def progress(self, left: int | None = None) -> LayerProgress:
        """left: tokens of the text still to come; None: not known."""
        tokens = sum(tokens for tokens, _, _ in self._recent)
        return LayerProgress(
            site=self.site_name,
            layer=self.site.layer,
            atoms=self._count,
            relative_error=sum(error for _, _, error in self._recent) / tokens if tokens else 1.0,
            acceptance_rate=sum(atoms for _, atoms, _ in self._recent) / tokens if tokens else 0.0,
            latest=latest_of(self.labels),
            sinks=self.totals.sinks,
            predicted_atoms=self.curve.predict(None if left is None else self.totals.tokens + left, self._config.atoms),
        )


def latest_of(labels: Sequence[AtomLabel]) -> tuple[AtomLabel, ...]:
    """All labels of the last LATEST atoms; those of one atom stand together."""
    atoms: set[int] = set()
    for at in range(len(labels) - 1, -1, -1):
        atoms.add(labels[at].atom)
        if len(atoms) > LATEST:
            return tuple(labels[at + 1 :])
    return tuple(labels)
