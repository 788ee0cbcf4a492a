"""What a training's worker reports, and how its curves stay short however long it runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from itda_core.dictionaries.training_stage import TrainingStage
from itda_core.files.dataclass_schema import Unfit
from itda_core.runs.jobs.status import JobStatus
from itda_core.runs.training.run import TrainedDictionary
from itda_core.runs.training.words import stage_words

if TYPE_CHECKING:
    from itda_core.dictionaries import AtomLabel, TrainProgress

MOST_POINTS = 400


@dataclass(frozen=True)
class Accepted:
    """A token whose activation has just become an atom, with the text around it."""

    token: str
    context_before: str
    context_after: str
    more: int = 0  # further places of the same atom


@dataclass(frozen=True)
class LayerStatus:
    """One layer's dictionary as it stands, and its two curves over `TrainingStatus.series_tokens`."""

    site: str
    layer: int | None
    atoms: int
    relative_error: float  # running mean, 0 to 1
    acceptance_rate: float  # of the last batches' tokens, how many became atoms; 0 to 1
    series_atoms: tuple[int, ...]
    series_relative_error: tuple[float, ...]
    latest: tuple[Accepted, ...]  # newest last
    sinks: int = 0  # tokens left out as attention sinks
    predicted_atoms: int | None = None  # atoms predicted for the end from the curve so far


@dataclass(frozen=True)
class LayerRounds:
    """How well the atoms of one layer did while they were chosen: a point for each round that is known."""

    site: str
    layer: int | None
    rounds: tuple[int, ...]  # ascending, from 1
    relative_error: tuple[float, ...]  # of the activations that the round looked at, before it; 0 to 1


@dataclass(frozen=True)
class TrainingStatus(JobStatus):
    """A training at one moment."""

    tokens_per_second: float = 0.0
    series_tokens: tuple[int, ...] = ()
    layers: tuple[LayerStatus, ...] = ()
    results: tuple[TrainedDictionary, ...] = ()
    stage: TrainingStage | None = None  # None: its step has told nothing yet
    rough: bool = False  # whether `eta` rests on a guess
    rounds: tuple[LayerRounds, ...] = ()
    text_ended: bool = False  # before as many tokens were read as were wanted
    full: bool = False  # whether the rest of the text was not read because no dictionary may have more atoms

    LATER: ClassVar[tuple[str, ...]] = ("stage", "rough", "rounds", "text_ended", "full")

    @property
    def fraction(self) -> float | None:
        """How much of the stage at hand is done, 0 to 1; None while that is not known. The last one may not be told."""
        if self.stage is not None:
            return 1.0 if self.state == "done" else self.stage.share
        read_all = self.total is not None and self.tokens >= self.total
        return None if read_all and self.state == "running" else super().fraction

    @property
    def begun(self) -> bool:
        """Blocks that a streamed text has passed are kept as well, before a token is judged."""
        return super().begun or (self.stage is not None and self.stage.name == "passing")

    @property
    def part(self) -> str:
        """The stage, and of which dictionary."""
        return self.step if self.stage is None else f"{self.stage.name} {self.stage.number}"

    def at_step(self, name: str) -> TrainingStatus:
        """This status as another part of the work begins, which tells nothing yet but its name."""
        return replace(self, step=name, stage=None, eta=None, rough=False)

    def following(self) -> Callable[[TrainingStatus, TrainProgress], TrainingStatus]:
        """A function that updates a status with a progress; its curves go on from those of this status."""
        curves = Curves(self)

        def at(status: TrainingStatus, progress: TrainProgress) -> TrainingStatus:
            if progress.stage.name == "passing" or any(layer.steps for layer in progress.layers):
                curves.clear()  # nothing grows while text passes a block, or is read by what chooses its atoms later
            elif progress.stage.name == "reading":
                curves.add(
                    progress.tokens, [(layer.atoms, round(layer.relative_error, 5)) for layer in progress.layers]
                )
            return with_progress(status, progress, curves.points())

        return at

    def _check(self) -> None:
        for i, layer in enumerate(self.layers):
            for name in ("series_atoms", "series_relative_error"):
                if len(getattr(layer, name)) != len(self.series_tokens):
                    raise Unfit(f"layers[{i}].{name}", "has not as many points as series_tokens")
        for i, chosen in enumerate(self.rounds):
            if len(chosen.rounds) != len(chosen.relative_error):
                raise Unfit(f"rounds[{i}].relative_error", "has not as many points as there are rounds")


class Point(NamedTuple):
    """One point of all layers' curves."""

    tokens: int
    layers: tuple[tuple[int, float], ...]  # per layer: atoms, relative error


class Curves:
    """The layers' curves at no more than MOST_POINTS points, evenly spread; the newest is always among them."""

    def __init__(self, status: TrainingStatus | None = None) -> None:
        """Go on from the curves of an earlier attempt, if one is given."""
        self._kept: list[Point] = []
        self._every = 1
        self._skipped = 0
        self._newest: Point | None = None
        if status is not None:
            for i, tokens in enumerate(status.series_tokens):
                values = ((layer.series_atoms[i], layer.series_relative_error[i]) for layer in status.layers)
                self._kept.append(Point(tokens, tuple(values)))

    def add(self, tokens: int, layers: Sequence[tuple[int, float]]) -> None:
        """One more point. A resumed run repeats what came after its checkpoint: its points replace the earlier ones."""
        point = Point(tokens, tuple(layers))
        while self._kept and (self._kept[-1].tokens >= tokens or len(self._kept[-1].layers) != len(layers)):
            self._kept.pop()
        self._newest = point
        self._skipped += 1
        if self._skipped >= self._every:
            self._skipped = 0
            self._kept.append(point)
        if len(self._kept) >= MOST_POINTS:
            del self._kept[1::2]
            self._every *= 2

    def clear(self) -> None:
        """Forget all points."""
        self._kept, self._every, self._skipped, self._newest = [], 1, 0, None

    def points(self) -> list[Point]:
        """The points that are kept, the oldest first, and the newest one."""
        newest = [self._newest] if self._newest and (not self._kept or self._kept[-1] is not self._newest) else []
        return self._kept + newest


def with_progress(status: TrainingStatus, progress: TrainProgress, points: Sequence[Point]) -> TrainingStatus:
    """`status` brought up to `progress`, with these curves."""
    layers = tuple(
        LayerStatus(
            site=layer.site,
            layer=layer.layer,
            atoms=layer.atoms,
            relative_error=layer.relative_error,
            acceptance_rate=layer.acceptance_rate,
            series_atoms=tuple(point.layers[i][0] for point in points),
            series_relative_error=tuple(point.layers[i][1] for point in points),
            latest=_accepted(layer.latest),
            sinks=layer.sinks,
            predicted_atoms=layer.predicted_atoms,
        )
        for i, layer in enumerate(progress.layers)
    )
    return replace(
        status,
        step=status.step if progress.done else stage_words(progress.stage),
        tokens=progress.tokens,
        total=progress.total,
        seconds=progress.seconds,
        tokens_per_second=progress.tokens_per_second,
        eta=progress.eta,
        series_tokens=tuple(point.tokens for point in points),
        layers=layers,
        stage=progress.stage,
        rough=progress.rough,
        rounds=with_round(status.rounds, progress),
        text_ended=progress.text_ended,
        full=progress.full,
    )


def _accepted(labels: Sequence[AtomLabel]) -> tuple[Accepted, ...]:
    """One for each atom, by its first place."""
    places: dict[int, list[AtomLabel]] = {}
    for label in labels:
        places.setdefault(label.atom, []).append(label)
    return tuple(
        Accepted(first.token, first.context_before, first.context_after, len(more)) for first, *more in places.values()
    )


def with_round(rounds: tuple[LayerRounds, ...], progress: TrainProgress) -> tuple[LayerRounds, ...]:
    """`rounds` with that which `progress` tells of. A resumed run takes rounds again: later ones are forgotten."""
    found = {(one.site, one.layer): one for one in rounds}
    choosing = progress.stage.name == "choosing"
    for layer in progress.layers if choosing else ():
        if layer.step:
            own = found.get((layer.site, layer.layer), LayerRounds(layer.site, layer.layer, (), ()))
            before = sum(number < layer.step for number in own.rounds)
            found[layer.site, layer.layer] = LayerRounds(
                layer.site,
                layer.layer,
                (*own.rounds[:before], layer.step),
                (*own.relative_error[:before], round(layer.relative_error, 5)),
            )
    return tuple(found.values())
