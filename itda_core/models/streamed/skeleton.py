"""A model without its blocks' weights: what comes before the blocks is loaded, each block when its turn comes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import nn
from transformers.modeling_utils import PreTrainedModel

from itda_core.errors import UserError
from itda_core.models.folder.stored_tensors import check_stored
from itda_core.models.forward.batching import Batching, same, tolerance
from itda_core.models.forward.batching_probe import in_float32
from itda_core.models.forward.forward_pass import PaddedWindows, check_shape, forward, pad
from itda_core.models.forward.hooks import hooked
from itda_core.models.language_model import LanguageModel
from itda_core.models.sites import Site
from itda_core.models.spec import ModelSpec
from itda_core.models.streamed.conversion import empty_model, place, tensor_targets, tower_of
from itda_core.models.streamed.weights import Weights

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedTokenizerFast

    from itda_core.text import Window


class BlockPass(NamedTuple):
    """What one block made of one batch of windows."""

    output: torch.Tensor  # (tokens of the batch, special ones too, d_model)
    sites: dict[Site, torch.Tensor]  # each (tokens of text, width)


class Skeleton(LanguageModel):
    """A model whose blocks have no weights, except the one in work.

    It runs a block by the model's own forward pass: blocks before it hand on what is given to them (activations kept
    from the pass of the block before), the pass ends after it. So masks, positions, rotary embeddings and whatever else
    a family gives its blocks are what the model itself makes of the windows, for every kind of layer.
    """

    def __init__(
        self,
        spec: ModelSpec,
        config: PretrainedConfig,
        tokenizer: PreTrainedTokenizerFast,
        *,
        folder: Path,
        revision: str | None,
        loader: str,
        headless: bool,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        """loader: transformers' class that makes the model; headless, device: see LanguageModel.

        Raises UserError when a checkpoint of this kind cannot be streamed, or is not whole.
        """
        if getattr(config, "quantization_config", None):
            raise UserError(
                f"Model {spec.name} is quantised, and its blocks' weights cannot be read one by one; give the "
                "unquantised checkpoint, or load it whole (--placement spread)."
            )
        module = empty_model(config, spec, loader, dtype)
        super().__init__(
            spec,
            module,
            tokenizer,
            folder=folder,
            revision=revision,
            has_lm_head=False,
            headless=headless,
            device=device,
        )
        if self.blocks.unknown:
            raise UserError(f"{self.blocks.unknown} Without its blocks it cannot be streamed.")
        self._dtype = dtype
        # Found out block by block, of real batches: without its blocks the model cannot be tried as a whole.
        self.batching = Batching.TOGETHER
        self._alone: set[int] = set()  # blocks that read windows alone
        self._tried: set[tuple[int, bool, int, int]] = set()  # blocks, and sizes of batches that were tried there
        self.weights = Weights(folder)
        self._targets = tensor_targets(self.weights.names, module, self.blocks.path)
        check_stored(spec.name, self.weights.stored, config, module, self._targets.homeless)
        # Entries of the tuple that blocks return, 0: they return a tensor; known once block 0 has run.
        self.form = 0
        self._filled: tuple[bool, ...] | None = None  # which of them behind the first hold something; None: not known
        self._lost = torch.empty(0)  # stands for what they held, which is not kept
        place(module, self.weights.read(self._targets.outside), device, dtype, self._targets.plain)
        tower = module.get_submodule(tower_of(module, self.blocks.path).rstrip("."))
        embeddings = tower.get_input_embeddings() if isinstance(tower, PreTrainedModel) else None
        if isinstance(embeddings, nn.Embedding) and embeddings.weight.is_meta:
            raise UserError(
                f"Model {spec.name} ({config.model_type}) shares its embeddings with another part in a way that cannot "
                "be streamed; load it whole (--placement spread)."
            )
        for buffers in (child._buffers for child in module.modules()):
            for name, buffer in buffers.items():
                if buffer is not None:
                    buffers[name] = buffer.to(device)

    @property
    def dtype(self) -> torch.dtype:
        return self._dtype

    def block_names(self, layer: int) -> tuple[str, ...]:
        """The checkpoint's tensors of a block."""
        return self._targets.blocks[layer]

    def put(self, layer: int, tensors: dict[str, torch.Tensor]) -> None:
        """Give a block its weights, by their names in the checkpoint. Raises UserError when some are missing."""
        place(self.module, tensors, self.device, self._dtype, self._targets.plain)
        block = self.blocks.modules[layer]
        lacking = [name for name, parameter in block.named_parameters() if parameter.is_meta]
        if lacking:
            raise UserError(
                f"The weights of model {self.name} lack {len(lacking)} tensors of block {layer} "
                f"({', '.join(lacking[:3])}); fetch or save it again, or load it whole (--placement spread) if its "
                "blocks share weights."
            )

    def drop(self, layer: int) -> None:
        """Let go of a block's weights."""
        for module in self.blocks.modules[layer].modules():
            for name, parameter in module._parameters.items():
                if parameter is not None:
                    module._parameters[name] = nn.Parameter(torch.empty_like(parameter, device="meta"), False)

    def run(
        self, layer: int, windows: Sequence[Window], sites: Sequence[Site], given: torch.Tensor | None
    ) -> BlockPass:
        """Block `layer`, which has its weights, on one batch of windows.

        given: (tokens, special ones too, d_model), the output of the block before; None for block 0, which gets the
        embeddings. Padding, which the block masks, gets zeros. A block that would read padding, or other windows of the
        batch, gets each window alone: of the first batch of each size that is tried. Raises UserError when a site is
        not reached, or the model does something between its blocks.
        """
        if layer in self._alone or not self._as_alone(layer, windows, sites, given):
            parts = [self._run(layer, [window], sites, rows) for window, rows in _each(windows, given)]
            return BlockPass(
                torch.cat([part.output for part in parts]),
                {site: torch.cat([part.sites[site] for part in parts]) for site in sites},
            )
        return self._run(layer, windows, sites, given)

    def _as_alone(
        self, layer: int, windows: Sequence[Window], sites: Sequence[Site], given: torch.Tensor | None
    ) -> bool:
        """Whether a batch gives what the shortest and the last of its windows give alone, as far as it was tried."""
        lengths = [*map(len, windows)]
        size = layer, len(set(lengths)) > 1, max(lengths).bit_length(), len(windows).bit_length()
        if len(windows) < 2 or size in self._tried:
            return True
        self._tried.add(size)
        form = self.form
        try:
            with self.lock, in_float32(self.module):
                found = self._compared(layer, windows, sites, given, torch.float32)
        except UserError:  # its code asks for its own precision
            found = self._compared(layer, windows, sites, given, self._dtype)
        self.form = form
        if not found:
            self._alone.add(layer)
            self.batching = Batching.ALONE
        return found

    def _compared(
        self,
        layer: int,
        windows: Sequence[Window],
        sites: Sequence[Site],
        given: torch.Tensor | None,
        dtype: torch.dtype,
    ) -> bool:
        """Computed in `dtype`. Raises UserError where the block does not run on a window alone."""
        counts = [*map(len, windows)]
        wide = None if given is None else given.to(self.device, dtype)
        each = list(_each(windows, wide))
        places = {counts.index(min(counts)), len(windows) - 1}
        alone = {place: self._run(layer, [each[place][0]], sites, each[place][1], dtype) for place in places}
        try:
            together = self._run(layer, windows, sites, wide, dtype)
        except UserError:  # it reads windows one by one only
            return False
        text = [len(window.tokens()) for window in windows]
        limit = tolerance(dtype)
        return all(
            same(one.output, together.output.split(counts)[place], limit)
            and all(same(one.sites[site], together.sites[site].split(text)[place], limit) for site in sites)
            for place, one in alone.items()
        )

    def _run(
        self,
        layer: int,
        windows: Sequence[Window],
        sites: Sequence[Site],
        given: torch.Tensor | None,
        dtype: torch.dtype | None = None,
    ) -> BlockPass:
        """As `run`, in one forward pass. dtype: in which it computes, the model's own if None."""
        dtype = dtype or self._dtype
        padded = pad(self, windows)
        real = padded.mask.bool()
        own = Site("resid_post", layer)
        found: dict[Site, torch.Tensor] = {}
        output: list[torch.Tensor] = []

        def visit(site: Site, activation: torch.Tensor) -> None:
            check_shape(self, site, activation, padded)
            if site in sites:
                found[site] = activation[padded.wanted]
            if site == own:
                output.append(activation[real])

        with (
            self._handing_on(layer, padded, given, dtype),
            hooked(self, [*sites, own], visit, stop=True, shape=padded.ids.shape),
        ):
            forward(self, padded.ids, padded.mask)
        missing = [site.name for site in sites if site not in found]
        if output and output[0].dtype != dtype:
            raise UserError(
                f"Model {self.name} computes in {self._dtype} but hands {output[0].dtype} from block to block; choose "
                "that --dtype, or load it whole (--placement spread)."
            )
        if missing or not output:
            raise UserError(
                f"Site {(missing or [own.name])[0]} of {self.name} was not reached by a forward pass; choose another."
            )
        return BlockPass(output[0], found)

    @contextmanager
    def _handing_on(
        self, layer: int, padded: PaddedWindows, given: torch.Tensor | None, dtype: torch.dtype
    ) -> Iterator[None]:
        """Inside the block, the blocks before `layer` compute nothing, and `layer` gets what is `given`."""
        blocks = self.blocks.modules
        if given is None:
            assert layer == 0, "later blocks are given what came before"
            handle = blocks[0].register_forward_hook(self._note_form)
            try:
                yield
            finally:
                handle.remove()
            return
        filled = torch.zeros(*padded.ids.shape, given.shape[1], dtype=dtype, device=self.device)
        filled[padded.mask.bool()] = given.to(self.device, dtype)

        def hand_on(*_: Any, **__: Any) -> Any:
            return self._formed(filled)

        def check(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            if (args[0] if args else kwargs.get("hidden_states")) is not filled:
                raise UserError(
                    f"Model {self.name} ({self.module.config.model_type}) computes something between its "
                    "blocks, so they cannot be streamed one by one; load it whole (--placement spread)."
                )
            if any(one is self._lost for one in (*args, *kwargs.values())):
                raise UserError(
                    f"Model {self.name} ({self.module.config.model_type}) hands more than hidden states from block to "
                    "block, so they cannot be streamed one by one; load it whole (--placement spread)."
                )

        handle = blocks[layer].register_forward_pre_hook(check, with_kwargs=True)
        try:
            with _computing(blocks[:layer], hand_on):
                yield
        finally:
            handle.remove()

    def _formed(self, hidden: torch.Tensor) -> Any:
        """As a block returns it."""
        if not self.form:
            return hidden
        filled = self._filled or (True,) * (self.form - 1)
        return (hidden, *(self._lost if held else None for held in filled))

    def _note_form(self, _: nn.Module, __: Any, output: Any) -> None:
        self.form = len(output) if isinstance(output, (tuple, list)) else 0
        self._filled = tuple(isinstance(entry, torch.Tensor) for entry in output[1:]) if self.form else ()

    def forget_embeddings(self, windows: Sequence[Window]) -> bool:
        """Let go of the embeddings' weights once all windows have passed block 0; whether that was done.

        What a model gives its blocks beside the hidden states (masks, positions) depends on the embeddings' shape
        only, in most families; here it is made sure of on `windows`, and where it does not hold they stay.
        """
        embeddings = self.module.get_input_embeddings()
        if not isinstance(embeddings, nn.Embedding) or embeddings.weight.is_meta:
            return False
        true = self._arguments(windows)
        width, like = embeddings.embedding_dim, embeddings.weight

        def blank(input: torch.Tensor) -> torch.Tensor:
            return torch.zeros(*input.shape, width, dtype=like.dtype, device=input.device)

        embeddings.forward = blank
        if not _equal(true, self._arguments(windows)):
            del embeddings.forward
            return False
        embeddings.weight = nn.Parameter(torch.empty_like(like, device="meta"), False)
        return True

    def _arguments(self, windows: Sequence[Window]) -> list[Any]:
        """All that every block is given for `windows`, beside the hidden states."""
        padded = pad(self, windows)
        given: list[Any] = []

        def hand_on(*args: Any, **kwargs: Any) -> Any:
            hidden = args[0] if args else kwargs.pop("hidden_states")
            given.append((args[1:], kwargs))
            return self._formed(hidden)

        blocks = self.blocks.modules
        last = Site("resid_post", len(blocks) - 1)
        with _computing(blocks, hand_on), hooked(self, [last], lambda *_: None, stop=True):
            forward(self, padded.ids, padded.mask)
        return given


def _each(windows: Sequence[Window], rows: torch.Tensor | None) -> Iterator[tuple[Window, torch.Tensor | None]]:
    """Each window with its rows of a batch's."""
    yield from zip(windows, [None] * len(windows) if rows is None else rows.split([*map(len, windows)]), strict=True)


@contextmanager
def _computing(blocks: Sequence[nn.Module], instead: Callable[..., Any]) -> Iterator[None]:
    """While the block runs, `instead` is what `blocks` compute; their hooks and attributes stay."""
    try:
        for block in blocks:
            block.forward = instead
        yield
    finally:
        for block in blocks:
            block.__dict__.pop("forward", None)


def _equal(a: Any, b: Any) -> bool:
    """Whether two nests of tuples, lists and dicts hold the same tensors; what is no tensor counts as itself."""
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and a.shape == b.shape and torch.equal(a, b)
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(_equal(a[key], b[key]) for key in a)
    if isinstance(a, (tuple, list)):
        return isinstance(b, (tuple, list)) and len(a) == len(b) and all(map(_equal, a, b))
    return a is b or (isinstance(a, (int, float, str, bool)) and a == b)
