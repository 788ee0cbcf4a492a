"""Means and covariances of the activations of many sites, summed while the tokens stream by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate, pairwise

import torch
from torch import Tensor

from itda_core.errors import UserError
from itda_core.pursuit.chunks import exact_products
from itda_core.pursuit.given import as_tensor

ENTRIES = 2**26  # of the sums of products held at once: half a gigabyte in float64
LEAST_SPREAD = 1e-6  # standard deviation, in units of the mean's length, below which activations do not vary


class Moments:
    """Sums over tokens for some sites, from which their means and covariances follow.

    Each block of tokens is centred on its own mean before its products are formed, in the block's own precision (at
    least float32, never TF32); blocks are joined in float64 by the formula of Chan, Golub and LeVeque (1979, "Updating
    formulae and a pairwise algorithm for computing sample variances", equation 2.1). So a mean that is far from zero
    costs no digits. Memory is O(total width squared), whatever the number of tokens.
    """

    def __init__(self, widths: Sequence[int], across: int | None = None) -> None:
        """widths: of the sites; across: only covariances between the first `across` sites and the others are wanted;
        None: those of all pairs.
        """
        edges = [0, *accumulate(widths)]
        self.count = 0  # tokens
        self._slices = [slice(start, stop) for start, stop in pairwise(edges)]
        self._mean = torch.zeros(edges[-1], dtype=torch.float64)
        # Row block i of the sums holds the products with the sites from `_first[i]` on: no pair is computed twice.
        self._first = list(range(len(widths))) if across is None else [across] * across
        self._sums: list[Tensor] = []

    def add(self, xs: Sequence[Tensor]) -> None:
        """Activations of the same tokens at each site: (n_tokens, width) each, on one device."""
        x = torch.cat([_wide_enough(part) for part in xs], dim=1)
        if len(x) == 0:
            return
        if not self.count:
            self._mean = self._mean.to(x.device)
            widths = [part.stop - part.start for part in self._slices]
            self._sums = [x.new_zeros(widths[i], sum(widths[j:]), dtype=torch.float64) for i, j in self._rows()]
        shift = x.double().mean(dim=0).to(x.dtype)
        centred = x - shift
        left = centred.double().mean(dim=0)  # what rounding the shift left of the mean
        mean = shift.double() + left
        total = self.count + len(x)
        apart = mean - self._mean
        pairs = torch.stack([apart, left])
        weights = torch.tensor([[self.count * len(x) / total], [-float(len(x))]], dtype=torch.float64, device=x.device)
        with exact_products():
            for (i, j), sums in zip(self._rows(), self._sums, strict=True):
                own, others = self._slices[i], slice(self._slices[j].start, None)
                sums += centred[:, own].T @ centred[:, others]
                sums.addmm_((weights * pairs[:, own]).T, pairs[:, others])
        self._mean += apart * (len(x) / total)
        self.count = total

    def mean(self, site: int) -> Tensor:
        """(width,) float64."""
        return self._mean[self._slices[site]]

    def covariance(self, one: int, two: int) -> Tensor:
        """(width of `one`, width of `two`) float64: the mean over tokens of the product of what is centred."""
        if one >= len(self._first) or two < self._first[one]:
            assert self._first[two] <= one, "of two sites whose products were wanted"
            return self.covariance(two, one).T
        start = self._slices[self._first[one]].start
        columns = slice(self._slices[two].start - start, self._slices[two].stop - start)
        return self._sums[one][:, columns] / self.count

    def _rows(self) -> Iterator[tuple[int, int]]:
        """Each row block, and the first site whose products with it are wanted."""
        return enumerate(self._first)


def _wide_enough(x: Tensor) -> Tensor:
    x = x if x.dtype == torch.float64 else x.float()
    return x.cpu() if x.device.type == "mps" else x  # Apple's GPUs have no float64


def spread(covariance: Tensor, mean: Tensor, name: str) -> float:
    """The total variance of a site, the trace of its covariance (width, width).

    Raises UserError, naming it, when its activations are constant up to rounding.
    """
    variance = float(covariance.diagonal().sum())
    if not variance > LEAST_SPREAD**2 * float(mean.square().sum()):
        raise UserError(
            f"The activations of {name} are the same for every token, so that nothing can be compared with them; "
            "choose another site or more text."
        )
    return variance


def paired(x: Tensor, y: Tensor) -> Moments:
    """The moments, in float64, of two sites' activations x (n_tokens, d_x) and y (n_tokens, d_y) of the same tokens.

    Raises UserError when the shapes disagree, a value is not finite, there are fewer than two tokens, or one of them
    is constant.
    """
    x, y = as_tensor(x, "Activations"), as_tensor(y, "Activations")
    check_paired(x, y)
    moments = Moments([x.shape[1], y.shape[1]])
    moments.add([part if part.device.type == "mps" else part.double() for part in (x, y)])
    for site, name in enumerate(("x", "y")):
        spread(moments.covariance(site, site), moments.mean(site), name)
    return moments


def check_paired(x: Tensor, y: Tensor) -> None:
    """Raises UserError unless x (n_tokens, d_x) and y (n_tokens, d_y) are finite and of the same two or more tokens."""
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y):
        raise UserError(
            f"Activations of shapes {tuple(x.shape)} and {tuple(y.shape)} cannot be compared; give (n_tokens, d_x) "
            "and (n_tokens, d_y) of the same tokens."
        )
    if len(x) < 2 or not x.shape[1] or not y.shape[1]:
        raise UserError(
            f"Activations of shapes {tuple(x.shape)} and {tuple(y.shape)} are too few to compare; give at least two "
            "tokens, and many more than dimensions."
        )
    for name, part in (("x", x), ("y", y)):
        if not part.isfinite().all():
            raise UserError(f"{name} holds values that are not finite; leave those tokens out, or check the model.")


class Covariances:
    """The covariances of all pairs of sites, tile by tile where all together would not fit.

    Iterating gives (i, j, covariance) once for each i <= j; the covariance is (width of i, width of j) float64.
    """

    def __init__(
        self,
        blocks: Callable[[Sequence[int]], Iterable[Sequence[Tensor]]],
        widths: Sequence[int],
        entries: int = ENTRIES,
    ) -> None:
        """blocks: activations of the sites it is given, some tokens at a time, (n_tokens, width) each; entries: how
        many sums of products may be held.
        """
        self._blocks, self._groups = blocks, _groups(widths, entries)
        self._widths = widths
        self._all = self._of(range(len(widths))) if len(self._groups) == 1 else None

    def own(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Of each site its mean (width,) and its covariance (width, width), float64."""
        for site in range(len(self._widths)):
            moments, place = (self._of([site]), 0) if self._all is None else (self._all, site)
            yield moments.mean(place), moments.covariance(place, place)

    def __iter__(self) -> Iterator[tuple[int, int, Tensor]]:
        if self._all is not None:
            sites = range(len(self._widths))
            yield from ((i, j, self._all.covariance(i, j)) for i in sites for j in sites[i:])
            return
        for number, group in enumerate(self._groups):
            moments = self._of(group)
            yield from (
                (i, j, moments.covariance(a, b)) for a, i in enumerate(group) for b, j in enumerate(group) if a <= b
            )
            del moments
            for other in self._groups[number + 1 :]:
                moments = self._of([*group, *other], across=len(group))
                yield from (
                    (i, j, moments.covariance(a, len(group) + b))
                    for a, i in enumerate(group)
                    for b, j in enumerate(other)
                )

    def _of(self, sites: Sequence[int], across: int | None = None) -> Moments:
        moments = Moments([self._widths[site] for site in sites], across)
        for xs in self._blocks(sites):
            moments.add(xs)
        return moments


def _groups(widths: Sequence[int], entries: int) -> list[list[int]]:
    """The sites in groups, as few as `entries` sums of products between two groups allow."""
    if sum(widths) ** 2 <= 2 * entries:  # only one half of all pairs is held
        return [list(range(len(widths)))]
    room = int(entries**0.5)
    groups: list[list[int]] = [[]]
    for site, width in enumerate(widths):
        if groups[-1] and sum(widths[other] for other in groups[-1]) + width > room:
            groups.append([])
        groups[-1].append(site)
    return groups
