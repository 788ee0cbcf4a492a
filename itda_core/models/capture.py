"""Windows in, activations out."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from itda_core.errors import UserError
from itda_core.models.hooks import hooked, module_at
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
    pass ends after the last site. Only one batch is held at a time. Raises UserError at once when the model has no
    such site, and when it comes to a window longer than the context or an activation that is not finite.
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
    if not model.has_lm_head:
        raise UserError(f"Model {model.name} predicts no next token (it has no head for that); use a decoder.")
    if not 0 <= position < len(window):
        raise UserError(f"Position {position} is not in the window; it has positions 0 to {len(window) - 1}.")
    if replacements.dim() != 2:
        raise UserError(f"Replacements have shape {tuple(replacements.shape)}; give one row per replacement.")
    # Later tokens cannot change what a causal model predicts here.
    ids = torch.tensor([window.token_ids[: position + 1]], device=model.device)
    logits = [_replaced(model, ids, site, rows) for rows in replacements.split(_REPLACEMENTS_AT_ONCE)]
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
    with hooked(model, [site], visit):
        return _forward(model, ids, torch.ones_like(ids), last_only=True).logits[:, -1].float()


def _stream(
    model: LanguageModel, windows: Iterable[Window], sites: Sequence[Site], windows_per_batch: int, special: bool
) -> Iterator[ActivationBatch]:
    done = 0
    remaining = iter(windows)
    while batch := list(islice(remaining, windows_per_batch)):
        done += len(batch)
        tokens = [token for window in batch for token in window.tokens(include_special=special)]
        activations = _read(model, batch, sites, special)
        for site, values in activations.items():
            _check_finite(model, site, tokens, values)
        yield ActivationBatch(tokens, activations, done)


def _read(
    model: LanguageModel, batch: Sequence[Window], sites: Sequence[Site], special: bool
) -> dict[Site, torch.Tensor]:
    """The wanted tokens' activations of one batch, window by window."""
    longest = max(map(len, batch))
    if longest > model.context:
        raise UserError(
            f"A window of {longest} tokens is longer than the context of {model.name}, {model.context}; "
            f"choose a context of at most {model.context}."
        )
    ids = torch.full((len(batch), longest), model.pad_id)
    mask = torch.zeros_like(ids)
    wanted = torch.zeros_like(ids, dtype=torch.bool)
    for row, window in enumerate(batch):
        ids[row, : len(window)] = torch.tensor(window.token_ids)
        mask[row, : len(window)] = 1
        wanted[row, : len(window)] = special or ~torch.tensor(window.special)
    ids, mask, wanted = ids.to(model.device), mask.to(model.device), wanted.to(model.device)
    read: dict[Site, torch.Tensor] = {}

    def visit(site: Site, activation: torch.Tensor) -> None:
        if activation.shape[:2] != ids.shape:
            raise UserError(
                f"Site {site.name} of {model.name} has shape {tuple(activation.shape)} for {len(batch)} windows of "
                f"{longest} tokens, not one vector per token; choose another."
            )
        read[site] = activation[wanted].float()

    with hooked(model, sites, visit, stop=True):
        _forward(model, ids, mask)
    missing = [site.name for site in sites if site not in read]
    if missing:
        raise UserError(f"Site {missing[0]} of {model.name} was not reached by a forward pass; choose another.")
    return {site: read[site] for site in sites}


def _forward(model: LanguageModel, ids: torch.Tensor, mask: torch.Tensor, *, last_only: bool = False) -> Any:
    options: dict[str, Any] = {}
    accepted = inspect.signature(model.module.forward).parameters
    if "use_cache" in accepted:
        options["use_cache"] = False
    if last_only and "logits_to_keep" in accepted:
        options["logits_to_keep"] = 1
    try:
        with torch.no_grad():
            return model.module(input_ids=ids, attention_mask=mask, **options)
    except torch.OutOfMemoryError as error:
        raise UserError(
            f"The device's memory does not hold {ids.shape[0]} windows of {ids.shape[1]} tokens for {model.name}; use "
            "fewer windows per batch, a shorter context, or the CPU."
        ) from error


def _check_finite(model: LanguageModel, site: Site, tokens: Sequence[TokenRef], values: torch.Tensor) -> None:
    finite = values.isfinite().all(dim=-1)
    if finite.all():
        return
    token = tokens[int((~finite).nonzero()[0])]
    raise UserError(
        f"The activation at {site.name} of {model.name} is not finite for token {token.text!r} (position "
        f"{token.position} of a window of document {token.window.document}, {model.dtype}); load the model with "
        "dtype float32, or check its weights."
    )
