"""Ways in which files are damaged, drawn from a generator, so that a seed names a case."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

_ODD_LEAVES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    3,
    2**31,
    10**30,
    -(10**30),
    0.5,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "0",
    "x",
    "\ud800",
    "é" * 3,
    "../../etc/passwd",
    "x" * 300_000,
    [],
    [None],
    [[]],
    {},
    {"": None},
    {"a": {"b": [1]}},
)


def damaged_bytes(raw: bytes, rng: random.Random) -> bytes:
    """`raw` with one bit flipped, cut short, with bytes lost, doubled or foreign ones in it, or emptied."""
    if not raw:
        return bytes(rng.randrange(256) for _ in range(rng.randrange(1, 20)))
    at, length = rng.randrange(len(raw)), rng.randrange(1, 64)
    match rng.randrange(7):
        case 0:
            return raw[:at] + bytes([raw[at] ^ (1 << rng.randrange(8))]) + raw[at + 1 :]
        case 1:
            return raw[:at]
        case 2:
            return raw[:at] + raw[at + length :]
        case 3:
            return raw[:at] + raw[at : at + length] + raw[at:]
        case 4:
            return raw[:at] + bytes(rng.randrange(256) for _ in range(length)) + raw[at:]
        case 5:
            return raw[:at] + b"\0" * length + raw[at + length :]
        case _:
            return b""


def damaged_json(value: Any, rng: random.Random) -> str:
    """`value` as JSON with one part of it replaced by an odd one, removed or doubled; or JSON that is odd as text."""
    value = copy.deepcopy(value)
    match rng.randrange(12):
        case 0:
            return "[" * 100_000
        case 1:
            return json.dumps(value)[:-1] + f', "n": {"7" * 5000}}}'
        case 2:
            return damaged_bytes(json.dumps(value).encode(), rng).decode("utf-8", "replace")
        case 3:
            return json.dumps(rng.choice(_ODD_LEAVES))
        case _:
            holder, key = _somewhere(value, rng)
            if holder is None:
                return json.dumps(rng.choice(_ODD_LEAVES))
            if rng.random() < 0.25:
                del holder[key]
            elif isinstance(holder[key], list) and holder[key] and rng.random() < 0.3:
                holder[key].append(holder[key][0])
            else:
                holder[key] = rng.choice(_ODD_LEAVES)
            return json.dumps(value)


def damage_json_file(path: Path, rng: random.Random) -> None:
    """Damage the JSON in `path` in its place."""
    damaged = damaged_json(json.loads(path.read_text("utf-8")), rng)
    path.write_bytes(damaged.encode("utf-8", "surrogatepass"))


def damage_file(path: Path, rng: random.Random) -> None:
    """Damage the bytes of `path` in its place."""
    path.write_bytes(damaged_bytes(path.read_bytes(), rng))


def _somewhere(value: Any, rng: random.Random) -> tuple[Any, Any]:
    """A container inside `value` (itself, or deeper) and a key of it; (None, None) where there is none."""
    places: list[tuple[Any, Any]] = []

    def walk(part: Any, depth: int) -> None:
        keys = part.keys() if isinstance(part, dict) else range(min(len(part), 20)) if isinstance(part, list) else ()
        for key in keys:
            places.append((part, key))
            if depth < 8:
                walk(part[key], depth + 1)

    walk(value, 0)
    # A vocabulary has thousands of entries and a config a handful: the nearest to the top are drawn as often.
    top = [(value, key) for key in value] if isinstance(value, dict) else []
    pool = top if top and rng.random() < 0.5 else places
    return rng.choice(pool) if pool else (None, None)
