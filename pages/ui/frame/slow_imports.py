"""The imports that take seconds: by one thread at a time, and ahead of the first visitor."""

from __future__ import annotations

import importlib
import threading

# What Streamlit imports for the first picture and the first part of ours that it draws: it comes first, so that it is
# there before a browser asks for a page.
_PAGES = ("pandas", "PIL.Image")
# What a dictionary needs, all of it: so that whoever reads one imports nothing while another thread imports the rest.
_TENSORS = (
    "torch",
    "safetensors.torch",
    "pyarrow.parquet",
    "itda_core.pursuit.encoding",
    "itda_core.dictionaries.dictionary",
    "itda_core.dictionaries.storage.dictionary_folder",
)
_MODELS = ("itda_core.models.loading", "transformers.models.gpt2.modeling_gpt2")  # the family of the bundled ones
# Two threads importing parts of one package can each see the other's half done.
_tensors, _models = threading.Lock(), threading.Lock()


def load(*, models: bool = True) -> None:
    """Imports what pages and dictionaries need, with `models` what a model does too; at once if it was done before."""
    with _tensors:
        for name in (*_PAGES, *_TENSORS):
            importlib.import_module(name)
    if not models:
        return
    with _models:
        for name in _MODELS:
            importlib.import_module(name)
        from itda_core.pursuit.kernels import compile_ahead

        compile_ahead()
