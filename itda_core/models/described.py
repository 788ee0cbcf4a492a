"""The description of the model that a source of activations comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerFast

    from itda_core.models.forward.batching import Batching
    from itda_core.models.language_model import LanguageModel
    from itda_core.models.sites import Site


class DescribedByModel:
    """A source (dictionaries.ActivationSource) that is described as its model is."""

    def __init__(self, model: LanguageModel | DescribedByModel) -> None:
        self._model = model

    @property
    def name(self) -> str:
        return self._model.name

    @property
    def revision(self) -> str | None:
        return self._model.revision

    @property
    def fingerprint(self) -> str:
        return self._model.fingerprint

    @property
    def tokenizer_fingerprint(self) -> str:
        return self._model.tokenizer_fingerprint

    @property
    def tokenizer(self) -> PreTrainedTokenizerFast:
        return self._model.tokenizer

    @property
    def d_model(self) -> int:
        return self._model.d_model

    @property
    def context(self) -> int:
        return self._model.context

    @property
    def device(self) -> torch.device:
        return self._model.device

    @property
    def dtype(self) -> torch.dtype:
        return self._model.dtype

    @property
    def batching(self) -> Batching:
        """See `LanguageModel.batching`."""
        return self._model.batching

    def site(self, kind: str, layer: int | None = None) -> Site:
        """See `LanguageModel.site`."""
        return self._model.site(kind, layer)
