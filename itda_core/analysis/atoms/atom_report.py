"""All that is known of one atom, in the keys of `itda atoms show --json`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from itda_core.analysis.atoms.examples import Example, Examples, examples_of
from itda_core.analysis.atoms.honesty.grades import AtomHonesty, of_atom
from itda_core.analysis.atoms.neighbours import Neighbour, neighbours
from itda_core.analysis.atoms.together import Together, together
from itda_core.analysis.atoms.usage import AtomUsage, usage_of

if TYPE_CHECKING:
    from itda_core.analysis.atoms.honesty.tallies import Tallies
    from itda_core.analysis.atoms.index import AtomIndex
    from itda_core.analysis.atoms.logits.direct_logits import DirectLogits
    from itda_core.dictionaries import AtomDictionary, AtomLabel

_OF_LABEL = ("token", "context_before", "context_after", "document", "char_start", "char_end", "error", "order")
_OF_EXAMPLE = (
    "document",
    "window_start",
    "position",
    "coefficient",
    "relative_coefficient",
    "tokens",
    "coefficients",
    "at",
    "kind",
    "alike",
)


@dataclass(frozen=True)
class AtomReport:
    """One atom. What comes from an index is None where there is none."""

    dictionary: str
    atom: int
    labels: tuple[AtomLabel, ...]
    nearest: tuple[Neighbour, ...]
    opposite: tuple[Neighbour, ...]
    logits: DirectLogits | None
    no_logits: str  # why there are none, a sentence; "" where there are
    usage: AtomUsage | None = None
    examples: Examples | None = None
    together: tuple[Together, ...] | None = None  # by lift
    used_with: tuple[Together, ...] | None = None  # by count
    honesty: AtomHonesty | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values: the keys of `itda atoms show --json`."""
        labels = [{name: getattr(label, name) for name in _OF_LABEL} for label in self.labels]
        found: dict[str, Any] = {"dictionary": self.dictionary, "atom": self.atom, "labels": labels}
        usage, examples = self.usage, self.examples
        names = ("tokens", "usage", "first_choice", "mean", "max", "min", "mean_share", "energy")
        found |= {name: None if usage is None else getattr(usage, name) for name in names}
        for name in ("histogram", "positions", "kinds"):
            found[name] = None if usage is None else _plain(getattr(usage, name))
        for name in ("positive", "negative"):
            found[name] = None if examples is None else [_example(one) for one in getattr(examples, name)]
        bins = None if examples is None else [[_example(one) for one in bin.examples] for bin in examples.quantiles]
        found |= {"quantiles": bins, "neighbours": _plain(self.nearest), "opposite": _plain(self.opposite)}
        found |= {"together": _plain(self.together), "used_with": _plain(self.used_with)}
        found |= {"logits": _plain(self.logits), "no_logits": self.no_logits or None}
        return {**found, "honesty": _plain(self.honesty)}


def report_of(
    name: str,
    dictionary: AtomDictionary,
    atom: int,
    index: AtomIndex | None = None,
    honesty: Tallies | None = None,
    logits: DirectLogits | None = None,
    no_logits: str = "",
) -> AtomReport:
    """All that is known of `atom`; honesty, logits: where they are at hand. Raises UserError for an atom that is not
    there, and for a damaged index.
    """
    labels = dictionary.labels(atom)
    near = neighbours(dictionary.atoms, atom)
    plain = AtomReport(name, atom, labels, near.neighbours, near.opposite, logits, no_logits)
    if index is None:
        return plain
    entries = index.entries(atom)
    uses = index.sums["positive"] + index.sums["negative"]
    return AtomReport(
        **{field: getattr(plain, field) for field in ("dictionary", "atom", "labels", "nearest", "opposite")},
        logits=logits,
        no_logits=no_logits,
        usage=usage_of(index, atom, entries),
        examples=examples_of(index, atom, labels, entries),
        together=together(index.codes, entries.token, uses, atom),
        used_with=together(index.codes, entries.token, uses, atom, by="tokens"),
        honesty=None if honesty is None else of_atom(honesty, atom),
    )


def _example(example: Example) -> dict[str, Any]:
    return {name: _plain(getattr(example, name)) for name in _OF_EXAMPLE}


def _plain(value: Any) -> Any:
    """What JSON holds of a result."""
    if isinstance(value, (tuple, list)):
        return [_plain(one) for one in value]
    if hasattr(value, "__dataclass_fields__"):
        return asdict(value)
    return value
