"""A continuation of a window, token by token, with activations changed on the way."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from itda_core.errors import UserError
from itda_core.models.forward.forward_pass import check_window_ids, forward
from itda_core.models.forward.hooks import hooked
from itda_core.models.prediction import check_head
from itda_core.models.sites import Site

if TYPE_CHECKING:
    from itda_core.models.language_model import LanguageModel
    from itda_core.text import Window

# Of the activations (n_tokens, width) at a site and the position of the first of them: what is added to them.
Edit = Callable[[torch.Tensor, int], torch.Tensor]


class Generated(NamedTuple):
    """One more token."""

    token_id: int
    logits: torch.Tensor  # (n_vocabulary,) float32, from which it was chosen


def generate(
    model: LanguageModel,
    window: Window,
    n_tokens: int,
    *,
    site: Site | None = None,
    edit: Edit | None = None,
    temperature: float = 0.0,
    seed: int = 0,
    cached: bool = True,
) -> Iterator[Generated]:
    """At most `n_tokens` tokens that follow `window`, up to the end of a text or of the model's context.

    edit: changes activations at `site`, those of the window and then of each new token; temperature 0 takes the
    likeliest token, the first where several are; otherwise one is drawn, by numbers that depend on `seed` alone, so
    that two runs draw the same. cached: keys and values of earlier tokens are kept, where the model can keep them; the
    tokens are the same without. Special tokens that the tokenizer puts behind a text are not part of the prompt.

    Raises UserError when the model has no language-modelling head, for numbers that are none, and for logits that are
    not finite.
    """
    check_head(model)
    if isinstance(n_tokens, bool) or not isinstance(n_tokens, int) or n_tokens < 0:
        raise UserError(f"{n_tokens!r:.40} tokens cannot be written; give a whole number of at least 0.")
    if not 0 <= temperature <= 100:
        raise UserError(f"A temperature of {temperature} is none; give 0 (the likeliest token) to 100.")
    check_window_ids(model, [window])
    return _generate(model, prompt_ids(window), n_tokens, site, edit, temperature, seed, cached)


def _generate(
    model: LanguageModel,
    ids: list[int],
    n_tokens: int,
    site: Site | None,
    edit: Edit | None,
    temperature: float,
    seed: int,
    cached: bool,
) -> Iterator[Generated]:
    draw = torch.Generator().manual_seed(seed)
    cache = _new_cache(model) if cached else None
    ends, read = _ends(model), 0
    for _ in range(min(n_tokens, model.context - len(ids))):
        logits = _next_logits(model, ids, read, site, edit, cache)
        if not logits.isfinite().any() or logits.isnan().any():
            raise UserError(
                f"What {model.name} predicts is not finite ({model.dtype}); choose a weaker change, or load it with "
                "dtype float32."
            )
        read = len(ids) if cache is not None else 0
        token_id = _chosen(logits, temperature, draw)
        yield Generated(token_id, logits)
        if token_id in ends:
            return
        ids.append(token_id)


def _next_logits(
    model: LanguageModel, ids: list[int], read: int, site: Site | None, edit: Edit | None, cache: Any
) -> torch.Tensor:
    """Logits (n_vocabulary,) behind `ids`, of which `read` are in the cache."""

    def visit(_: Site, activation: torch.Tensor) -> torch.Tensor | None:
        if edit is None:
            return None
        rows = activation[0].float()
        return (rows + edit(rows, read).to(rows)).to(activation.dtype)[None]

    given = torch.tensor([ids[read:]], device=model.device)
    mask = torch.ones(1, len(ids), dtype=torch.int64, device=model.device)
    with hooked(model, [] if site is None else [site], visit, shape=given.shape):
        return forward(model, given, mask, last_only=True, cache=cache).logits[0, -1].float().cpu()


def _chosen(logits: torch.Tensor, temperature: float, draw: torch.Generator) -> int:
    if temperature == 0:
        return int(logits.argmax())
    shares = (logits.double() / temperature).softmax(dim=-1).cumsum(dim=-1)
    at = torch.rand(1, generator=draw, dtype=torch.float64) * shares[-1]
    return min(int(torch.searchsorted(shares, at, right=True)), len(shares) - 1)


def _new_cache(model: LanguageModel) -> Any:
    """None where the model keeps no keys and values that can be handed on."""
    from transformers import DynamicCache

    accepted = inspect.signature(model.module.forward).parameters
    if "past_key_values" not in accepted or "use_cache" not in accepted:
        return None
    if not getattr(model.module, "_supports_default_dynamic_cache", lambda: True)():
        return None
    return DynamicCache(config=model.module.config)


def prompt_ids(window: Window) -> list[int]:
    """What a continuation goes on from: without the special tokens behind the text, which would end it."""
    last = max((i for i, special in enumerate(window.special) if not special), default=len(window) - 1)
    return list(window.token_ids[: last + 1])


def _ends(model: LanguageModel) -> set[int]:
    """The tokens that end a text."""
    stated = getattr(model.module.generation_config, "eos_token_id", None)
    several = stated if isinstance(stated, (list, tuple)) else [stated]
    return {one for one in (*several, model.tokenizer.eos_token_id) if isinstance(one, int)}
