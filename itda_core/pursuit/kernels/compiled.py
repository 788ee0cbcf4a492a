"""`compiled`: Numba functions that run without Python's lock and are kept on disk between runs.

Numba notices a change in a function's own file only, not in those of the functions and constants compiled into it. The
folder is therefore named after the contents of the whole room: what was compiled from others is never taken up.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import platformdirs
from numba.core import config as _numba_config
from numba.core.errors import NumbaWarning

config: Any = _numba_config


def _folder() -> Path | None:
    """Where they are kept; None for a user who has no home folder."""
    contents = hashlib.sha256()
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        contents.update(path.read_bytes())
    try:
        cache = platformdirs.user_cache_path("itda-studio", appauthor=False)
    except RuntimeError:  # older versions give a path that begins with ~
        return None
    return cache / "kernels" / contents.hexdigest()[:16] if cache.is_absolute() else None


_FOLDER = _folder()


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Numba's njit with `nogil`, compiled at the first call of each signature; kept on disk where that can be done."""

    def decorate(function: Callable[..., Any]) -> Any:
        if _FOLDER is None:
            return numba.njit(nogil=True, **options)(function)
        before = config.CACHE_DIR
        try:
            config.CACHE_DIR = str(_FOLDER)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", NumbaWarning)
                return numba.njit(nogil=True, cache=True, **options)(function)
        except (RuntimeError, OSError):  # no folder can be written: compiled anew in every process
            return numba.njit(nogil=True, **options)(function)
        finally:
            config.CACHE_DIR = before

    return decorate
