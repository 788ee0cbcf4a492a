"""Slow findings about a file or a model, kept in the user's folder so that each is computed once.

A finding is a small JSON value in `home/cache/KIND/DIGEST.json`, under the digest of all that it depends on. A finding
that is gone, damaged or could not be written is computed again.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from itda_core.errors import UserError
from itda_core.files import read_json, write_json
from itda_core.files.home import home


def key_of(**facts: str | int | bool | None) -> str:
    """Hexadecimal sha256 of what a finding depends on."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def recall(kind: str, key: str) -> Any:
    """The finding, None where there is none; the caller checks its form."""
    try:
        return read_json(_path(kind, key))
    except UserError:
        return None


def remember(kind: str, key: str, finding: Any) -> None:
    """Keep a finding; where it cannot be written, it is not kept."""
    with suppress(UserError, OSError):
        write_json(_path(kind, key), finding)


def _path(kind: str, key: str) -> Path:
    return home() / "cache" / kind / f"{key}.json"
