"""What the first visitor would wait for, done while the server starts and the browser opens."""

from __future__ import annotations

import threading

from itda_core.errors import UserError
from pages.ui.frame import engine, slow_imports


def begin() -> threading.Thread:
    """Loads behind the scenes what the default dictionary and its model need, and decomposes the example by them."""
    thread = threading.Thread(target=_load, name="itda-ahead", daemon=True)
    thread.start()
    return thread


def _load() -> None:
    slow_imports.load()
    default = engine.default_entry(engine.usable(engine.entries()))
    if default is None or not default.bundled:  # one's own model may be of any size
        return
    try:
        key = engine.key_of(default.path)
    except UserError:  # whoever opens it is told
        return
    engine.warm_up(key).join()
