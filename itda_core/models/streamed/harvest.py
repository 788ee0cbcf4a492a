"""The activations of a model larger than memory: each block is read from the disk once, for the whole corpus."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from itda_core.errors import UserError
from itda_core.files import PARTIAL, read_json, write_json
from itda_core.models.activation_cache.shards import digest_of
from itda_core.models.activations import ActivationBatch
from itda_core.models.described import DescribedByModel
from itda_core.models.fingerprints import model_fingerprint
from itda_core.models.forward.batching import Batching
from itda_core.models.forward.forward_pass import check_finite
from itda_core.models.sites import Site
from itda_core.models.streamed.hidden_states import HiddenStates
from itda_core.models.streamed.returned_memory import Returns
from itda_core.models.streamed.skeleton import Skeleton

if TYPE_CHECKING:
    from itda_core.text import Window

_STATE = "harvest.json"


@dataclass(frozen=True)
class HarvestProgress:
    """Where a harvest stands."""

    layer: int  # the block in work
    last: int  # the last one that is wanted
    windows: int  # that have passed it
    total: int  # windows of the corpus
    bytes_read: int  # of the checkpoint, in this session


class LayerActivations(DescribedByModel):
    """The activations at one site, as a source for a training (dictionaries.ActivationSource): what the whole model in
    memory would give, read from the disk. It gives the windows that were harvested and no others, in their batches."""

    def __init__(
        self, model: Skeleton, site: Site, batches: dict[str, int], states: HiddenStates, *, all: bool
    ) -> None:
        """states: at `site`; all: whether they have special tokens too."""
        super().__init__(model)
        self._skeleton, self._site, self._batches, self._states, self._all = model, site, batches, states, all

    def stream(
        self, windows: Iterable[Window], sites: Sequence[Site], *, windows_per_batch: int = 16
    ) -> Iterator[ActivationBatch]:
        """See `activations.stream`; it ends where the harvested windows end."""
        assert tuple(sites) == (self._site,), "a source of one site"
        remaining, done = iter(windows), 0
        while batch := list(islice(remaining, windows_per_batch)):
            number = self._batches.get(digest_of(batch))
            if number is None:
                return
            done += len(batch)
            x = self._states.read(number).to(self.device).float()
            if self._all:
                x = x[~torch.tensor([special for window in batch for special in window.special], device=x.device)]
            tokens = [token for window in batch for token in window.tokens()]
            check_finite(self._skeleton, self._site, tokens, x)
            yield ActivationBatch(tokens, {self._site: x}, done)


class LayerHarvest:
    """Runs a corpus through a model block by block, and hands out the wanted sites on the way.

        with LayerHarvest(skeleton, windows, sites, folder) as harvest:
            for site, source in harvest.sources():
                ...  # train on source; its activations are gone when the loop goes on

    - each block's weights are read once, while the block before it computes; two blocks are in memory at most;
    - the hidden states of all windows lie in `folder`, before and after the block in work (2 x tokens x d_model
      numbers on the disk); a batch at a time is in memory;
    - a harvest that was killed goes on after the last block that all windows had passed, at the source that was being
      used when it has one; what lies in `folder` of another model or another text, or of a version that may have let
      blocks read padding, is thrown away;
    - activations are those of the whole model in memory, run with the same batches: to the bit where the device
      computes a batch the same way each time and a token's activation does not depend on the others' (see
      Skeleton.run). A mixture of experts sends padding, whose hidden states are not kept, to other experts; products
      of another size then round otherwise in their last bits.
    """

    def __init__(
        self,
        model: Skeleton,
        windows: Sequence[Window],
        sites: Sequence[Site],
        folder: Path,
        *,
        windows_per_batch: int = 16,
        on_progress: Callable[[HarvestProgress], None] = lambda _: None,
    ) -> None:
        """windows: all that are to be read, in the corpus's order; sites: inside blocks.

        Raises UserError when a site lies outside the blocks, or there is no window.
        """
        if not windows:
            raise UserError(f"The text gave no token to {model.name}; choose one with more text.")
        self._model, self._folder, self._on_progress = model, folder, on_progress
        self._batches = [list(windows[i : i + windows_per_batch]) for i in range(0, len(windows), windows_per_batch)]
        self._sites: dict[int, list[Site]] = {}
        for site in sites:
            self._sites.setdefault(self._block_of(site), []).append(site)
        self._last = max(self._sites)
        self._digests = [digest_of(batch) for batch in self._batches]
        self._rows = [sum(map(len, batch)) for batch in self._batches]
        self._text_rows = [sum(len(window.tokens()) for window in batch) for batch in self._batches]
        self._folder.mkdir(parents=True, exist_ok=True)
        self._returns = Returns()
        self.passed = 0  # blocks, in this session
        self.seconds = 0.0  # that these took

    def __enter__(self) -> LayerHarvest:
        return self

    def __exit__(self, *_: object) -> None:
        self._model.weights.close()

    @property
    def disk(self) -> int:
        """Bytes that the hidden states take at most."""
        return 2 * self._states(0).bytes

    def sources(self, *, skip: Sequence[Site] = ()) -> Generator[tuple[Site, LayerActivations]]:
        """Each wanted site with its activations, ascending; they can be read until the next is asked for.

        skip: sites that are not wanted any more, known by a run that goes on. Raises UserError when a block is not in
        the checkpoint as it should be, the disk is full, or an activation is not finite.
        """
        wanted = {layer: [site for site in sites if site not in skip] for layer, sites in self._sites.items()}
        wanted = {layer: sites for layer, sites in wanted.items() if sites}
        if not wanted:
            self._clear()
            return
        begin = self._found()
        with (
            ThreadPoolExecutor(1, thread_name_prefix="next-block") as reader,
            closing(self._passes(begin, max(wanted), reader)) as passes,
        ):
            for layer in passes:
                for site in wanted.get(layer, ()):
                    yield site, self._source(site, layer)
        self._clear()

    def _passes(self, begin: int, last: int, reader: ThreadPoolExecutor) -> Generator[int]:
        """The blocks in turn, each once all windows have passed it: from the last that had been passed, if any."""
        if begin > 0:
            yield begin - 1
            self._forget(begin - 1)
        if begin > last:
            return
        model = self._model
        names = [model.block_names(layer) for layer in range(last + 1)]
        room = max(map(model.weights.room, names[begin:]))
        pinned = model.device.type == "cuda"  # from such memory a GPU copies faster
        buffers = [torch.empty(room, dtype=torch.uint8, pin_memory=pinned) for _ in range(min(2, last + 1 - begin))]
        coming = reader.submit(model.weights.read, names[begin], buffers[0])
        for layer in range(begin, last + 1):
            began = time.monotonic()
            tensors = coming.result()
            if layer < last:  # into the buffer of the block before, which is done with
                coming = reader.submit(model.weights.read, names[layer + 1], buffers[(layer + 1 - begin) % 2])
            model.put(layer, tensors)
            del tensors
            if layer:
                model.forget_embeddings(self._batches[0])
            self._pass(layer)
            model.drop(layer)
            self.passed += 1
            self.seconds += time.monotonic() - began
            yield layer
            self._forget(layer)

    def _pass(self, layer: int) -> None:
        """All windows through one block."""
        model, sites = self._model, self._sites.get(layer, [])
        inside = [site for site in sites if self._inside(site)]
        given = self._states(layer).each() if layer else iter([None] * len(self._batches))
        writers: dict[Site, Any] = {}
        done, total = 0, sum(map(len, self._batches))
        with ExitStack() as stack:
            output = stack.enter_context(self._states(layer + 1).writing())
            for batch, before in zip(self._batches, given, strict=True):
                found = model.run(layer, batch, inside, before)
                output.add(found.output)
                for site in inside:
                    if site not in writers:
                        states = self._site_states(site, found.sites[site].shape[1])
                        writers[site] = stack.enter_context(states.writing())
                    writers[site].add(found.sites[site])
                done += len(batch)
                del found
                self._returns.now_and_then()
                self._on_progress(HarvestProgress(layer, self._last, done, total, model.weights.bytes_read))
        self._note(layer + 1)

    def _source(self, site: Site, layer: int) -> LayerActivations:
        batches = {digest: number for number, digest in enumerate(self._digests)}
        if self._inside(site):
            size = next(self._folder.glob(f"{_plain(site)}.*")).suffix
            states = self._site_states(site, int(size[1:]))
            return LayerActivations(self._model, site, batches, states, all=False)
        depth = layer + 1 if site.kind == "resid_post" else layer
        return LayerActivations(self._model, site, batches, self._states(depth), all=True)

    def _states(self, depth: int) -> HiddenStates:
        """What goes into block `depth`."""
        model = self._model
        return HiddenStates(self._folder / f"depth-{depth}", self._rows, model.d_model, model.dtype)

    def _site_states(self, site: Site, width: int) -> HiddenStates:
        return HiddenStates(self._folder / f"{_plain(site)}.{width}", self._text_rows, width, self._model.dtype)

    def _inside(self, site: Site) -> bool:
        """Whether a site is neither what goes into its block nor what comes out of it."""
        return site.kind not in ("resid_post", "resid_pre") or (site.kind == "resid_pre" and site.layer == 0)

    def _block_of(self, site: Site) -> int:
        path = self._model.blocks.path
        if site.layer is None or (site.kind == "module" and f"{path}.{site.layer}" not in (site.module or "")):
            raise UserError(
                f"Site {site.name} lies outside the blocks of {self._model.name} ({path}), which a streamed model does "
                "not keep; choose a site inside a block, or load the model whole (--placement spread)."
            )
        return site.layer

    @cached_property
    def _identity(self) -> dict[str, Any]:
        """What hidden states depend on."""
        digest = hashlib.sha256("".join(self._digests).encode()).hexdigest()
        model = self._model
        return {
            # Each weight is read once.
            "model": model_fingerprint(model.folder, own_code=model.spec.trust_remote_code, whole_up_to=0),
            "dtype": str(model.dtype),
            "device": model.device.type,
            "torch": torch.__version__,
            "windows": digest,
        }

    def _found(self) -> int:
        """How many blocks all windows have passed already; 0 begins."""
        try:
            state = read_json(self._folder / _STATE)
        except UserError:
            state = None
        state = state if isinstance(state, dict) else {}
        depth = state.get("passed", 0) if state.get("of") == self._identity else 0
        form, batching = state.get("form"), state.get("batching")  # none in earlier versions, which may hold padding
        if (
            not isinstance(depth, int)
            or depth < 1
            or not isinstance(form, int)
            or batching not in tuple(Batching)
            or not self._states(depth).whole
        ):
            self._clear()
            return 0
        self._model.form, self._model.batching = form, Batching(batching)
        for path in self._folder.glob(f"{PARTIAL}*"):
            path.unlink()
        return depth

    def _note(self, passed: int) -> None:
        model = self._model
        state = {"passed": passed, "form": model.form, "batching": str(model.batching), "of": self._identity}
        write_json(self._folder / _STATE, state)

    def _forget(self, layer: int) -> None:
        """What was kept for the sites of a block, and what went into it."""
        self._states(layer).remove()
        for site in self._sites.get(layer, ()):
            for path in self._folder.glob(f"{_plain(site)}.*"):
                path.unlink()

    def _clear(self) -> None:
        for path in self._folder.iterdir():
            path.unlink()


def _plain(site: Site) -> str:
    return f"site-{site.name}"
