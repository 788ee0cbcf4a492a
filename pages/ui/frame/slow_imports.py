"""The imports that take seconds, torch and transformers: by one thread at a time, and ahead of the first visitor."""

from __future__ import annotations

import importlib
import threading

# The pursuits, the base of every model, and the family of the bundled ones.
_MODULES = ("torch", "itda_core.pursuit.encoding", "itda_core.models.loading", "transformers.models.gpt2.modeling_gpt2")
_one_at_a_time = threading.Lock()  # two threads importing parts of one package can each see the other's half done


def load() -> None:
    """Imports what a dictionary and a model need; returns at once when that was done before."""
    with _one_at_a_time:
        for name in _MODULES:
            importlib.import_module(name)
        from itda_core.pursuit.kernels import compile_ahead

        compile_ahead()


def begin() -> None:
    """`load`, behind the scenes."""
    threading.Thread(target=load, name="itda-imports", daemon=True).start()
