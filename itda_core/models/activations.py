"""Windows in, activations out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import torch

from itda_core.errors import UserError
from itda_core.models.forward.batching import Batching
from itda_core.models.forward.forward_pass import check_finite, forward
from itda_core.models.forward.hooks import hooked, module_at
from itda_core.models.forward.passes import passes
from itda_core.models.prediction import check_head
from itda_core.models.sites import Site
from itda_core.text import TokenRef, Window

if TYPE_CHECKING:
    from itda_core.models.language_model import LanguageModel

_REPLACEMENTS_AT_ONCE = 32  # rows of one forward pass in next_token_logits


class ActivationBatch(NamedTuple):
    """The activations of some consecutive windows, in the corpus's order."""

    tokens: list[TokenRef]  # n_tokens; special tokens and padding are not among them
    activations: dict[Site, torch.Tensor]  # each (n_tokens, width) float32 on the model's device
    windows: int  # windows of the stream that are done after this batch


def stream(
    model: LanguageModel,
    windows: Iterable[Window],
    sites: Sequence[Site],
    *,
    windows_per_batch: int = 16,
    include_special: bool = False,
) -> Iterator[ActivationBatch]:
    """The activations at `sites` of every token of `windows`, one forward pass for all sites.

    Windows are neither sorted nor dropped; shorter ones of a batch are padded on the right and masked, and the forward
    pass ends after the last site. A model that would read padding, or other windows of the batch, takes several passes
    for it (see `passes`), so that activations are those of each window alone. Only one batch is held at a time. Raises
    UserError at once when the model has no such site, and when it comes to a window longer than the context or an
    activation that is not finite.
    """
    if windows_per_batch < 1:
        raise UserError(f"windows_per_batch={windows_per_batch} is too small; use 1 or more.")
    if not sites:
        raise UserError("No site was asked for; name at least one layer.")
    for site in sites:
        module_at(model, site)
    return _stream(model, windows, sites, windows_per_batch, include_special)


def capture(model: LanguageModel, window: Window, sites: Sequence[Site]) -> dict[Site, torch.Tensor]:
    """The activations of all tokens of one window, special ones too: each (len(window), width) float32.

    Raises UserError as `stream` does.
    """
    return next(stream(model, [window], sites, windows_per_batch=1, include_special=True)).activations


def next_token_logits(
    model: LanguageModel, window: Window, site: Site, position: int, replacements: torch.Tensor
) -> torch.Tensor:
    """What the model predicts after `position` when the activation there is replaced by each row in turn.

    replacements: (n, width) at `site`; returns logits (n, n_vocabulary) float32. Everything before `position` stays as
    it is. Raises UserError when the model has no language-modelling head, or the position or the width does not fit.
    """
    check_head(model)
    if not 0 <= position < len(window):
        raise UserError(f"Position {position} is not in the window; it has positions 0 to {len(window) - 1}.")
    if replacements.dim() != 2:
        raise UserError(f"Replacements have shape {tuple(replacements.shape)}; give one row per replacement.")
    # Later tokens cannot change what a causal model predicts here.
    ids = torch.tensor([window.token_ids[: position + 1]], device=model.device)
    at_once = min(_REPLACEMENTS_AT_ONCE, max(1, len(replacements)))
    if at_once > 1 and model.batching in (Batching.ALONE, Batching.UNSTEADY):
        at_once = 1
    logits = [_replaced(model, ids, site, rows) for rows in replacements.split(at_once)]
    return torch.cat(logits)


def _replaced(model: LanguageModel, ids: torch.Tensor, site: Site, rows: torch.Tensor) -> torch.Tensor:
    def visit(_: Site, activation: torch.Tensor) -> torch.Tensor:
        if activation.shape[-1] != rows.shape[-1]:
            raise UserError(
                f"Replacements have width {rows.shape[-1]}, but {site.name} of {model.name} has {activation.shape[-1]}."
            )
        spliced = activation.clone()
        spliced[:, -1] = rows.to(activation)
        return spliced

    ids = ids.expand(len(rows), -1)
    with hooked(model, [site], visit, shape=ids.shape):
        return forward(model, ids, torch.ones_like(ids), last_only=True).logits[:, -1].float()


def _stream(
    model: LanguageModel, windows: Iterable[Window], sites: Sequence[Site], windows_per_batch: int, special: bool
) -> Iterator[ActivationBatch]:
    done = 0
    remaining = iter(windows)
    while batch := list(islice(remaining, windows_per_batch)):
        done += len(batch)
        tokens = [token for window in batch for token in window.tokens(include_special=special)]
        activations = passes(model, batch, sites, include_special=special).activations()
        for site, values in activations.items():
            check_finite(model, site, tokens, values)
        yield ActivationBatch(tokens, activations, done)
