"""Going further from a finished training: which limits are possible is checked before anything is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from itda_core.dictionaries.config import LOOSENED, TrainConfig
from itda_core.dictionaries.storage.description import read_description
from itda_core.errors import UserError
from itda_core.models.spec import DTYPES, ModelSpec
from itda_core.runs.library import LibraryEntry
from itda_core.runs.training.request import TrainRequest

if TYPE_CHECKING:
    from itda_core.dictionaries import AtomDictionary


class Reached(NamedTuple):
    """Where a finished training stopped."""

    tokens: int  # read of its text
    atoms: int  # of its smallest dictionary

    @classmethod
    def of(cls, dictionaries: Sequence[AtomDictionary]) -> Reached:
        """Where the training of these stopped, which are all that it ended with and say so."""
        return cls(dictionaries[0].stats["stream"]["tokens"], min(map(len, dictionaries)))

    def check_full(self, config: TrainConfig) -> None:
        """Raises UserError where a training of `config` that goes on from here could add no atom."""
        if config.atoms is None or self.atoms < config.atoms:
            return
        raise UserError(
            f"The dictionary has its {self.atoms:,} atoms, so no more text would be read; ask for more atoms, or set "
            "no limit.",
            field="atoms",
        )

    def read(self, config: TrainConfig) -> int | None:
        """Tokens that a training of `config` had read when it stopped here; None: all of the text."""
        if config.tokens is None:
            return self.tokens if config.atoms is not None and self.atoms >= config.atoms else None
        return min(self.tokens, config.tokens)  # a text that was read again counts each time


def check_extended(config: TrainConfig) -> None:
    """Raises UserError when a training of `config` can never go further, whatever it is asked for."""
    if not config.rule.extends:
        raise UserError(
            f"A dictionary of the selection {config.selection} cannot go further, because its atoms were chosen "
            "together from all that was read; start a new training with the atoms and tokens you want."
        )


def further(
    earlier: TrainRequest,
    *,
    tokens: int | None,
    threshold: float | None,
    atoms: int | None,
    d_model: int | None = None,
    reached: Reached | None = None,
) -> TrainRequest:
    """`earlier` with other limits, as a training that can go on from what it ended with.

    - `tokens` to read in all (None: the whole text), `threshold` in the selection's unit (None: its default), `atoms`
      at most (None: no limit);
    - `d_model`: width of the activations, where it is known; a default threshold of selection="paper" depends on it;
    - `reached`: where `earlier` stopped, if that is known.

    Raises UserError for a selection that cannot go further, for limits that would undo something, for as many atoms as
    all its dictionaries have, and for an impossible threshold.
    """
    check_extended(earlier.config)
    config = replace(earlier.config, tokens=tokens, threshold=threshold, atoms=atoms)
    if less := config.asks_less_than(earlier.config, () if d_model is None else (d_model,)):
        raise UserError(
            f"The training had {', '.join(less)}, and what it has done is kept; ask for no fewer tokens or atoms and "
            "no higher threshold than it had, or start a new training.",
            field=less[0].partition(" ")[0],
        )
    if reached is not None:
        reached.check_full(config)
    return replace(earlier, config=config)


def asks_more(later: TrainConfig, earlier: TrainConfig, d_model: int | None = None) -> bool:
    """Whether there is anything for a training of `later` to do that has gone on from one of `earlier`."""
    return any(getattr(later, name) != getattr(earlier, name) for name in LOOSENED if name != "threshold") or (
        _threshold(later, d_model) != _threshold(earlier, d_model)
    )


def _threshold(config: TrainConfig, d_model: int | None) -> float | None:
    return config.threshold if d_model is None else config.threshold_for(d_model)


def reached_by(entry: LibraryEntry) -> Reached:
    """Where the training of `entry` stopped, of which `request_of` gives the request. Raises UserError where it does
    not say so.
    """
    stream = read_description(entry.path)["stats"].get("stream")
    tokens = stream.get("tokens") if isinstance(stream, dict) else None
    if not isinstance(tokens, int):
        raise _untold(entry)
    return Reached(tokens, entry.atoms or 0)


def request_of(entry: LibraryEntry) -> TrainRequest:
    """The training that `entry` of the library came from, of its layer alone.

    A corpus file is named as in the dictionary, without its folder. Raises UserError for a dictionary that no training
    can go on from: a bundled or a damaged one, or one that does not say where its training stopped.
    """
    if entry.problem is not None:
        raise UserError(entry.problem)
    if entry.bundled:
        raise UserError(f"{entry.name} is bundled and stays as it is; train a dictionary of your own.")
    saved = read_description(entry.path)
    spec, stream = saved["spec"], saved["stats"].get("stream")
    if not isinstance(stream, dict) or entry.layer is None:
        raise _untold(entry)
    dtype = str(stream.get("made", {}).get("dtype", "")).removeprefix("torch.")
    model = ModelSpec(spec["model"], spec["revision"], dtype=dtype if dtype in DTYPES else "auto")
    return TrainRequest(
        model, (entry.layer,), spec["corpus"], TrainConfig.from_dict({"sinks": None, **saved["config"]}), spec["site"]
    )


def _untold(entry: LibraryEntry) -> UserError:
    return UserError(f"{entry.name} does not say where its training stopped; start a new training.")
