"""The models in memory, shared by all sessions: small ones side by side, a large one alone."""

from __future__ import annotations

import gc
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from itda_core.errors import UserError
from itda_core.machine.host_memory import host_memory
from itda_core.models.spec import ModelSpec
from itda_core.runs.costs.model_figures import model_figures
from pages.ui.frame import slow_imports

if TYPE_CHECKING:
    from itda_core.models import LanguageModel

MOST_BYTES = 2 * 2**30  # of the weights of models that are held side by side
_SHARE = 0.25  # of the memory that is free, likewise: the rest is for activations, dictionaries and other programs
_BYTES_PER_PARAMETER = 4  # at most: a CPU computes in float32


@dataclass
class _Place:
    """One model's: who loads it or lends it holds the lock."""

    lock: threading.RLock = field(default_factory=threading.RLock)
    model: LanguageModel | None = None
    bytes: int | None = None  # of its weights, None where that is not known beforehand
    users: int = 0  # sessions that have it or wait for it


class _Loans(threading.local):
    """What a thread has of a holder: one that has a model never waits for a load, which may wait for that model."""

    number = 0  # of models it has or waits for


class ModelHolder:
    """Lends each model to one session at a time: two captures on the same modules would see each other's activations.

    Sessions that want the same model load it once; sessions with different models do not wait for each other, but for
    loading, which is done one at a time. Models stay as long as they fit together; before one is loaded that does not
    fit beside the others, those leave that nobody has, the least lately used first, and those that somebody has as soon
    as they are given back. While a load waits for that, whoever comes later for a model in memory waits until there is
    room: else steady visitors of one model, who are never all gone, would keep out every other model.
    """

    def __init__(self) -> None:
        self._lock = threading.Condition()  # of what follows; never held while anything takes long
        self._places: OrderedDict[ModelSpec, _Place] = OrderedDict()  # the least lately lent first
        self._loading = threading.Lock()  # transformers sets things for the whole process while it loads
        self._making_room = False  # whether a load waits for models to be given back
        self._own = _Loans()

    @contextmanager
    def lend(self, spec: ModelSpec) -> Iterator[LanguageModel]:
        """The model of `spec`, loaded if it is not held. Raises UserError when it cannot be loaded."""
        with self._lock:
            while self._making_room and self._is_held(spec) and not self._own.number:
                self._lock.wait()
            place = self._places.setdefault(spec, _Place())
            self._places.move_to_end(spec)
            place.users += 1
            self._own.number += 1
        try:
            with place.lock:
                if place.model is None:
                    place.model = self._load(spec, place)
                yield place.model
        finally:
            with self._lock:
                self._own.number -= 1
                place.users -= 1
                if place.model is None and not place.users:
                    self._places.pop(spec, None)
                self._lock.notify_all()

    def _load(self, spec: ModelSpec, place: _Place) -> LanguageModel:
        with self._loading:
            place.bytes = _weights_of(spec)
            self._make_room(place.bytes)
            slow_imports.load()
            from itda_core.models import load_model

            return load_model(spec)

    def _make_room(self, needed: int | None) -> None:
        """Let models go until one of `needed` bytes fits beside the rest; None: it is to be alone."""
        most = min(MOST_BYTES, int(_SHARE * host_memory().free))
        with self._lock:
            try:
                while not self._fits(needed, most):
                    unused = next(
                        (spec for spec, one in self._places.items() if one.model is not None and not one.users), None
                    )
                    if unused is None:
                        self._making_room = True
                        self._lock.wait()
                    else:
                        del self._places[unused]
                        _collect()
            finally:
                self._making_room = False
                self._lock.notify_all()

    def _is_held(self, spec: ModelSpec) -> bool:
        place = self._places.get(spec)
        return place is not None and place.model is not None

    def _fits(self, needed: int | None, most: int) -> bool:
        held = [place.bytes for place in self._places.values() if place.model is not None]
        return not held or (needed is not None and None not in held and needed + sum(filter(None, held)) <= most)

    def holds(self, spec: ModelSpec) -> bool:
        """Whether that model is in memory now."""
        with self._lock:
            return self._is_held(spec)

    @property
    def ready(self) -> ModelSpec | None:
        """Which model was lent last, of those in memory now."""
        with self._lock:
            return next((spec for spec, place in reversed(self._places.items()) if place.model is not None), None)

    @property
    def device(self) -> str | None:
        """Where the models in memory are: `cpu`, `cuda:0`, …; None when there is none."""
        with self._lock:
            models = [place.model for place in reversed(self._places.values()) if place.model is not None]
        return None if not models else str(models[0].device)


def _collect() -> None:
    """Frees what went, also of a model that was set apart from collections when the server started (`ahead`)."""
    set_apart = gc.get_freeze_count() > 0
    gc.unfreeze()
    gc.collect()
    if set_apart:
        gc.freeze()


def _weights_of(spec: ModelSpec) -> int | None:
    """Bytes of the weights of a model on this machine once loaded; None where that cannot be told, nor need be."""
    try:
        figures = model_figures(spec)
    except UserError:  # loading it says what is wrong
        return None
    return None if figures is None else figures.parameters * _BYTES_PER_PARAMETER
