"""The one model in memory, shared by all sessions: the old one leaves before the new one comes."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from itda_core.models.spec import ModelSpec
from pages.ui import imports

if TYPE_CHECKING:
    from itda_core.models import LanguageModel


class ModelHolder:
    """Lends the model to one session at a time: two captures on the same modules would see each other's activations."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._spec: ModelSpec | None = None
        self._model: LanguageModel | None = None

    @contextmanager
    def lend(self, spec: ModelSpec) -> Iterator[LanguageModel]:
        """The model of `spec`, loaded if it is not the one held. Raises UserError when it cannot be loaded."""
        with self._lock:
            if self._model is None or self._spec != spec:
                self._model = self._spec = None
                gc.collect()
                imports.load()
                from itda_core.models import load_model

                self._model = load_model(spec)
                self._spec = spec
            yield self._model

    @property
    def ready(self) -> ModelSpec | None:
        """Which model is in memory now."""
        return self._spec

    @property
    def device(self) -> str | None:
        """Where the model in memory is: `cpu`, `cuda:0`, …; None when there is none."""
        return None if self._model is None else str(self._model.device)
