"""Several windows through a model, each as it would be read alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from itda_core.models.forward.batching import Batching, Groups, apart, in_order, tolerance
from itda_core.models.forward.batching_probe import demote
from itda_core.models.forward.forward_pass import ForwardPass, PaddedWindows, pad, read
from itda_core.models.sites import Site

if TYPE_CHECKING:
    import torch

    from itda_core.models.language_model import LanguageModel
    from itda_core.text import Window


_FEW = {8: 1 / 8, 4: 1 / 8, 2: 1 / 2}  # share of a window's tokens that rounding may send elsewhere, by bytes a number


class Passes(NamedTuple):
    """The forward passes that some windows took."""

    groups: Groups  # which windows shared one
    padded: list[PaddedWindows]  # of each group
    found: list[ForwardPass]  # the pass of each group
    counts: list[int]  # wanted tokens of each window

    def activations(self) -> dict[Site, torch.Tensor]:
        """Activations of the wanted tokens, window after window: each (n_tokens, width) float32."""
        sites = self.found[0].activations
        return {
            site: in_order(self.groups, [part.activations[site] for part in self.found], self.counts) for site in sites
        }


def passes(
    model: LanguageModel,
    windows: Sequence[Window],
    sites: Sequence[Site],
    *,
    include_special: bool = False,
    to_the_end: bool = False,
) -> Passes:
    """`windows` in as few forward passes as the model can be read in, see `Batching`; for the rest see `forward.read`.

    What a probe of short windows cannot show (experts whose capacity only a large batch exceeds, attention of another
    kind for long windows) is looked for in the batches themselves: of the first of each size, two windows are read
    alone too, and where the batch gives something else, the model reads them alone from then on.
    """
    taken = _passes(model, windows, sites, model.groups(windows), include_special, to_the_end)
    if model.is_new(windows, sites) and not _as_alone(model, windows, sites, taken, include_special):
        demote(model, Batching.ALONE)
        taken = _passes(model, windows, sites, model.groups(windows), include_special, to_the_end)
    return taken


def _passes(
    model: LanguageModel,
    windows: Sequence[Window],
    sites: Sequence[Site],
    groups: Groups,
    include_special: bool,
    to_the_end: bool,
) -> Passes:
    padded = [pad(model, [windows[place] for place in group], include_special=include_special) for group in groups]
    found = [read(model, part, sites, to_the_end=to_the_end) for part in padded]
    counts = [len(window) if include_special else len(window) - sum(window.special) for window in windows]
    return Passes(groups, padded, found, counts)


def _as_alone(
    model: LanguageModel, windows: Sequence[Window], sites: Sequence[Site], taken: Passes, include_special: bool
) -> bool:
    """Whether the shortest window, beside which most is padding, and the last one are what they are alone.

    Single tokens may differ: where a mixture of experts nearly ties, rounding sends one to another expert.
    """
    shortest = min(range(len(windows)), key=lambda place: len(windows[place]))
    together = {site: x.split(taken.counts) for site, x in taken.activations().items()}
    limit = tolerance(model.dtype)
    for place in {shortest, len(windows) - 1}:
        alone = _passes(model, [windows[place]], sites, [[0]], include_special, to_the_end=False).activations()
        if any(apart(alone[site], together[site][place], limit) > _FEW[model.dtype.itemsize] for site in sites):
            return False
    return True
