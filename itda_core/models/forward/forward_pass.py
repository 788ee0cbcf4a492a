"""One forward pass over some windows, with what it computes at sites."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from itda_core.errors import UserError
from itda_core.foreign import foreign, quoted
from itda_core.models.forward.hooks import Enough, hooked
from itda_core.models.sites import Site
from itda_core.models.tokenizer.loading import n_embeddings

if TYPE_CHECKING:
    from itda_core.models.language_model import LanguageModel
    from itda_core.text import TokenRef, Window


class PaddedWindows(NamedTuple):
    """Windows side by side on the model's device, shorter ones padded on the right: each (n_windows, longest)."""

    ids: torch.Tensor  # int64
    mask: torch.Tensor  # int64, 1 where a token stands and 0 on padding
    wanted: torch.Tensor  # bool: tokens of text (special ones too, if asked for); never padding


class ForwardPass(NamedTuple):
    """What one forward pass gave."""

    activations: dict[Site, torch.Tensor]  # each (n_wanted, width) float32, window by window
    output: Any  # the model's own; None where the pass ended after the last site


def pad(model: LanguageModel, windows: Sequence[Window], *, include_special: bool = False) -> PaddedWindows:
    """`windows` as one batch. Raises UserError when one is longer than the model's context."""
    longest = max(map(len, windows))
    if longest > model.context:
        raise UserError(
            f"A window of {longest} tokens is longer than the context of {model.name}, {model.context}; "
            f"choose a context of at most {model.context}."
        )
    check_window_ids(model, windows)
    ids = torch.full((len(windows), longest), model.pad_id)
    mask = torch.zeros_like(ids)
    wanted = torch.zeros_like(ids, dtype=torch.bool)
    for row, window in enumerate(windows):
        ids[row, : len(window)] = torch.tensor(window.token_ids)
        mask[row, : len(window)] = 1
        wanted[row, : len(window)] = include_special or ~torch.tensor(window.special)
    return PaddedWindows(ids.to(model.device), mask.to(model.device), wanted.to(model.device))


def check_window_ids(model: LanguageModel, windows: Sequence[Window]) -> None:
    """Raises UserError when a window has a token that the model has no embedding for."""
    table = n_embeddings(model.module)
    if table is None:
        return
    for window in windows:
        highest = max(window.token_ids, default=0)
        if highest >= table:
            raise UserError(
                f"The tokenizer of {model.name} gives token {highest}, but the model has embeddings for {table} tokens "
                f"(0 to {table - 1}); it is in document {quoted(window.document)!r}. Give the model the tokenizer it "
                "was trained with, or leave that text out."
            )


def read(
    model: LanguageModel, padded: PaddedWindows, sites: Sequence[Site], *, to_the_end: bool = False
) -> ForwardPass:
    """The wanted tokens' activations; the pass ends after the last site unless it is to go `to_the_end`.

    Raises UserError when a site is not reached or does not carry one vector per token.
    """
    found: dict[Site, torch.Tensor] = {}
    output: Any = None

    def visit(site: Site, activation: torch.Tensor) -> None:
        check_shape(model, site, activation, padded)
        if site in found:
            raise UserError(f"Site {site.name} of {model.name} is computed several times in one pass; choose another.")
        found[site] = activation[padded.wanted.to(activation.device)].float().to(model.device)

    with hooked(model, sites, visit, stop=not to_the_end, shape=padded.ids.shape):
        output = forward(model, padded.ids, padded.mask)
    missing = [site.name for site in sites if site not in found]
    if missing:
        raise UserError(f"Site {missing[0]} of {model.name} was not reached by a forward pass; choose another.")
    return ForwardPass({site: found[site] for site in sites}, output)


def forward(
    model: LanguageModel,
    ids: torch.Tensor,
    mask: torch.Tensor,
    *,
    last_only: bool = False,
    gradients: bool = False,
    cache: Any = None,
) -> Any:
    """The model's output for token ids (n_windows, longest); with `last_only`, logits of the last position only.

    gradients: whether what was computed is kept, so that gradients can be taken; cache: keys and values of the tokens
    before `ids`, which this pass reads and adds to (`mask` then covers both).

    Raises UserError when the device's memory is too short, and when the model's own code fails.
    """

    def refusal(cause: str) -> UserError:
        return UserError(
            f"A forward pass of {model.name} ({model.module.config.model_type}) over {ids.shape[0]} windows of "
            f"{ids.shape[1]} tokens fails in the model's own code ({cause}); choose another context if it is about "
            "lengths, else another model."
        )

    options: dict[str, Any] = {}
    accepted = inspect.signature(model.module.forward).parameters
    if "use_cache" in accepted:
        options["use_cache"] = cache is not None
    if cache is not None:
        options["past_key_values"] = cache
    if last_only and "logits_to_keep" in accepted:
        options["logits_to_keep"] = 1
    grad = torch.enable_grad() if gradients else torch.no_grad()
    try:
        with foreign(refusal, letting=(Enough, torch.OutOfMemoryError)), _left_as_it_was(model), grad:
            return model.module(input_ids=ids, attention_mask=mask, **options)
    except torch.OutOfMemoryError as error:
        raise UserError(
            f"The device's memory does not hold {ids.shape[0]} windows of {ids.shape[1]} tokens for {model.name}; use "
            "fewer windows per batch, a shorter context, or the CPU."
        ) from error


def is_out_of_memory(error: UserError) -> bool:
    """Whether a forward pass was refused because memory was too short, which says nothing of the model itself."""
    cause = error.__cause__
    short = isinstance(cause, (torch.OutOfMemoryError, MemoryError))
    return short or (isinstance(cause, RuntimeError) and "allocate memory" in str(cause))  # torch's words on a CPU


@contextmanager
def _left_as_it_was(model: LanguageModel) -> Iterator[None]:
    """BigBird, once it was given a short window, would read all later ones by another kind of attention."""
    held = {part: part.attention_type for part in {model.module, model.module.base_model} if _switches(part)}
    try:
        yield
    finally:
        for part, kind in held.items():
            if part.attention_type != kind:
                part.set_attention_type(kind)


def _switches(part: Any) -> bool:
    return isinstance(getattr(part, "attention_type", None), str) and hasattr(part, "set_attention_type")


def check_shape(model: LanguageModel, site: Site, activation: torch.Tensor, padded: PaddedWindows) -> None:
    """Raises UserError when `activation` (n_windows, longest, width) does not carry one vector per token."""
    if activation.shape[:2] != padded.ids.shape:
        n_windows, longest = padded.ids.shape
        raise UserError(
            f"Site {site.name} of {model.name} has shape {tuple(activation.shape)} for {n_windows} windows of "
            f"{longest} tokens, not one vector per token; choose another."
        )


def check_finite(model: LanguageModel, site: Site, tokens: Sequence[TokenRef], values: torch.Tensor) -> None:
    """Raises UserError naming the first of `tokens` whose row of `values` (n_tokens, width) is not finite."""
    finite = values.isfinite().all(dim=-1)
    if finite.all():
        return
    token = tokens[int((~finite).nonzero()[0])]
    raise UserError(
        f"The activation at {site.name} of {model.name} is not finite for token {token.text!r} (position "
        f"{token.position} of a window of document {token.window.document}, {model.dtype}); load the model with "
        "dtype float32, or check its weights."
    )
