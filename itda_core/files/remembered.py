"""What takes a while to find out about a file or a model, kept in the user's folder so that it is found out once.

A finding is a small JSON value in `home/cache/KIND/DIGEST.json`, under the digest of all that it depends on. Nothing
here is needed: a finding that is gone, damaged or could not be written is found out again.
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
    """What was found out, None where nothing was; whoever asks checks that it is what it may be."""
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
