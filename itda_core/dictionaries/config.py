"""How a dictionary is to be grown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from itda_core.arguments import plain
from itda_core.dictionaries.selections import NAMES as SELECTIONS
from itda_core.dictionaries.selections import TABLE, Selection, selection_named
from itda_core.dictionaries.threshold import RELATIVE_ERROR, check_threshold, default_threshold
from itda_core.errors import UserError, about
from itda_core.files.dataclass_schema import LARGEST
from itda_core.pursuit.methods import NAMES as METHODS
from itda_core.pursuit.methods import method_named

SIZED = tuple(one.name for one in TABLE if one.sized)  # the selections that end with a wanted number of atoms
WINDOWS = ("all", "first")
LOOSENED = ("tokens", "threshold", "atoms")  # what a training that goes on may have otherwise, see `asks_less_than`
EXTENDED = tuple(one.name for one in TABLE if one.extends)  # the selections that can
MOST_K = 65_536  # atoms per token; no model is as wide
SINKS = 10.0  # medians; the sinks of real models reach tens to hundreds, other tokens of a residual stream below four


@dataclass(frozen=True)
class TrainConfig:
    """Settings of one training. Raises UserError for values that cannot work, before any work starts.

    Without a threshold, "sequential" takes RELATIVE_ERROR. What "paper" takes depends on the model's width, see
    `threshold_for`; until then `threshold` stays None. What else differs between selections is in selections.TABLE.
    """

    k: int = 40  # atoms per token
    method: str = "mp"  # the pursuit that judges: one of METHODS
    selection: str = "sequential"  # how atoms are selected: one of SELECTIONS
    threshold: float | None = None  # the error above which an activation becomes an atom: relative squared error,
    # 0 to 1; for "paper" 2 (1 - cosine) / d_model; none for SIZED
    atoms: int | None = None  # stop growing at this many, None: no limit; for SIZED how many there will be
    centre: bool = False  # subtract the mean of the first tokens of the stream
    tokens: int | None = None  # tokens to read, special ones not counted; None: the whole corpus
    context: int = 128  # tokens per window, special ones counted
    windows: str = "all"  # "all" windows of a document or the "first"
    seed: int = 0  # of selections that draw at random; sequential selection draws nothing
    sinks: float | None = SINKS  # leave out tokens whose norm is above so many medians of the site; None or 0: none

    def __post_init__(self) -> None:
        for field in fields(self):
            object.__setattr__(self, field.name, plain(getattr(self, field.name)))  # frozen; NumPy's are taken as well
        _check_whole("k", self.k, 1, "the number of atoms per token, for example 40")
        _check_whole("context", self.context, 1, "the tokens per window, for example 128")
        _check_whole("seed", self.seed, 0, "the seed, for example 0")
        if self.atoms is not None:
            _check_whole("atoms", self.atoms, 1, "the number of atoms wanted, or leave it out for no limit")
        if self.tokens is not None:
            _check_whole("tokens", self.tokens, 1, "the number of tokens to read, or leave it out for the whole corpus")
        check_choice("method", self.method, METHODS)
        check_choice("selection", self.selection, SELECTIONS)
        check_choice("windows", self.windows, WINDOWS)
        if not isinstance(self.centre, bool):
            raise UserError(f"centre={self.centre!r} is neither true nor false; give one of the two.", field="centre")
        with about("sinks"):
            self._check_sinks()
        if self.k > MOST_K:
            raise UserError(
                f"k={self.k} atoms per token are more than fit into memory; give at most {MOST_K}.", field="k"
            )
        with about("method"):
            self._check_method()
        with about("threshold"):
            if self.rule.sized:
                self._check_sized()
            elif self.rule.by_width:
                self._check_published_error()
            else:
                self._check_relative_error()

    @property
    def rule(self) -> Selection:
        """How the selection differs from others."""
        return selection_named(self.selection)

    def threshold_for(self, d_model: int) -> float | None:
        """The threshold at a site of that width, in the selection's unit; the default where none was given.

        None for the selections that know none (SIZED).

        Raises UserError where `selection="paper"` could add no atom with it (threshold.check_threshold).
        """
        if self.rule.sized:
            return None
        if self.threshold is None:
            return default_threshold(d_model)
        if self.rule.by_width:
            check_threshold(self.threshold, d_model)
        return self.threshold

    def check_width(self, d_model: int) -> None:
        """Raises UserError where activations of that width cannot be decomposed so: by its k, or its threshold."""
        self.check_k(d_model)
        with about("threshold"):
            self.threshold_for(d_model)

    def check_k(self, d_model: int) -> None:
        """Raises UserError for more atoms per token than an activation of that width has dimensions."""
        if self.k > d_model:
            raise UserError(
                f"k={self.k:,} atoms per token are more than an activation's {d_model:,} dimensions; give at most "
                f"{d_model:,}, for example {max(1, min(TrainConfig.k, d_model // 8))}.",
                field="k",
            )

    def check_context(self, model: str, limit: int) -> None:
        """Raises UserError where windows would be longer than the `limit` tokens that the model reads at once."""
        if self.context > limit:
            raise UserError(
                f"context={self.context} is longer than the {limit} tokens {model} can read; choose at most {limit}.",
                field="context",
            )

    def goes_on_from(self, earlier: TrainConfig) -> bool:
        """Whether a training of `earlier` may be continued by one of this: at most LOOSENED may differ."""
        if not self.rule.extends:
            return self == earlier
        return replace(self, **{name: getattr(earlier, name) for name in LOOSENED}) == earlier

    def asks_less_than(self, earlier: TrainConfig, widths: Sequence[int] = ()) -> list[str]:
        """In which of LOOSENED this is stricter than `earlier`, so that it cannot go on from it, in words.

        widths: d_model of each site, as far as known; a threshold that was left out depends on it.
        """
        found = []
        for name in ("tokens", "atoms"):
            was, now = getattr(earlier, name), getattr(self, name)
            if now is not None and (was is None or now < was):
                found.append(f"{name} {was} and not {now}")
        if self.threshold is None or earlier.threshold is None:
            higher = any(
                now is not None and was is not None and now > was
                for now, was in ((self.threshold_for(width), earlier.threshold_for(width)) for width in widths)
            )
        else:
            higher = self.threshold > earlier.threshold
        return [*found, f"threshold {earlier.threshold} and not {self.threshold}"] if higher else found

    def _check_sinks(self) -> None:
        value = self.sinks
        if self.rule.keeps_sinks:
            if value not in (None, 0, SINKS):
                raise UserError(
                    f"sinks={value} does not go with selection={self.selection!r}, because the published code leaves "
                    "no token out; leave it out, or choose selection='sequential'."
                )
            value = None
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
            raise UserError(f"sinks={value!r} is not a number; give a multiple of the median norm, for example 10.")
        if value and not 1 < value < math.inf:
            raise UserError(
                f"sinks={value:g} would leave out ordinary tokens or none; give a multiple of the median norm above 1, "
                "for example 10, or 0 to leave out nothing."
            )
        object.__setattr__(self, "sinks", float(value) if value else None)  # frozen; one way to say none

    def _check_method(self) -> None:
        only = self.rule.method
        if only is not None and self.method != only:
            raise UserError(
                f"method={self.method!r} does not go with selection={self.selection!r}, which judges by "
                f"{method_named(only).title} as the published code does; leave the method at {only!r}, or choose "
                "selection='sequential'."
            )

    def _check_published_error(self) -> None:
        value = self.threshold
        if value is None:
            return
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise UserError(
                f"threshold={value!r} is not a number; give an error in the published code's unit, 2 (1 - cosine) / "
                "d_model, or leave it out."
            )
        if value <= 0:
            raise UserError(
                f"threshold={value:g} would make every activation an atom; choose one above 0, or leave it out for "
                "what relative error 0.3 means."
            )

    def _check_sized(self) -> None:
        if self.atoms is None:
            raise UserError(
                f"selection={self.selection!r} ends with as many atoms as are wanted; say how many (atoms), for "
                "example 1024.",
                field="atoms",
            )
        if self.threshold is not None:
            raise UserError(
                f"threshold={self.threshold!r} does not go with selection={self.selection!r}, which takes as many "
                "atoms as are wanted; leave it out, or choose selection='sequential'."
            )
        if self.tokens is not None and self.atoms > self.tokens:
            raise UserError(
                f"atoms={self.atoms:,} are more than the {self.tokens:,} tokens to read; ask for fewer atoms or for "
                "more tokens.",
                field="atoms",
            )

    def _check_relative_error(self) -> None:
        value = self.threshold
        if value is None:
            object.__setattr__(self, "threshold", RELATIVE_ERROR)  # frozen, and known by now
            return
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:
            raise UserError(f"threshold={value!r} is not a number; give a relative squared error, for example 0.3.")
        if value >= 1:
            raise UserError(
                f"threshold={value:g} can add no atom, because a relative squared error never exceeds 1; "
                "choose one between 0 and 1, for example 0.3."
            )
        if value <= 0:
            raise UserError(
                f"threshold={value:g} would make every activation an atom; choose one between 0 and 1, for example 0.3."
            )

    def to_dict(self) -> dict[str, Any]:
        """JSON-able; `from_dict` gives the same config again."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TrainConfig:
        """A config from its fields, missing ones by default. Raises UserError for unknown keys and bad values."""
        known = [field.name for field in fields(cls)]
        if unknown := sorted(str(key) for key in values if key not in known):
            raise UserError(f"Unknown setting {', '.join(unknown)}; a training knows {', '.join(known)}.")
        return cls(**values)


def _check_whole(name: str, value: object, least: int, what: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise UserError(f"{name}={value!r} is not a whole number; give {what}.", field=name)
    if value < least:
        raise UserError(f"{name}={value} is less than {least}; give {what}.", field=name)
    if value > LARGEST:
        raise UserError(f"{name}={str(value)[:40]} is beyond all that can be counted; give {what}.", field=name)


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Raises UserError where the setting `name` has a value that is none of `choices`."""
    if not isinstance(value, str) or value not in choices:
        raise UserError(f"{name}={value!r} does not exist; choose {' or '.join(choices)}.", field=name)
