"""Python runs this first in a server that a test starts with this folder on PYTHONPATH: it holds the slow imports.

torch and transformers are not there before a file of their name is in the folder $HOLD_UNTIL: what a page shows
meanwhile needs neither, however fast or busy the machine is.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

_UNTIL = Path(os.environ["HOLD_UNTIL"])
_HELD = ("torch", "transformers")


class _Held:
    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path, target) if name in _HELD else None
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                while not (_UNTIL / name).exists():
                    time.sleep(0.01)
                execute(module)

            spec.loader.exec_module = exec_module
        return spec


sys.meta_path.insert(0, _Held())  # pyright: ignore[reportArgumentType]
