"""Whether a batch of a model gives what its windows give alone: tried on the model, not read off its family.

Some models read what stands right of a text whatever the mask says (FNet mixes all positions, MobileBERT looks at the
token to the right), some let the windows of a batch change each other (experts of a limited capacity). For them
activations would depend on which windows happened to lie beside.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from itda_core.errors import UserError
from itda_core.files import remembered
from itda_core.models.fingerprints import weights_fingerprint
from itda_core.models.folder.model_folder import CONFIG, weight_files
from itda_core.models.forward.batching import Batching, same, tolerance
from itda_core.models.forward.forward_pass import forward, is_out_of_memory, pad
from itda_core.models.forward.hooks import hooked, module_at
from itda_core.models.sites import Site
from itda_core.models.tokenizer.loading import n_embeddings
from itda_core.text import Window

if TYPE_CHECKING:
    from itda_core.models.language_model import LanguageModel

_VERSION = 1  # of how it is tried; another one tries anew
_LENGTHS = (12, 24, 4)  # tokens of the windows that are read alone and as one batch; where the context is shorter, less
_MOST_AT_ONCE = 2 * 2**30  # bytes of weights that are widened together
_HALVES = (torch.bfloat16, torch.float16)

Run = Callable[[Sequence[Window]], list[list[torch.Tensor]]]  # per window, per site (tokens, width)


def batching_of(model: LanguageModel) -> Batching:
    """How `model` may read several windows: as remembered of a model of these files, or tried now.

    Tried are three short windows of different lengths, alone and as one batch; at all blocks, and at the attention and
    MLP of each where these are known. Where rounding is coarse it is tried in float32, for which each module's weights
    are widened while it computes.
    """
    key = _key(model)
    kept = remembered.recall("batching", key)
    if kept in tuple(Batching):
        return Batching(kept)
    found = _tried(model)
    if found is None:  # it does not run on such windows at all
        return Batching.ALONE
    remembered.remember("batching", key, str(found))
    return found


def demote(model: LanguageModel, batching: Batching) -> None:
    """Records that `model`, and whatever is loaded from the same files, reads several windows like this from now on."""
    model.batching = batching
    remembered.remember("batching", _key(model), str(batching))


@contextmanager
def in_float32(module: nn.Module, *, at_once: bool = False) -> Iterator[None]:
    """Inside the block, modules below `module` compute in float32: the weights of one are widened while it runs.

    at_once: all are widened, for code that takes weights from modules that are not running.
    """
    held: dict[nn.Module, tuple[dict[str, Any], dict[str, Any]]] = {}

    def widen(child: nn.Module, *_: Any) -> None:
        if child in held:
            return
        held[child] = dict(child._parameters), dict(child._buffers)
        for name, parameter in child._parameters.items():
            if parameter is not None and parameter.dtype in _HALVES and not parameter.is_meta:
                child._parameters[name] = nn.Parameter(parameter.detach().float(), requires_grad=False)
        for name, buffer in child._buffers.items():
            if buffer is not None and buffer.dtype in _HALVES and not buffer.is_meta:
                child._buffers[name] = buffer.float()

    def narrow(child: nn.Module, *_: Any) -> None:
        if child in held:
            parameters, buffers = held.pop(child)
            child._parameters.update(parameters)
            for name, buffer in buffers.items():
                if buffer is not None and buffer.dtype in _HALVES:
                    child._buffers[name] = buffer

    with ExitStack() as stack:
        for child in module.modules():
            if at_once:
                widen(child)
            elif child._parameters or child._buffers:
                stack.callback(child.register_forward_pre_hook(widen).remove)
                stack.callback(child.register_forward_hook(narrow).remove)
        try:
            yield
        finally:
            for child in list(held):  # a pass that ended in the middle
                narrow(child)


def _tried(model: LanguageModel) -> Batching | None:
    """None where the model does not run on such windows."""
    for at_once in (False, True) if model.dtype in _HALVES else ():
        if at_once and sum(weight.nbytes for weight in model.module.parameters()) > _MOST_AT_ONCE:
            continue
        try:
            with model.lock, in_float32(model.module, at_once=at_once):
                return _compared(model, tolerance(torch.float32))
        except UserError:  # its code asks for its own precision, its weights are not all here, or memory is too short
            pass
    try:
        return _compared(model, tolerance(model.dtype))
    except UserError as error:
        if is_out_of_memory(error):  # this shows nothing about the model and is not remembered
            raise
        return None


def _compared(model: LanguageModel, limit: float) -> Batching:
    """Raises UserError when the model does not run on a window alone."""
    found = _drawn(model, limit, 0)
    if found is Batching.TOGETHER:
        return found
    # Where a mixture of experts nearly ties, rounding sends a token to another expert: not in two draws of windows.
    again = _drawn(model, limit, 1)
    return found if again is not Batching.TOGETHER else again


def _drawn(model: LanguageModel, limit: float, draw: int) -> Batching:
    """The batching found on windows of one draw."""
    sites = _sites(model)
    first = 10 * draw
    uneven = [_window(model, first + number, length) for number, length in enumerate(_LENGTHS)]
    alone = [_read(model, [window], sites)[0] for window in uneven]
    if _gives(model, uneven, sites, alone, limit):
        return Batching.TOGETHER
    if not _gives(model, uneven[:1], sites, alone[:1], limit):
        return Batching.UNSTEADY
    longest = alone[1]
    equal = [uneven[1], _window(model, first + len(_LENGTHS), _LENGTHS[1])]
    if _gives(model, equal, sites, [longest, _read(model, equal[1:], sites)[0]], limit):
        return Batching.EQUAL
    return Batching.ALONE


def _gives(
    model: LanguageModel,
    windows: Sequence[Window],
    sites: Sequence[Site],
    alone: Sequence[Sequence[torch.Tensor]],
    limit: float,
) -> bool:
    """Whether `windows` as one batch give what they gave `alone`."""
    try:
        together = _read(model, windows, sites)
    except UserError as error:  # it reads windows one by one only
        if is_out_of_memory(error):
            raise
        return False
    return all(
        len(one) == len(other) and all(same(a, b, limit) for a, b in zip(one, other, strict=True))
        for one, other in zip(alone, together, strict=True)
    )


def _read(model: LanguageModel, windows: Sequence[Window], sites: Sequence[Site]) -> list[list[torch.Tensor]]:
    """For each window what is at the sites, in the order of computation: each (tokens, width)."""
    padded = pad(model, windows)
    found: list[list[torch.Tensor]] = [[] for _ in windows]

    def visit(_: Site, activation: torch.Tensor) -> None:
        if activation.shape[:2] == padded.ids.shape and activation.is_floating_point():
            for row, window in enumerate(windows):
                found[row].append(activation[row, : len(window)].float().cpu())

    with hooked(model, sites, visit, stop=True, shape=padded.ids.shape, lenient=True):
        forward(model, padded.ids, padded.mask)
    return found


def _sites(model: LanguageModel) -> list[Site]:
    """The blocks, and the attention and MLP of each; where the blocks cannot be told, the members of all lists."""
    if model.blocks.unknown:
        lists = [path for path, child in model.module.named_modules() if isinstance(child, nn.ModuleList)]
        members = [f"{path}.{number}" for path in lists for number in range(len(model.module.get_submodule(path)))]  # pyright: ignore[reportArgumentType]
        return [Site("module", None, path) for path in members]
    sites = [Site(kind, layer) for layer in range(model.n_layers) for kind in ("attn_out", "mlp_out", "resid_post")]
    return [site for site in sites if _there(model, site)]


def _there(model: LanguageModel, site: Site) -> bool:
    try:
        module_at(model, site)
    except UserError:
        return False
    return True


def _window(model: LanguageModel, number: int, length: int) -> Window:
    """A window of that many tokens, at most, drawn from the vocabulary without its added ones."""
    length = max(1, min(length, model.context * length // max(_LENGTHS)))
    table = n_embeddings(model.module)
    n_tokens = len(model.tokenizer) if table is None else min(table, len(model.tokenizer))
    special = {id for id in (*model.tokenizer.added_tokens_decoder, model.pad_id) if id < n_tokens}
    draw = random.Random(number)
    allowed = [id for id in draw.sample(range(n_tokens), min(n_tokens, len(special) + 64)) if id not in special]
    ids = tuple(draw.choices(allowed or [0], k=length))
    return Window("", "", 0, ids, ((0, 0),) * length, (False,) * length)


def _key(model: LanguageModel) -> str:
    """What the finding depends on."""
    import transformers

    code = hashlib.sha256((model.folder / CONFIG).read_bytes())
    for path in sorted(model.folder.glob("*.py")):
        code.update(path.read_bytes())
    return remembered.key_of(
        version=_VERSION,
        weights=weights_fingerprint(weight_files(model.folder), whole_up_to=0),
        code=code.hexdigest(),
        kind=type(model.module).__name__,
        attention=str(getattr(model.module.config, "_attn_implementation", None)),
        pad_id=model.pad_id,
        context=model.context,
        dtype=str(model.dtype),
        device=model.device.type,
        torch=torch.__version__,
        transformers=transformers.__version__,
    )
