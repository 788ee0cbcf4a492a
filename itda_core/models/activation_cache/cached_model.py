"""A model whose activations are kept on disk, and read from there the next time."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import torch
from filelock import Timeout
from safetensors import SafetensorError, safe_open

from itda_core.models.activation_cache.shards import (
    SHARD_BYTES,
    Index,
    SetKey,
    StoredTensor,
    clean,
    digest_of,
    find_set,
    lock_of,
    open_set,
    write_shard,
)
from itda_core.models.activations import ActivationBatch
from itda_core.models.described import DescribedByModel
from itda_core.models.forward.batching import Batching

if TYPE_CHECKING:
    from itda_core.models.language_model import LanguageModel
    from itda_core.models.sites import Site
    from itda_core.models.streamed.harvest import LayerActivations
    from itda_core.text import Corpus, Window


_ROUNDING = 32  # units in the last place by which another processor's sums may differ


class KeptActivations(DescribedByModel):
    """Streams what `model` would: forward batches that were kept come from disk, to the bit as the model gave them, the
    others from the model.

    It serves trainings, which need only a model's description and its stream. With `keep`, what the model gives is
    written, a shard of SHARD_BYTES at a time, the last one when the block ends; without, sets kept earlier are still
    read. A set of an earlier version, whose config is not recorded, is read once one of its batches was found to be
    what the model gives. Values are stored in the model's own precision, which loses nothing. Only one batch to read
    and one shard to write are held.

        with KeptActivations(model, corpus, root, context=128, windows="all") as source:
            for progress in train(source, corpus, layers, config): ...
    """

    def __init__(
        self,
        model: LanguageModel | LayerActivations,
        corpus: Corpus,
        root: Path,
        *,
        context: int,
        windows: str,
        keep: bool = True,
        on_note: Callable[[str], None] = lambda _: None,
    ) -> None:
        """root: the folder of all sets; context, windows: how `corpus` will be cut, see text.windows."""
        super().__init__(model)
        self._source = model
        self._corpus, self._root, self._keep, self._on_note = corpus, root, keep, on_note
        self._key = SetKey(
            weights=model.fingerprint,
            tokenizer=model.tokenizer_fingerprint,
            dtype=str(model.dtype),
            device=_device_name(model.device),
            software=_software(model.batching),
            corpus=corpus.fingerprint,
            context=context,
            windows=windows,
        )
        self._folder: Path | None = None
        self._index: Index | None = None
        self._earlier: Index | None = None  # of the set of an earlier version
        self._proven = False  # whether that set was found to be of this model
        self._waiting: dict[str, torch.Tensor] = {}  # the next shard
        self._batches: list[tuple[str, int]] = []
        self._waiting_bytes = 0
        self._inside = ExitStack()
        self._open: tuple[Path, Any] | None = None  # the shard last read from
        self.read_batches = self.run_batches = 0  # forward batches that came from disk, and from the model

    def __enter__(self) -> Self:
        """Raises UserError when the set cannot be written."""
        if self._keep:
            self._folder = open_set(self._root, self._key, model=self._model.name, corpus=self._corpus.id)
            lock = lock_of(self._folder)
            try:
                lock.acquire(timeout=0)
                self._inside.callback(lock.release)
                clean(self._folder)
            except Timeout:
                self._keep = False
                self._on_note("Another training is keeping the same activations; this one only reads them.")
        else:
            self._folder = find_set(self._root, self._key)
        self._index = None if self._folder is None else Index(self._folder)
        earlier = None if self._key.earlier() == self._key else find_set(self._root, self._key.earlier())
        self._earlier = None if earlier is None else Index(earlier)
        found = [index for index in (self._index, self._earlier) if index is not None and index.places]
        if found:
            n_tokens = sum(sum(index.tokens.values()) for index in found)
            self._on_note(f"Activations kept earlier are read: {n_tokens:,} tokens.")
        return self

    def __exit__(self, *_: object) -> None:
        with self._inside:
            self._close()
            self._flush()

    def stream(
        self, windows: Iterable[Window], sites: Sequence[Site], *, windows_per_batch: int = 16
    ) -> Iterator[ActivationBatch]:
        """See `activations.stream`. Raises UserError also when the disk is full."""
        remaining, done = iter(windows), 0
        while batch := list(islice(remaining, windows_per_batch)):
            done += len(batch)
            digest = digest_of(batch)
            activations = self._read(self._index, digest, sites)
            if activations is None:
                activations = self._read_earlier(batch, digest, sites)
            if activations is None:
                (computed,) = self._source.stream(batch, sites, windows_per_batch=len(batch))
                activations = computed.activations
                self.run_batches += 1
                self._take(digest, activations)
            else:
                self.read_batches += 1
            yield ActivationBatch([token for window in batch for token in window.tokens()], activations, done)

    def _read_earlier(self, batch: list[Window], digest: str, sites: Sequence[Site]) -> dict[Site, torch.Tensor] | None:
        """A batch's activations from the set of an earlier version; None where it has none, or is of another config."""
        kept = self._read(self._earlier, digest, sites)
        if kept is None or self._proven:
            return kept
        (computed,) = self._source.stream(batch, sites, windows_per_batch=len(batch))
        near = _ROUNDING * torch.finfo(self._model.dtype).eps
        self._proven = all(
            kept[site].shape == x.shape and bool((kept[site] - x).norm() <= near * x.norm())
            for site, x in computed.activations.items()
        )
        if self._proven:
            return kept
        self._earlier = None
        self._on_note("Activations kept earlier are of another config of this model; they are not read.")
        return None

    def _read(self, index: Index | None, digest: str, sites: Sequence[Site]) -> dict[Site, torch.Tensor] | None:
        """A batch's activations from disk; None where one of the sites is not there."""
        if index is None:
            return None
        places = [index.places.get((digest, site.name)) for site in sites]
        found: dict[Site, torch.Tensor] = {}
        for site, place in zip(sites, places, strict=True):
            if place is None:
                return None
            tensor = self._tensor(place)
            if tensor is None:
                index.forget(place.shard)
                return None
            found[site] = tensor
        return found

    def _tensor(self, place: StoredTensor) -> torch.Tensor | None:
        """None where the shard is gone, cannot be read, or does not hold what was written."""
        try:
            if self._open is None or self._open[0] != place.shard:
                self._close()
                self._open = place.shard, safe_open(place.shard, framework="pt")
            tensor = self._open[1].get_tensor(place.tensor)
            return tensor.to(self._model.device).float() if place.holds(tensor) else None
        except (SafetensorError, OSError):
            self._close()
            return None

    def _close(self) -> None:
        self._open = None

    def _take(self, digest: str, activations: dict[Site, torch.Tensor]) -> None:
        """Put a batch of the model's into the next shard, except what is on disk."""
        if not self._keep or self._index is None or not len(next(iter(activations.values()))):
            return
        number = len(self._batches)
        for site, x in activations.items():
            if (digest, site.name) not in self._index.places:
                held = _narrowed(x, self._model.dtype).cpu().contiguous()
                self._waiting[f"{number}.{site.name}"] = held
                self._waiting_bytes += held.nbytes
        self._batches.append((digest, len(next(iter(activations.values())))))
        if self._waiting_bytes >= SHARD_BYTES:
            self._flush()

    def _flush(self) -> None:
        """Write the shard that waits, if there is one."""
        waiting, batches = self._waiting, self._batches
        self._waiting, self._batches, self._waiting_bytes = {}, [], 0
        if not waiting or self._folder is None or self._index is None:
            return
        shard = self._folder / f"{secrets.token_hex(8)}.safetensors"
        write_shard(shard, waiting, batches)
        self._index.add(shard)


def _software(batching: Batching) -> str:
    """The software in a set's key; versions whose windows read padding gave other activations."""
    return torch.__version__ if batching is Batching.TOGETHER else f"{torch.__version__}, windows read alone"


def _device_name(device: torch.device) -> str:
    """The name of the device; another kind of GPU may round differently."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def _narrowed(x: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """x (n_tokens, d_model) float32 in the model's own precision, where that holds it exactly."""
    narrow = x.to(dtype)
    return narrow if narrow.element_size() < x.element_size() and torch.equal(narrow.float(), x) else x
