"""The one way into a forward pass: activations read, and replaced, at sites."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import torch

from itda_core.errors import UserError
from itda_core.models.architecture import FILLS_UP, inside_block
from itda_core.models.sites import KINDS, Site

if TYPE_CHECKING:
    from torch import nn

    from itda_core.models.language_model import LanguageModel

Visit = Callable[[Site, torch.Tensor], torch.Tensor | None]


class Enough(Exception):
    """Raised by a hook when every site has been seen, so that the rest of the forward pass is not computed."""


@contextmanager
def hooked(
    model: LanguageModel,
    sites: Sequence[Site],
    visit: Visit,
    *,
    stop: bool = False,
    shape: torch.Size | None = None,
    lenient: bool = False,
) -> Iterator[None]:
    """Inside the block, each forward pass calls `visit(site, activation)` at every site.

    `activation` is (batch, positions, width) as the model computed it; a tensor of this shape that `visit` returns
    takes its place, None leaves it. `shape` is that of the token ids (batch, positions): with it, modules that see the
    tokens of a batch one after the other (batch * positions, width) are sites too. With `stop`, the forward pass (and
    with it the block) ends when every site has been seen. Hooks are removed on the way out whatever happens. Threads
    that share a model take turns. Raises UserError when the model has no such site, or it does not carry one vector per
    token; with `lenient` such a site is passed over. What a model appends to the text by itself (Longformer and BigBird
    fill up their last block) is not seen, and stays as it is.
    """
    waiting = set(sites)
    fills_up = model.module.config.model_type in FILLS_UP

    def seen(site: Site, whole: object) -> torch.Tensor | None:
        activation = _real(whole, shape) if fills_up else whole
        vectors = _one_per_token(activation, shape)
        replaced = None
        if vectors is not None:
            replaced = visit(site, vectors)
            if replaced is not None:
                assert isinstance(activation, torch.Tensor)
                replaced = replaced.reshape(activation.shape)
                if isinstance(whole, torch.Tensor) and whole.shape != activation.shape:
                    replaced = torch.cat([replaced, whole[:, activation.shape[1] :]], dim=1)
        elif not lenient:
            given = tuple(activation.shape) if isinstance(activation, torch.Tensor) else type(activation).__name__
            raise UserError(_no_vectors(model, site, str(given)))
        waiting.discard(site)
        if stop and not waiting:
            raise Enough
        return replaced

    with model.lock, ExitStack() as stack:
        for site in dict.fromkeys(sites):
            stack.callback(_register(model, site, seen).remove)
        with suppress(Enough):
            yield


def _real(activation: object, shape: torch.Size | None) -> object:
    """Without the positions that were appended to those of `shape`."""
    if shape is None or not isinstance(activation, torch.Tensor) or activation.dim() != 3:
        return activation
    return activation[:, : shape[1]] if activation.shape[1] > shape[1] else activation


def _one_per_token(activation: object, shape: torch.Size | None) -> torch.Tensor | None:
    """(batch, positions, width) of what a module gave; None where that is not one vector per token."""
    if not isinstance(activation, torch.Tensor):
        return None
    if shape is not None and activation.dim() == 2 and len(activation) == shape.numel():
        return activation.view(*shape, -1)
    return activation if activation.dim() == 3 else None


def _no_vectors(model: LanguageModel, site: Site, found: str) -> str:
    return f"Site {site.name} of {model.name} is {found}, not one vector per token; choose another."


def module_at(model: LanguageModel, site: Site) -> nn.Module:
    """The module whose output (for `resid_pre`: whose input) is the site. Raises UserError when there is none."""
    if site.kind == "module":
        assert site.module is not None
        found = model.submodule(site.module)
        if found is None:
            raise UserError(_no_module(model, site.module))
        return found
    if model.blocks.unknown:
        raise UserError(model.blocks.unknown)
    assert site.layer is not None
    if site.layer >= model.n_layers:
        raise UserError(f"layer {site.layer} of {model.name} does not exist; it has layers 0 to {model.n_layers - 1}")
    block = model.blocks.modules[site.layer]
    if site.kind.startswith("resid"):
        return block
    return inside_block(block, site.kind, model.name, model.whole_path(f"{model.blocks.path}.{site.layer}"))


def _no_module(model: LanguageModel, path: str) -> str:
    """Why there is no module at `path`: what the innermost module on the way to it consists of."""
    parts = path.split(".")
    known = ((n, model.submodule(".".join(parts[:n]))) for n in range(len(parts) - 1, 0, -1))
    n, inner = next(((n, module) for n, module in known if module is not None), (0, model.module))
    where = f"{'.'.join(parts[:n])} consists" if n else "the model consists"
    names = [name for name, _ in inner.named_children()]
    if len(names) > 1 and all(name.isdecimal() for name in names):
        names = [f"{names[0]} to {names[-1]}"]
    children = ", ".join(names) or "nothing"
    if model.headless and not n:
        where = f"without its head, which was not loaded, {where}"
    usual = model.whole_path(f"{model.blocks.path}.0") if model.blocks.path else "encoder.layer.0"
    return (
        f"{path!r} of {model.name} does not exist; give {', '.join(KINDS)} or a module's path such as {usual} "
        f"({where} of {children})."
    )


def _register(
    model: LanguageModel, site: Site, seen: Callable[[Site, object], torch.Tensor | None]
) -> torch.utils.hooks.RemovableHandle:
    module = module_at(model, site)
    if site.kind != "resid_pre":

        def after(_: nn.Module, __: Any, output: Any) -> Any:
            # Blocks return a tensor or, in older code, a tuple that begins with it.
            first = output[0] if isinstance(output, (tuple, list)) else output
            replaced = seen(site, first)
            if replaced is None or not isinstance(output, (tuple, list)):
                return replaced
            return type(output)([replaced, *output[1:]])

        return module.register_forward_hook(after)

    def before(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        given = args[0] if args else kwargs.get("hidden_states")
        replaced = seen(site, given)
        if replaced is None:
            return None
        return ((replaced, *args[1:]), kwargs) if args else (args, {**kwargs, "hidden_states": replaced})

    return module.register_forward_pre_hook(before, with_kwargs=True)
