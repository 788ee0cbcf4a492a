"""By which rules activations become atoms, known without loading any. Whatever lists, checks or runs them reads this.

A new rule that goes by a threshold is a file that judges, and a row here.
"""

from __future__ import annotations

from dataclasses import dataclass

READING = "reading"  # its atoms explain best what a token is
COMPARING = "comparing"  # two models that read one text choose atoms at the same places where they agree


@dataclass(frozen=True)
class Selection:
    """A rule by which activations become atoms."""

    name: str  # in commands, files and forms
    words: str  # for people who choose one
    terms: str  # what the help of a command says of it in brackets; "" for the usual one
    purpose: str  # what its dictionaries are for, in a word or two: READING, COMPARING, or something of its own
    source: str | None  # None: it is our own
    growth: str  # the growth.Growth that it uses, as pkgutil.resolve_name reads it
    judge: str | None  # the sequential.ThresholdSelection that judges activations, as `growth` is written.
    # None: the atoms, as many as are wanted, are chosen together once the text is read
    by_width: bool = False  # whether the threshold is in the published code's unit, which depends on d_model
    method: str | None = None  # the only pursuit it judges by; None: any
    keeps_sinks: bool = False  # whether attention sinks are never left out
    members: int = 1  # at most so many activations make an atom

    @property
    def sized(self) -> bool:
        """Whether it ends with a wanted number of atoms and knows no threshold."""
        return self.judge is None

    @property
    def extends(self) -> bool:
        """Whether a dictionary can be grown further: an atom that was accepted stays."""
        return self.judge is not None


_GROWING = "itda_core.dictionaries.growing"
TABLE = (
    Selection(
        name="sequential",
        words="one activation at a time",
        terms="",
        purpose=COMPARING,
        source="Leask et al. 2025, section 3",
        growth=f"{_GROWING}.growth:Growth",
        judge=f"{_GROWING}.sequential:SequentialSelection",
    ),
    Selection(
        name="paper",
        words="whole batches, as the published code",
        terms="the published code's rule",
        purpose="reproducing the paper",
        source="Leask et al. 2025, the published code",
        growth=f"{_GROWING}.growth:Growth",
        judge=f"{_GROWING}.paper:PaperSelection",
        by_width=True,
        method="mp",
        keeps_sinks=True,
    ),
    Selection(
        name="sampled",
        words="a wanted number, where the unexplained mass is",
        terms="--atoms real activations, chosen where the unexplained mass is once the text is read",
        purpose=READING,
        source=None,
        growth=f"{_GROWING}.sampled:SampledGrowth",
        judge=None,
    ),
    Selection(
        name="consensus",
        words="a wanted number, each the mean of up to eight activations",
        terms="the same, each the mean of up to eight real activations",
        purpose=READING,
        source=None,
        growth=f"{_GROWING}.sampled:SampledGrowth",
        judge=None,
        members=8,
    ),
)
NAMES = tuple(selection.name for selection in TABLE)
TERMS = "; ".join(f"{one.name} ({one.terms})" if one.terms else one.name for one in TABLE)


def is_for(name: str | None, purpose: str) -> bool:
    """Whether dictionaries of the selection `name` serve `purpose`; not so where there is no such selection."""
    return any(one.name == name and one.purpose == purpose for one in TABLE)


def with_purpose(name: str | None) -> str:
    """`consensus · for reading`; "" where there is no such selection."""
    return next((f"{one.name} · for {one.purpose}" for one in TABLE if one.name == name), "")


def selection_named(name: str) -> Selection:
    """The row of that name, which there is: TrainConfig has checked it."""
    return next(selection for selection in TABLE if selection.name == name)
