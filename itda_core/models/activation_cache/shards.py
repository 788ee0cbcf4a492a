"""Activations on disk: safetensors shards of forward batches, found again by the text that was read.

A set is a folder: `set.json` says what gave the activations (SetKey, and names for people), each shard holds some
forward batches, for every site one tensor. What tokens they belong to is not stored: the reader has the windows, and
a batch is found by the digest of their token ids. Each tensor has its own digest in the shard's header, and one that is
not what was written counts as not kept (shards of an earlier version have none, and are taken as they are).

Nothing here loads torch before a tensor is read.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from filelock import FileLock, Timeout

from itda_core.errors import UserError
from itda_core.files import PARTIAL, explained, parse_json, read_json, sync_file, sync_folder, write_json
from itda_core.files.safetensors_header import METADATA, read_header
from itda_core.fingerprints import weights_of

if TYPE_CHECKING:
    import torch

    from itda_core.text import Window

VERSION = 1
SHARD_BYTES = 64 * 2**20  # held in memory before it is written; a kill loses no more
_DESCRIPTION, _LOCK, _SUFFIX = "set.json", ".lock", ".safetensors"
_BATCHES, _DIGESTS = "batches", "sha256"


@dataclass(frozen=True)
class SetKey:
    """What activations depend on beside the windows read together: to the last bit on one machine with as many threads.

    Activations kept by another processor are used all the same: they differ by rounding only.
    """

    weights: str  # the model's fingerprint, of which the weights are a part
    tokenizer: str  # fingerprint
    dtype: str
    device: str  # its kind: a GPU rounds otherwise than a CPU
    software: str  # torch's version, on which rounding depends
    corpus: str  # fingerprint
    context: int
    windows: str  # "all" or "first"

    def digest(self) -> str:
        """Twelve hexadecimal digits."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:12]

    def earlier(self) -> SetKey:
        """The key as earlier versions wrote it, with the weights alone; its set may be of another config."""
        return replace(self, weights=weights_of(self.weights))


@dataclass(frozen=True)
class CachedSet:
    """One set of kept activations, for people."""

    folder: Path
    name: str
    model: str
    corpus: str
    context: int
    windows: str
    sites: tuple[str, ...]
    tokens: int  # that have activations at one of the sites at least
    bytes: int


class StoredTensor(NamedTuple):
    """Where a batch's activations at one site are."""

    shard: Path
    tensor: str
    digest: str | None  # of its bytes; None: an earlier version of this program wrote none

    def holds(self, tensor: torch.Tensor) -> bool:
        """Whether `tensor`, as it was read from here, is what was written."""
        return self.digest in (None, _bytes_digest(tensor))


class Index:
    """What the shards of a set hold, read from their headers."""

    def __init__(self, folder: Path) -> None:
        self.places: dict[tuple[str, str], StoredTensor] = {}  # (digest of a batch, site)
        self.tokens: dict[str, int] = {}  # of each batch
        for shard in sorted(folder.glob(f"[!.]*{_SUFFIX}")):
            self.add(shard)

    def add(self, shard: Path) -> None:
        """Take in a shard; one that cannot be read holds nothing."""
        try:
            header = read_header(shard)
            metadata = {name: str(value).encode() for name, value in header[METADATA].items()}
            batches = parse_json(metadata[_BATCHES], shard, strict=True)
            held = [(str(digest), int(n_tokens)) for digest, n_tokens in batches]
            digests = dict(parse_json(metadata.get(_DIGESTS, b"{}"), shard, strict=True))
        except (AttributeError, KeyError, TypeError, ValueError):  # UserError, too, is a ValueError
            return
        for name in header:
            number, mark, site = name.partition(".")
            if mark and number.isdecimal() and int(number) < len(held):
                digest, n_tokens = held[int(number)]
                self.places[digest, site] = StoredTensor(shard, name, digests.get(name))
                self.tokens[digest] = n_tokens

    def forget(self, shard: Path) -> None:
        """A shard is gone or cannot be read."""
        self.places = {key: place for key, place in self.places.items() if place.shard != shard}

    @property
    def sites(self) -> tuple[str, ...]:
        return tuple(sorted({site for _, site in self.places}))


def digest_of(windows: Sequence[Window]) -> str:
    """The digest that identifies a forward batch: of its windows' token ids, and which of them are special."""
    digest = hashlib.sha256()
    for window in windows:
        digest.update(len(window).to_bytes(8, "little"))
        digest.update(array("q", window.token_ids).tobytes())
        digest.update(bytes(window.special))
    return digest.hexdigest()[:32]


def write_shard(path: Path, tensors: Mapping[str, torch.Tensor], batches: Sequence[tuple[str, int]]) -> None:
    """Write a shard in one rename; it is on the disk when this returns. Raises UserError when the disk is full."""
    from safetensors.torch import save

    digests = {name: _bytes_digest(tensor) for name, tensor in tensors.items()}
    metadata = {_BATCHES: json.dumps(list(batches)), _DIGESTS: json.dumps(digests)}
    partial = path.with_name(f"{PARTIAL}{path.name}")
    try:
        with explained(path):
            partial.write_bytes(save(dict(tensors), metadata=metadata))
            sync_file(partial)
            partial.replace(path)
            sync_folder(path.parent)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _bytes_digest(tensor: torch.Tensor) -> str:
    """Hexadecimal sha256 of a tensor's numbers, as they lie in a file."""
    import torch

    return hashlib.sha256(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data).hexdigest()


def sets(root: Path) -> list[CachedSet]:
    """The sets in `root`, by name; other folders are left out."""
    return [kept for folder in sorted(_folders(root)) if (kept := _read(folder)) is not None]


def open_set(root: Path, key: SetKey, *, model: str, corpus: str) -> Path:
    """The folder of the set of `key`, made if need be. Raises UserError when it cannot be written."""
    folder = find_set(root, key)
    if folder is not None:
        return folder
    folder = root / f"{_plain(Path(model).name)}-{_plain(Path(corpus).name)}-{key.digest()}"
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / _DESCRIPTION, {"version": VERSION, "key": asdict(key), "model": model, "corpus": corpus})
    return folder


def find_set(root: Path, key: SetKey) -> Path | None:
    """The folder of the set of `key`; None when there is none."""
    for folder in _folders(root):
        if folder.name.endswith(key.digest()) and _description(folder).get("key") == asdict(key):
            return folder
    return None


def lock_of(folder: Path) -> FileLock:
    """Held by whoever writes into a set."""
    return FileLock(folder / _LOCK)


def clean(folder: Path) -> None:
    """Remove what a killed writer left; only for who holds the lock."""
    for path in folder.glob(f"{PARTIAL}*"):
        path.unlink(missing_ok=True)


def remove_set(root: Path, name: str) -> CachedSet:
    """Delete the set `name` of `root`. Raises UserError when there is none, or somebody is writing to it."""
    found = next((kept for kept in sets(root) if kept.name == name), None)
    if found is None:
        raise UserError(f"There are no kept activations named {name[:80]!r}; itda library activations lists all sets.")
    lock = lock_of(found.folder)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(f"A training is writing to {name}; wait for it, or cancel it first.") from None
    try:
        with explained(found.folder):
            (found.folder / _DESCRIPTION).unlink()  # without it the folder is no set
            shutil.rmtree(found.folder)
    finally:
        lock.release()
    return found


def _folders(root: Path) -> Iterator[Path]:
    if root.is_dir():
        yield from (path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))


def _description(folder: Path) -> dict[str, Any]:
    """Empty for a folder that is no set, or one of another version."""
    try:
        value = read_json(folder / _DESCRIPTION)
    except UserError:
        return {}
    return value if isinstance(value, dict) and value.get("version") == VERSION else {}


def _read(folder: Path) -> CachedSet | None:
    description = _description(folder)
    try:
        key = SetKey(**description["key"])
        model, corpus = str(description["model"]), str(description["corpus"])
    except (KeyError, TypeError):
        return None
    if not isinstance(key.context, int):
        return None
    index = Index(folder)
    size = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
    return CachedSet(
        folder, folder.name, model, corpus, key.context, key.windows, index.sites, sum(index.tokens.values()), size
    )


def _plain(name: str) -> str:
    """At most 40 characters that any file system takes."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "._") else "-" for c in name).strip("-._")[:40] or "set"
