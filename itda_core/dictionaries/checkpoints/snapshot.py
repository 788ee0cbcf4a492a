"""The position of a training: all it needs to go on from there, under the same settings or looser ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from itda_core.dictionaries.growing.growth import Totals
from itda_core.dictionaries.storage.description import TOTALS
from itda_core.dictionaries.storage.json_schema import Form, listed, number, optional, row, whole
from itda_core.errors import UserError

if TYPE_CHECKING:
    from itda_core.dictionaries.config import TrainConfig
    from itda_core.dictionaries.dictionary import AtomDictionary

_COUNT = whole()
# The fields of a Snapshot as JSON holds them, those of its stages and totals too.
SNAPSHOT: dict[str, Form] = {
    **dict.fromkeys(("windows", "whole", "skip", "tokens", "passes", "pass_begun", "special", "steps"), _COUNT),
    "seconds": number(0),
    "layers": listed(TOTALS),
    "stages": listed(
        row(optional(number()), optional(_COUNT), optional(_COUNT), _COUNT, _COUNT, listed(_COUNT)), most=1_000_000
    ),
}
_PLACE = ("windows", "whole", "skip", "tokens", "passes", "pass_begun", "special")


class Stage(NamedTuple):
    """A part of a training under one threshold and one limit of tokens and atoms."""

    threshold: float | None  # as configured
    atoms: int | None  # at most
    tokens: int | None  # of the text to read; None: all
    begun: int  # tokens read before it, over all passes
    passes: int  # in which reading of the text it began, 1 the first
    had: tuple[int, ...]  # atoms of each site before it

    @classmethod
    def of(cls, config: TrainConfig, snapshot: Snapshot) -> Stage:
        """The stage that begins at `snapshot` under `config`."""
        had = tuple(totals.atoms for totals in snapshot.layers)
        return cls(config.threshold, config.atoms, config.tokens, snapshot.tokens, snapshot.passes, had)

    def config(self, other: TrainConfig) -> TrainConfig:
        """`other` with this stage's threshold and limits."""
        return replace(other, threshold=self.threshold, atoms=self.atoms, tokens=self.tokens)


class Snapshot(NamedTuple):
    """Where a run stood at the end of a forward batch, or within the one that it needed in part only."""

    windows: int = 0  # of the corpus that have been read, all or in part
    whole: int = 0  # windows of this pass that were taken whole: the stream continues after them
    skip: int = 0  # tokens that were taken from the windows after those
    tokens: int = 0  # taken over all passes, special ones not counted
    passes: int = 1  # how often the text was begun
    pass_begun: int = 0  # tokens taken before this pass
    special: int = 0  # special tokens left out
    seconds: float = 0.0  # of work, over all sessions
    layers: tuple[Totals, ...] = ()
    stages: tuple[Stage, ...] = ()
    steps: int = 0  # of choosing atoms once the text is read, over all sites

    @property
    def tokens_of_pass(self) -> int:
        return self.tokens - self.pass_begun

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Snapshot:
        """The snapshot with these fields, which JSON has made into lists."""
        layers = tuple(Totals(*layer) for layer in values["layers"])
        stages = tuple(Stage(*stage[:-1], had=tuple(stage[-1])) for stage in values["stages"])
        return cls(**{**values, "layers": layers, "stages": stages})

    def record(self, layer: int) -> dict[str, Any]:
        """What the finished dictionary number `layer` keeps so that it can be extended: JSON-able."""
        return {**{name: getattr(self, name) for name in _PLACE}, "totals": list(self.layers[layer])}

    def stage_list(self, layer: int) -> list[dict[str, Any]]:
        """The stages as a dictionary's statistics hold them."""
        ends = [*(stage.begun for stage in self.stages[1:]), self.tokens]
        had = [*(stage.had[layer] for stage in self.stages[1:]), self.layers[layer].atoms]
        return [
            {
                "threshold": stage.threshold,
                "atoms": stage.atoms,
                "tokens": stage.tokens,
                "begun": stage.begun,
                "passes": stage.passes,
                "tokens_read": end - stage.begun,
                "atoms_before": stage.had[layer],
                "atoms_added": after - stage.had[layer],
            }
            for stage, end, after in zip(self.stages, ends, had, strict=True)
        ]


def snapshot_of(dictionaries: Sequence[AtomDictionary]) -> Snapshot:
    """The final snapshot of the training that gave `dictionaries`, one per layer, all from one run.

    Raises UserError when they do not record it, or do not come from one position in one stream.
    """
    records, stages = [], []
    for dictionary in dictionaries:
        try:
            record = dict(dictionary.stats["stream"])
            recorded = [dict(stage) for stage in dictionary.stats["stages"]]
            totals = Totals(*record.pop("totals"))
            had = [int(stage["atoms_before"]) for stage in recorded]
            own = [
                Stage(*(stage[name] for name in ("threshold", "atoms", "tokens", "begun", "passes")), had=())
                for stage in recorded
            ]
            place = Snapshot(**{name: record[name] for name in _PLACE}, seconds=float(dictionary.stats["seconds"]))
        except (KeyError, TypeError, ValueError):
            raise UserError(
                f"{dictionary!r} does not say where its training stopped (an earlier version of this program made it); "
                "train anew."
            ) from None
        records.append((place, totals))
        stages.append((own, had))
    if any(place._replace(seconds=0.0) != records[0][0]._replace(seconds=0.0) for place, _ in records) or any(
        own != stages[0][0] for own, _ in stages
    ):
        raise UserError(
            "These dictionaries stopped at different places of the text; go on with each in a training of its own."
        )
    joined = tuple(stage._replace(had=tuple(had[i] for _, had in stages)) for i, stage in enumerate(stages[0][0]))
    return records[0][0]._replace(layers=tuple(totals for _, totals in records), stages=joined)
