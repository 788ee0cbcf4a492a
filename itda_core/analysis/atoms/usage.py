"""How an atom is used over an indexed text: how often, how strongly, where in the window, in which kinds of text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from itda_core.analysis.atoms.index import AtomIndex, Entries

N_BINS = 40  # of the histogram, at most
N_POSITIONS = 8  # stretches of equal length into which a window is divided


@dataclass(frozen=True)
class Histogram:
    """How many entries lie between two `edges`; 0 is an edge, so that no bin mixes signs."""

    edges: tuple[float, ...]  # ascending, one more than counts; empty where the atom is never used
    counts: tuple[int, ...]


@dataclass(frozen=True)
class Stretch:
    """One part of the text, and how often an atom is used in it."""

    name: str  # the first and last position of a window ("0-15"), or a kind of document
    uses: int
    tokens: int

    @property
    def share(self) -> float:
        """Of its tokens that use the atom, 0 to 1."""
        return self.uses / self.tokens if self.tokens else 0.0


@dataclass(frozen=True)
class AtomUsage:
    """One atom's figures over all tokens of an index; where it is never used, means and extremes are 0."""

    atom: int
    tokens: int  # that use it
    of: int  # tokens of the index
    positive: int  # with a coefficient above 0
    negative: int
    first: int  # tokens for which the pursuit took it first
    mean: float  # coefficient
    mean_absolute: float
    max: float
    min: float
    mean_share: float  # norm share: |coefficient| / norm of the activation, mean over its tokens
    energy: float  # energy share: sum of squared coefficients / of squared norms of all tokens, 0 to about 1
    histogram: Histogram
    positions: tuple[Stretch, ...]
    kinds: tuple[Stretch, ...]  # empty where the corpus knows no kinds; most used first

    @property
    def usage(self) -> float:
        """The share of tokens that use it, 0 to 1."""
        return self.tokens / self.of if self.of else 0.0

    @property
    def first_choice(self) -> float:
        """The share of its tokens for which it came first, 0 to 1."""
        return self.first / self.tokens if self.tokens else 0.0


def usage_of(index: AtomIndex, atom: int, entries: Entries | None = None) -> AtomUsage:
    """The figures of `atom`; entries: index.entries(atom), where they are at hand.

    Raises UserError as index.entries.
    """
    import numpy as np

    atom, about = index.checked(atom), index.description
    found = index.entries(atom) if entries is None else entries
    n, values = len(found.token), found.coefficient.astype(np.float64)
    norms = index.all_tokens.norm[found.token].astype(np.float64)
    return AtomUsage(
        atom=atom,
        tokens=n,
        of=about.tokens,
        positive=int((values > 0).sum()),
        negative=int((values < 0).sum()),
        first=int((found.step == 0).sum()),
        mean=float(values.mean()) if n else 0.0,
        mean_absolute=float(np.abs(values).mean()) if n else 0.0,
        max=float(values.max()) if n else 0.0,
        min=float(values.min()) if n else 0.0,
        mean_share=float((np.abs(values) / norms).mean()) if n else 0.0,
        energy=float((values**2).sum() / about.energy) if about.energy else 0.0,
        histogram=histogram(values),
        positions=_positions(index, found),
        kinds=_kinds(index, found),
    )


def histogram(values: np.ndarray, n_bins: int = N_BINS) -> Histogram:
    """Counts of `values` (n,) in at most `n_bins` bins of equal width, on both sides of 0."""
    import numpy as np

    if not len(values):
        return Histogram((), ())
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    below = round(n_bins * -low / (high - low)) if high > low else 0
    below = min(max(below, int(low < 0)), n_bins - int(high > 0))
    edges = np.concatenate([np.linspace(low, 0.0, below + 1)[:-1], np.linspace(0.0, high, n_bins - below + 1)])
    edges = np.unique(edges)
    counts, _ = np.histogram(values, edges)
    return Histogram(tuple(map(float, edges)), tuple(map(int, counts)))


def _positions(index: AtomIndex, entries: Entries) -> tuple[Stretch, ...]:
    import numpy as np

    context = max(1, index.description.context)
    width = -(-context // N_POSITIONS)
    every = np.bincount(index.all_tokens.position // width)
    uses = np.bincount(index.all_tokens.position[entries.token] // width, minlength=len(every))
    return tuple(
        Stretch(f"{i * width}-{min((i + 1) * width, context) - 1}", int(uses[i]), int(n)) for i, n in enumerate(every)
    )


def _kinds(index: AtomIndex, entries: Entries) -> tuple[Stretch, ...]:
    import numpy as np

    names, numbers = index.kinds
    if not names:
        return ()
    known = numbers[index.all_tokens.window]
    every = np.bincount(known[known >= 0], minlength=len(names))
    used = known[entries.token]
    uses = np.bincount(used[used >= 0], minlength=len(names))
    stretches = [Stretch(name, int(uses[i]), int(every[i])) for i, name in enumerate(names)]
    return tuple(sorted(stretches, key=lambda one: (-one.uses, one.name)))
