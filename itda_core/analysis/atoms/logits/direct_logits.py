"""What an atom writes: the tokens whose logits it raises and lowers most, on the direct path alone.

The direct path leads from the site through the residual stream, past all later blocks, into the model's final norm and
its unembedding; what later attention and MLPs make of the atom is left out. A logit here is a derivative: by how much
the token's logit changes per 1 of the atom's coefficient.

The final norm is not linear, so it matters where the derivative is taken: at TYPICAL real activations of its own input,
the stream behind the last block, whose norms lie in the middle half of those met in some windows of text. The figure is
the mean over these; which they are does not hang on the last digits of their norms, which differ between processors.
They are not the site's own activations: those of an early layer, or of what an MLP adds, have other norms than the
stream that the final norm divides by. A dictionary's mean plays no part: it is the same whatever the coefficient.

All of it is computed by the model's own code, so that no family's norm, multiplier or soft cap of logits is written
down here: the derivative in forward mode (the tangent of one direction), and how the site's output enters the stream by
adding a direction to it while every attention and MLP gives what it gave before. What arrives behind the last block
must then be that direction, or one multiple of it at all tokens (Granite scales what its blocks add).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.autograd import forward_ad

from itda_core.errors import UserError
from itda_core.models.forward.batching import Batching
from itda_core.models.forward.forward_pass import forward
from itda_core.models.forward.hooks import hooked, module_at
from itda_core.models.sites import Site
from itda_core.models.tokenizer.token_text import token_text

if TYPE_CHECKING:
    from itda_core.models import LanguageModel
    from itda_core.text import Window

METHOD_VERSION = 2  # of what is kept of it: another number where the figures come out otherwise
TOKENS = 10  # raised, and lowered
TYPICAL = 32  # activations at which the derivative is taken
_ROUNDING, _HALF_ROUNDING = 1e-3, 5e-2  # of a direction that was carried through all blocks, relative to its length


@dataclass(frozen=True)
class TokenLogit:
    """A token of the vocabulary, and by how much its logit changes per 1 of the atom's coefficient."""

    token: str  # as it would be written; bytes that are no whole character as <0xF0>
    logit: float


@dataclass(frozen=True)
class DirectLogits:
    """The keys of `itda atoms show --json` for what an atom writes."""

    raised: tuple[TokenLogit, ...]  # most raised first
    lowered: tuple[TokenLogit, ...]  # most lowered first


class NoDirectPath(UserError):
    """Why there is nothing to show: one sentence. A fact about model and site, no mistake of the user's."""


@dataclass(frozen=True)
class Measured:
    """What forward passes tell of a direct path. It holds no model, so it may be kept for longer than one."""

    factor: float  # what a direction at the site is multiplied by on its way
    typical: torch.Tensor  # (n <= TYPICAL, d_model): the stream behind the last block


class DirectPath:
    """The direct path from one site of a model to its logits, for as many atoms as one likes."""

    def __init__(self, model: LanguageModel, measured: Measured) -> None:
        """measured: of this model and the atoms' site."""
        self._model, self._last, self.measured = model, _behind_the_last_block(model), measured

    @classmethod
    def of_site(cls, model: LanguageModel, site: Site, windows: Sequence[Window]) -> DirectPath:
        """windows: a handful, of ordinary text; they give the typical activations.

        Raises NoDirectPath where the model predicts no next token, or the site's output is not added to the stream
        as it is.
        """
        if not model.has_lm_head:
            raise NoDirectPath(f"Model {model.name} predicts no next token, so its atoms raise no token's logit.")
        last = _behind_the_last_block(model)
        return cls(model, Measured(_factor(model, site, last, windows[0]), _typical(model, last, windows)))

    def logits(self, direction: torch.Tensor) -> torch.Tensor:
        """By how much each token's logit changes per 1 of `direction` (d_model,): (n_vocabulary,), at least float32.

        Raises NoDirectPath where its width is not the stream's, or the model's code knows no derivative.
        """
        factor, typical = self.measured.factor, self.measured.typical
        width = typical.shape[-1]
        if direction.shape != (width,):
            raise NoDirectPath(
                f"The atom has {direction.shape[-1]} dimensions, the residual stream of {self._model.name} has {width}."
            )
        alone = self._model.batching in (Batching.ALONE, Batching.UNSTEADY)
        tangent = direction.to(typical) * factor
        parts = typical.split(1 if alone else TYPICAL)
        return torch.cat([_tangents(self._model, self._last, part, tangent) for part in parts]).mean(0)

    def of(self, atom: torch.Tensor, n: int = TOKENS) -> DirectLogits:
        """The `n` tokens that `atom` (d_model,) raises most, and the `n` it lowers most. Raises as `logits` does."""
        tokenizer = self._model.tokenizer
        logits = self.logits(atom)[: len(tokenizer)]  # behind those an unembedding may be padded

        def tokens(values: torch.Tensor) -> tuple[TokenLogit, ...]:
            ids = torch.argsort(values, descending=True, stable=True)[:n].tolist()
            return tuple(TokenLogit(token_text(tokenizer, id), float(logits[id])) for id in ids if values[id] > 0)

        return DirectLogits(tokens(logits), tokens(-logits))


def _behind_the_last_block(model: LanguageModel) -> Site:
    return model.site("resid_post", model.n_layers - 1)


def _typical(model: LanguageModel, last: Site, windows: Sequence[Window]) -> torch.Tensor:
    """Activations at `last` of the windows' tokens, with norms in the middle half."""
    x = torch.cat([batch.activations[last] for batch in model.stream(windows, [last])])
    return x[middle(x.float().norm(dim=-1)).to(x.device)]


def middle(norms: torch.Tensor) -> torch.Tensor:
    """TYPICAL of the places in `norms` (n,) where it lies in its middle half, or all of these if they are fewer.

    They are taken in an order that spreads over the places, the same for every `norms` of that length. Places taken by
    their rank among the norms would be others wherever two norms differ by a rounding only.
    """
    norms = norms.cpu().double()
    low, high = torch.quantile(norms, torch.tensor([0.25, 0.75], dtype=torch.float64))
    within = (norms >= low) & (norms <= high) | (len(norms) < 3)  # of two, neither lies between the quartiles
    spread = torch.argsort(torch.arange(len(norms)) * 2654435769 % 2**32)  # multiples of 2**32 / 1.618...
    return spread[within[spread]][:TYPICAL]


def _tangents(model: LanguageModel, last: Site, x: torch.Tensor, tangent: torch.Tensor) -> torch.Tensor:
    """The logits' derivative along `tangent` (d_model,) at each row of x (n, d_model): (n, n_vocabulary)."""
    ids = torch.full((len(x), 1), model.pad_id, device=model.device)

    def visit(_: Site, activation: torch.Tensor) -> torch.Tensor:
        primal = x.to(activation)[:, None]
        return forward_ad.make_dual(primal, tangent.to(activation).expand_as(primal).contiguous())

    with forward_ad.dual_level():
        try:
            with hooked(model, [last], visit, shape=ids.shape):
                logits = forward(model, ids, torch.ones_like(ids)).logits
            found = forward_ad.unpack_dual(logits).tangent
        except UserError as error:
            raise NoDirectPath(f"What an atom writes cannot be told: {error}") from error
    if found is None:
        raise NoDirectPath(
            f"What an atom writes cannot be told: the logits of {model.name} do not depend on the stream behind its "
            "last block."
        )
    return found[:, -1].to(torch.promote_types(found.dtype, torch.float32))


def _factor(model: LanguageModel, site: Site, last: Site, window: Window) -> float:
    """What a direction at `site` is multiplied by where it arrives in the stream behind the last block.

    Raises NoDirectPath where it does not arrive as it was.
    """
    if site == last:
        return 1.0
    try:
        parts = _parts_beside(model, site)
        ids = torch.tensor([window.token_ids], device=model.device)
        before = _pass(model, ids, [site, *parts, last], {})
        step = _step(before[site], before[last])
        replaced = {**{part: before[part] for part in parts}, site: before[site] + step}
        after = _pass(model, ids, [site, *parts, last], replaced)
    except UserError as error:
        raise NoDirectPath(f"What an atom writes cannot be told: {error}") from error
    if step.shape[-1] != model.d_model:
        raise NoDirectPath(
            f"What {site.name} gives has {step.shape[-1]} dimensions, the residual stream of {model.name} has "
            f"{model.d_model}, so it is not added to it."
        )
    arrived, step = (after[last] - before[last])[0].double(), step.double()
    factors = arrived @ step / step.square().sum()
    factor = float(factors.median())
    apart = (arrived - factor * step).norm(dim=-1) / step.norm()
    rounding = _HALF_ROUNDING if model.dtype.itemsize < 4 else _ROUNDING
    if abs(factor) < rounding or float(apart.median()) > rounding * abs(factor):
        raise NoDirectPath(
            f"{model.name} does not add what {site.name} gives to its residual stream as it is, so an atom of it has "
            "no direct path to the logits."
        )
    return factor


def _parts_beside(model: LanguageModel, site: Site) -> list[Site]:
    """Every attention and MLP but the one that the site is, or is inside of."""
    own = module_at(model, site)
    parts = [model.site(part, layer) for layer in range(model.n_layers) for part in ("attn_out", "mlp_out")]
    modules = [(part, module_at(model, part)) for part in parts]
    return [part for part, module in modules if site.kind == "resid_pre" or all(own is not m for m in module.modules())]


def _step(x: torch.Tensor, stream: torch.Tensor) -> torch.Tensor:
    """A random direction of x's width (the same every time), as long as the stream's activations usually are."""
    direction = torch.randn(x.shape[-1], generator=torch.Generator().manual_seed(0)).to(x)
    return direction / direction.norm() * stream.norm(dim=-1).median()


def _pass(
    model: LanguageModel, ids: torch.Tensor, sites: Sequence[Site], replaced: Mapping[Site, torch.Tensor]
) -> dict[Site, torch.Tensor]:
    """What stands at `sites` in one forward pass, some of it `replaced`: each (1, positions, width)."""
    found: dict[Site, torch.Tensor] = {}

    def visit(where: Site, activation: torch.Tensor) -> torch.Tensor | None:
        found[where] = replaced.get(where, activation).clone()
        return replaced.get(where)

    with hooked(model, sites, visit, shape=ids.shape, stop=True):
        forward(model, ids, torch.ones_like(ids))
    if missing := [where.name for where in sites if where not in found]:
        raise UserError(f"{missing[0]} of {model.name} was not reached by a forward pass.")
    return found
