"""What dictionaries ask of a model: its name, and a stream of activations. Models themselves are not known here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from itda_core.errors import UserError

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

    from itda_core.dictionaries.config import TrainConfig
    from itda_core.text.windows import TokenRef, Window

TOGETHER = "together"  # windows of a batch are read side by side; else what padding holds would be read


class Site(Protocol):
    """Where an activation is read; hashable, see models.Site."""

    @property
    def kind(self) -> str: ...
    @property
    def layer(self) -> int | None: ...
    @property
    def module(self) -> str | None: ...
    @property
    def name(self) -> str: ...


class ActivationBatch(Protocol):
    """The activations of some consecutive windows, see models.ActivationBatch."""

    @property
    def tokens(self) -> list[TokenRef]: ...
    @property
    def activations(self) -> Mapping[Any, Tensor]:
        """Per site (n_tokens, width)."""
        ...

    @property
    def windows(self) -> int:
        """Windows of the stream that are done after this batch."""
        ...


class ActivationSource(Protocol):
    """A model that gives activations, see models.LanguageModel."""

    @property
    def name(self) -> str: ...
    @property
    def revision(self) -> str | None: ...
    # Text; type checkers do not look through the cached properties that they are in models.
    @property
    def fingerprint(self) -> Any: ...
    @property
    def tokenizer_fingerprint(self) -> Any: ...
    @property
    def tokenizer(self) -> PreTrainedTokenizerBase: ...
    @property
    def d_model(self) -> int: ...
    @property
    def context(self) -> int: ...
    @property
    def device(self) -> torch.device: ...
    @property
    def dtype(self) -> torch.dtype: ...
    @property
    def batching(self) -> Any:
        """TOGETHER, or how else it reads several windows, as far as is known by now: see models.Batching."""
        ...

    def site(self, kind: str, layer: int | None = None) -> Any:
        """The Site of that kind at that layer."""
        ...

    def stream(
        self, windows: Iterable[Window], sites: Sequence[Any], *, windows_per_batch: int = ...
    ) -> Iterator[ActivationBatch]:
        """The activations of `windows` in their order, special tokens left out, a forward batch at a time."""
        ...


def sites_to_read(model: ActivationSource, layers: Sequence[Any], site: str, config: TrainConfig) -> list[Site]:
    """The sites that are to be read. Raises UserError for what the model does not have, or cannot read."""
    config.check_context(model.name, model.context)
    for layer in layers:
        if layer is not None and (isinstance(layer, bool) or not isinstance(layer, int)):
            raise UserError(f"Layer {layer!r:.200} is not a whole number; give the blocks' numbers, from 0.")
    sites = [model.site(site, layer) for layer in layers]
    if not sites or len(set(sites)) < len(sites):
        given = ", ".join(map(str, layers)) or "none"
        raise UserError(f"Layers {given} were asked for; name at least one, and each once.")
    if any(read.module is None for read in sites):  # what a module gives may be narrower or wider
        config.threshold_for(model.d_model)
    return sites
