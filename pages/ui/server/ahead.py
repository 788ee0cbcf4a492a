"""What the first visitor would wait for, done while the server starts and the browser opens."""

from __future__ import annotations

import gc
import logging
import threading

from itda_core.errors import UserError
from pages.ui.frame import engine, slow_imports

_OF_RUNS = "streamlit.runtime.scriptrunner_utils.script_run_context"  # the name of Streamlit's logger


def begin() -> threading.Thread:
    """Loads behind the scenes what the default dictionary and its model need, and decomposes the example by them."""
    logging.getLogger(_OF_RUNS).addFilter(_not_of_own_threads)
    thread = threading.Thread(target=_load, name="itda-ahead", daemon=True)
    thread.start()
    return thread


def _not_of_own_threads(record: logging.LogRecord) -> bool:
    """Streamlit warns of its caches being asked outside a page's run, which is what these threads are for."""
    return not (threading.current_thread().name.startswith("itda-") and "ScriptRunContext" in record.getMessage())


def _load() -> None:
    try:
        _first()
    finally:
        _keep_out_of_collections()


def _keep_out_of_collections() -> None:
    """Sets apart what is in memory now, imported modules above all, so that no garbage collection looks at it again.

    Streamlit collects after each run of a page, before the browser hears that the run has ended; with torch and
    transformers loaded, that takes longer than most runs.
    """
    gc.collect()
    gc.freeze()


def _first() -> None:
    slow_imports.load()
    default = engine.default_entry(engine.usable(engine.entries()))
    if default is None or not default.bundled:  # one's own model may be of any size
        return
    try:
        key = engine.key_of(default.path)
    except UserError:  # whoever opens it is told
        return
    engine.warm_up(key).join()
