"""How a model's prediction changes with the activations at sites: one backward pass for all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch

from itda_core.errors import UserError
from itda_core.models.forward.forward_pass import check_finite, check_shape, forward, pad
from itda_core.models.forward.hooks import hooked
from itda_core.models.prediction import check_head
from itda_core.models.sites import Site

if TYPE_CHECKING:
    from itda_core.models.language_model import LanguageModel
    from itda_core.text import Window


class Gradients(NamedTuple):
    """What a target is, and how it changes with the activations of a window; special tokens are among its tokens."""

    value: float  # of the target
    activations: dict[Site, torch.Tensor]  # each (n_tokens, width) float32
    gradients: dict[Site, torch.Tensor]  # each (n_tokens, width) float32: of the target, by the activation


def target_gradients(
    model: LanguageModel,
    window: Window,
    sites: Sequence[Site],
    target: Callable[[torch.Tensor], torch.Tensor],
    *,
    scale: float = 1.0,
) -> Gradients:
    """The gradient of `target` by the activation of every token of `window` at `sites`.

    target: of logits (n_tokens, n_vocabulary) float32 a single number; scale: what the activations at the first of the
    sites that is reached are multiplied by, for gradients along a path from zero. Gradients at a site count all that
    lies behind it, later sites too. Raises UserError when the model has no language-modelling head, a site is not
    reached, or an activation or gradient is not finite.
    """
    check_head(model)
    if any(getattr(getattr(part, "_hf_hook", None), "offload", False) for part in model.module.modules()):
        raise UserError(
            f"Some weights of {model.name} are read anew for each forward pass, and no gradient can be taken through "
            "them; load it whole (placement memory), or choose a smaller model."
        )
    padded = pad(model, [window], include_special=True)
    found: dict[Site, torch.Tensor] = {}

    def visit(site: Site, activation: torch.Tensor) -> torch.Tensor:
        check_shape(model, site, activation, padded)
        if site in found:
            raise UserError(f"Site {site.name} of {model.name} is computed several times in one pass; choose another.")
        if found:
            found[site] = activation.clone()  # what a model changes in place is not what was read
            if found[site].requires_grad:
                found[site].retain_grad()
            return found[site].view_as(activation)
        found[site] = (activation.detach() * scale).requires_grad_()
        return found[site].clone()

    with hooked(model, sites, visit, shape=padded.ids.shape):
        output = forward(model, padded.ids, padded.mask, gradients=True)
        if missing := [site.name for site in sites if site not in found]:
            raise UserError(f"Site {missing[0]} of {model.name} was not reached by a forward pass; choose another.")
        value = target(output.logits[0].float())
        value.backward()
    tokens = window.tokens(include_special=True)
    activations = {site: found[site].detach()[0].float().to(model.device) for site in sites}
    gradients = {site: _gradient(found[site])[0].float().to(model.device) for site in sites}
    for site in sites:
        check_finite(model, site, tokens, activations[site])
        if not gradients[site].isfinite().all():
            raise UserError(
                f"The gradient at {site.name} of {model.name} is not finite ({model.dtype}); load the model with dtype "
                "float32, or check its weights."
            )
    return Gradients(float(value.detach()), activations, gradients)


def _gradient(activation: torch.Tensor) -> torch.Tensor:
    """Zero where the target does not depend on it."""
    return torch.zeros_like(activation) if activation.grad is None else activation.grad
