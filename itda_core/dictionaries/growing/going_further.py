"""Where a training goes on from, under looser settings or from the dictionaries that it ended with.

A run that is resumed, finished or not, may ask for more `tokens`, a lower `threshold` or more `atoms` than before
(selections config.EXTENDED; nothing else may differ). The dictionary so far is kept as it is, and the stream goes on
from where it stopped, under the new settings from there on. Where no text is left and the threshold is lower, or a
dictionary that was full has room again, the same tokens are read once more from the beginning, judged by the dictionary
as it stands. `stats["stages"]` tells each part, `stats["passes"]` how often the text was begun.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from itda_core.dictionaries.checkpoints.checkpoint import differences
from itda_core.dictionaries.checkpoints.snapshot import Snapshot, Stage, snapshot_of
from itda_core.dictionaries.config import LOOSENED
from itda_core.dictionaries.growing.growth import GrowthState
from itda_core.dictionaries.provenance import to_labels
from itda_core.errors import UserError

if TYPE_CHECKING:
    import torch

    from itda_core.dictionaries.config import TrainConfig
    from itda_core.dictionaries.dictionary import AtomDictionary
    from itda_core.dictionaries.growing.growth import Growth


class NewStage(NamedTuple):
    """A part of a run that has settings of its own."""

    start: Snapshot
    reads_again: bool  # whether the text is to be read once more where none is left


def next_stage(growths: Sequence[Growth], config: TrainConfig, now: Snapshot, stage: Stage) -> NewStage:
    """The stage that begins at `now` under `config`. Raises UserError when it asks for less than the one before."""
    old = now.stages[-1]
    widths = [growth.atoms.shape[1] for growth in growths if growth.begun]
    if less := config.asks_less_than(old.config(config), widths):
        raise UserError(
            f"The run cannot go on, because it had {'; '.join(less)}; ask for more tokens, a lower threshold or "
            "more atoms than before, or start anew."
        )
    lower = old.threshold != stage.threshold
    if lower:
        for growth in growths:
            growth.curve.restart()
    idle = len(now.stages) > 1 and old.begun == now.tokens  # nothing was read in it: it left no trace
    start = now._replace(stages=(*(now.stages[:-1] if idle else now.stages), stage))
    return NewStage(start, lower or any(old.atoms is not None and had >= old.atoms for had in stage.had))


def restore_from(
    dictionaries: Sequence[AtomDictionary], growths: Sequence[Growth], identity: Mapping[str, Any], device: torch.device
) -> Snapshot:
    """Bring `growths` to where the run stood that ended with `dictionaries`, one for each; returns where that was.

    identity: what the run must share with the one it goes on from. Raises UserError when that was another run.
    """
    assert len(dictionaries) == len(growths), "one dictionary per layer"
    snapshot = snapshot_of(dictionaries)
    own = {name: value for name, value in identity.items() if name != "sites"}
    for growth, dictionary, totals in zip(growths, dictionaries, snapshot.layers, strict=True):
        spec = dictionary.spec
        theirs = {
            "model": spec.weights_fingerprint,
            "tokenizer": spec.tokenizer_fingerprint,
            "corpus": spec.corpus_fingerprint,
            "config": {name: v for name, v in dictionary.config.to_dict().items() if name not in LOOSENED},
            **dictionary.stats["stream"].get("made", {}),
        }
        different = differences(theirs, own)
        if (spec.site, spec.layer) != (growth.site_name, growth.site.layer):
            different.append(f"site {spec.site} of layer {spec.layer}")
        if different:
            raise UserError(
                f"{dictionary!r} cannot be extended, because it had {'; '.join(different)}; use the same settings, "
                "or start anew."
            )
        growth.norm_median = dictionary.stats.get("norm_median")
        mean = dictionary.mean.to(device) if dictionary.config.centre else None
        growth.restore(GrowthState(dictionary.atoms.to(device), to_labels(dictionary.provenance)), mean, totals)
        growth.curve.add(totals.tokens, totals.atoms)
        growth.curve.restart()
    return snapshot
