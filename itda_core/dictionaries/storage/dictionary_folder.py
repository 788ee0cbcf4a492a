"""A dictionary as a folder: dictionary.json, atoms.safetensors, provenance.parquet. Nothing is ever unpickled."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from itda_core.dictionaries import provenance
from itda_core.dictionaries.config import TrainConfig
from itda_core.dictionaries.spec import DictionarySpec
from itda_core.dictionaries.storage.description import (
    FORMAT,
    FORMAT_VERSION,
    RUN,
    SPECIFICATION,
    config_of,
    read_description,
)
from itda_core.dictionaries.storage.digested_files import (
    DIGESTS,
    REMEDY,
    check_digest,
    digest_of,
    identity_of,
    is_as_sealed,
    read_frame,
    read_tensors,
    sealed,
    tensor_shapes,
    write_frame,
    write_tensors,
)
from itda_core.errors import UserError
from itda_core.files import enough_memory, new_folder, shown, write_json

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

    from itda_core.dictionaries.dictionary import AtomDictionary

ATOMS, PROVENANCE = "atoms.safetensors", "provenance.parquet"
STORED_DTYPES = ("float32", "float16")
NO_DIGESTS = (
    "An earlier version of this program wrote this dictionary, without digests of its files: whether one was damaged "
    "since then can only be told from its labels. Exporting and importing it adds them."
)


@dataclass(frozen=True)
class DictionarySummary:
    """What a list of dictionaries shows of each, read from dictionary.json alone."""

    path: Path
    name: str
    model: str
    revision: str | None
    layer: int | None
    site: str
    atoms: int
    d_model: int
    k: int
    threshold: float | None
    selection: str
    method: str
    corpus: str
    fvu: float | None  # fraction of variance unexplained, see stats["fvu_text"]
    created: str  # ISO 8601, UTC
    bytes: int  # of the three files
    identity: str  # hexadecimal sha256 of what dictionary.json says; it stays when the folder is renamed
    fingerprint: str  # of the model's weights
    tokens: int | None = None  # of the text that were read, where the dictionary says it
    fvu_text: str | None = None  # what FVU was measured on: "held-out" or "training"


class Parts(NamedTuple):
    """What an AtomDictionary is made of."""

    atoms: Tensor  # (n_atoms, d_model) float32, unit norm
    mean: Tensor  # (d_model,) float32
    provenance: pd.DataFrame
    spec: DictionarySpec
    config: TrainConfig
    stats: dict[str, Any]


class Identified(NamedTuple):
    """What a folder holds, and its identity, see DictionarySummary."""

    parts: Parts
    identity: str


@dataclass(frozen=True)
class Labelling:
    """A dictionary without its atoms: what it was grown from, how, and where its atoms were seen."""

    spec: DictionarySpec
    config: TrainConfig
    stats: dict[str, Any]
    provenance: pd.DataFrame
    path: Path


def save(dictionary: AtomDictionary, path: Path, *, dtype: str = "float32", run: str | None = None) -> Path:
    """Write `dictionary` as the folder `path` in one rename; atoms are stored as `dtype`, the mean as float32.

    run: which training made it, so that it can be found again by a session that goes on from a kill.

    Returns `path`. Raises UserError when `path` exists, cannot be written, the disk is full, or `dtype` is unknown.
    """
    import torch

    if dtype not in STORED_DTYPES:
        raise UserError(f"Atoms cannot be stored as {dtype!r}; choose {' or '.join(STORED_DTYPES)}.")
    description = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "atoms": len(dictionary),
        "dtype": dtype,
        "spec": dictionary.spec.to_dict(),
        "config": dictionary.config.to_dict(),
        "stats": dictionary.stats,
        "software": {name: metadata.version(name) for name in ("torch", "transformers", "safetensors", "numpy")},
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        **({RUN: run} if run else {}),
    }
    with new_folder(path) as folder:
        atoms = write_tensors(
            folder / ATOMS,
            {
                "atoms": dictionary.atoms.detach().to("cpu", getattr(torch, dtype)),
                "mean": dictionary.mean.detach().to("cpu", torch.float32),
            },
        )
        labels = write_frame(folder / PROVENANCE, dictionary.provenance)
        written = _write_description(folder, description, {ATOMS: atoms, PROVENANCE: labels})
    dictionary.identity = identity_of(written)
    return path


def add_digests(path: Path) -> None:
    """Write the digests of its files, as they are now, into the dictionary.json of a folder that has none."""
    description = read_description(path)
    if DIGESTS not in description:
        _write_description(path, description, {name: digest_of(path / name) for name in (ATOMS, PROVENANCE)})


def has_digests(path: Path) -> bool:
    """Whether damage to the dictionary in the folder `path` would be seen; see NO_DIGESTS."""
    return {ATOMS, PROVENANCE} <= read_description(path).get(DIGESTS, {}).keys()


def check_digests(path: Path, *, description: bool = True) -> None:
    """Raises UserError when a file of the dictionary in the folder `path` is not what was written.

    description: dictionary.json, too, which somebody may have edited. Of a folder without digests nothing is known.
    Reads no file but to compute its digest.
    """
    written = read_description(path)
    if description and not is_as_sealed(written, SPECIFICATION):
        raise UserError(
            f"{shown(path / SPECIFICATION)} is not what was written: something in it was changed, or damaged, since; "
            f"{REMEDY}"
        )
    for name, digest in _digests(written).items():
        check_digest(path / name, digest)


def _digests(description: dict[str, Any]) -> dict[str, str]:
    """The digests of atoms and labels. An edited dictionary.json has none that count; `check_digests`, and so verify,
    reports the edit.
    """
    if not is_as_sealed(description, SPECIFICATION):
        return {}
    return {name: digest for name, digest in description.get(DIGESTS, {}).items() if name in (ATOMS, PROVENANCE)}


def _write_description(folder: Path, description: dict[str, Any], digests: dict[str, str]) -> dict[str, Any]:
    """dictionary.json, the last of a folder's files, with the digests of them all; returns what it says."""
    written = sealed(description, SPECIFICATION, digests)
    write_json(folder / SPECIFICATION, written)
    return written


def read(path: Path) -> Identified:
    """The dictionary in the folder `path`, everything checked; atoms and mean on the CPU.

    Atoms stored in half precision are normalised again. Raises UserError when `path` is missing, foreign, of another
    format version, or damaged in any way: shapes that disagree, atoms that are not unit norm, NaN, wrong labels, a file
    whose digest is not the one in dictionary.json (older folders have none).
    """
    description = read_description(path)
    spec = DictionarySpec.from_dict(description["spec"])
    config = config_of(path / SPECIFICATION, description["config"])
    _check_shapes(path / ATOMS, description["atoms"], spec.d_model)
    tensors = read_tensors(path / ATOMS, ("atoms", "mean"))
    with enough_memory(path / ATOMS):
        atoms, mean = _checked(path / ATOMS, tensors["atoms"], tensors["mean"])
    check_digest(path / ATOMS, _digests(description).get(ATOMS))
    frame = _labels(path, description)
    parts = Parts(atoms, mean, frame, spec, config, description["stats"])
    return Identified(parts, identity_of(description))


def read_summary(path: str | Path) -> DictionarySummary:
    """What dictionary.json in the folder `path` says, without reading the atoms and without loading torch.

    Raises UserError when the folder is no dictionary, is of another format version, or its dictionary.json is damaged.
    """
    path = Path(path)
    description = read_description(path)
    spec, config = DictionarySpec.from_dict(description["spec"]), config_of(path / SPECIFICATION, description["config"])
    files = (path / name for name in (SPECIFICATION, ATOMS, PROVENANCE))
    return DictionarySummary(
        path=path,
        name=path.name,
        model=spec.model,
        revision=spec.revision,
        layer=spec.layer,
        site=spec.site,
        atoms=description["atoms"],
        d_model=spec.d_model,
        k=config.k,
        threshold=config.threshold_for(spec.d_model),
        selection=config.selection,
        method=config.method,
        corpus=spec.corpus,
        fvu=description["stats"].get("fvu"),
        created=description["created"],
        bytes=sum(file.stat().st_size for file in files if file.is_file()),
        identity=identity_of(description),
        fingerprint=spec.weights_fingerprint,
        tokens=description["stats"].get("tokens"),
        fvu_text=description["stats"].get("fvu_text"),
    )


def read_labelling(path: str | Path) -> Labelling:
    """The labels of the dictionary in the folder `path`, without reading the atoms and without loading torch.

    Raises UserError when the folder is no dictionary, is of another format version, or what is read is damaged.
    """
    path = Path(path)
    description = read_description(path)
    spec = DictionarySpec.from_dict(description["spec"])
    _check_shapes(path / ATOMS, description["atoms"], spec.d_model)  # the number of atoms must be true
    frame = _labels(path, description)
    config = config_of(path / SPECIFICATION, description["config"])
    return Labelling(spec, config, description["stats"], frame, path)


def _labels(path: Path, description: dict[str, Any]) -> pd.DataFrame:
    """The provenance in a folder, checked."""
    file, n_atoms = path / PROVENANCE, description["atoms"]
    frame = provenance.check(read_frame(file, n_atoms), n_atoms, str(file))
    check_digest(file, _digests(description).get(PROVENANCE))
    return frame


def _check_shapes(file: Path, n_atoms: int, d_model: int) -> None:
    """Raises UserError unless the file's header speaks of `n_atoms` atoms of `d_model` numbers and of their mean."""
    stated = tensor_shapes(file)
    if missing := [name for name in ("atoms", "mean") if name not in stated]:
        raise UserError(f"{shown(file)} is damaged (no tensor {missing[0]}); {REMEDY}")
    if stated["atoms"] != (n_atoms, d_model) or stated["mean"] != (d_model,):
        shapes = f"atoms {shown(stated['atoms'])[:80]} and mean {shown(stated['mean'])[:80]}"
        raise UserError(
            f"{shown(file)} is damaged ({shapes} where {SPECIFICATION} says {n_atoms} atoms of {d_model}); {REMEDY}"
        )


def _checked(file: Path, atoms: Tensor, mean: Tensor) -> tuple[Tensor, Tensor]:
    """Atoms and mean as float32, or UserError."""
    import torch

    if not (atoms.is_floating_point() and mean.is_floating_point()):
        raise UserError(
            f"{shown(file)} is damaged (atoms {atoms.dtype}, mean {mean.dtype}, not floating point); {REMEDY}"
        )
    half = atoms.element_size() < 4
    atoms, mean = atoms.float(), mean.float()
    if not (torch.isfinite(atoms).all() and torch.isfinite(mean).all()):
        raise UserError(f"{shown(file)} is damaged (it contains NaN or infinity); {REMEDY}")
    norms = torch.linalg.vector_norm(atoms, dim=1)
    if ((norms - 1).abs() > (1e-2 if half else 1e-3)).any():
        worst = int((norms - 1).abs().argmax())
        raise UserError(f"{shown(file)} is damaged (atom {worst} has norm {float(norms[worst]):.4g}, not 1); {REMEDY}")
    return (atoms / norms[:, None] if half else atoms), mean
